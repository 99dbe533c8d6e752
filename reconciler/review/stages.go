package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// Codes of the findings that the gate itself makes; those of the loader and of
// policy's decisions stand with them.
const (
	CodeJustification = "justification-required"
	CodeFreeze        = "freeze"
	CodeRego          = "rego"
	CodeRegoTest      = "rego-test"
	CodeImage         = "image-not-allowed"
	CodeNotCounted    = "not-counted"
)

// stageNotes is what a stage has to say so far.
type stageNotes struct {
	verdict  policy.Verdict
	errors   int
	warnings int
	// first is the first finding that is an error.
	first string
	// notes are the reasons for a verdict, by that verdict.
	notes map[policy.Verdict][]string
}

func (e *evaluation) stage(s policy.Stage) *stageNotes {
	if e.stages[s] == nil {
		e.stages[s] = &stageNotes{verdict: policy.Pass, notes: map[policy.Verdict][]string{}}
	}
	return e.stages[s]
}

// note lowers a stage's verdict and keeps the reason.
func (e *evaluation) note(s policy.Stage, v policy.Verdict, reason string) {
	n := e.stage(s)
	n.verdict = policy.Worst(n.verdict, v)
	n.notes[v] = append(n.notes[v], reason)
}

// noteOn is a note about one change, without that change's secrets.
func (e *evaluation) noteOn(c *Change, s policy.Stage, v policy.Verdict, reason string) {
	c.Verdict = policy.Worst(c.Verdict, v)
	t := c.tell(s)
	t.verdict, t.notes = policy.Worst(t.verdict, v), append(t.notes, toldNote{v, reason})
	e.note(s, v, c.hide(c.title()+": "+reason))
}

// find files findings under a change (or, without one, under the whole) and
// lets an error fail the stage.
func (e *evaluation) find(c *Change, s policy.Stage, findings ...schemas.Finding) {
	n := e.stage(s)
	for _, f := range findings {
		if c != nil {
			// A rule of the repository may make its code of what it finds.
			f.Message, f.Remedy, f.Code = c.hide(f.Message), c.hide(f.Remedy), c.hide(f.Code)
			c.Findings = append(c.Findings, f)
			c.tell(s).findings = append(c.tell(s).findings, f)
		} else {
			f.Message, f.Remedy = e.hideBase(f.Message), e.hideBase(f.Remedy)
			e.report.Findings = append(e.report.Findings, f)
		}
		if f.Severity != schemas.SeverityError {
			n.warnings++
			continue
		}
		n.errors++
		n.verdict = policy.Worst(n.verdict, policy.Fail)
		if c != nil {
			c.Verdict = policy.Worst(c.Verdict, policy.Fail)
			c.tell(s).verdict = policy.Worst(c.tell(s).verdict, policy.Fail)
		}
		if n.errors == 1 {
			n.first = f.String()
		}
	}
}

// finish sums up: one result a stage, one verdict for the whole.
func (e *evaluation) finish() *Report {
	r := e.report
	for _, name := range policy.ReviewStages() {
		n := e.stage(name)
		r.Stages = append(r.Stages, policy.StageResult{Name: name, Verdict: n.verdict, Reason: n.reason(e.passed(name))})
	}
	r.Verdict = policy.WorstOf(r.Stages)
	r.world = e.world
	r.Findings.Sort()
	for _, c := range r.Changes {
		c.Findings.Sort()
	}
	return r
}

// reason says why the stage has its verdict: what is worse stands first, and
// what is less bad is left out, because it is not what has to be done next.
func (n *stageNotes) reason(passed string) string {
	parts := some(n.notes[n.verdict])
	switch {
	case n.verdict == policy.Error:
	case n.errors > 1:
		parts = append([]string{fmt.Sprintf("%d errors; the first: %s", n.errors, n.first)}, parts...)
	case n.errors == 1:
		parts = append([]string{n.first}, parts...)
	}
	if len(parts) == 0 {
		parts = []string{passed}
	}
	reason := strings.Join(parts, "; ")
	if n.warnings > 0 {
		reason += fmt.Sprintf(" (%s)", plural(n.warnings, "warning"))
	}
	return reason
}

// some is a list cut to what fits into one sentence.
func some(list []string) []string { return atMost(3, list) }

func atMost(n int, list []string) []string {
	if len(list) <= n {
		return slices.Clone(list)
	}
	return append(slices.Clone(list[:n]), fmt.Sprintf("and %d more", len(list)-n))
}

// passed is what a stage says when nothing is wrong.
func (e *evaluation) passed(s policy.Stage) string {
	changes := len(e.report.Changes)
	if changes == 0 {
		return "no manifest and no platform file is changed"
	}
	switch s {
	case policy.StageValidate:
		return plural(changes, "change") + " valid: schema, references, placement, quota, budget"
	case policy.StageSecurity:
		return "no secrets, images allowed, compliance rules satisfied"
	case policy.StageTest:
		return e.tested()
	case policy.StageApproval:
		return "every approval is given"
	default:
		return "nothing to render"
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
