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
	"github.com/mlops-platform/mooring/reconciler/desired"
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
	switch {
	case !readable:
		return unreadable(c), nil
	case c.factsUnknown != "":
		return highest(c, "the registry could not be asked, so the highest score holds"), nil
	}
	table := e.world.governance().Risk
	if _, err := risk.Assess(table, sources...); err != nil {
		// A fact that the table does not have cannot be scored: the highest holds.
		return unreadable(c), nil // the unknown value is a finding of its own already
	}
	a, err := risk.Assess(table, append(sources, c.registryFacts()...)...)
	if err != nil {
		e.findTag(c, err)
		return highest(c, "a tag of the registered model is no fact of the risk table, so the highest score holds"), nil
	}
	return a, nil
}

// registryFacts are what the tags of a change's registered models declare.
func (c *Change) registryFacts() (sources []risk.Source) {
	for _, m := range []*RegisteredModel{c.registered.before, c.registered.after} {
		if m == nil || m == c.registered.after && c.registered.before != nil && m.Version == c.registered.before.Version && m.Name == c.registered.before.Name {
			continue
		}
		sources = append(sources, risk.Source{
			Name: fmt.Sprintf("the registry's tags of %s version %s", m.Name, m.Version), Facts: m.facts(), Partial: true,
		})
	}
	return sources
}

// findTag says which tag cannot be scored. It is no fault of the manifest, so it
// is a warning; the highest level is what it costs.
func (e *evaluation) findTag(c *Change, err error) {
	doc := c.after
	if doc == nil {
		return // a removal is told by its risk alone: there is no place to point at
	}
	e.find(c, policy.StageValidate, desired.At(doc, schemas.SeverityWarning, "spec.model", CodeRegistryFact, err.Error(),
		"correct the model's tags "+FactTags["businessImpact"]+" and so on in the registry, or add the value to the table in governance.yaml"))
}

// riskSources lists what declares facts about a change: both of its sides, what
// stands approved where the base holds something else and, where it brings a
// registered model that was not served here, every manifest that serves that
// one, since a new name must not make an old model harmless.
func (e *evaluation) riskSources(ctx context.Context, c *Change) (sources []risk.Source, readable bool, err error) {
	if c.before == nil && c.file.Before.Exists() || c.after == nil && c.file.After.Exists() || c.approved.unreadable() {
		return nil, false, nil
	}
	sources = ownFacts(c)
	if c.approved.doc != nil {
		sources = append(sources, risk.Source{Name: "the approved manifest, which the base does not hold", Facts: c.approved.doc.Value.Spec.Governance})
	}
	if !c.bringsModel() {
		return sources, true, nil
	}
	if err := e.findSameModels(ctx); err != nil {
		return nil, false, err
	}
	for _, doc := range e.sameModels[c.after.Value.Spec.Model.Name] {
		name := doc.File
		if e.removes(doc.File) {
			name += ", which moves here"
		}
		sources = append(sources, risk.Source{Name: name, Facts: doc.Value.Spec.Governance})
	}
	return sources, true, nil
}

// bringsModel reports whether a change serves a registered model that what is
// approved at its path does not serve.
func (c *Change) bringsModel() bool {
	old := c.before
	if c.approved.differs {
		old = c.approved.doc
	}
	return c.after != nil && (old == nil || old.Value.Spec.Model.Name != c.after.Value.Spec.Model.Name)
}

// ownFacts are those of the change's own sides. Where a change leaves the facts
// alone, they are named once.
func ownFacts(c *Change) (sources []risk.Source) {
	const before, after, both, removed = "the manifest before", "the manifest now", "the manifest", "the manifest that is removed"
	switch {
	case c.after == nil && c.before != nil:
		return []risk.Source{{Name: removed, Facts: c.before.Value.Spec.Governance}}
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

// removes reports whether the pull request removes a file.
func (e *evaluation) removes(path string) bool {
	return slices.ContainsFunc(e.report.Changes, func(c *Change) bool { return c.Path == path && c.Kind == source.Removed })
}

// findSameModels looks once for all models that are brought, at the base and in
// what is approved and not there.
func (e *evaluation) findSameModels(ctx context.Context) error {
	if e.sameModels != nil {
		return nil
	}
	names := map[string]bool{}
	for _, c := range e.report.Changes {
		if c.bringsModel() {
			names[c.after.Value.Spec.Model.Name] = true
		}
	}
	var err error
	if e.sameModels, err = e.manifestsOf(ctx, e.base, slices.Sorted(maps.Keys(names))); err != nil {
		return fmt.Errorf("look for other manifests of the added models: %w", err)
	}
	if len(names) == 0 {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(e.Standing)) {
		s, err := e.approvedAt(ctx, path)
		if err != nil {
			return err
		}
		if s.doc != nil && names[s.doc.Value.Spec.Model.Name] {
			name := s.doc.Value.Spec.Model.Name
			e.sameModels[name] = append(e.sameModels[name], s.doc)
		}
	}
	return nil
}

// unreadable is the assessment of a manifest whose facts cannot be read: the
// highest there is, since nobody can say that it is less.
func unreadable(c *Change) risk.Assessment {
	return highest(c, "the manifest's facts cannot be read, so the highest score holds")
}

func highest(c *Change, why string) risk.Assessment {
	a := risk.Platform(c.Path)
	for i := range a.Factors {
		a.Factors[i].Reason = why
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
