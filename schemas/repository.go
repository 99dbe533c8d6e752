package schemas

import (
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Repository is everything that a model repository declares.
type Repository struct {
	*Platform
	// Deployments are the manifests without errors of their own, by path. Their
	// references may be wrong nevertheless: see the findings.
	Deployments map[string]*Document[ModelDeployment]
	// ManifestFiles counts all manifest files, broken ones too.
	ManifestFiles int
}

// LoadRepository reads a whole tree: the platform's files, every manifest, and
// all checks between them. The findings are sorted; a broken file delays no other.
func LoadRepository(files []File) (*Repository, Findings) {
	platform, findings := LoadPlatform(files)
	repo := &Repository{Platform: platform, Deployments: map[string]*Document[ModelDeployment]{}}
	var manifests []File
	for _, f := range files {
		if !within(f.Path, modelsFolder) {
			continue
		}
		kind := ClassifyPath(f.Path)
		if kind == PathManifest {
			repo.ManifestFiles++
		}
		switch refused := refusal(f); {
		case refused.Failed():
			findings = append(findings, refused...)
		case kind == PathManifest:
			manifests = append(manifests, f)
		case kind == PathStray || strayManifest(f):
			findings = append(findings, stray(f.Path))
		}
	}
	for i, result := range parseManifests(platform, manifests) {
		if result.doc != nil {
			repo.Deployments[manifests[i].Path] = result.doc
		}
		findings = append(findings, result.findings...)
	}
	findings = append(findings, repo.checkIdentities()...)
	served := platform.Served(maps.Values(repo.Deployments))
	for _, d := range repo.Deployments {
		findings = append(findings, CheckTogether(d, served)...)
	}
	findings.Sort()
	return repo, findings
}

// Served are the models of manifests, for CheckTogether.
func (p *Platform) Served(manifests iter.Seq[*Document[ModelDeployment]]) map[Unit]ServedModel {
	served := map[Unit]ServedModel{}
	for d := range manifests {
		served[d.Value.Unit()] = ServedModel{Namespace: p.namespaceOf(d.Value), Protocol: d.Value.Spec.InferenceProtocol()}
	}
	return served
}

// manifestResult is what became of one manifest file.
type manifestResult struct {
	doc      *Document[ModelDeployment]
	findings Findings
}

// parseManifests reads manifests on all processors: they do not depend on each
// other. Results are in the order of the files.
func parseManifests(p *Platform, files []File) []manifestResult {
	results := make([]manifestResult, len(files))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(files); i = next.Add(1) - 1 {
				doc, findings := ParseModelDeployment(files[i].Path, files[i].Content)
				if doc != nil {
					findings = append(findings, p.CheckDeployment(doc)...)
				}
				results[i] = manifestResult{doc, findings}
			}
		})
	}
	workers.Wait()
	return results
}

// checkIdentities refuses manifests that declare what another declares. Only a
// path that differs from its content makes that possible, so the one in the
// wrong place gets the finding.
func (repo *Repository) checkIdentities() (fs Findings) {
	owners := map[Unit][]string{}
	for _, path := range sortedKeys(repo.Deployments) {
		v := &repo.Deployments[path].Value
		unit := Unit{Team: v.Spec.Team, Model: v.Metadata.Name, Environment: v.Spec.Environment}
		owners[unit] = append(owners[unit], path)
	}
	for unit, paths := range owners {
		if len(paths) < 2 {
			continue
		}
		rightful := paths[0]
		if slices.Contains(paths, unit.Path()) {
			rightful = unit.Path()
		}
		for _, path := range paths {
			if path != rightful {
				fs = append(fs, repo.Deployments[path].Finding("metadata.name", CodeDuplicateIdentity,
					"the manifest declares the same team, model and environment as "+rightful, "correct metadata.name, spec.team or spec.environment"))
			}
		}
	}
	return fs
}
