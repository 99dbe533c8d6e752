package review

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/policy/secrets"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// Validation is what `mlops validate` says of a model repository. Its JSON form
// is a contract.
type Validation struct {
	Valid bool `json:"valid"`
	// Manifests counts all manifest files, broken ones too.
	Manifests int              `json:"manifests"`
	Findings  schemas.Findings `json:"findings"`
}

// Validate checks a whole model repository as it stands: schema, references, seats,
// placement, quota, budget, justifications, overlays, rules and secrets. It
// judges no change, so nobody's approval is asked. The error says that the files
// could not be scanned.
func Validate(ctx context.Context, files []schemas.File) (Validation, error) {
	repo, findings := schemas.LoadRepository(files)
	w := newWorld(platformFiles(files))
	w.Platform = repo.Platform
	_, ruleFindings := w.rules()
	findings = append(findings, ruleFindings...)
	findings = append(findings, w.overlayFindings()...)
	findings = append(findings, w.unfillable(nil, nil)...)
	findings = append(findings, w.platformNotActedOn()...)
	for _, f := range w.overlaid(repo) {
		if !slices.Contains(findings, f) {
			findings = append(findings, f)
		}
	}
	byTeam := map[string][]*deployment{}
	for _, path := range slices.Sorted(maps.Keys(repo.Deployments)) {
		doc := repo.Deployments[path]
		byTeam[doc.Value.Spec.Team] = append(byTeam[doc.Value.Spec.Team], doc)
		findings = append(findings, w.validateManifest(doc)...)
	}
	for team, docs := range byTeam {
		findings = append(findings, w.validateTotals(team, docs)...)
	}
	findings, err := withSecrets(ctx, files, findings)
	if err != nil {
		return Validation{}, err
	}
	findings = findings.Proposed()
	findings.Sort()
	return Validation{Valid: !findings.Failed(), Manifests: repo.ManifestFiles, Findings: findings}, nil
}

func platformFiles(files []schemas.File) []schemas.File {
	return slices.DeleteFunc(slices.Clone(files), func(f schemas.File) bool { return !schemas.IsPlatform(f.Path) })
}

// withSecrets adds what looks like a secret, and takes it out of what else is
// said of the file.
func withSecrets(ctx context.Context, files []schemas.File, findings schemas.Findings) (schemas.Findings, error) {
	out := schemas.Findings{}
	reports := map[string]secrets.Report{}
	for _, f := range files {
		if f.Refused != "" {
			continue
		}
		report, err := secrets.Scan(ctx, f.Path, f.Content)
		if err != nil {
			return nil, fmt.Errorf("look for secrets in %s: %w", f.Path, err)
		}
		reports[f.Path] = report
		out = append(out, report.Findings(f.Path)...)
	}
	for _, f := range findings {
		f.Message, f.Remedy = reports[f.File].Hide(f.Message), reports[f.File].Hide(f.Remedy)
		out = append(out, f)
	}
	return out, nil
}

// validateManifest checks what only policy can tell: whether a pool takes the
// model, and whether its risk asks for a justification.
func (w *world) validateManifest(doc *deployment) schemas.Findings {
	findings := w.manifestNotActedOn(doc, false)
	d := doc.Value
	known := w.Platform.CheckDeployment(doc)
	if env := w.environment(d.Spec.Environment); env != nil {
		p, refusals := placement.ForDeployment(env.Spec, d)
		findings = append(findings, untold(doc, refusals, known)...)
		if len(refusals) == 0 {
			for _, s := range placement.Capacity(env.Spec, p) {
				findings = append(findings, desired.Locate(doc, s.Finding))
			}
		}
	}
	if g := w.governance(); g != nil && unjustified(doc) {
		// A fact that the table does not have is a finding of the references already.
		a, err := risk.Assess(g.Risk, risk.Source{Name: "the manifest", Facts: d.Spec.Governance})
		if err == nil && a.Level == schemas.RiskHigh {
			findings = append(findings, justification(doc))
		}
	}
	return findings
}

// validateTotals puts what a team asks for in sum against the first manifest
// of each environment; the budget against its first manifest of all.
func (w *world) validateTotals(team string, docs []*deployment) schemas.Findings {
	t := w.team(team)
	if t == nil {
		return nil
	}
	values := make([]schemas.ModelDeployment, len(docs))
	var fits []fit
	first := map[string]*deployment{}
	for i, doc := range docs {
		values[i] = doc.Value
		env := doc.Value.Spec.Environment
		if first[env] == nil {
			first[env] = doc
		}
		if w.environment(env) != nil {
			fits = append(fits, w.fit(doc.Value))
		}
	}
	totals := w.totals(t, values, fits)
	var findings schemas.Findings
	for env, doc := range first {
		for _, f := range totals.quota[env] {
			findings = append(findings, desired.Locate(doc, f))
		}
	}
	for _, f := range totals.budget {
		findings = append(findings, desired.Locate(docs[0], f))
	}
	return findings
}
