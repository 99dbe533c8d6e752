// Package release is what happens after the merge. A ledger says which content
// of each file stands approved; the branch's tip is compared with it, what has
// an approval is taken over, what has none is quarantined and the last good
// content stays. From the ledger's content the desired objects of every unit
// are rendered, applied, watched, healed and pruned; each unit keeps its
// receipt, and no unit waits for another.
//
// Decisions are pure (ledger.go, phase.go); the cluster is touched in unit.go
// alone, with the intent in the audit log before and the outcome after.
package release
