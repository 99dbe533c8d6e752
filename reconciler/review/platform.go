package review

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// judgePlatform checks the governing files as the pull request would leave
// them. Only what it touches is held against it: another file's old fault is
// that file's finding.
func (e *evaluation) judgePlatform(ctx context.Context) error {
	changed := map[string]*Change{}
	for _, c := range e.report.Changes {
		if c.Platform() {
			changed[c.Path] = c
		}
	}
	if len(changed) == 0 {
		return nil
	}
	proposed, err := e.proposal(ctx)
	if err != nil {
		return err
	}
	findings := proposed.allFindings()
	known := e.knownFaults()
	for _, f := range findings {
		c := changed[f.File]
		switch {
		case c != nil:
			e.find(c, policy.StageValidate, f)
		case !known[faultKey(f)]:
			// A file that stood untouched is broken by what this pull request does
			// to another, such as the removal of a role that it names.
			e.find(nil, policy.StageValidate, f)
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
	return e.testRules(ctx, proposed, changed)
}

func (w *world) allFindings() schemas.Findings {
	return slices.Concat(w.findings, w.ruleFindings, w.overlayFindings())
}

type fault struct{ file, code, message string }

func faultKey(f schemas.Finding) fault { return fault{f.File, f.Code, f.Message} }

// knownFaults are the faults that the base has already.
func (e *evaluation) knownFaults() map[fault]bool {
	known := map[fault]bool{}
	for _, f := range e.world.allFindings() {
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
			findings = append(findings, render.CheckOverlay(dir, w.Overlays)...)
		}
	}
	return findings
}

// testRules runs the rules' own tests where a pull request changes rules.
func (e *evaluation) testRules(ctx context.Context, proposed *world, changed map[string]*Change) error {
	if proposed.bundle == nil {
		return nil // it does not compile, which is a finding already
	}
	var rules *Change
	for path, c := range changed {
		if schemas.ClassifyPath(path) == schemas.PathPolicy && (rules == nil || path < rules.Path) {
			rules = c
		}
	}
	if rules == nil {
		return nil
	}
	results, err := proposed.bundle.Test(ctx)
	if err != nil {
		e.noteOn(rules, policy.StageSecurity, policy.Error, fmt.Sprintf("the tests of the Rego rules could not be run: %v", err))
		return nil
	}
	for _, r := range results {
		if r.Passed || r.Skipped {
			continue
		}
		e.find(rules, policy.StageSecurity, schemas.Finding{
			Severity: schemas.SeverityError, File: r.File, Line: r.Line, Column: 1, Code: CodeRegoTest,
			Message: fmt.Sprintf("the test %s fails: %s", r.Name, r.Message), Remedy: "correct the rule or its test",
		})
	}
	return nil
}
