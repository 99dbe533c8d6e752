// Package quota holds what a team's models request in one environment against
// the team's share of it.
//
// Manifests at head and the team's quota come in; findings go to the change
// that was judged. Requests at replicas.min above the quota fail, at
// replicas.max they warn: a team may let models grow by turns. A quota without room
// for the pods by which a rollout begins warns too: it would hang. What runs as pods
// is what package placement places: transformers, explainers and routers of
// graphs count like predictors, with what KServe puts into their pods (package
// podsize); an accelerator of whatever type counts as its count.
package quota
