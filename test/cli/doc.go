// Package cli holds the acceptance tests of the mlops command: each builds a
// real Git repository out of example-repo, runs the real program on it and reads
// what a user would read. The names of the cases are the sentences of the
// contract that they hold.
package cli
