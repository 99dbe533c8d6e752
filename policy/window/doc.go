// Package window says whether models may be deployed to an environment at a
// time, by the change windows of the governance's file, and when they may next.
// Windows are spans of the wall clock in a time zone of their own, so they move
// in UTC when that zone changes to summer time: a time of day that the clocks
// leave out is as far behind midnight as if they had not, and of one that they
// show twice the first is meant. Zones are compiled in.
package window
