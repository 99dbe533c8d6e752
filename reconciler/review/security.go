package review

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/policy/secrets"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeSecurity checks where images come from and asks the repository's own
// rules. Secrets were looked for when the change was read.
func (e *evaluation) judgeSecurity(ctx context.Context) error {
	for _, c := range e.report.Changes {
		if c.after == nil {
			continue
		}
		if env := e.world.environment(c.Environment); env != nil {
			e.find(c, policy.StageSecurity, imageFindings(c.after, env.Spec.Images)...)
			e.find(c, policy.StageSecurity, manifestFindings(env, c.before, c.after)...)
		}
		e.find(c, policy.StageSecurity, e.podFindings(keyOf(c.file.After), c.after)...)
		e.judgeRules(ctx, c)
	}
	return e.judgeWeakening(ctx)
}

// scanChange looks for secrets on both sides of a change, before anything is
// said of it: no finding, reason or diff may repeat one.
func (e *evaluation) scanChange(ctx context.Context, c *Change) error {
	for _, side := range []struct {
		file   source.File
		report *secrets.Report
	}{{c.file.Before, &c.secretsBefore}, {c.file.After, &c.secretsAfter}} {
		var err error
		*side.report, err = e.scan(ctx, side.file)
		if failed := (*unscanned)(nil); errors.As(err, &failed) {
			e.noteOn(c, policy.StageSecurity, policy.Error, fmt.Sprintf("the file could not be scanned for secrets: %v", failed.err))
		} else if err != nil {
			return err
		}
	}
	e.find(c, policy.StageSecurity, c.secretsAfter.Findings(c.Path)...)
	return nil
}

// hide takes the secrets of either side, and those of the base's platform files,
// out of a text.
func (c *Change) hide(text string) string {
	return c.hideBase(c.secretsBefore.Hide(c.secretsAfter.Hide(text)))
}

// scanBase looks for secrets in the platform files of the base: they are part of
// what is rendered, and what is wrong with them is told with a manifest.
func (e *evaluation) scanBase(ctx context.Context) error {
	var reports []secrets.Report
	for _, f := range e.world.governing {
		report, err := e.scan(ctx, f)
		if failed := (*unscanned)(nil); errors.As(err, &failed) {
			e.note(policy.StageSecurity, policy.Error, fmt.Sprintf("%s at the base could not be scanned for secrets: %v", f.Path, failed.err))
		} else if err != nil {
			return err
		}
		if report.Found() {
			reports = append(reports, report)
		}
	}
	e.hideBase = func(text string) string {
		for _, r := range reports {
			text = r.Hide(text)
		}
		return text
	}
	return nil
}

// judgeRules evaluates the Rego rules of the base over one change.
func (e *evaluation) judgeRules(ctx context.Context, c *Change) {
	bundle, wrong := e.world.rules()
	if bundle == nil {
		e.noteOn(c, policy.StageSecurity, policy.Error, "the rules under policy/ at the base do not compile, so compliance cannot be judged: "+wrong[0].String())
		return
	}
	result, err := compliance.Judge(ctx, bundle, e.ruleInput(c))
	if err != nil {
		e.noteOn(c, policy.StageSecurity, policy.Error, notEvaluated+err.Error())
		return
	}
	e.find(c, policy.StageSecurity, ruleFindings(c.after, result)...)
}

func ruleFindings(doc *deployment, result compliance.Result) schemas.Findings {
	var findings schemas.Findings
	warnings := result.Warn
	for _, x := range result.Exceptions {
		v := x.Violation
		v.Msg = "exception: " + v.Msg
		warnings = append(warnings, v)
	}
	for _, list := range []struct {
		severity   schemas.Severity
		violations []compliance.Violation
	}{{schemas.SeverityError, result.Deny}, {schemas.SeverityWarning, warnings}} {
		for _, v := range list.violations {
			remedy := "this is a rule of the repository, under policy/"
			if v.Default {
				remedy = "this is a default control; a rule under policy/ may make an exception of this code, with the reason"
			}
			p := doc.Position(v.Path)
			code := CodeRego
			if v.Code != "" {
				code = v.Code
			}
			findings = append(findings, schemas.Finding{
				Severity: list.severity, File: doc.File, Line: p.Line, Column: p.Column,
				Code: code, Message: v.Msg, Remedy: remedy,
			})
		}
	}
	return findings
}

// ruleInput is what the rules see.
func (e *evaluation) ruleInput(c *Change) compliance.Input {
	in := compliance.Input{
		Manifest: &c.after.Value, Team: e.world.team(c.Team), Environment: e.world.environment(c.Environment), Objects: []any{},
		Risk: compliance.Risk{Score: c.Risk.Score, Level: c.Risk.Level, Factors: c.Risk.Factors}, Now: e.Now.UTC(),
	}
	if c.before != nil {
		in.Before = &c.before.Value
	}
	if r := e.render(keyOf(c.file.After), c.after); !r.findings.Failed() {
		for _, o := range r.set.Objects {
			in.Objects = append(in.Objects, o.Object)
		}
	}
	return in
}
