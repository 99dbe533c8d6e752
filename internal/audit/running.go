package audit

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// failed begins the reason of an outcome that was none, as the release engine
// writes it.
const failed = "failed: "

// Run is what a log says of a model that is deployed.
type Run struct {
	Team        string    `json:"team"`
	Model       string    `json:"model"`
	Environment string    `json:"environment"`
	Repository  string    `json:"repository"`
	Version     string    `json:"version"`
	Since       time.Time `json:"since"`  // of the apply that brought this content
	Record      uint64    `json:"record"` // its number
	// Commit is the one that brought the content: a merge, or the trusted one.
	Commit      string `json:"commit"`
	Blob        string `json:"blob"` // of the manifest
	Digest      string `json:"digest,omitempty"`
	PullRequest int    `json:"pullRequest,omitempty"` // zero where the commit was trusted
	Level       string `json:"level,omitempty"`
	Score       int    `json:"score,omitempty"`
	By          []Seat `json:"by,omitempty"`
	// Failed is why the newest apply after that did not succeed; empty when none failed.
	Failed string `json:"failed,omitempty"`
}

type runKey struct{ repository, team, model, environment string }

// Running replays the log r and returns the models that stand deployed at its
// end, by environment, team and model. The chain is verified on the way, and that
// the log contains every head: on an error, as VerifyHead returns it, there is no
// answer. Only Filter's Until, Team, Model, Environment and Person select; Until
// asks for an earlier end.
func Running(r io.Reader, f Filter, heads ...Head) ([]Run, error) {
	runs := map[runKey]Run{}
	_, err := walk(r, heads, func(l *line, _ span) error {
		if len(unquote(l.model)) > 0 && Phase(unquote(l.phase)) == PhaseOutcome && (f.Until.IsZero() || l.time.Before(f.Until)) {
			settle(runs, l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Run
	for _, run := range runs {
		if run.Record != 0 && run.matches(f) {
			out = append(out, run)
		}
	}
	slices.SortFunc(out, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Team, b.Team),
			cmp.Compare(a.Model, b.Model), cmp.Compare(a.Repository, b.Repository))
	})
	return out, nil
}

// settle takes one outcome over.
func settle(runs map[runKey]Run, l *line) {
	key := runKey{unquote(l.repository), unquote(l.team), unquote(l.model), unquote(l.environment)}
	reason := unquote(l.reason)
	switch action := Action(unquote(l.action)); {
	case action == ActionApply && strings.HasPrefix(reason, failed):
		run := runs[key]
		run.Failed = strings.TrimPrefix(reason, failed)
		runs[key] = run
	case action == ActionApply:
		runs[key] = runOf(key, l, runs[key])
	case action == ActionPrune && !strings.HasPrefix(reason, failed):
		delete(runs, key)
	}
}

// runOf is the run that an apply begins, or goes on with where the content is
// what it was: objects are applied anew after an upgrade, too.
func runOf(key runKey, l *line, before Run) Run {
	b := basisOf(l)
	run := Run{
		Team: key.team, Model: key.model, Environment: key.environment, Repository: key.repository,
		Version: b.Version, Since: l.time, Record: l.seq, Commit: unquote(l.commit), Digest: unquote(l.digest),
	}
	if a := b.Approved; a != nil {
		run.Commit, run.Blob, run.PullRequest, run.Level, run.Score, run.By = a.Commit, a.Blob, a.PullRequest, a.Level, a.Score, a.By
	}
	if before.Record != 0 && run.Blob != "" && before.Blob == run.Blob && before.Commit == run.Commit {
		run.Since, run.Record = before.Since, before.Record
	}
	return run
}

func (r Run) matches(f Filter) bool {
	return (f.Team == "" || f.Team == r.Team) && (f.Model == "" || f.Model == r.Model) &&
		(f.Environment == "" || f.Environment == r.Environment) &&
		(f.Person == "" || slices.ContainsFunc(r.By, func(s Seat) bool { return s.is(f.Person) }))
}

// basis says on what a run rests.
func (r Run) basis() (approval, people string) {
	if r.PullRequest == 0 {
		return "trusted", "nobody: named by spec.trustFrom"
	}
	names := make([]string, len(r.By))
	for i, s := range r.By {
		names[i] = s.String()
	}
	return fmt.Sprintf("#%d, %s (%d)", r.PullRequest, r.Level, r.Score), strings.Join(names, ", ")
}

// WriteRunning writes the answer of Running as a table for people.
func WriteRunning(w io.Writer, runs []Run) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tMODEL\tVERSION\tSINCE\tCOMMIT\tAPPROVAL\tBY\tRECORD") // Flush has the error
	for _, r := range runs {
		approval, people := r.basis()
		if r.Failed != "" {
			people += "; the newest apply failed: " + r.Failed
		}
		for _, cell := range []string{
			r.Environment, r.Team + "/" + r.Model, r.Version, r.Since.Format(time.RFC3339), r.Commit, approval, people,
		} {
			fmt.Fprintf(table, "%s\t", harmless(cell))
		}
		fmt.Fprintln(table, r.Record)
	}
	return table.Flush()
}
