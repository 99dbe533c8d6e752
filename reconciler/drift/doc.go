// Package drift notices that a live object is no longer what Mooring applied.
//
// It costs no request in steady state: a Watcher keeps what carries Mooring's
// labels in a cache and compares a fingerprint of the owned fields with the one
// recorded at the apply. Only when they differ does an Inspector ask the API
// server, with one dry run at a limited rate, what healing would change; that,
// on the paths Mooring owns, is the drift. Defaults, admission and the spelling
// of quantities never are. HealPolicy decides when to heal and when to stop
// fighting. Nothing here writes to the cluster.
package drift
