// Package fleet draws model repositories for tests: the example repository's
// governance, environments and overlay, with pools of more kinds, teams with room
// for everything, and manifests of every shape that users write.
//
// All is drawn from a seed, so that a test that fails can be run again:
//
//	MOORING_SEED=7 go test ./test/proof
package fleet
