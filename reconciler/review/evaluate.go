package review

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Request names what is to be judged, by whom it was reviewed, and when.
type Request struct {
	// Base is the tip of the base branch, Head the pull request's.
	Base, Head source.ID
	People     People
	// Now is the time of judging: it decides expiry, freezes, change windows and
	// which reviews exist.
	Now time.Time
	// Merged: it is judged for what it was merged. A closed window then holds up
	// the release and not the approval.
	Merged bool
	// Repository names the model repository on rendered objects.
	Repository string
	// Approved is the approved content of the governing files, where a ledger is
	// kept. Nothing is judged by others: what was pushed past the gate must not
	// say who may pass it. Nil: the base is taken as it is.
	Approved map[string]source.ID
	// Standing is what stands approved, by path, of the manifests of which the base
	// holds something else; a zero id, where nothing does. What was pushed past the
	// gate must not make a change harmless, and nothing is built upon it. Nil: the
	// base is taken as it is.
	Standing map[string]source.ID
	// Registry is asked for the models of the changes; nil: they are judged by
	// their manifests alone.
	Registry Registry
	// Cluster is compared with; nil where none is at hand.
	Cluster Cluster
	// Fetcher brings approved commits that are not in the repository; nil: what is
	// not there is gone.
	Fetcher Fetcher
	// Rules checks what is proposed under policy/. Nil: it is done in this
	// process, which is for rules from hands that are trusted.
	Rules RuleChecker
	// Cache is what evaluations of the repository share; nil: this is the only one.
	Cache *Cache
}

// evaluation is the snapshot of one request and what was found so far.
type evaluation struct {
	Request
	*reader
	diff       source.Diff
	base, head *source.Tree
	// world governs: it is the base's tip.
	world  *world
	report *Report
	stages map[policy.Stage]*stageNotes
	// hideBase takes the secrets of the base's platform files out of a text.
	hideBase func(string) string
	// proposed is the world at the head, once it was asked for.
	proposed *world
	// sets are what was rendered, so that a pull request larger than the cache
	// renders nothing twice.
	sets map[fileKey]rendering
	// sameModels are manifests at the base, and approved ones that it holds
	// otherwise, by the registered model that they name.
	sameModels map[string][]*deployment
	// unfit: the proposed rules could not be checked, so they are not tried either.
	unfit bool
}

