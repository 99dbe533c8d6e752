package review

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/budget"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/quota"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeFit places both sides of every change, prices them, and fails what no
// pool can take.
func (e *evaluation) judgeFit(ctx context.Context) error {
	for _, c := range e.report.Changes {
		c.costUnknown()
		env := e.world.environment(c.Environment)
		if env == nil {
			c.Cost.Currency = e.world.currency()
			continue
		}
		c.Cost.Currency = env.Spec.Pools[0].Price.Currency
		if c.before != nil {
			// That no pool took the model before is not what is judged.
			if p, refusals := placement.ForDeployment(env.Spec, c.before.Value); len(refusals) == 0 {
				c.Cost.MonthlyBefore, c.Cost.MonthlyMaxBefore, c.Cost.UnknownBefore = p.MonthlyMin, p.MonthlyMax, false
			}
		}
		if c.after != nil {
			if err := e.place(ctx, c, env.Spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// costUnknown is what holds of a manifest until it is priced.
func (c *Change) costUnknown() {
	if !c.Platform() {
		c.Cost.UnknownBefore, c.Cost.UnknownAfter = c.file.Before.Exists(), c.file.After.Exists()
	}
}

func (e *evaluation) place(ctx context.Context, c *Change, env schemas.EnvironmentSpec) error {
	p, refusals := placement.ForDeployment(env, c.after.Value)
	if len(refusals) > 0 {
		return e.refuse(ctx, c, refusals)
	}
	c.Cost.MonthlyAfter, c.Cost.MonthlyMaxAfter, c.Cost.UnknownAfter = p.MonthlyMin, p.MonthlyMax, false
	var why []string
	for _, component := range p.Components {
		why = append(why, component.Name+": "+component.Choice.Reason)
	}
	c.Placement = strings.Join(why, "; ")
	c.placed = p
	for _, s := range placement.Capacity(env, p) {
		e.find(c, policy.StageValidate, desired.Locate(c.after, s.Finding))
	}
	return nil
}

// refuse reports that no pool takes a model, unless the loader has said already
// that the pool or the accelerator does not exist.
func (e *evaluation) refuse(ctx context.Context, c *Change, refusals []placement.Refusal) error {
	proposed, err := e.proposal(ctx)
	if err != nil {
		return err
	}
	fits := false
	if proposed != nil {
		if env := proposed.environment(c.Environment); env != nil {
			_, still := placement.ForDeployment(env.Spec, c.after.Value)
			fits = len(still) == 0
		}
	}
	for _, f := range untold(c.after, refusals, c.Findings) {
		if fits {
			f = broughtHere(f)
		}
		e.find(c, policy.StageValidate, f)
	}
	return nil
}

// untold are the refusals that are not about what the loader has said already:
// of an accelerator that no pool has, the closest pool would only mislead.
func untold(doc *deployment, refusals []placement.Refusal, known schemas.Findings) schemas.Findings {
	unknown := hasCode(known, schemas.CodeUnknownAccelerator)
	var out schemas.Findings
	for _, r := range refusals {
		if !hasCode(known, r.Code) && !(unknown && r.Component == placement.Predictor) {
			out = append(out, desired.Locate(doc, r.Finding()))
		}
	}
	return out
}

func hasCode(findings schemas.Findings, code string) bool {
	for _, f := range findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// currency is what platform changes, which cost nothing, are shown in.
func (w *world) currency() string {
	for _, name := range slices.Sorted(maps.Keys(w.Platform.Environments)) {
		return w.environment(name).Spec.Pools[0].Price.Currency
	}
	return ""
}

// judgeTotals holds what all of a team's manifests at the head ask for against
// its quotas and its budget. Only changes that bring a manifest are judged by
// it: a removal makes nothing worse.
func (e *evaluation) judgeTotals(ctx context.Context) error {
	byTeam := e.bringing()
	for _, team := range slices.Sorted(maps.Keys(byTeam)) {
		changes, t := byTeam[team], e.world.team(team)
		if t == nil {
			continue // an unknown team is a finding already
		}
		manifests, err := e.teamManifests(ctx, e.head, team)
		if err != nil {
			return fmt.Errorf("read the manifests of %s: %w", team, err)
		}
		totals := e.totals(e.world, t, e.counted(manifests, changes))
		totals.unpriced = append(totals.unpriced, e.unreadable(team)...)
		for _, c := range changes {
			c.totals = &totals
			for _, f := range totals.findings(c.Environment) {
				e.find(c, policy.StageValidate, desired.Locate(c.after, f))
			}
		}
	}
	return nil
}

// judgeCapacity warns where all models of an environment together outgrow a
// pool at replicas.max, on every change of a model that runs there. A change
// that outgrows it alone has been told.
func (e *evaluation) judgeCapacity(ctx context.Context) error {
	byEnvironment := map[string][]*Change{}
	for _, c := range e.report.Changes {
		if len(c.placed.Components) > 0 {
			byEnvironment[c.Environment] = append(byEnvironment[c.Environment], c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byEnvironment)) {
		manifests, err := e.manifests(ctx, e.head, func(path string) bool {
			unit, ok := schemas.ManifestUnit(path)
			return ok && unit.Environment == name
		})
		if err != nil {
			return fmt.Errorf("read the manifests of %s: %w", name, err)
		}
		var placed []placement.Placement
		for _, m := range manifests {
			if m.doc == nil || m.doc.Value.Spec.Environment != name {
				continue
			}
			if f := e.fit(e.world, m); len(f.refusals) == 0 {
				placed = append(placed, f.placed)
			}
		}
		for _, s := range placement.Capacity(e.world.environment(name).Spec, placed...) {
			for _, c := range byEnvironment[name] {
				if c.runsOn(s.Pool) && !hasCode(c.Findings, placement.CodePoolTooSmall) {
					e.find(c, policy.StageValidate, desired.Locate(c.after, s.Finding))
				}
			}
		}
	}
	return nil
}

func (c *Change) runsOn(pool string) bool {
	return slices.ContainsFunc(c.placed.Components, func(part placement.Component) bool { return part.Choice.Pool == pool })
}

// totals is what a team's manifests ask for together.
type totals struct {
	quota  map[string][]policy.Finding // by environment
	budget []policy.Finding
	team   *schemas.Team
	// usage, by environment, and budgeted are the sums themselves.
	usage    map[string]quota.Usage
	budgeted budget.Total
	// unpriced are the models that budgeted leaves out, since no pool takes them or
	// they cannot be read.
	unpriced []string
}

// without says which models the budget's sum leaves out.
func (t totals) without() string {
	if len(t.unpriced) == 0 {
		return ""
	}
	return ", without " + strings.Join(some(t.unpriced), ", ") + ", whose cost is unknown"
}

func (t totals) findings(environment string) []policy.Finding {
	return slices.Concat(t.quota[environment], t.budget)
}

func (w *world) totals(team *schemas.Team, docs []schemas.ModelDeployment, fits []fit) totals {
	t := totals{team: team, quota: map[string][]policy.Finding{}, usage: map[string]quota.Usage{}}
	name := team.Metadata.Name
	for env := range w.Platform.Environments {
		t.usage[env], t.quota[env] = quota.Check(name, *w.environment(env), team.Spec.QuotaIn(env), docs...)
	}
	var lines []budget.Line
	for _, f := range fits {
		if len(f.refusals) == 0 {
			lines = append(lines, f.line)
		} else {
			t.unpriced = append(t.unpriced, f.line.Model+" in "+f.line.Environment)
		}
	}
	t.budgeted, t.budget = budget.Check(name, team.Spec.Budget, lines...)
	return t
}

// bringing groups the changes that bring a readable manifest by team.
func (e *evaluation) bringing() map[string][]*Change {
	out := map[string][]*Change{}
	for _, c := range e.report.Changes {
		if !c.Platform() && c.after != nil && c.Kind != source.Removed {
			out[c.Team] = append(out[c.Team], c)
		}
	}
	return out
}

// counted lists the manifests that can be read. One that cannot is its own
// finding where it is changed; where it is not, the totals say what they leave out.
func (e *evaluation) counted(manifests []parsed, changes []*Change) []parsed {
	changed := map[string]bool{}
	for _, c := range e.report.Changes {
		changed[c.Path] = true
	}
	var out []parsed
	for _, m := range manifests {
		if m.doc != nil {
			out = append(out, m)
			continue
		}
		file := m.findings[0].File
		if changed[file] {
			continue
		}
		for _, c := range changes {
			e.find(c, policy.StageValidate, desired.At(c.after, schemas.SeverityWarning, "spec.serving", CodeNotCounted,
				file+" is broken and is not counted in the team's quota and budget", "correct that file"))
		}
	}
	return out
}

// unreadable lists a team's changed manifests that cannot be read.
func (e *evaluation) unreadable(team string) (models []string) {
	for _, c := range e.report.Changes {
		if !c.Platform() && c.Team == team && c.after == nil && c.file.After.Exists() {
			models = append(models, c.Model+" in "+c.Environment)
		}
	}
	return models
}

// fit places and prices a manifest whose environment is one of the world.
func (w *world) fit(d schemas.ModelDeployment) fit {
	p, refusals := placement.ForDeployment(w.environment(d.Spec.Environment).Spec, d)
	return fit{refusals: refusals, placed: p, line: budget.Line{
		Model: d.Metadata.Name, Environment: d.Spec.Environment, Monthly: p.MonthlyMin, Currency: p.Currency,
	}}
}
