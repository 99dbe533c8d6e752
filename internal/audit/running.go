package audit

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// Run is what a log says of a model that is deployed.
type Run struct {
	Team        string    `json:"team"`
	Model       string    `json:"model"`
	Environment string    `json:"environment"`
	Repository  string    `json:"repository"` // the newest that it came from
	Version     string    `json:"version"`
	Since       time.Time `json:"since"`  // of the outcome that brought this content
	Record      uint64    `json:"record"` // its number
	// Approval has the commit of the record where there is no approval in it.
	Approval
	// Failed is why the newest apply after that did not succeed; empty when none failed.
	Failed string `json:"failed,omitempty"`
	// Partly: no apply succeeded yet, but one that failed may have left something.
	Partly bool `json:"partly,omitempty"`
}

// unit is what the cluster has once, whichever repository it comes from.
type unit struct{ team, model, environment string }

// replay is what a log has said so far.
type replay struct {
	runs  map[unit]Run
	begun map[unit]Run // by the newest intent
}

// Running replays the log r and returns the models that stand deployed at its
// end, by environment, team and model. The chain is verified on the way, and that
// the log contains every head: on an error, as VerifyHead returns it, there is no
// answer. Only Filter's Until, Team, Model, Environment and Person select; Until
// asks for an earlier end.
func Running(r io.Reader, f Filter, heads ...Head) ([]Run, error) {
	said := replay{runs: map[unit]Run{}, begun: map[unit]Run{}}
	_, err := walk(r, heads, func(l *line, _ span) error {
		if unquote(l.model) != "" && (f.Until.IsZero() || l.time.Before(f.Until)) {
			said.take(l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Run
	for _, run := range said.runs {
		if run.matches(f) {
			out = append(out, run)
		}
	}
	slices.SortFunc(out, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Team, b.Team), cmp.Compare(a.Model, b.Model))
	})
	return out, nil
}

// take takes one record over.
func (p replay) take(l *line) {
	of := unit{unquote(l.team), unquote(l.model), unquote(l.environment)}
	action, phase := Action(unquote(l.action)), Phase(unquote(l.phase))
	why, wrong := strings.CutPrefix(unquote(l.reason), release.FailedPrefix)
	switch {
	case action == ActionApply && phase == PhaseIntent:
		p.begun[of] = runOf(l)
	case phase != PhaseOutcome:
	case action == ActionApply && wrong:
		p.fail(of, l, why)
	case action == ActionApply:
		p.runs[of] = runOf(l).after(p.runs[of])
	case action == ActionPrune && !wrong:
		delete(p.runs, of)
	}
}

// fail takes over why an apply did not succeed. What was deployed before stays;
// where nothing was, it is listed what was begun, unless the cluster was not
// touched. Only the intent says what that is.
func (p replay) fail(of unit, l *line, why string) {
	run, listed := p.runs[of]
	untouched := release.Untouched(why)
	if !listed && untouched {
		return
	}
	if !listed || run.Partly && !untouched {
		before := run
		var known bool
		if run, known = p.begun[of]; !known {
			run = runOf(l)
		}
		run.Since, run.Record, run.Partly = l.time, l.seq, true
		run = run.after(before)
	}
	run.Failed = why
	p.runs[of] = run
}

// runOf is what a record of an apply is about.
func runOf(l *line) Run {
	b := basisOf(l)
	run := Run{
		Team: unquote(l.team), Model: unquote(l.model), Environment: unquote(l.environment), Repository: unquote(l.repository),
		Version: b.Version, Since: l.time, Record: l.seq, Approval: Approval{Unread: true},
	}
	if b.Approved != nil {
		run.Approval = *b.Approved
	}
	run.Commit, run.Digest = cmp.Or(run.Commit, unquote(l.commit)), unquote(l.digest)
	return run
}

// after goes on with the run before where the content is what it was: objects
// are applied anew after an upgrade, too.
func (r Run) after(before Run) Run {
	if before.Partly == r.Partly && r.Blob != "" && before.Blob == r.Blob && before.Commit == r.Commit {
		r.Since, r.Record = before.Since, before.Record
	}
	return r
}

func (r Run) matches(f Filter) bool {
	return (f.Team == "" || f.Team == r.Team) && (f.Model == "" || f.Model == r.Model) &&
		(f.Environment == "" || f.Environment == r.Environment) && (f.Person == "" || r.involves(f.Person))
}

// people are the cell of those whom a run rests on, with what went wrong since.
func (r Run) people(by string) string {
	if r.BrokenGlass != nil {
		by += "; " + r.BrokenGlass.String()
	}
	switch {
	case r.Partly:
		by += "; never applied as a whole: " + r.Failed
	case r.Failed != "":
		by += "; the newest apply failed: " + r.Failed
	}
	return by
}

// WriteRunning writes the answer of Running as a table for people.
func WriteRunning(w io.Writer, runs []Run) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tMODEL\tVERSION\tSINCE\tCOMMIT\tAPPROVAL\tBY\tRECORD") // Flush has the error
	for _, r := range runs {
		approval, by := r.words(Seat.String)
		for _, cell := range []string{
			r.Environment, r.Team + "/" + r.Model, r.Version, r.Since.Format(time.RFC3339), r.Commit, approval, r.people(by),
		} {
			fmt.Fprintf(table, "%s\t", harmless(cell))
		}
		fmt.Fprintln(table, r.Record)
	}
	return table.Flush()
}
