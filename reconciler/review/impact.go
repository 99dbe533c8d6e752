package review

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// CodeImpact warns that a change of a governing file breaks a manifest that the
// pull request leaves alone.
const CodeImpact = "breaks-manifest"

// maxRendered bounds how many models are rendered, and put to the rules, by the
// proposed governing files. References, placement, risk, quota and budget are
// looked at for all of them.
const maxRendered = 50

// maxBroken bounds how many broken manifests are listed for one governing file.
const maxBroken = 20

// Impact is what a change of a governing file does to the models that it governs.
type Impact struct {
	// Models that the file governs; Unread are manifests among them that cannot
	// be read, of which nothing can be said.
	Models int `json:"models"`
	Unread int `json:"unread,omitempty"`
	// Rendered is how many of them were rendered by the base's files and by the
	// proposed ones; Rerendered lists those whose objects come out differently.
	Rendered   int      `json:"rendered"`
	Rerendered []string `json:"rerendered"`
	// Levels lists the models whose own level of risk changes.
	Levels []LevelChange `json:"levels"`
	// Broken counts the models that were right before and would not be after.
	Broken int `json:"broken"`
}

// LevelChange is one model whose risk is rated anew.
type LevelChange struct {
	Unit   string            `json:"unit"`
	Before schemas.RiskLevel `json:"before"`
	After  schemas.RiskLevel `json:"after"`
}

// judgeImpact says which models each changed governing file reaches, and which
// it would break. Breaking them is a warning, not a failure: who governs may
// mean it, and what is live stays as it is until the manifests are corrected.
func (e *evaluation) judgeImpact(ctx context.Context) error {
	proposed, err := e.proposal(ctx)
	if proposed == nil || err != nil {
		return err
	}
	if proposed.governance() == nil {
		return nil // the governance is broken, which is a finding already
	}
	own := map[string]bool{}
	for _, c := range e.report.Changes {
		own[c.Path] = true
	}
	manifests, err := e.manifests(ctx, e.head, func(path string) bool { return !own[path] })
	if err != nil {
		return fmt.Errorf("read the manifests that the governing files reach: %w", err)
	}
	told := map[string]bool{}
	if rules := firstUnder(e.platformChanges(), schemas.PathPolicy); rules != nil {
		e.tryRules(ctx, rules, proposed, manifests)
	}
	for _, c := range e.report.Changes {
		if c.Platform() {
			e.reach(ctx, c, proposed, manifests, told)
		}
	}
	return nil
}

// reach fills in one governing file's impact. A manifest that several files of
// the pull request break together is told of with the first of them.
func (e *evaluation) reach(ctx context.Context, c *Change, proposed *world, manifests []parsed, told map[string]bool) {
	c.Impact = &Impact{Rerendered: []string{}, Levels: []LevelChange{}}
	e.tenancies(c, proposed)
	before, after := e.world.standing(manifests), proposed.standing(manifests)
	for _, m := range manifests {
		if m.doc == nil {
			if unit, ok := schemas.ManifestUnit(m.findings[0].File); ok && governs(c.Path, unit, e.world, proposed) {
				c.Impact.Unread++
			}
			continue
		}
		doc := m.doc
		if !governs(c.Path, unitOf(doc), e.world, proposed) {
			continue
		}
		c.Impact.Models++
		c.Impact.level(doc, e.world, proposed)
		was, is := before(doc), after(doc)
		if c.Impact.Rendered < maxRendered {
			c.Impact.Rendered++
			was, is = e.rerender(ctx, c.Impact, m, proposed, was, is)
		}
		if broken := newFaults(was, is); len(broken) > 0 {
			c.Impact.Broken++
			if !told[doc.File] && c.Impact.Broken <= maxBroken {
				told[doc.File] = true
				e.find(c, policy.StageValidate, e.asImpact(broken[0], len(broken)))
			}
		}
	}
}

// tenancies notes the teams' namespaces, quotas and limits that come out
// differently.
func (e *evaluation) tenancies(c *Change, proposed *world) {
	for _, team := range slices.Sorted(maps.Keys(proposed.Platform.Teams)) {
		for _, env := range slices.Sorted(maps.Keys(proposed.Platform.Environments)) {
			unit := schemas.Unit{Team: team, Environment: env}
			if c.Impact.Rendered == maxRendered || !e.inhabited(unit) || !governs(c.Path, unit, e.world, proposed) {
				continue
			}
			before, wrongBefore := e.world.Tenancy(team, env)
			after, wrongAfter := proposed.Tenancy(team, env)
			if !wrongBefore.Failed() && !wrongAfter.Failed() && before.Hash != after.Hash {
				c.Impact.Rerendered = append(c.Impact.Rerendered, "tenancy "+unit.String())
			}
		}
	}
}

