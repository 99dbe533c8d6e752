// Package meeting says when a change advisory board next meets. Meetings are
// weekly, at a wall clock time in the board's own time zone, so they move in
// UTC when that zone changes to summer time. The time zones are compiled in, so that
// a machine without any gives the same answer.
package meeting
