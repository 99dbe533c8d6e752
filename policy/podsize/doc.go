// Package podsize says what one replica's pod requests of the cluster.
//
// A manifest's requests come in, with what else of the manifest and its
// environment makes KServe and Knative put containers into the pod; the pod's requests go to policy/placement
// and policy/quota, which have to count as the scheduler and the API server do.
// What a model costs is not its business: prices are for what was asked.
package podsize
