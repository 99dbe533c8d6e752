// Package podsecurity holds rendered objects against Kubernetes' Pod Security
// Standard "restricted", with the checks of Kubernetes' own admission plugin.
//
// Every pod specification is looked at, wherever an object carries one: the
// components of an InferenceService, workloads and pods that an overlay adds,
// and kinds that nobody here knows. What KServe or another webhook adds later is
// not judged: the namespace's label makes the API server do that, at the level
// baseline. The objects come from reconciler/desired, after the overlay.
package podsecurity
