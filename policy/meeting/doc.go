// Package meeting says when a change advisory board next meets. Meetings are
// weekly, at a wall clock time in the board's own time zone, so they move in
// UTC when that zone changes to summer time. The time zones are compiled in:
// the answer does not depend on the machine.
package meeting