// inhabited reports whether a team has a manifest in an environment at the head.
func (e *evaluation) inhabited(unit schemas.Unit) bool {
	return slices.ContainsFunc(e.head.Files(), func(f source.File) bool {
		u, ok := schemas.ManifestUnit(f.Path)
		return ok && u.Team == unit.Team && u.Environment == unit.Environment
	})
}

func unitOf(doc *deployment) schemas.Unit {
	return schemas.Unit{Team: doc.Value.Spec.Team, Model: doc.Value.Metadata.Name, Environment: doc.Value.Spec.Environment}
}

// governs reports whether a governing file has a say in a model, at the base or
// as proposed.
func governs(path string, unit schemas.Unit, worlds ...*world) bool {
	switch {
	case path == schemas.TeamPath(unit.Team), path == schemas.EnvironmentPath(unit.Environment):
		return true
	case schemas.ClassifyPath(path) != schemas.PathOverlay:
		return path == schemas.GovernancePath || schemas.ClassifyPath(path) == schemas.PathPolicy
	}
	return slices.ContainsFunc(worlds, func(w *world) bool {
		env := w.environment(unit.Environment)
		return env != nil && env.Spec.Overlay != "" && strings.HasPrefix(path, env.Spec.Overlay+"/")
	})
}

// level notes where a model's own facts are rated anew.
func (i *Impact) level(doc *deployment, before, after *world) {
	was, errBefore := before.OwnRisk(doc.Value)
	is, errAfter := after.OwnRisk(doc.Value)
	// A fact that one of the tables lacks is a finding of the references.
	if errBefore == nil && errAfter == nil && was.Level != is.Level {
		i.Levels = append(i.Levels, LevelChange{unitOf(doc).String(), was.Level, is.Level})
	}
}

// standing judges manifests by a world's references, placement, quota and
// budget, as they stand together.
func (w *world) standing(manifests []parsed) func(*deployment) schemas.Findings {
	byTeam := map[string][]schemas.ModelDeployment{}
	for _, m := range manifests {
		if m.doc != nil {
			byTeam[m.doc.Value.Spec.Team] = append(byTeam[m.doc.Value.Spec.Team], m.doc.Value)
		}
	}
	sums := map[string]totals{}
	for _, name := range slices.Sorted(maps.Keys(byTeam)) {
		if t := w.team(name); t != nil {
			sums[name] = w.totals(t, byTeam[name])
		}
	}
	return func(doc *deployment) schemas.Findings {
		findings := w.Platform.CheckDeployment(doc)
		env := w.environment(doc.Value.Spec.Environment)
		if env == nil {
			return findings
		}
		_, refusals := placement.ForDeployment(env.Spec, doc.Value)
		findings = append(findings, desired.Refusals(doc, refusals)...)
		for _, f := range sums[doc.Value.Spec.Team].findings(doc.Value.Spec.Environment) {
			findings = append(findings, desired.Locate(doc, f))
		}
		return findings
	}
}

// rerender renders a model both ways and asks the rules of both sides.
func (e *evaluation) rerender(ctx context.Context, i *Impact, m parsed, proposed *world, was, is schemas.Findings) (schemas.Findings, schemas.Findings) {
	before := e.rendered(e.world, e.Repository, m.key, m.doc)
	after := e.rendered(proposed, e.Repository, m.key, m.doc)
	if !before.findings.Failed() && !after.findings.Failed() && before.set.Hash != after.set.Hash {
		i.Rerendered = append(i.Rerendered, unitOf(m.doc).String())
	}
	return append(append(was, before.findings...), e.world.ruled(ctx, m.doc, before.set, e.Request)...),
		append(append(is, after.findings...), e.ruledAnew(ctx, m.doc, after.set, proposed)...)
}

// ruled is what a world's rules have against a manifest as it stands.
func (w *world) ruled(ctx context.Context, doc *deployment, set desired.Set, req Request) schemas.Findings {
	bundle, _ := w.rules()
	if bundle == nil {
		return nil // the rules do not compile, which is a finding already
	}
	result, err := bundle.Evaluate(ctx, w.inputOf(doc, set, req))
	if err != nil {
		return notRuled(doc, err.Error())
	}
	return ruleFindings(doc, result)
}

func notRuled(doc *deployment, why string) schemas.Findings {
	return schemas.Findings{desired.At(doc, schemas.SeverityError, "spec", CodeRego, "the rules could not be evaluated: "+why, "correct the rules under policy/")}
}

