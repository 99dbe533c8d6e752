package schemas

import (
	"slices"
	"testing"
)

func TestAnOverlayThatNoEnvironmentNamesIsAWarning(t *testing.T) {
	for name, c := range map[string]struct {
		paths, want []string
	}{
		"the one of an environment is fine":     {[]string{"overlays/production/kustomization.yaml", "overlays/production/base/kustomization.yaml"}, nil},
		"one of nobody":                         {[]string{"overlays/prod/kustomization.yaml"}, []string{"overlays/prod/kustomization.yaml"}},
		"its parts are not told again":          {[]string{"overlays/prod/a/kustomization.yaml", "overlays/prod/kustomization.yaml"}, []string{"overlays/prod/kustomization.yaml"}},
		"a name that begins alike is another's": {[]string{"overlays/production-eu/kustomization.yaml"}, []string{"overlays/production-eu/kustomization.yaml"}},
		"other files are not asked about":       {[]string{"overlays/README.md", "overlays/prod/patch.yaml"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			files := exampleTree(t)
			for _, path := range c.paths {
				files = append(files, File{Path: path})
			}
			_, findings := LoadRepository(files)
			var got []string
			for _, f := range findings {
				if f.Severity != SeverityWarning || f.Code != CodeStray {
					t.Errorf("unexpected: %s", f)
				}
				got = append(got, f.File)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A broken environment may name it.
func TestNothingIsSaidOfOverlaysWhileAnEnvironmentIsBroken(t *testing.T) {
	files := append(exampleTree(t), File{Path: "overlays/prod/kustomization.yaml"})
	files[2].Content = []byte("kind: [")
	_, findings := LoadPlatform(files)
	for _, f := range findings {
		if f.Code == CodeStray {
			t.Errorf("unexpected: %s", f)
		}
	}
}
