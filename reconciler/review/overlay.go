package review

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// overlaid finds what overlays do to the manifests of a repository: what they
// break, and which of their entries reach nothing.
func (w *world) overlaid(repo *schemas.Repository) schemas.Findings {
	var findings schemas.Findings
	coverage := w.Coverage()
	tenancies := map[schemas.Unit]bool{}
	for _, path := range slices.Sorted(maps.Keys(repo.Deployments)) {
		doc := repo.Deployments[path]
		unit := doc.Value.Unit()
		env := w.environment(unit.Environment)
		if env == nil || env.Spec.Overlay == "" {
			continue
		}
		set, wrong := w.Model(doc)
		coverage.Add(set, wrong)
		tenancy := schemas.Unit{Team: unit.Team, Environment: unit.Environment}
		if !tenancies[tenancy] {
			tenancies[tenancy] = true
			set, tenancyWrong := w.Tenancy(unit.Team, unit.Environment)
			coverage.Add(set, tenancyWrong)
			wrong = append(wrong, tenancyWrong...)
		}
		for _, f := range wrong {
			// What else is wrong with a manifest is found without its objects.
			if strings.HasPrefix(f.File, env.Spec.Overlay+"/") && !slices.Contains(findings, f) {
				findings = append(findings, f)
			}
		}
	}
	if repo.ManifestFiles > len(repo.Deployments) {
		return findings // an entry may be about a manifest that cannot be read
	}
	return append(findings, coverage.Unfound()...)
}

// maxSearched bounds the models among which the gate looks for what a changed
// overlay's entries select. All of them are looked through only for an entry that
// selects nothing.
const maxSearched = 1000

// judgeSelection tells of the entries of changed overlays that select nothing.
func (e *evaluation) judgeSelection(ctx context.Context) error {
	proposed, err := e.proposal(ctx)
	if proposed == nil || err != nil {
		return err
	}
	changed := e.platformChanges()
	first := firstUnder(changed, schemas.PathOverlay)
	if first == nil {
		return nil
	}
	manifests, err := e.manifests(ctx, e.head, func(string) bool { return true })
	if err != nil {
		return fmt.Errorf("read the manifests under the changed overlays: %w", err)
	}
	if len(manifests) > maxSearched || slices.ContainsFunc(manifests, func(m parsed) bool { return m.doc == nil }) {
		return nil // it may be about one of those that are not looked at
	}
	coverage := proposed.Coverage()
	tenancies := map[schemas.Unit]bool{}
	for _, m := range manifests {
		unit := m.doc.Value.Unit()
		env := proposed.environment(unit.Environment)
		if env == nil || env.Spec.Overlay == "" || coverage.Complete(env.Spec.Overlay) || !touches(changed, env.Spec.Overlay) {
			continue
		}
		r := e.rendered(proposed, e.Repository, m.key, m.doc)
		coverage.Add(r.set, r.findings)
		tenancy := schemas.Unit{Team: unit.Team, Environment: unit.Environment}
		if !tenancies[tenancy] {
			tenancies[tenancy] = true
			r := e.tenancy(proposed, e.Repository, tenancy)
			coverage.Add(r.set, r.findings)
		}
	}
	for _, f := range coverage.Unfound() {
		c := changed[f.File]
		if c == nil {
			c = first
		}
		e.find(c, policy.StageValidate, f)
	}
	return nil
}

// touches reports whether a file of an overlay is changed.
func touches(changed map[string]*Change, overlay string) bool {
	for path := range changed {
		if strings.HasPrefix(path, overlay+"/") {
			return true
		}
	}
	return false
}
