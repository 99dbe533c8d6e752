// Package gate attacks the gate: nothing that nobody approved may ever run.
//
// A small world of real Git objects (world_test.go) is driven through every
// schedule of pushes, reviews, merges, forced pushes, looks and restarts up to a
// depth (schedules_test.go), and through long random ones (random_test.go), with
// the real code between the forge and the ledger. After every step an oracle
// that shares nothing with that code (oracle_test.go) says whether each content
// that may be applied was approved by the right people, for exactly that
// content, when it was merged, and what an open pull request has to be told. A
// mutation test breaks one rule at a time and has to be caught. What the
// schedules take for GitHub tells the same as the double of GitHub
// (double_test.go), and questions that are alike are asked once (likeness_test.go).
//
// The soak (soak_test.go, soaking_test.go) lets people work on a GitHub that
// fails in every way, with the controller's loops and the real adapter, until
// the faults end and all has to be put right.
package gate
