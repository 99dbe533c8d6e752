package review

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/schemas"
)

// CodeImpact warns that a change of a governing file breaks a manifest that the
// pull request leaves alone.
const CodeImpact = "breaks-manifest"

// maxRendered bounds how many models of one pull request are rendered anew by
// the proposed governing files: an overlay takes some 5 ms of processor time for
// each. maxRuled bounds how many others are put to the rules. References,
// placement, risk, quota and budget are looked at for all of them.
const (
	maxRendered = 10
	maxRuled    = 50
)

// maxBroken bounds how many broken manifests are listed for one governing file.
const maxBroken = 20

// Impact is what a change of a governing file does to the models that it governs.
type Impact struct {
	// Models that the file governs; Unread are manifests among them that cannot
	// be read, of which nothing can be said.
	Models int `json:"models"`
	Unread int `json:"unread,omitempty"`
	// Rendered is of how many of them the objects and what the rules say are known,
	// by the base's files and by the proposed ones; Rerendered lists those whose
	// objects come out differently.
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
	i := e.impacts(ctx, proposed, manifests)
	for _, c := range e.report.Changes {
		if c.Platform() {
			i.reach(ctx, c)
		}
	}
	return nil
}

// impacts is what a pull request's governing files do together to the manifests
// that it leaves alone. What the base and the proposed files judge in the same
// way is not asked of either; what only the base finds breaks nothing, so the
// base is asked only where the proposed files find something.
type impacts struct {
	*evaluation
	proposed  *world
	manifests []parsed
	// before and after judge all of the manifests, deep and the rules only some.
	before, after *standing
	deep          map[*deployment]bool
	// rulesAlone: nothing but rules is changed.
	rulesAlone bool
	// tried is what changed rules say; nil where the pull request changes none.
	tried map[*deployment]schemas.Findings
	// broken is what every manifest was found to suffer, and told whether it was
	// told: a manifest that several files break together is told of with the first.
	broken map[*deployment]schemas.Findings
	told   map[*deployment]bool
	// inhabited are the teams' environments with a manifest at the head.
	inhabited map[schemas.Unit]bool
}

func (e *evaluation) impacts(ctx context.Context, proposed *world, manifests []parsed) *impacts {
	teams := byTeam(manifests)
	i := &impacts{
		evaluation: e, proposed: proposed, manifests: manifests, rulesAlone: true,
		before: &standing{e.reader, e.world, teams, map[string]totals{}},
		after:  &standing{e.reader, proposed, teams, map[string]totals{}},
		deep:   map[*deployment]bool{}, broken: map[*deployment]schemas.Findings{}, told: map[*deployment]bool{}, inhabited: map[schemas.Unit]bool{},
	}
	for _, f := range e.head.Files() {
		if u, ok := schemas.ManifestUnit(f.Path); ok {
			i.inhabited[schemas.Unit{Team: u.Team, Environment: u.Environment}] = true
		}
	}
	changed := e.platformChanges()
	for path := range changed {
		i.rulesAlone = i.rulesAlone && schemas.ClassifyPath(path) == schemas.PathPolicy
	}
	rules := firstUnder(changed, schemas.PathPolicy)
	i.choose(changed, rules != nil)
	if rules != nil {
		i.tryRules(ctx, rules)
	}
	return i
}

// choose selects the manifests that are rendered and put to the rules: those for
// which that yields nothing new, at no cost, and the first of the others.
func (i *impacts) choose(changed map[string]*Change, rules bool) {
	anew, ruled := 0, 0
	for _, m := range i.manifests {
		if m.doc == nil || !governedByAny(changed, m.doc.Value.Unit(), i.world, i.proposed) {
			continue
		}
		switch {
		case i.world.rulersOf(m.doc) != i.proposed.rulersOf(m.doc):
			anew++
			i.deep[m.doc] = anew <= maxRendered
		case rules || !i.sameInput(m.doc):
			ruled++
			i.deep[m.doc] = ruled <= maxRuled
		default:
			i.deep[m.doc] = true
		}
	}
}

func governedByAny(changed map[string]*Change, unit schemas.Unit, worlds ...*world) bool {
	for path := range changed {
		if governs(path, unit, worlds...) {
			return true
		}
	}
	return false
}

// sameInput reports whether rules see the same of a manifest on both sides.
func (i *impacts) sameInput(doc *deployment) bool {
	if i.world.rulersOf(doc) != i.proposed.rulersOf(doc) {
		return false
	}
	was, errBefore := i.world.OwnRisk(doc.Value)
	is, errAfter := i.proposed.OwnRisk(doc.Value)
	return errBefore == nil && errAfter == nil && reflect.DeepEqual(compliance.RiskOf(was), compliance.RiskOf(is))
}

