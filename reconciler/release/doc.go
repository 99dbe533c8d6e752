// Package release is what happens after the merge. A ledger says which content
// of each file stands approved. What merged pull requests were approved for is
// taken over; then the branch's tip is compared with the ledger, and what
// differs is quarantined while the last good content stays. From the ledger's
// content the desired objects of every unit are rendered, applied, watched,
// healed and pruned; each unit keeps its receipt, and no unit waits for another.
//
// Decisions are pure (ledger.go, merge.go, guard.go). The cluster is touched in
// deploy.go, mend.go and remove.go alone, with the intent in the audit log
// before and the outcome after.
package release
