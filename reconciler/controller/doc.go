// Package controller runs Mooring's engine inside a controller-runtime manager.
//
// Three loops share the work, so that none waits for another. Repositories
// (one item a ModelRepository) fetch, compare the branch with the ledger and
// renew the fleet. Reviews (one item a pull request) judge and publish. Units
// (one item a ModelRelease) apply, watch, heal and prune. A fourth, Statuses,
// tells the forge what became of each merged commit, away from the loops that
// do the work.
//
// A webhook or a poll only says when to look; what is decided depends on what
// is read then.
package controller
