package review

import (
	"strings"
	"testing"
)

const (
	trackerPath = "models/data-science/email-classifier/staging/deployment.yaml"
	taggerPath  = "models/data-science/image-tagger/staging/deployment.yaml"
)

// asking gives the classifier a graph over itself and another model.
func asking(model string) func(files map[string]string) {
	return func(files map[string]string) {
		files[trackerPath] = strings.Replace(files[trackerPath], "  serving:\n",
			"  serving:\n    graph:\n      router: sequence\n      steps: [{model: email-classifier}, {model: "+model+"}]\n", 1)
	}
}

// A graph asks the models that the pull request leaves, and none of them may be
// removed under it, or go over to what it does not speak.
func TestAGraphAsksModelsThatAreThere(t *testing.T) {
	remove := func(files map[string]string) { files[taggerPath] = "" }
	overGRPC := func(files map[string]string) {
		files[taggerPath] = strings.Replace(files[taggerPath], "  serving:\n", "  serving:\n    protocol: grpc-v2\n", 1)
	}
	for _, test := range []struct {
		name  string
		edits []func(map[string]string) // the first is the base
		path  string                    // of the change that fails; empty: none
		says  string
	}{
		{"of a model that is there", []func(map[string]string){nil, asking("image-tagger")}, "", ""},
		{"of a model that is nowhere", []func(map[string]string){nil, asking("nobody")}, trackerPath, "no model"},
		{"of a model that goes with it", []func(map[string]string){nil, asking("image-tagger"), remove}, trackerPath, "no model"},
		{"of a model that is removed under it", []func(map[string]string){asking("image-tagger"), remove}, taggerPath, "which is removed"},
		{"of a model that goes over to gRPC under it", []func(map[string]string){asking("image-tagger"), overGRPC}, taggerPath, "which speaks grpc-v2"},
		{"of no model that goes over to gRPC", []func(map[string]string){nil, overGRPC}, "", ""},
		{"of no model that is removed", []func(map[string]string){nil, remove}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo, pr, base := pullRequestOf(t, "change", test.edits...)
			report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, Now: asked, Repository: "models"})
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, c := range report.Changes {
				for _, f := range c.Findings {
					if strings.Contains(f.Message, "graph") || strings.Contains(f.Message, "has no model") {
						found += c.Path + " " + f.Message + "\n"
					}
				}
			}
			if test.path == "" && found != "" || !strings.Contains(found, test.says) || test.path != "" && !strings.HasPrefix(found, test.path) {
				t.Errorf("the findings are %q", found)
			}
		})
	}
}
