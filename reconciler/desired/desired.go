package desired

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// Codes of the findings that this package adds.
const (
	CodeAlias  = "alias-unresolved"
	CodeRender = "render"
)

// World is what governs every model of one tree.
type World struct {
	// Repository names the model repository on the objects' labels.
	Repository string
	Platform   *schemas.Platform
	// Overlays are the files under overlays/, by path in the repository.
	Overlays map[string][]byte

	compiled *overlays
}

// overlays are the compiled ones of a world, by folder: one serves all models
// of its environments.
type overlays struct {
	mu   sync.Mutex
	done map[string]overlay
}

type overlay struct {
	compiled *render.CompiledOverlay
	findings schemas.Findings
}

// Overlay compiles the overlay in a folder, once for all copies of the world.
// It is nil where the findings say why it is none.
func (w World) Overlay(dir string) (*render.CompiledOverlay, schemas.Findings) {
	w.compiled.mu.Lock()
	defer w.compiled.mu.Unlock()
	o, ok := w.compiled.done[dir]
	if !ok {
		o.compiled, o.findings = render.CompileOverlay(dir, w.Overlays)
		w.compiled.done[dir] = o
	}
	return o.compiled, slices.Clone(o.findings)
}

// NewWorld reads the governing files of a tree. Files of other kinds are passed
// over; what is wrong with the governing ones is in the findings.
func NewWorld(repository string, files []schemas.File) (World, schemas.Findings) {
	platform, findings := schemas.LoadPlatform(files)
	w := World{Repository: repository, Platform: platform, Overlays: map[string][]byte{}, compiled: &overlays{done: map[string]overlay{}}}
	for _, f := range files {
		if f.Refused == "" && schemas.ClassifyPath(f.Path) == schemas.PathOverlay {
			w.Overlays[f.Path] = f.Content
		}
	}
	return w, findings
}

// Set is the desired objects of one unit.
type Set struct {
	Unit    schemas.Unit
	Objects []*unstructured.Unstructured
	// Hash over the objects' content.
	Hash string
	// Level of risk by the manifest's own facts; empty for a tenancy.
	Level schemas.RiskLevel
	// Version of the model; empty for a tenancy.
	Version   string
	Placement placement.Placement
	// Found is which of the overlay's steps found an object of the unit.
	Found render.Found
}

// Model renders one manifest. The findings say why it could not be rendered;
// the set is usable if none of them is an error.
func (w World) Model(doc *schemas.Document[schemas.ModelDeployment]) (Set, schemas.Findings) {
	d := doc.Value
	unit := d.Unit()
	env, team, missing := w.references(doc)
	if missing != nil {
		return Set{Unit: unit}, schemas.Findings{*missing}
	}
	if d.Spec.Model.Version == "" {
		return Set{Unit: unit}, schemas.Findings{At(doc, schemas.SeverityError, "spec.model.alias", CodeAlias,
			fmt.Sprintf("the alias %q cannot be resolved without a registry", d.Spec.Model.Alias),
			"name spec.model.version")}
	}
	placed, refusals := placement.ForDeployment(env.Spec, d)
	if len(refusals) > 0 {
		return Set{Unit: unit}, Refusals(doc, refusals)
	}
	level, err := w.level(d)
	if err != nil {
		return Set{Unit: unit}, schemas.Findings{At(doc, schemas.SeverityError, "spec.governance", schemas.CodeUnknownValue, err.Error(),
			"use a key of the table in governance.yaml")}
	}
	objects, err := render.Model(modelInput(w.Repository, d, team, env, placed, level))
	if err != nil {
		return Set{Unit: unit}, schemas.Findings{At(doc, schemas.SeverityError, "spec", CodeRender, err.Error(), "correct the manifest")}
	}
	set, findings := w.finish(unit, objects, env.Spec.Overlay)
	set.Version, set.Level, set.Placement = d.Spec.Model.Version, level, placed
	return set, findings
}

// Tenancy renders a team's namespace, quota and limits in an environment.
func (w World) Tenancy(team, environment string) (Set, schemas.Findings) {
	unit := schemas.Unit{Team: team, Environment: environment}
	t, e := w.Platform.Teams[team], w.Platform.Environments[environment]
	if t == nil || e == nil {
		return Set{Unit: unit}, schemas.Findings{{
			Severity: schemas.SeverityError, File: schemas.TeamPath(team), Line: 1, Column: 1, Code: schemas.CodeUnknownTeam,
			Message: fmt.Sprintf("the team %q or the environment %q is missing or broken", team, environment),
			Remedy:  "restore the file under teams/ or environments/",
		}}
	}
	objects, err := render.Tenancy(render.TenancyInput{Repository: w.Repository, Team: &t.Value, Environment: &e.Value})
	if err != nil {
		return Set{Unit: unit}, schemas.Findings{At(t, schemas.SeverityError, "spec", CodeRender, err.Error(), "correct the team's file")}
	}
	return w.finish(unit, objects, e.Value.Spec.Overlay)
}

