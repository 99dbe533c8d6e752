package desired

import (
	"maps"
	"slices"

	"github.com/mlops-platform/mooring/schemas"
)

// Selection narrows what All renders; an empty field selects everything.
type Selection struct {
	Environment string
	Model       string
}

func (s Selection) matches(d *schemas.Document[schemas.ModelDeployment]) bool {
	return (s.Environment == "" || d.Value.Spec.Environment == s.Environment) &&
		(s.Model == "" || d.Value.Metadata.Name == s.Model)
}

// All renders a whole model repository: the tenancies first, unless single
// models are asked for, then the models, each in the order of its path. What
// cannot be rendered is left out and in the findings.
func All(repository string, files []schemas.File, selection Selection) ([]Set, schemas.Findings) {
	world, _ := NewWorld(repository, files)
	repo, findings := schemas.LoadRepository(files)
	world.Platform = repo.Platform
	var models []Set
	tenancies := map[string]Set{}
	for _, path := range slices.Sorted(maps.Keys(repo.Deployments)) {
		doc := repo.Deployments[path]
		if !selection.matches(doc) {
			continue
		}
		set, wrong := world.Model(doc)
		findings = append(findings, wrong...)
		if wrong.Failed() {
			continue
		}
		models = append(models, set)
		tenant := schemas.Unit{Team: set.Unit.Team, Environment: set.Unit.Environment}
		if _, done := tenancies[tenant.ReceiptName()]; done || selection.Model != "" {
			continue
		}
		tenancy, wrong := world.Tenancy(tenant.Team, tenant.Environment)
		findings = append(findings, wrong...)
		tenancies[tenant.ReceiptName()] = tenancy
	}
	var sets []Set
	for _, name := range slices.Sorted(maps.Keys(tenancies)) {
		sets = append(sets, tenancies[name])
	}
	findings.Sort()
	return append(sets, models...), dedupe(findings)
}

// dedupe drops repeated findings of a sorted list: a reference that is wrong is
// found by the loader and again when the model is rendered.
func dedupe(findings schemas.Findings) schemas.Findings { return slices.Compact(findings) }
