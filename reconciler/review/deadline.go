package review

import (
	"context"
	"fmt"
	"time"

	"github.com/mlops-platform/mooring/policy/meeting"
	"github.com/mlops-platform/mooring/policy/sla"
	"github.com/mlops-platform/mooring/schemas"
)

// readySince is zero for a draft, and for a pull request that is merged, since
// nobody is waited for.
func readySince(ctx context.Context, forge Forge, pr PullRequest) (time.Time, error) {
	if pr.Draft || !pr.MergedAt.IsZero() {
		return time.Time{}, nil
	}
	since, err := forge.ReadySince(ctx, pr)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask since when #%d is ready for review: %w", pr.Number, err)
	}
	return since.UTC(), nil
}

// judgeTimes says how far the time to approve each change has run, when the
// boards meet, and how long all of this holds.
func (e *evaluation) judgeTimes(context.Context) error {
	if len(e.report.Changes) == 0 {
		return nil
	}
	for _, c := range e.report.Changes {
		clock := c.Clock()
		c.Approvals.stage = clock.At(e.Now)
		c.Approvals.Overdue = c.Approvals.stage == sla.Overdue
		e.until(clock.Next(e.Now))
		e.until(c.Approvals.Expires)
	}
	for _, f := range e.world.governance().Freezes {
		e.until(f.From)
		e.until(f.To)
	}
	return e.callMeetings()
}

// until makes the report hold no longer than a time to come.
func (e *evaluation) until(t time.Time) {
	if t.After(e.Now) && (e.report.Until.IsZero() || t.Before(e.report.Until)) {
		e.report.Until = t
	}
}

// Clock is the time in which a change has to be approved.
func (c *Change) Clock() sla.Clock {
	return sla.Clock{Due: c.Approvals.Due, Time: time.Duration(c.Approvals.SLA)}
}

// Waits reports whether others are waited for: approvals are missing, and
// nothing is left to do for the author. In a freeze a change can be approved.
func (c *Change) Waits() bool {
	return len(c.Approvals.Missing) > 0 && len(c.Approvals.BlockedBy) == 0 && c.presentable()
}

// presentable: no finding sends the change back to its author.
func (c *Change) presentable() bool {
	for _, f := range c.Findings {
		if f.Severity == schemas.SeverityError && f.Code != CodeFreeze {
			return false
		}
	}
	return true
}

// board is whose meeting a change is a matter of: it waits for that board, or
// somebody on it requests changes.
func (c *Change) board() string {
	if len(c.Approvals.Missing)+len(c.Approvals.BlockedBy) == 0 || !c.presentable() {
		return ""
	}
	return c.need.Board
}

// callMeetings finds the next meeting of each board that a change waits for. A
// pull request that asks for no approval yet is on no agenda.
func (e *evaluation) callMeetings() error {
	if e.People.Requested.IsZero() {
		return nil
	}
	for _, name := range union(e.report, func(c *Change) []string { return []string{c.board()} }) {
		if name == "" {
			continue
		}
		agenda, err := meeting.Agenda(name, e.world.governance().Boards[name].Meets, e.Now, nil)
		if err != nil {
			return err
		}
		e.report.Meetings = append(e.report.Meetings, Meeting{Board: name, BoardMeeting: agenda.Next})
		e.until(agenda.Next.To.Time)
	}
	return nil
}

const absoluteTime = "Mon 2006-01-02 15:04 MST"

// due says when the approvals of a change are due, in words that stay the same
// until the next stage; empty where nothing is.
func (c *Change) due() string {
	at := c.Approvals.Due.UTC().Format(absoluteTime)
	switch {
	case !c.Clock().Runs():
		return ""
	case c.Approvals.Overdue:
		return "overdue since " + at
	case c.Approvals.stage == sla.Reminder:
		return fmt.Sprintf("due %s, less than a quarter of %s is left", at, c.Approvals.SLA)
	}
	return "due " + at
}

// times says when approvals are due, and until when the given ones count.
func (c *Change) times() []string {
	var lines []string
	if due := c.due(); due != "" {
		lines = append(lines, fmt.Sprintf("Approvals (%s) are %s", c.Approvals.SLA, due))
	}
	if !c.Approvals.Expires.IsZero() {
		lines = append(lines, "The first approval counts until "+c.Approvals.Expires.UTC().Format(absoluteTime))
	}
	return lines
}

// agendaLine says when a board meets.
func (m Meeting) agendaLine() string {
	return fmt.Sprintf("On the agenda of %s: %s", m.Board, meeting.Format(m.BoardMeeting))
}