// Evaluate judges a pull request. The error is about reading the repository; a
// pull request that cannot be judged (no common history, no governance) is a
// report with the verdict Error.
func Evaluate(ctx context.Context, repo *source.Repository, req Request) (*Report, error) {
	if req.Rules == nil {
		req.Rules = inProcess{}
	}
	e := &evaluation{
		Request: req, reader: newReader(repo, req.Cache), stages: map[policy.Stage]*stageNotes{}, sets: map[fileKey]rendering{},
		hideBase: func(text string) string { return text },
		report:   &Report{Changes: []*Change{}, Findings: schemas.Findings{}, Base: req.Base, Head: req.Head, Requested: req.People.Requested},
	}
	err := e.gather(ctx)
	if reason := unjudgeable(err); reason != "" {
		e.note(policy.StageValidate, policy.Error, reason)
		e.note(policy.StageApproval, policy.Error, reason)
		for _, s := range []policy.Stage{policy.StageSecurity, policy.StageTest, policy.StageBuild} {
			e.note(s, policy.Pending, "not looked at, see "+string(policy.StageValidate))
		}
		return e.finish(), nil
	}
	if err != nil {
		return nil, err
	}
	// Each step completes the changes; the order is that of what they need.
	for _, step := range []func(context.Context) error{
		e.askRegistry,
		e.judgeContent,
		e.judgePlatform,
		e.judgeSelection,
		e.judgeImpact,
		e.judgeRisk,
		e.judgeFit,
		e.judgeTotals,
		e.judgeCapacity,
		e.judgeSecurity,
		e.judgeMetrics,
		e.judgeBuild,
		e.judgeApprovals,
		e.judgeLive,
		e.judgeTimes,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return e.finish(), nil
}

// gather reads the trees, the changes and the governing files.
func (e *evaluation) gather(ctx context.Context) error {
	var err error
	if e.diff, err = e.changes(ctx, e.Base, e.Head); err != nil {
		return err
	}
	if e.base, err = e.tree(ctx, e.Base); err != nil {
		return fmt.Errorf("read the base %s: %w", e.Base.Short(), err)
	}
	if e.head, err = e.tree(ctx, e.Head); err != nil {
		return fmt.Errorf("read the head %s: %w", e.Head.Short(), err)
	}
	if e.world, err = e.reader.world(ctx, e.base); err != nil {
		return fmt.Errorf("read the governing files at the base: %w", err)
	}
	if err := e.scanBase(ctx); err != nil {
		return err
	}
	for _, f := range e.diff.Files {
		if err := e.addChange(ctx, f); err != nil {
			return err
		}
	}
	if len(e.report.Changes) == 0 {
		return nil
	}
	if path := UnapprovedRule(e.base, e.Approved); path != "" {
		return e.ungoverned(fmt.Errorf("%w: %s", errUnapprovedRule, path))
	}
	if e.world.governance() == nil {
		return e.ungoverned(errNoGovernance)
	}
	return nil
}

// UnapprovedRule is the first governing file of a tree that differs from the
// approved content; empty where none does, and where nothing is known.
func UnapprovedRule(tree *source.Tree, approved map[string]source.ID) string {
	if approved == nil {
		return ""
	}
	seen := 0
	for _, f := range tree.Files() {
		if !schemas.IsPlatform(f.Path) {
			continue
		}
		if blob, ok := approved[f.Path]; !ok || blob != f.Blob {
			return f.Path
		}
		seen++
	}
	if seen == len(approved) {
		return ""
	}
	for _, path := range slices.Sorted(maps.Keys(approved)) {
		if !tree.File(path).Exists() {
			return path
		}
	}
	return ""
}

var errUnapprovedRule = errors.New("a governing file at the base is not approved, so nothing is judged by it until the approved content is restored")

var errNoGovernance = errors.New("governance.yaml at the base is missing or broken, so nobody can say who may approve what")

// ungoverned rates every change at the highest, since nobody can say that it is
// less, and names what is wrong with the governance.
func (e *evaluation) ungoverned(why error) error {
	for _, c := range e.report.Changes {
		c.Verdict = policy.Error
		if c.Platform() {
			c.Risk = riskOf(risk.Platform(c.Path))
		} else {
			c.Risk = riskOf(unreadable(c))
		}
		c.Digest = e.digest(c)
		c.Cost.Currency = e.world.currency()
		c.costUnknown()
	}
	for _, f := range e.world.findings {
		if f.File == schemas.GovernancePath {
			e.find(nil, policy.StageValidate, f)
		}
	}
	return why
}

// unjudgeable explains an error that is about the content, not about reading it.
func unjudgeable(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, source.ErrNoMergeBase):
		return "the branch and its base have no common history; start the branch from the base"
	case errors.Is(err, source.ErrMergeBases):
		return "the branch and its base have several merge bases; rebase the branch, or merge the base into it"
	case errors.Is(err, source.ErrTreeTooLarge), errors.Is(err, errNoGovernance), errors.Is(err, errUnapprovedRule):
		return err.Error()
	}
	if refused := (*source.Refused)(nil); errors.As(err, &refused) {
		return refused.Error()
	}
	return ""
}

// addChange classifies one changed file.
func (e *evaluation) addChange(ctx context.Context, f source.FileChange) error {
	kind := schemas.ClassifyPath(f.Path)
	c := newChange(f, e.hideBase)
	switch {
	case schemas.IsPlatform(f.Path):
		if err := e.scanChange(ctx, c); err != nil {
			return err
		}
	case kind == schemas.PathManifest:
		unit, _ := schemas.ManifestUnit(f.Path) // the kind says that it is one
		c.Team, c.Model, c.Environment = unit.Team, unit.Model, unit.Environment
		if err := e.parseChange(ctx, c); err != nil {
			return err
		}
	case f.After.Refused != nil:
		// A refused path inside a known folder is no manifest, but must not be merged.
		e.find(nil, policy.StageValidate, refusedFile(schemas.File{Path: f.Path, Refused: f.After.Refused.Error()}))
		return nil
	case f.After.Exists():
		return e.lookOver(ctx, f.After)
	default:
		return nil
	}
	e.report.Changes = append(e.report.Changes, c)
	return nil
}

