package desired

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy/secrets"
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
// cannot be rendered, or carries a secret, is left out and in the findings. The
// error says that the files could not be scanned for secrets.
func All(ctx context.Context, repository string, files []schemas.File, selection Selection) ([]Set, schemas.Findings, error) {
	world, _ := NewWorld(repository, files) // what is wrong is among the findings of the whole, below
	repo, findings := schemas.LoadRepository(files)
	world.Platform = repo.Platform
	scanned, err := scan(ctx, files)
	if err != nil {
		return nil, nil, err
	}
	for file, report := range scanned {
		findings = append(findings, report.Findings(file)...)
	}
	failed := map[string]bool{}
	for _, f := range findings {
		if f.Severity == schemas.SeverityError {
			failed[f.File] = true
		}
	}
	coverage := world.Coverage()
	for name := range world.Platform.Environments {
		if selection.Environment != "" && name != selection.Environment {
			coverage.Miss(name)
		}
	}
	var models []Set
	tenancies := map[string]Set{}
	for _, path := range slices.Sorted(maps.Keys(repo.Deployments)) {
		doc := repo.Deployments[path]
		if !selection.matches(doc) {
			continue
		}
		if failed[path] || world.governedByFailed(doc, failed) {
			coverage.Miss(doc.Value.Spec.Environment)
			continue
		}
		set, wrong := world.Model(doc)
		coverage.Add(set, wrong)
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
		coverage.Add(tenancy, wrong)
	}
	if selection.Model == "" && repo.ManifestFiles == len(repo.Deployments) {
		findings = append(findings, coverage.Unfound()...)
	}
	var sets []Set
	for _, name := range slices.Sorted(maps.Keys(tenancies)) {
		sets = append(sets, tenancies[name])
	}
	return append(sets, models...), tidy(findings, scanned), nil
}

// Explain says where the objects of sets come from that All rendered of the same
// repository and files, in their order.
func Explain(repository string, files []schemas.File, sets []Set) ([]Explained, schemas.Findings) {
	world, _ := NewWorld(repository, files) // All has reported what is wrong
	repo, _ := schemas.LoadRepository(files)
	world.Platform = repo.Platform
	documents := map[schemas.Unit]*schemas.Document[schemas.ModelDeployment]{}
	for _, doc := range repo.Deployments {
		documents[doc.Value.Unit()] = doc
	}
	var out []Explained
	for _, set := range sets {
		var explained []Explained
		var findings schemas.Findings
		if doc := documents[set.Unit]; doc != nil {
			explained, findings = world.ExplainModel(doc)
		} else {
			explained, findings = world.ExplainTenancy(set.Unit.Team, set.Unit.Environment)
		}
		if findings.Failed() {
			return nil, findings
		}
		out = append(out, explained...)
	}
	return out, nil
}

// scan looks for secrets in what becomes objects: manifests, teams, environments
// and overlays.
func scan(ctx context.Context, files []schemas.File) (map[string]secrets.Report, error) {
	out := map[string]secrets.Report{}
	for _, f := range files {
		kind := schemas.ClassifyPath(f.Path)
		if f.Refused != "" || kind != schemas.PathManifest && !schemas.IsPlatform(f.Path) {
			continue
		}
		report, err := secrets.Scan(ctx, f.Path, f.Content)
		if err != nil {
			return nil, fmt.Errorf("look for secrets in %s: %w", f.Path, err)
		}
		out[f.Path] = report
	}
	return out, nil
}

// governedByFailed reports whether a manifest's team, environment or overlay has
// a file that must not be rendered and is the reason itself.
func (w World) governedByFailed(doc *schemas.Document[schemas.ModelDeployment], failed map[string]bool) bool {
	if failed[schemas.TeamPath(doc.Value.Spec.Team)] || failed[schemas.EnvironmentPath(doc.Value.Spec.Environment)] {
		return true
	}
	env := w.Platform.Environments[doc.Value.Spec.Environment]
	if env == nil || env.Value.Spec.Overlay == "" {
		return false
	}
	for path := range failed {
		if strings.HasPrefix(path, env.Value.Spec.Overlay+"/") {
			return true
		}
	}
	return false
}

// tidy sorts findings, takes the files' secrets out of them and drops repeated
// ones: what is wrong with an overlay is found with every model under it.
func tidy(findings schemas.Findings, scanned map[string]secrets.Report) schemas.Findings {
	for i, f := range findings {
		report := scanned[f.File]
		findings[i].Message, findings[i].Remedy = report.Hide(f.Message), report.Hide(f.Remedy)
	}
	findings.Sort()
	return slices.Compact(findings)
}