// ruledAnew is what the proposed files' rules have against a manifest. Rules
// that the pull request leaves alone are the base's, compiled already; others
// were tried before, apart.
func (e *evaluation) ruledAnew(ctx context.Context, doc *deployment, set desired.Set, proposed *world) schemas.Findings {
	if e.tried != nil {
		return e.tried[doc]
	}
	same := *proposed
	same.rules = e.world.rules
	return same.ruled(ctx, doc, set, e.Request)
}

// tryRules asks proposed rules of the first manifests that they govern.
func (e *evaluation) tryRules(ctx context.Context, c *Change, proposed *world, manifests []parsed) {
	e.tried = map[*deployment]schemas.Findings{}
	if e.unfit {
		return
	}
	var docs []*deployment
	var inputs []any
	for _, m := range manifests {
		if m.doc == nil || len(docs) == maxRendered {
			continue
		}
		// Without objects where it cannot be rendered, which rerender finds.
		set := e.rendered(proposed, e.Repository, m.key, m.doc).set
		docs, inputs = append(docs, m.doc), append(inputs, proposed.inputOf(m.doc, set, e.Request))
	}
	tried, err := e.Rules.Try(ctx, proposed.ruleFiles, inputs)
	if err != nil {
		e.noteOn(c, policy.StageSecurity, policy.Error, fmt.Sprintf("the Rego rules could not be tried on the manifests that they govern: %v", err))
	}
	for i, t := range tried {
		if t.Failure != "" {
			e.tried[docs[i]] = notRuled(docs[i], t.Failure)
			continue
		}
		e.tried[docs[i]] = ruleFindings(docs[i], t.Result)
	}
}

// inputOf is what rules see of a manifest that stays as it is.
func (w *world) inputOf(doc *deployment, set desired.Set, req Request) compliance.Input {
	in := compliance.Input{
		Manifest: &doc.Value, Before: &doc.Value, Team: w.team(doc.Value.Spec.Team), Environment: w.environment(doc.Value.Spec.Environment),
		Objects: []any{}, Now: req.Now.UTC(),
	}
	if a, err := w.OwnRisk(doc.Value); err == nil {
		in.Risk = compliance.RiskOf(a)
	}
	for _, o := range set.Objects {
		in.Objects = append(in.Objects, o.Object)
	}
	return in
}

// newFaults are the errors that only the proposed files bring about.
func newFaults(was, is schemas.Findings) schemas.Findings {
	known := map[string]bool{}
	for _, f := range was {
		if f.Severity == schemas.SeverityError {
			known[f.Code] = true
		}
	}
	var out schemas.Findings
	for _, f := range is {
		if f.Severity == schemas.SeverityError && !known[f.Code] {
			out = append(out, f)
		}
	}
	return out
}

// asImpact is a manifest's fault as a warning of the governing file, without the
// secrets of any proposed file, since all of them together bring it about.
func (e *evaluation) asImpact(f schemas.Finding, n int) schemas.Finding {
	f.Severity, f.Code = schemas.SeverityWarning, CodeImpact
	f.Message = "this manifest would no longer be right: " + f.Message
	if n > 1 {
		f.Message += fmt.Sprintf(" (and %d more)", n-1)
	}
	for _, c := range e.report.Changes {
		f.Message = c.hide(f.Message)
	}
	f.Remedy = "correct the manifest first, or change the governing file in another way; what is live stays until then"
	return f
}

// headline says in one line what a governing file's change reaches.
func (i *Impact) headline() string {
	if i.Models+i.Unread == 0 {
		return "it governs no model yet"
	}
	parts := []string{"it governs " + plural(i.Models, "model")}
	if i.Rendered < i.Models {
		parts = append(parts, fmt.Sprintf("of the first %d, %d would be rendered anew", i.Rendered, len(i.Rerendered)))
	} else {
		parts = append(parts, fmt.Sprintf("%d would be rendered anew", len(i.Rerendered)))
	}
	if len(i.Levels) > 0 {
		parts = append(parts, plural(len(i.Levels), "model")+" rated at another level of risk")
	}
	parts = append(parts, fmt.Sprintf("%d would break", i.Broken))
	if i.Unread > 0 {
		parts = append(parts, plural(i.Unread, "manifest")+" cannot be read")
	}
	return strings.Join(parts, "; ")
}

// lines lists the models that are reached, a few of each kind.
func (i *Impact) lines() string {
	var b strings.Builder
	for _, l := range i.Levels[:min(maxBroken, len(i.Levels))] {
		fmt.Fprintf(&b, "risk %s → %s: %s\n", l.Before, l.After, l.Unit)
	}
	for _, unit := range i.Rerendered[:min(maxBroken, len(i.Rerendered))] {
		fmt.Fprintf(&b, "rendered anew: %s\n", unit)
	}
	if more := max(0, len(i.Levels)-maxBroken) + max(0, len(i.Rerendered)-maxBroken); more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return b.String()
}
