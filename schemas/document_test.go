package schemas

import "testing"

func TestTheExamplesAreValid(t *testing.T) {
	repo, findings := LoadRepository(exampleTree(t))
	for _, f := range findings {
		t.Error(f)
	}
	if len(repo.Deployments) != 1 || repo.ManifestFiles != 1 {
		t.Errorf("%d deployments, %d manifest files", len(repo.Deployments), repo.ManifestFiles)
	}
}

func BenchmarkParseManifest(b *testing.B) {
	content := []byte(fixture(b, "deployment.yaml"))
	b.ReportAllocs()
	for b.Loop() {
		if _, findings := ParseModelDeployment(manifestPath, content); findings.Failed() {
			b.Fatal(findings)
		}
	}
}
