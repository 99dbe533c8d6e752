// Package sandbox checks Rego rules that nobody has approved yet in a process
// of their own: the same executable, started again, with no environment, a
// bound on its memory and an end to its time. What such rules can do to the
// engine (a stack that overflows, a comparison without end, one built-in that
// fills the memory) cannot be stopped within a process.
//
// The files come in from reconciler/review on standard input, and what
// policy/compliance says of them goes back on standard output.
package sandbox
