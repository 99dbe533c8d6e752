package schemas

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestPathsAreClassified(t *testing.T) {
	for path, want := range map[string]PathKind{
		"models/a/b/c/deployment.yaml":     PathManifest,
		"models/a/b/c/Deployment.yaml":     PathStray,
		"models/a/b/c/deployment.yml":      PathStray,
		"models/a/b/c/README.md":           PathOther,
		"models/a/b/deployment.yaml":       PathOther, // a stray if its content is a manifest
		"models/a/b/c/d/deployment.yaml":   PathOther,
		"models//b/c/deployment.yaml":      PathOther,
		"governance.yaml":                  PathGovernance,
		"governance.yml":                   PathStray,
		"Governance.yaml":                  PathStray,
		"environments/production.yaml":     PathEnvironment,
		"environments/production.yml":      PathStray,
		"environments/eu/production.yaml":  PathStray,
		"environments/README.md":           PathOther,
		"teams/a.yaml":                     PathTeam,
		"teams/.yaml":                      PathStray,
		"overlays/production/patch.yaml":   PathOverlay,
		"policy/phi.rego":                  PathPolicy,
		"policy/README.md":                 PathOther,
		"Models/a/b/c/deployment.yaml":     PathStray,
		"model/a/b/c/deployment.yml":       PathStray,
		"model/train.yaml":                 PathOther,
		"environment/production.yaml":      PathStray,
		"environment/conda/gpu.yaml":       PathOther,
		"environment.yaml":                 PathOther,
		"team/a.yml":                       PathStray,
		"team/README.md":                   PathOther,
		"overlay/prod/kustomization.yaml":  PathStray,
		"overlay/prod/patch.yaml":          PathOther,
		"policies/phi.rego":                PathStray,
		"policies/kyverno.yaml":            PathOther,
		"governance_test.yaml":             PathOther,
		"governance_tests.yaml":            PathStray,
		"governance-test.yml":              PathStray,
		"docs/governance.yml":              PathOther,
		".github/policies/x.rego":          PathOther,
		"scripts/teams/a.yaml":             PathOther,
		"src/models/a/b/c/deployment.yaml": PathOther,
	} {
		if got := ClassifyPath(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	for path, want := range map[string]bool{
		"governance.yaml": true, "environments/README.md": true, "teams": true, "policy/x": true, "overlays/a/b": true,
		"models/a/b/c/deployment.yaml": false, "README.md": false, "teamsters/a": false,
	} {
		if IsPlatform(path) != want {
			t.Errorf("IsPlatform(%s) is %v", path, !want)
		}
	}
	unit, ok := ManifestUnit(manifestPath)
	if !ok || unit.Path() != manifestPath || unit.Model != "churn-predictor" {
		t.Errorf("ManifestUnit: %+v", unit)
	}
}

func TestStraysAreWarnings(t *testing.T) {
	manifest := []byte(fixture(t, "deployment.yaml"))
	files := append(exampleTree(t),
		File{Path: "models/data-science/deployment.yaml", Content: manifest},
		File{Path: "models/data-science/churn-predictor/production/Deployment.yaml"},
		File{Path: "models/data-science/churn-predictor/production/values.yaml", Content: []byte("kind: Deployment\n")},
		File{Path: "models/data-science/notes/model.yml", Content: []byte(`{"kind": "ModelDeployment"}`)},
		File{Path: "teams/other.yml"},
		File{Path: "README.md"},
		File{Path: "charts/deployment.yaml", Content: manifest},
	)
	repo, findings := LoadRepository(files)
	var strays []string
	for _, f := range findings {
		if f.Code != CodeStray || f.Severity != SeverityWarning {
			t.Errorf("unexpected: %s", f)
		}
		strays = append(strays, f.File)
	}
	want := []string{
		"models/data-science/churn-predictor/production/Deployment.yaml", "models/data-science/deployment.yaml",
		"models/data-science/notes/model.yml", "teams/other.yml",
	}
	if !slices.Equal(strays, want) {
		t.Errorf("strays: %v", strays)
	}
	if repo.ManifestFiles != 1 {
		t.Errorf("%d manifest files", repo.ManifestFiles)
	}
}

func TestAStrayBesideTheFoldersIsToldWhereItIsRead(t *testing.T) {
	for path, want := range map[string]string{
		"policies/phi.rego":          "move it to policy/phi.rego",
		"governance.yml":             "move it to governance.yaml",
		"Governance-Tests.yaml":      "move it to governance_test.yaml",
		"team/a.yml":                 "move it to teams/a.yaml",
		"Environment/prod.yaml":      "move it to environments/prod.yaml",
		"model/a/b/c/deployment.yml": "move it to models/a/b/c/deployment.yaml",
	} {
		_, findings := LoadRepository(append(exampleTree(t), File{Path: path}))
		if len(findings) != 1 || findings[0].Code != CodeStray || findings[0].Remedy != want || findings[0].Severity != SeverityWarning {
			t.Errorf("%s: %v", path, findings)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	files := append(exampleTree(t),
		File{Path: "models/data-science/link", Refused: "it is a symbolic link"},
		File{Path: "models", Refused: "it is a symbolic link"},
		File{Path: "overlays/production/base", Refused: "it is a submodule"},
		File{Path: "src/link", Refused: "it is a symbolic link"},
		File{Path: "teams/" + strings.Repeat("a", MaxPathBytes) + ".yaml"},
	)
	_, findings := LoadRepository(files)
	var got []string
	for _, f := range findings {
		got = append(got, f.File[:min(len(f.File), 24)]+" "+f.Code)
	}
	want := []string{"models refused-file", "models/data-science/link refused-file", "overlays/production/base refused-file", "teams/aaaaaaaaaaaaaaaaaa too-large"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestTwoManifestsMayNotDeclareTheSame(t *testing.T) {
	other := "models/data-science/copy/production/deployment.yaml"
	_, findings := LoadRepository(append(exampleTree(t), File{Path: other, Content: []byte(fixture(t, "deployment.yaml"))}))
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Code))
	}
	if want := []string{other + ":5 duplicate-identity", other + ":5 path-mismatch"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestABrokenManifestIsCountedAndDelaysNoOther(t *testing.T) {
	broken := "models/data-science/broken/production/deployment.yaml"
	repo, findings := LoadRepository(append(exampleTree(t), File{Path: broken, Content: []byte("a: [")}))
	if repo.ManifestFiles != 2 || len(repo.Deployments) != 1 || len(findings) != 1 || findings[0].File != broken {
		t.Errorf("%d files, %d deployments, %v", repo.ManifestFiles, len(repo.Deployments), findings)
	}
}

func BenchmarkLoadRepository(b *testing.B) {
	files := exampleTree(b)
	text := fixture(b, "deployment.yaml")
	for i := range 1000 {
		name := fmt.Sprintf("model-%d", i)
		files = append(files, File{
			Path:    Unit{Team: "data-science", Model: name, Environment: "production"}.Path(),
			Content: []byte(strings.Replace(text, "metadata:\n  name: churn-predictor", "metadata:\n  name: "+name, 1)),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, findings := LoadRepository(files); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}