// reach fills in one governing file's impact.
func (i *impacts) reach(ctx context.Context, c *Change) {
	c.Impact = &Impact{Rerendered: []string{}, Levels: []LevelChange{}}
	i.tenancies(c)
	for _, m := range i.manifests {
		if m.doc == nil {
			if unit, ok := schemas.ManifestUnit(m.findings[0].File); ok && governs(c.Path, unit, i.world, i.proposed) {
				c.Impact.Unread++
			}
			continue
		}
		if !governs(c.Path, m.doc.Value.Unit(), i.world, i.proposed) {
			continue
		}
		c.Impact.Models++
		c.Impact.level(m.doc, i.world, i.proposed)
		if i.deep[m.doc] {
			c.Impact.Rendered++
			if i.rerenders(m) {
				c.Impact.Rerendered = append(c.Impact.Rerendered, m.doc.Value.Unit().String())
			}
		}
		if broken := i.faults(ctx, m); len(broken) > 0 {
			c.Impact.Broken++
			if !i.told[m.doc] && c.Impact.Broken <= maxBroken {
				i.told[m.doc] = true
				i.find(c, policy.StageValidate, i.asImpact(broken[0], len(broken)))
			}
		}
	}
}

// tenancies notes the teams' namespaces, quotas and limits that come out
// differently.
func (i *impacts) tenancies(c *Change) {
	for _, team := range slices.Sorted(maps.Keys(i.proposed.Platform.Teams)) {
		for _, env := range slices.Sorted(maps.Keys(i.proposed.Platform.Environments)) {
			unit := schemas.Unit{Team: team, Environment: env}
			if !i.inhabited[unit] || !governs(c.Path, unit, i.world, i.proposed) || i.world.tenancyRulers(team, env) == i.proposed.tenancyRulers(team, env) {
				continue
			}
			if differ(i.tenancy(i.world, i.Repository, unit), i.tenancy(i.proposed, i.Repository, unit)) {
				c.Impact.Rerendered = append(c.Impact.Rerendered, "tenancy "+unit.String())
			}
		}
	}
}

func differ(before, after rendering) bool {
	return !before.findings.Failed() && !after.findings.Failed() && before.set.Hash != after.set.Hash
}

// rerenders reports whether a manifest's objects come out differently.
func (i *impacts) rerenders(m parsed) bool {
	return i.world.rulersOf(m.doc) != i.proposed.rulersOf(m.doc) &&
		differ(i.rendered(i.world, i.Repository, m.key, m.doc), i.rendered(i.proposed, i.Repository, m.key, m.doc))
}

// faults are the errors in a manifest that only the proposed files bring about.
func (i *impacts) faults(ctx context.Context, m parsed) schemas.Findings {
	broken, known := i.broken[m.doc]
	if !known {
		if is := i.is(ctx, m); is.Failed() {
			broken = newFaults(i.was(ctx, m), is)
		}
		i.broken[m.doc] = broken
	}
	return broken
}

// is what stands against a manifest by the proposed files, but for what the base
// finds as well for certain.
func (i *impacts) is(ctx context.Context, m parsed) schemas.Findings {
	var findings schemas.Findings
	if !i.rulesAlone {
		findings = i.after.of(m)
	}
	switch {
	case !i.deep[m.doc] || i.tried == nil && i.sameInput(m.doc):
		return findings
	case i.tried != nil:
		return append(append(findings, i.rendered(i.proposed, i.Repository, m.key, m.doc).findings...), i.tried[m.doc]...)
	}
	after := i.rendered(i.proposed, i.Repository, m.key, m.doc)
	// The pull request leaves the rules alone: they are the base's, compiled already.
	same := *i.proposed
	same.rules = i.world.rules
	return append(append(findings, after.findings...), same.ruled(ctx, m.doc, after.set, i.Request)...)
}

// was is what stands against a manifest at the base.
func (i *impacts) was(ctx context.Context, m parsed) schemas.Findings {
	findings := i.before.of(m)
	if !i.deep[m.doc] {
		return findings
	}
	before := i.rendered(i.world, i.Repository, m.key, m.doc)
	return append(append(findings, before.findings...), i.world.ruled(ctx, m.doc, before.set, i.Request)...)
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
		i.Levels = append(i.Levels, LevelChange{doc.Value.Unit().String(), was.Level, is.Level})
	}
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
		parts = append(parts, fmt.Sprintf("of %d that were looked at in depth, %d would be rendered anew", i.Rendered, len(i.Rerendered)))
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
