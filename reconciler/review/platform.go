package review

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// judgePlatform checks the governing files as the pull request would leave
// them. Only what it touches is held against it: another file's old fault is
// that file's finding.
func (e *evaluation) judgePlatform(ctx context.Context) error {
	changed := e.platformChanges()
	if len(changed) == 0 {
		return nil
	}
	proposed, err := e.proposal(ctx)
	if err != nil {
		return err
	}
	findings := slices.Concat(proposed.findings, proposed.overlayFindings(), proposed.unfillable(e.People.Teams, e.world.gaps()), e.checkRules(ctx, proposed, changed))
	known := e.knownFaults()
	for _, f := range findings {
		c := changed[f.File]
		switch {
		case c != nil:
			e.find(c, policy.StageValidate, schemas.Findings{f}.Proposed()...)
		case !known[faultKey(f)]:
			// A file that stood untouched is broken by what this pull request does
			// to another, such as the removal of a role that it names.
			e.find(nil, policy.StageValidate, f)
		}
	}
	for _, f := range proposed.platformNotActedOn() {
		if c := changed[f.File]; c != nil {
			e.find(c, policy.StageValidate, f)
		}
	}
	if c := changed[schemas.GovernancePath]; c != nil {
		if c.Kind == source.Removed {
			e.find(c, policy.StageValidate, schemas.Finding{
				Severity: schemas.SeverityError, File: c.Path, Line: 1, Column: 1, Code: schemas.CodeRequired,
				Message: "governance.yaml would be removed, and without it nothing can be approved", Remedy: "keep the file",
			})
		}
	}
	return nil
}

// platformChanges are the changed governing files, by path.
func (e *evaluation) platformChanges() map[string]*Change {
	changed := map[string]*Change{}
	for _, c := range e.report.Changes {
		if c.Platform() {
			changed[c.Path] = c
		}
	}
	return changed
}

type fault struct{ file, code, message string }

func faultKey(f schemas.Finding) fault { return fault{f.File, f.Code, f.Message} }

// knownFaults are the faults that the base has already.
func (e *evaluation) knownFaults() map[fault]bool {
	known := map[fault]bool{}
	_, ruleFindings := e.world.rules()
	for _, f := range slices.Concat(e.world.findings, e.world.overlayFindings(), e.world.unfillable(e.People.Teams, nil), ruleFindings) {
		known[faultKey(f)] = true
	}
	return known
}

// overlayFindings checks every overlay that an environment names.
func (w *world) overlayFindings() schemas.Findings {
	var findings schemas.Findings
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(w.Platform.Environments)) {
		if dir := w.environment(name).Spec.Overlay; dir != "" && !seen[dir] {
			seen[dir] = true
			_, wrong := w.Overlay(dir)
			findings = append(findings, wrong...)
		}
	}
	return findings
}

// RuleChecker runs rules that nobody has approved yet. The errors say that it
// could not, and why.
type RuleChecker interface {
	// Check compiles rules and runs their tests; see compliance.Check.
	Check(ctx context.Context, files map[string][]byte) (compliance.Checked, error)
	// Try evaluates rules over inputs; see compliance.Try.
	Try(ctx context.Context, files map[string][]byte, inputs []any) ([]compliance.Tried, error)
}

// inProcess checks rules from hands that are trusted.
type inProcess struct{}

func (inProcess) Check(ctx context.Context, files map[string][]byte) (compliance.Checked, error) {
	return compliance.Check(ctx, files), nil
}

func (inProcess) Try(ctx context.Context, files map[string][]byte, inputs []any) ([]compliance.Tried, error) {
	return compliance.Try(ctx, files, inputs), nil
}

// checkRules compiles the rules as the pull request would leave them, and runs
// their tests, where it touches any. What is wrong with the files is returned.
func (e *evaluation) checkRules(ctx context.Context, proposed *world, changed map[string]*Change) schemas.Findings {
	rules := firstUnder(changed, schemas.PathPolicy)
	if rules == nil {
		return nil
	}
	checked, err := e.Rules.Check(ctx, proposed.ruleFiles)
	e.unfit = err != nil || checked.Failure != "" || checked.Findings.Failed()
	switch {
	case err != nil:
		e.noteOn(rules, policy.StageSecurity, policy.Error, fmt.Sprintf("the Rego rules could not be checked: %v", err))
	case checked.Failure != "":
		e.noteOn(rules, policy.StageSecurity, policy.Error, fmt.Sprintf("the tests of the Rego rules could not be run: %s", checked.Failure))
	}
	for _, r := range checked.Tests {
		if r.Passed || r.Skipped {
			continue
		}
		e.find(rules, policy.StageSecurity, schemas.Finding{
			Severity: schemas.SeverityError, File: r.File, Line: r.Line, Column: 1, Code: CodeRegoTest,
			Message: fmt.Sprintf("the test %s fails: %s", r.Name, r.Message), Remedy: "correct the rule or its test",
		})
	}
	return checked.Findings
}

// firstUnder is the first of the changed files that are of a kind; nil where
// there is none.
func firstUnder(changed map[string]*Change, kind schemas.PathKind) *Change {
	for _, path := range slices.Sorted(maps.Keys(changed)) {
		if schemas.ClassifyPath(path) == kind {
			return changed[path]
		}
	}
	return nil
}
