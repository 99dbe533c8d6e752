// Package apply brings sets of objects into a cluster, and out of it.
//
// A set is one unit: one model in one environment, or a team's tenancy. It is
// applied as a whole or not at all: every object is tried with a server-side
// dry run first, through quota, admission webhooks and validation, and one
// refusal leaves the cluster as it was. What was applied is recorded in an
// inventory with a hash of the owned fields taken from the API server's answer;
// prune and delete remove only what is in the inventory and still carries the
// unit's labels, and never a namespace.
//
// It decides nothing: what to apply, and whether it may, is settled before.
// Nothing here waits for health; Health judges an object that a watch delivered.
package apply
