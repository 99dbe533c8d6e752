package review

import (
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// What a changed overlay makes of the models that it is laid over fails the
// stage that would have judged it had it stood in their manifests.
func TestAnOverlayIsJudgedByWhatItMakesOfModels(t *testing.T) {
	const overlay = "overlays/production/kustomization.yaml"
	digest := "sha256:" + strings.Repeat("ab", 32)
	image := func(entry string) map[string][2]string {
		return map[string][2]string{overlay: {"patches:\n", "images:\n  - " + entry + "\npatches:\n"}}
	}
	patch := func(kind, operation string) map[string][2]string {
		return map[string][2]string{overlay: {"patches:\n", "patches:\n  - target: {kind: " + kind + "}\n    patch: '[" + operation + "]'\n"}}
	}
	const transformer = "registry.example.com/data-science/fraud-transformer"
	for _, tc := range []struct {
		name  string
		edits map[string][2]string
		stage policy.Stage
		code  string
		line  int
		says  string
	}{
		{"a tag in the place of a digest", image("{name: " + transformer + ", newTag: latest}"), policy.StageSecurity, CodeImage, 8, "pods run " + transformer + ":latest: the image is not pinned"},
		{"an image from elsewhere", image("{name: " + transformer + ", newName: docker.io/acme/x, digest: " + digest + "}"), policy.StageSecurity, CodeImage, 8, "docker.io/acme/x@" + digest + ": the image comes from none"},
		{"an image of the registry by its digest", image("{name: " + transformer + ", digest: " + digest + "}"), policy.StageSecurity, "", 0, ""},
		{"a privileged container", patch("InferenceService", `{"op": "add", "path": "/spec/predictor/model/securityContext/privileged", "value": true}`),
			policy.StageSecurity, "pod-security", 9, "privileged"},
		{"no quota", patch("ResourceQuota", `{"op": "remove", "path": "/spec/hard/requests.cpu"}`), policy.StageBuild, "overlay-weakens", 8, "takes away the quota"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := edited(t, tc.edits)
			c := report.Changes[0]
			var found []schemas.Finding
			for _, f := range c.Findings {
				if f.Severity == schemas.SeverityError {
					found = append(found, f)
				}
			}
			if tc.code == "" {
				if len(found) > 0 || report.Verdict != policy.Pending {
					t.Errorf("%s: %v", report.Verdict, found)
				}
				return
			}
			if len(found) == 0 {
				t.Fatal("nothing is found")
			}
			for _, f := range found {
				if f.Code != tc.code || f.Line != tc.line || f.File != overlay || !strings.Contains(f.Message, tc.says) {
					t.Errorf("%v, want %s at line %d of the overlay: %s", f, tc.code, tc.line, tc.says)
				}
			}
			if report.Verdict != policy.Fail {
				t.Errorf("the verdict is %s: %s", report.Verdict, Headline(report))
			}
			for _, s := range report.Stages {
				if failed := s.Verdict == policy.Fail; failed != (s.Name == tc.stage) {
					t.Errorf("the stage %s is %s", s.Name, s.Verdict)
				}
			}
		})
	}
}
