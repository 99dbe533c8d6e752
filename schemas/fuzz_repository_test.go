package schemas

import (
	"slices"
	"testing"
	"time"
)

// FuzzLoadRepository puts any file at any place of a valid repository. Whatever
// it holds, loading ends in bounded time, every finding names a file that is
// there and a place in it, and a file that governs nothing harms no neighbour.
func FuzzLoadRepository(f *testing.F) {
	for _, file := range exampleTree(f) {
		f.Add(file.Path, file.Content)
		f.Add("models/data-science/other/production/deployment.yaml", file.Content)
	}
	for _, path := range []string{
		"", ".", "/", "..", "models", "models/", "models//x/y/deployment.yaml", "models/../governance.yaml", "Governance.yaml", "governance.yml",
		"teams/data-science.yml", "teams/.yaml", "environments/production.yaml/x", "policy/a.rego", "overlays/a/kustomization.yaml",
		"models/data-science/x/production/deployment.yml", "models/data-science/x/production/DEPLOYMENT.yaml", "models/\xff/\u2028/x/deployment.yaml",
	} {
		f.Add(path, []byte(fixture(f, "deployment.yaml")))
	}
	tree := exampleTree(f)
	_, untouched := LoadRepository(tree)
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		files := slices.Clone(tree)
		at := slices.IndexFunc(files, func(file File) bool { return file.Path == path })
		if at < 0 {
			at, files = len(files), append(files, File{})
		}
		files[at] = File{Path: path, Content: content}
		start := time.Now()
		repo, findings := LoadRepository(files)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
		if repo == nil || repo.Platform == nil {
			t.Fatal("no repository")
		}
		for _, x := range findings {
			if x.Code == "" || x.Message == "" || x.Line < 0 || x.Column < 0 ||
				!slices.ContainsFunc(files, func(file File) bool { return file.Path == x.File }) {
				t.Errorf("finding %+v", x)
			}
		}
		if IsPlatform(path) {
			return
		}
		neighbours := slices.DeleteFunc(slices.Clone(findings), func(x Finding) bool { return x.File == path })
		before := slices.DeleteFunc(slices.Clone(untouched), func(x Finding) bool { return x.File == path })
		if !slices.Equal(neighbours, before) {
			t.Errorf("%q changed the findings of others\nfrom %v\nto   %v", path, before, neighbours)
		}
		if path != manifestPath && repo.Deployments[manifestPath] == nil {
			t.Errorf("%q took the manifest of another away", path)
		}
	})
}
