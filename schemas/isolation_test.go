package schemas

import (
	"slices"
	"strings"
	"testing"
)

// isolatedTree is the example with isolated data, and a manifest that reads it.
func isolatedTree(t *testing.T, edits ...string) []File {
	t.Helper()
	files := exampleTree(t)
	edit := func(path string, pairs ...string) {
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == path })
		files[i].Content = []byte(strings.NewReplacer(pairs...).Replace(string(files[i].Content)))
	}
	edit("environments/production.yaml", "  drift: heal", isolate("s3://models-phi/{name}/v{version}"))
	edit(manifestPath, append(edits, "dataSensitivity: pii", "dataSensitivity: phi", "capacity: spot", "capacity: on-demand")...)
	return files
}

func TestIsolatedModelsAreKeptApart(t *testing.T) {
	const format = "format: mlflow"
	for name, c := range map[string]struct {
		edits []string
		field string // "" for no finding
	}{
		"an isolated model is fine":                   {nil, ""},
		"with an artefact of its own is fine":         {[]string{format, format + "\n    uri: s3://models-phi/churn/9"}, ""},
		"an isolated model on spot nodes":             {[]string{"capacity: spot", "capacity: spot"}, "spec.serving.capacity"},
		"an isolated model's artefact elsewhere":      {[]string{format, format + "\n    uri: s3://mlops-models/churn/9"}, "spec.model.uri"},
		"a bucket that only begins alike":             {[]string{format, format + "\n    uri: s3://models-phi2/churn/9"}, "spec.model.uri"},
		"another model's artefact among theirs":       {[]string{"dataSensitivity: pii", "dataSensitivity: pii", format, format + "\n    uri: s3://models-phi/churn/9"}, "spec.model.uri"},
		"an artefact that begins like theirs is fine": {other("s3://models-ph/churn"), ""},
		"another's artefact that is their bucket":     {other("s3://models-phi"), "spec.model.uri"},
		"another model on spot nodes is still fine":   {[]string{"dataSensitivity: pii", "dataSensitivity: pii", "capacity: spot", "capacity: spot"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			repo, findings := LoadRepository(isolatedTree(t, c.edits...))
			if c.field == "" {
				if len(findings) > 0 {
					t.Errorf("unexpected: %v", findings)
				}
				return
			}
			expectOne(t, findings, CodeIsolation, repo.Deployments[manifestPath].Position(c.field))
		})
	}
}

// other is a model that is not isolated, with its artefact at the URI.
func other(uri string) []string {
	return []string{"dataSensitivity: pii", "dataSensitivity: pii", "format: mlflow", "format: mlflow\n    uri: " + uri}
}

// KServe fetches all that begins like the URI, so that a parent or the beginning
// of a name reaches into the isolated folder as well.
func TestNoArtefactReachesIntoTheIsolatedFolder(t *testing.T) {
	for uri, want := range map[string]bool{
		"s3://models/phi/churn/v2": true, "s3://models/phi/": true, "s3://models/phi": true, "s3://models/ph": true, "s3://models/p": true,
		"s3://models/": true, "s3://models": true, "s3://models/ph?x=/phi2": true, "s3://models/ph#x": true,
		"s3://models/phi2": false, "s3://models/open/phi": false, "s3://model": false, "s3://models-phi/phi": false, "gs://models/phi": false,
		"pvc://models/phi": false,
	} {
		if got := reaches(uri, "s3://models/phi/"); got != want {
			t.Errorf("%s: %t", uri, got)
		}
	}
	for uri, want := range map[string]bool{
		"pvc://claim": true, "pvc://claim/": true, "pvc://claim/phi": true, "pvc://claim/phi/x": true, "pvc://claim/ph": false, "pvc://claim2": false, "pvc://clai": false,
	} {
		if got := reaches(uri, "pvc://claim/phi/"); got != want {
			t.Errorf("%s: %t", uri, got)
		}
	}
}

// The environment's template may lead into the folder too, by a model's name.
func TestNoModelIsNamedIntoTheIsolatedFolder(t *testing.T) {
	files := isolatedTree(t, "dataSensitivity: pii", "dataSensitivity: pii", "name: churn-predictor\n    version", "name: phi\n    version")
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == "environments/production.yaml" })
	files[i].Content = []byte(strings.Replace(string(files[i].Content), "s3://models-phi/", "s3://mlops-models/phi/", 1))
	repo, findings := LoadRepository(files)
	expectOne(t, findings, CodeIsolation, repo.Deployments[manifestPath].Position("spec.model.uri"))
}

// A graph asks Services of its own namespace, so that isolated models and others
// are never in one.
func TestNoGraphMixesIsolatedModelsWithOthers(t *testing.T) {
	const graph = "graph: {router: sequence, steps: [{model: churn-predictor}, {model: beside}]}\n    capacity: on-demand"
	for data, mixed := range map[string]bool{"phi": false, "pii": true} {
		files := isolatedTree(t, "capacity: spot", graph)
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == manifestPath })
		other := strings.NewReplacer("metadata:\n  name: churn-predictor", "metadata:\n  name: beside", "dataSensitivity: phi", "dataSensitivity: "+data, graph, "capacity: on-demand").Replace(string(files[i].Content))
		files = append(files, File{Path: "models/data-science/beside/production/deployment.yaml", Content: []byte(other)})
		repo, findings := LoadRepository(files)
		if !mixed {
			expectOne(t, findings, "", Position{})
			continue
		}
		expectOne(t, findings, CodeIsolation, repo.Deployments[manifestPath].Position("spec.serving.graph.steps[1].model"))
	}
}

func TestOnlyNamedTeamsServeIsolatedModels(t *testing.T) {
	files := isolatedTree(t)
	for i, f := range files {
		switch f.Path {
		case "environments/production.yaml":
			files[i].Content = []byte(strings.Replace(string(f.Content), "teams: [data-science]", "teams: [clinical]", 1))
		case "teams/data-science.yaml":
			other := strings.Replace(string(f.Content), "name: data-science", "name: clinical", 1)
			files = append(files, File{Path: "teams/clinical.yaml", Content: []byte(other)})
		}
	}
	repo, findings := LoadRepository(files)
	expectOne(t, findings, CodeIsolation, repo.Deployments[manifestPath].Position("spec.governance.dataSensitivity"))
	if !strings.Contains(findings[0].Remedy, "environments/production.yaml") {
		t.Errorf("the remedy names no file: %s", findings[0].Remedy)
	}
}

func TestIsolationHasItsOwnNamespaceAndStorage(t *testing.T) {
	repo, findings := LoadRepository(isolatedTree(t))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	spec := &repo.Environments["production"].Value.Spec
	for sensitivity, want := range map[string][2]string{
		"phi": {"data-science-phi-production", "s3://models-phi/churn/v2"},
		"pii": {"data-science-production", "s3://mlops-models/churn/v2"},
	} {
		if got := spec.NamespaceOf("data-science", "production", sensitivity); got != want[0] {
			t.Errorf("%s: namespace %s, want %s", sensitivity, got, want[0])
		}
		if got := spec.ArtifactURI(sensitivity, "churn", "2"); got != want[1] {
			t.Errorf("%s: artefact %s, want %s", sensitivity, got, want[1])
		}
	}
}