// lookOver checks a file that nothing reads: whoever meant it for one that is read
// is told, and a secret in it is in Git like any other.
func (e *evaluation) lookOver(ctx context.Context, f source.File) error {
	report, err := e.scan(ctx, f)
	if failed := (*unscanned)(nil); errors.As(err, &failed) {
		e.note(policy.StageSecurity, policy.Error, failed.Error())
	} else if err != nil {
		return err
	}
	e.find(nil, policy.StageSecurity, report.Findings(f.Path)...)
	file, err := e.file(ctx, f)
	if err != nil {
		return err
	}
	_, findings := schemas.LoadRepository([]schemas.File{file})
	for _, w := range findings {
		if w.File == f.Path {
			w.Message, w.Remedy = report.Hide(w.Message), report.Hide(w.Remedy)
			e.find(nil, policy.StageValidate, w)
		}
	}
	return nil
}

// parseChange reads both sides of a manifest's change.
func (e *evaluation) parseChange(ctx context.Context, c *Change) error {
	if err := e.scanChange(ctx, c); err != nil {
		return err
	}
	before, err := e.parse(ctx, c.file.Before)
	if err != nil {
		return err
	}
	after, err := e.parse(ctx, c.file.After)
	if err != nil {
		return err
	}
	c.before, c.after = before.doc, after.doc
	if c.approved, err = e.approvedAt(ctx, c.Path); err != nil {
		return err
	}
	e.find(c, policy.StageValidate, after.findings.Proposed()...)
	return nil
}

// judgeContent checks what a manifest refers to, and that the base stood still.
func (e *evaluation) judgeContent(ctx context.Context) error {
	for _, c := range e.report.Changes {
		if c.file.Diverged() {
			e.find(c, policy.StageValidate, schemas.Finding{
				Severity: schemas.SeverityError, File: c.Path, Line: 1, Column: 1, Code: schemas.CodeDiverged,
				Message: "the base changed this file since the branch left it", Remedy: "update the branch: merge or rebase onto the base",
			})
		}
		if c.OnUnapproved() {
			e.find(c, policy.StageValidate, c.onUnapproved())
		}
		if c.after == nil {
			continue
		}
		findings, err := e.references(ctx, c)
		if err != nil {
			return err
		}
		e.find(c, policy.StageValidate, findings...)
		e.find(c, policy.StageValidate, e.world.manifestNotActedOn(c.after, e.Registry != nil)...)
	}
	return e.judgeTogether(ctx)
}

// references checks a manifest against the platform at the base.
func (e *evaluation) references(ctx context.Context, c *Change) (schemas.Findings, error) {
	findings := e.world.Platform.CheckDeployment(c.after)
	if len(findings) == 0 {
		return nil, nil
	}
	proposed, err := e.proposal(ctx)
	if proposed == nil || err != nil {
		return findings, err
	}
	still := map[fault]bool{}
	for _, f := range proposed.Platform.CheckDeployment(c.after) {
		still[faultKey(f)] = true
	}
	for i, f := range findings {
		if !still[faultKey(f)] {
			findings[i] = broughtHere(f)
		}
	}
	return findings, nil
}

// broughtHere is a finding about what only the same pull request brings.
func broughtHere(f schemas.Finding) schemas.Finding {
	f.Message += " at the base, by whose platform files a manifest is judged: merge the platform change first"
	f.Remedy = "move it to a pull request of its own, and bring this one up to date when it is merged"
	return f
}

// proposal is the world as the pull request would leave it; nil where it
// changes no platform file.
func (e *evaluation) proposal(ctx context.Context) (*world, error) {
	if e.proposed != nil || !slices.ContainsFunc(e.report.Changes, (*Change).Platform) {
		return e.proposed, nil
	}
	var err error
	if e.proposed, err = e.reader.world(ctx, e.head); err != nil {
		return nil, fmt.Errorf("read the governing files at the head: %w", err)
	}
	return e.proposed, nil
}
