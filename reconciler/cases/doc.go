// Package cases runs the cases of a governance_test.yaml: it lays the files of a
// working tree into a temporary repository, makes one commit for each case, and
// lets the gate itself (review.Evaluate) judge them.
//
// Nothing is judged here: what the gate says is compared with what the case
// expects. The repository is of no other use and is removed at the end.
package cases
