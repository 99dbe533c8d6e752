// Package proof holds what the gate and the renderer say against what the real
// parts do: the API server with KServe's definitions and webhooks, its admission of
// quotas, KServe's controller, and the scheduler on simulated nodes of every pool.
//
// Each test draws many cases (package test/fleet) at the edge of what is allowed,
// and reports agreement as a number. One disagreement is a bug of Mooring's.
//
// One test applies the example repository and many drawn manifests, lets KServe
// serve them, and holds that nothing of them moves afterwards.
package proof