// finish puts the overlay over the objects and hashes them.
func (w World) finish(unit schemas.Unit, objects []*unstructured.Unstructured, overlay string) (Set, schemas.Findings) {
	var findings schemas.Findings
	var found render.Found
	if overlay != "" {
		var compiled *render.CompiledOverlay
		if compiled, findings = w.Overlay(overlay); compiled == nil {
			return Set{Unit: unit}, findings
		}
		out, applied := compiled.Apply(objects)
		found = compiled.Found(objects, out)
		objects, findings = out, append(findings, applied...)
	}
	if findings.Failed() {
		return Set{Unit: unit}, findings
	}
	return Set{Unit: unit, Objects: objects, Hash: render.Hash(objects), Found: found}, findings
}

func (w World) references(doc *schemas.Document[schemas.ModelDeployment]) (*schemas.Environment, *schemas.Team, *schemas.Finding) {
	d := doc.Value
	env, team := w.Platform.Environments[d.Spec.Environment], w.Platform.Teams[d.Spec.Team]
	if env != nil && team != nil && w.Platform.Governance != nil {
		return &env.Value, &team.Value, nil
	}
	f := At(doc, schemas.SeverityError, "spec", CodeRender,
		fmt.Sprintf("the governance, the team %q or the environment %q is missing or broken", d.Spec.Team, d.Spec.Environment),
		"restore governance.yaml and the files under teams/ and environments/")
	return nil, nil, &f
}

// level is the manifest's own level, by its own facts; the level of a change
// of it can be higher.
func (w World) level(d schemas.ModelDeployment) (schemas.RiskLevel, error) {
	a, err := w.OwnRisk(d)
	return a.Level, err
}

// OwnRisk assesses a manifest by its own facts. There must be a governance.
func (w World) OwnRisk(d schemas.ModelDeployment) (risk.Assessment, error) {
	return risk.Assess(w.Platform.Governance.Value.Spec.Risk, risk.Source{Name: "the manifest", Facts: d.Spec.Governance})
}

func modelInput(repository string, d schemas.ModelDeployment, team *schemas.Team, env *schemas.Environment, p placement.Placement, level schemas.RiskLevel) render.ModelInput {
	return render.ModelInput{
		Repository: repository, Deployment: &d, Team: team, Environment: env,
		Predictor:   place(env, p, placement.Predictor),
		Transformer: place(env, p, placement.Transformer),
		Explainer:   place(env, p, placement.Explainer),
		Router:      place(env, p, placement.Router),
		Version:     d.Spec.Model.Version,
		StorageURI:  render.StorageURI(env, d.Spec, d.Spec.Model.Version),
		Level:       level,
	}
}

// place is the pool that was chosen for a component; nil where the model has
// no such component.
func place(env *schemas.Environment, placed placement.Placement, component string) *render.Placement {
	c, ok := placed.Of(component)
	if !ok {
		return nil
	}
	for _, p := range env.Spec.Pools {
		if p.Name == c.Pool {
			return &render.Placement{Pool: p, Capacity: c.Capacity}
		}
	}
	return nil
}

// Refusals turns placement's refusals into findings of a manifest.
func Refusals(doc *schemas.Document[schemas.ModelDeployment], refusals []placement.Refusal) schemas.Findings {
	findings := make(schemas.Findings, 0, len(refusals))
	for _, r := range refusals {
		findings = append(findings, Locate(doc, r.Finding()))
	}
	return findings
}

// Locate puts a decision's finding at its place in the file.
func Locate[T any](doc *schemas.Document[T], f policy.Finding) schemas.Finding {
	p := doc.Position(f.Field)
	return f.At(doc.File, p.Line, p.Column)
}

// At is a finding at a field of a file.
func At[T any](doc *schemas.Document[T], severity schemas.Severity, field, code, message, remedy string) schemas.Finding {
	p := doc.Position(field)
	return schemas.Finding{
		Severity: severity, File: doc.File, Line: p.Line, Column: p.Column, Code: code, Message: message, Remedy: remedy,
	}
}
