package review

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/digest"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeRisk assesses every change, names its digest, and asks for a
// justification where the risk is high.
func (e *evaluation) judgeRisk(ctx context.Context) error {
	for _, c := range e.report.Changes {
		a, err := e.assess(ctx, c)
		if err != nil {
			return err
		}
		c.Risk = riskOf(a)
		c.Digest = e.digest(c)
		if a.Level == schemas.RiskHigh && c.after != nil && unjustified(c.after) {
			e.find(c, policy.StageValidate, justification(c.after))
		}
	}
	return nil
}

func (e *evaluation) digest(c *Change) string {
	return digest.Of(
		digest.Identity{Path: c.Path, Team: c.Team, Model: c.Model, Environment: c.Environment},
		c.file.Before.Blob.String(), c.file.After.Blob.String(), c.Risk.Level,
	)
}

func (e *evaluation) assess(ctx context.Context, c *Change) (risk.Assessment, error) {
	if c.Platform() {
		return risk.Platform(c.Path), nil
	}
	sources, readable, err := e.riskSources(ctx, c)
	if err != nil {
		return risk.Assessment{}, err
	}
	if !readable {
		return unreadable(c), nil
	}
	a, err := risk.Assess(e.world.governance().Risk, sources...)
	if err != nil {
		// A fact that the table does not have cannot be scored: the highest holds.
		return unreadable(c), nil // the unknown value is a finding of its own already
	}
	return a, nil
}

// riskSources lists what declares facts about a change: both of its sides and,
// for an addition, every manifest at the base that serves the same registered
// model, since a new name must not make an old model harmless.
func (e *evaluation) riskSources(ctx context.Context, c *Change) (sources []risk.Source, readable bool, err error) {
	if c.before == nil && c.file.Before.Exists() || c.after == nil && c.file.After.Exists() {
		return nil, false, nil
	}
	sources = ownFacts(c)
	if c.Kind != source.Added {
		return sources, true, nil
	}
	if err := e.findSameModels(ctx); err != nil {
		return nil, false, err
	}
	for _, doc := range e.sameModels[c.after.Value.Spec.Model.Name] {
		sources = append(sources, risk.Source{Name: doc.File, Facts: doc.Value.Spec.Governance})
	}
	return sources, true, nil
}

// ownFacts are those of the change's own sides. Where a change leaves the facts
// alone, they are named once.
func ownFacts(c *Change) (sources []risk.Source) {
	const before, after, both = "the manifest before", "the manifest now", "the manifest"
	switch {
	case c.before != nil && c.after != nil && reflect.DeepEqual(c.before.Value.Spec.Governance, c.after.Value.Spec.Governance):
		return []risk.Source{{Name: both, Facts: c.after.Value.Spec.Governance}}
	case c.before == nil && c.after != nil:
		return []risk.Source{{Name: both, Facts: c.after.Value.Spec.Governance}}
	}
	if c.before != nil {
		sources = append(sources, risk.Source{Name: before, Facts: c.before.Value.Spec.Governance})
	}
	if c.after != nil {
		sources = append(sources, risk.Source{Name: after, Facts: c.after.Value.Spec.Governance})
	}
	return sources
}

// findSameModels looks once for all added models at the base.
func (e *evaluation) findSameModels(ctx context.Context) error {
	if e.sameModels != nil {
		return nil
	}
	names := map[string]bool{}
	for _, c := range e.report.Changes {
		if c.Kind == source.Added && c.after != nil {
			names[c.after.Value.Spec.Model.Name] = true
		}
	}
	var err error
	if e.sameModels, err = e.manifestsOf(ctx, e.base, slices.Sorted(maps.Keys(names))); err != nil {
		return fmt.Errorf("look for other manifests of the added models: %w", err)
	}
	return nil
}

// unreadable is the assessment of a manifest whose facts cannot be read: the
// highest there is, since nobody can say that it is less.
func unreadable(c *Change) risk.Assessment {
	a := risk.Platform(c.Path)
	for i := range a.Factors {
		a.Factors[i].Reason = "the manifest's facts cannot be read, so the highest score holds"
	}
	return a
}

// unjustified: the text is free, but it has to be one.
func unjustified(doc *deployment) bool { return strings.TrimSpace(doc.Value.Spec.Justification) == "" }

func justification(doc *deployment) schemas.Finding {
	p := doc.Position("spec")
	return schemas.Finding{
		Severity: schemas.SeverityError, File: doc.File, Line: p.Line, Column: p.Column, Code: CodeJustification,
		Message: "the risk is high and spec.justification is missing",
		Remedy:  "say in spec.justification why this model should run and what was done about its risks",
	}
}
