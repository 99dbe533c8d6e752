// Package policy holds Mooring's decisions: each a pure function from a
// gathered snapshot to a verdict that explains itself. This package has the
// words that all of them share; each decision is a package below it.
//
// Nothing under policy reads a disk, a network or a clock: times, members,
// reviews and file contents come in as arguments from reconciler/review and
// reconciler/release, and verdicts and findings go back there. Of the project,
// only schemas is imported.
//
// Every decision fails closed: what is unknown, missing or out of range comes
// back as an error or a finding, never as a pass.
package policy
