// Package review is the gate: it tells a pull request what would change, how
// risky that is, who still has to approve, what it costs and what is wrong.
//
// Evaluate gathers one snapshot (the two trees, the governing files at the
// base's tip, what the forge says of people) and runs the stages over it; the
// decisions themselves are policy's. The same Evaluate serves the controller on
// a live pull request, `mlops plan` on a clone, and the release engine, which
// asks again what a merged pull request was approved for.
//
// Nothing here writes to a cluster. Publishing to the forge is at the edge, in
// Reviewer.
package review
