// Package sla says how much of the time that people have to approve a change is
// over: when to remind them, and when it is overdue. A time is a bound on how long
// a change waits, never a reason to let it pass: nothing here approves.
package sla
