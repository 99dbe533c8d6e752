package review

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/schemas"
)

// warned are the warnings of what nothing acts on.
func warned(findings schemas.Findings) []string {
	var out []string
	for _, f := range findings {
		if f.Code == CodeNotActedOn {
			out = append(out, f.String())
		}
	}
	return out
}

func TestWhatNothingActsOnIsSaidOnceAChange(t *testing.T) {
	const (
		churn, assistant = "models/data-science/churn-predictor/staging/deployment.yaml", "models/data-science/support-assistant/production/deployment.yaml"
		staging          = "environments/staging.yaml"
	)
	for _, tc := range []struct {
		name, path string
		edit       [2]string
		want       string
	}{
		{"safeguards that are declared", churn, [2]string{"features: [customer_features]", "features: [customer_features, more_features]"},
			churn + ":22:5: warning: spec.rollout.rollback, spec.checks.metrics, spec.checks.smoke, spec.features are accepted and not acted on yet; "},
		{"a canary", churn, [2]string{"  rollout:\n", "  rollout:\n    canary: {steps: [10, 50], interval: 10m}\n"},
			churn + ":22:5: warning: spec.rollout.canary, spec.rollout.rollback, "},
		{"defaults say nothing", assistant, [2]string{"kind: ModelDeployment", "kind: ModelDeployment # ours"}, ""},
		{"what has to come before", staging, [2]string{"spec:\n", "spec:\n  promotion: {after: development}\n"},
			"warning: spec.promotion is accepted and not acted on yet; "},
		{"merging by itself", schemas.GovernancePath, [2]string{"autoMerge: false", "autoMerge: true"},
			"warning: spec.approvals.low.autoMerge is accepted and not acted on yet; "},
		{"what every governance has to have", schemas.GovernancePath, [2]string{"review: 720h", "review: 700h"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := edited(t, map[string][2]string{tc.path: tc.edit})
			got := warned(report.Changes[0].Findings)
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], tc.want)) {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if tc.want != "" && !strings.Contains(Comment(report), "accepted and not acted on yet") {
				t.Error("the comment does not say it")
			}
		})
	}
}

func TestWhatNothingActsOnDependsOnWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../example-repo/models/data-science/churn-predictor/staging/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, findings := schemas.ParseModelDeployment("models/a/b/c/deployment.yaml", text)
	if doc == nil {
		t.Fatal(findings)
	}
	w := newWorld(nil)
	if got := warned(w.manifestNotActedOn(doc, true)); len(got) != 1 || strings.Contains(got[0], fieldMetrics) {
		t.Errorf("a registry is asked for metrics, yet %q", got)
	}
	w.Platform.Environments["staging"] = &schemas.Document[schemas.Environment]{}
	w.Platform.Environments["staging"].Value.Spec.Observability = &schemas.Observability{}
	if got := warned(w.manifestNotActedOn(doc, false)); len(got) != 1 || !strings.Contains(got[0], fieldRollback+" (but for its alerts), "+fieldMetrics) {
		t.Errorf("a rollback has alerts, yet %q", got)
	}
}

// A newcomer's first look at the example must not drown in warnings.
func TestMostOfTheExampleIsActedOn(t *testing.T) {
	result, err := Validate(t.Context(), exampleFiles(t))
	if err != nil || !result.Valid {
		t.Fatal(err, result.Findings)
	}
	if got := warned(result.Findings); len(got) != 3 || result.Manifests != 9 || len(result.Findings) != len(got) {
		t.Errorf("%d manifests, and %q", result.Manifests, result.Findings)
	}
}

// exampleFiles reads the example repository.
func exampleFiles(t *testing.T) []schemas.File {
	t.Helper()
	var files []schemas.File
	example := os.DirFS("../../example-repo")
	err := fs.WalkDir(example, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(example, path)
		files = append(files, schemas.File{Path: path, Content: content})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
