//go:build race

package audit

// raceFactor is how much slower the race detector may make a time limit.
const raceFactor = 10
