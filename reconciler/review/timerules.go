package review

import (
	"fmt"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/policy/freeze"
	"github.com/mlops-platform/mooring/policy/window"
	"github.com/mlops-platform/mooring/schemas"
)

// BrokenGlass is somebody who lifts the rules of time for a change.
type BrokenGlass struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
	// Change is the path of the manifest.
	Change string `json:"change"`
	// Lifted are the freezes and closed windows that would stand in the way; none
	// where none does at the time of judging.
	Lifted []string `json:"lifted"`
}

// judgeTimeRules fails a change of a model in an environment that is frozen, and
// lets it wait where no change window is open, unless somebody breaks the glass.
// A merge is no longer held up by a window: its release is.
func (e *evaluation) judgeTimeRules(c *Change, in approval.Input) {
	if c.Platform() {
		return
	}
	g := e.world.governance()
	frozen := freeze.At(g.Freezes, c.Environment, e.Now)
	open, err := window.Open(g.Windows, c.Environment, e.Now)
	var next window.Span
	var windowed bool
	if err == nil {
		next, windowed, err = window.Next(g.Windows, c.Environment, e.Now)
	}
	if err != nil {
		e.noteOn(c, policy.StageApproval, policy.Error, err.Error())
		return
	}
	e.until(next.Opens)
	e.until(next.Closes)
	if len(frozen) == 0 && open && !(e.Merged && windowed) {
		return
	}
	broken, err := e.breakGlass(c, in)
	if err != nil {
		e.noteOn(c, policy.StageApproval, policy.Error, e.explain(in, err))
		return
	}
	closed := !open && !e.Merged
	opens := openingTime{c.Environment, next.Opens}
	if broken {
		e.lift(c, frozen, !open, opens)
		return
	}
	if err := e.hold(c, frozen); err != nil {
		e.noteOn(c, policy.StageApproval, policy.Error, err.Error())
		return
	}
	for _, f := range frozen {
		e.find(c, policy.StageApproval, schemas.Finding{
			Severity: schemas.SeverityError, File: c.Path, Line: 1, Column: 1, Code: CodeFreeze,
			Message: fmt.Sprintf("%s is frozen from %s to %s: %s", c.Environment, f.From.Format(time.RFC3339), f.To.Format(time.RFC3339), f.Reason),
			Remedy:  "merge after " + freeze.Until(g.Freezes, c.Environment, e.Now).Format(time.RFC3339),
		})
	}
	if closed {
		c.Opens = next.Opens
		e.noteOn(c, policy.StageApproval, policy.Pending, opens.String())
	}
}

// hold is how the rules of time stand in the way of a change.
type hold struct {
	// freezes counts those that hold, each of which is a finding; they end at thaws.
	freezes int
	thaws   time.Time
	// free is the first time at which no freeze and no closed window holds.
	free time.Time
}

// hold says until when the rules of time stand in the way.
func (e *evaluation) hold(c *Change, frozen []schemas.Freeze) (err error) {
	g := e.world.governance()
	c.hold = hold{freezes: len(frozen), thaws: freeze.Until(g.Freezes, c.Environment, e.Now)}
	c.hold.free, err = window.Free(g.Freezes, g.Windows, c.Environment, e.Now)
	return err
}

// wait says until when the rules of time hold a change up; empty where they do not.
func (c *Change) wait() string {
	switch h := c.hold; {
	case h.freezes == 0 && c.Opens.IsZero():
		return ""
	case h.freezes == 0 && h.free.Equal(c.Opens):
		return "until " + c.opens()
	case h.free.Equal(h.thaws):
		return fmt.Sprintf("until %s, when the freeze of %s ends", h.thaws.UTC().Format(absoluteTime), c.Environment)
	case h.freezes == 0:
		return "until " + openingTime{c.Environment, h.free}.String() + ", since it is frozen before"
	default:
		return fmt.Sprintf("until %s, after the freeze that ends %s", openingTime{c.Environment, h.free}, h.thaws.UTC().Format(absoluteTime))
	}
}

// frozen says until when a freeze holds; empty where none does.
func (c *Change) frozen() string {
	if c.hold.freezes == 0 {
		return ""
	}
	return c.Environment + " is frozen until " + c.hold.thaws.UTC().Format(absoluteTime)
}

// openingTime is when an environment opens, in the time zone of its window.
type openingTime struct {
	environment string
	at          time.Time
}

func (o openingTime) String() string {
	return o.environment + " opens " + o.at.Format("Monday 2006-01-02 15:04 ") + o.at.Location().String()
}

// opens says when the environment of a change opens; empty where it is open.
func (c *Change) opens() string {
	if c.Opens.IsZero() {
		return ""
	}
	return openingTime{c.Environment, c.Opens}.String()
}

// breakGlass keeps who breaks the glass for a change, and why others do not.
func (e *evaluation) breakGlass(c *Change, in approval.Input) (bool, error) {
	glass, err := approval.BreakGlass(in)
	if err != nil {
		return false, err
	}
	c.Approvals.Reasons = append(c.Approvals.Reasons, glass.Reasons...)
	for _, g := range glass.Broken {
		c.glass = append(c.glass, BrokenGlass{By: g.By.Login, Reason: c.hide(g.Reason), Change: c.Path, Lifted: []string{}})
		e.until(g.Expires)
	}
	return len(c.glass) > 0, nil
}

// lift says which rules the broken glass lifts.
func (e *evaluation) lift(c *Change, frozen []schemas.Freeze, closed bool, opens openingTime) {
	lifted := []string{}
	for _, f := range frozen {
		lifted = append(lifted, fmt.Sprintf("the freeze of %s until %s: %s", c.Environment, f.To.Format(time.RFC3339), f.Reason))
	}
	if closed {
		lifted = append(lifted, "the change window: "+opens.String())
	}
	for i := range c.glass {
		c.glass[i].Lifted = lifted
	}
	e.report.BrokenGlass = append(e.report.BrokenGlass, c.glass...)
	e.note(policy.StageApproval, policy.Pass, c.hide(c.title()+": "+c.glass[0].String()))
}

// Glass is who breaks the glass for the change; empty where nobody does.
func (c *Change) Glass() []BrokenGlass { return c.glass }

func (g BrokenGlass) String() string {
	text := fmt.Sprintf("break-glass by %s (%s)", g.By, g.Reason)
	if len(g.Lifted) > 0 {
		text += " lifts " + strings.Join(g.Lifted, "; ")
	}
	return text
}

// alarm is the beginning of the headline where somebody breaks the glass.
func (r *Report) alarm() string {
	var by []string
	seen := map[string]bool{}
	for _, g := range r.BrokenGlass {
		if !seen[g.By] {
			seen[g.By] = true
			by = append(by, g.By)
		}
	}
	if len(by) == 0 {
		return ""
	}
	return "BREAK-GLASS by " + strings.Join(some(by), ", ") + "; "
}
