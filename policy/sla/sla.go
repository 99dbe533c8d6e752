package sla

import "time"

// ReminderPercent is the share of the time, in percent, after which those who
// still have to approve are reminded.
const ReminderPercent = 75

// Stage is how far a change's time has run.
type Stage string

// The stages, in their order.
const (
	// Running: nothing to say yet.
	Running Stage = "running"
	// Reminder: ReminderPercent of the time is over.
	Reminder Stage = "reminder"
	// Overdue: all of it is over.
	Overdue Stage = "overdue"
)

// Clock is the time that people have to approve one change. The zero Clock does
// not run: nobody has been asked, as for a draft.
type Clock struct {
	// Due is when the time is over.
	Due time.Time
	// Time is how long it is, from when approval was asked for until Due; above zero.
	Time time.Duration
}

// Runs reports whether there is anything to wait for.
func (c Clock) Runs() bool { return !c.Due.IsZero() && c.Time > 0 }

// ReminderAt is when people are reminded.
func (c Clock) ReminderAt() time.Time { return c.Due.Add(-c.Time / 100 * (100 - ReminderPercent)) }

// At is the stage at a time. A stage begins at its very moment. A change whose
// time ran out unseen is overdue, and no longer needs the reminder.
func (c Clock) At(now time.Time) Stage {
	switch {
	case !c.Runs() || now.Before(c.ReminderAt()):
		return Running
	case now.Before(c.Due):
		return Reminder
	default:
		return Overdue
	}
}

// Next is when the stage after the one at now begins; zero where none does.
func (c Clock) Next(now time.Time) time.Time {
	switch c.At(now) {
	case Running:
		if c.Runs() {
			return c.ReminderAt()
		}
	case Reminder:
		return c.Due
	}
	return time.Time{}
}
