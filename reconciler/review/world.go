package review

import (
	"sync"

	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// world is everything by which the manifests of one tree are judged: the
// governing files, the overlays and the rules of that tree. It is immutable, and
// shared by evaluations.
type world struct {
	desired.World
	// rules compiles the Rego rules, when they are first asked for: those that
	// nobody approved yet are never compiled in this process. The bundle is nil
	// where the findings say that they do not compile.
	rules func() (*compliance.Bundle, []schemas.Finding)
	// ruleFiles are the files under policy/, by path.
	ruleFiles map[string][]byte
	// findings are about governance, environments and teams.
	findings schemas.Findings
	// governing are the files that all of this was read from, blobs their content
	// by path, and overlays names those under overlays/; they are empty for a world
	// that is not of a tree.
	governing []source.File
	blobs     map[string]source.ID
	overlays  worldKey
}

func newWorld(files []schemas.File) *world {
	w := &world{ruleFiles: map[string][]byte{}}
	w.World, w.findings = desired.NewWorld("", files)
	for _, f := range files {
		if f.Refused == "" && schemas.ClassifyPath(f.Path) == schemas.PathPolicy {
			w.ruleFiles[f.Path] = f.Content
		}
	}
	w.rules = sync.OnceValues(func() (*compliance.Bundle, []schemas.Finding) { return compliance.Compile(w.ruleFiles) })
	return w
}

// governance is the rule book, or nil where it is missing or broken.
func (w *world) governance() *schemas.GovernanceSpec {
	if w.Platform.Governance == nil {
		return nil
	}
	return &w.Platform.Governance.Value.Spec
}

func (w *world) environment(name string) *schemas.Environment {
	if e := w.Platform.Environments[name]; e != nil {
		return &e.Value
	}
	return nil
}

func (w *world) team(name string) *schemas.Team {
	if t := w.Platform.Teams[name]; t != nil {
		return &t.Value
	}
	return nil
}

// rulersOf is what decides what a manifest renders to.
func (w *world) rulersOf(doc *deployment) rulers {
	by := w.tenancyRulers(doc.Value.Spec.Team, doc.Value.Spec.Environment)
	if w.governance() == nil {
		return by
	}
	level, err := w.OwnRisk(doc.Value)
	if by.level = string(level.Level); err != nil {
		by.level = "none: " + err.Error()
	}
	return by
}

// tenancyRulers is what decides what a team's tenancy renders to.
func (w *world) tenancyRulers(team, environment string) rulers {
	var by rulers
	if w.team(team) != nil {
		by.team = w.blobs[schemas.TeamPath(team)]
	}
	if env := w.environment(environment); env != nil {
		by.environment = w.blobs[schemas.EnvironmentPath(environment)]
		if env.Spec.Overlay != "" {
			by.overlays = w.overlays
		}
	}
	return by
}

// named is the world as it renders for a repository of that name.
func (w *world) named(repository string) desired.World {
	out := w.World
	out.Repository = repository
	return out
}
