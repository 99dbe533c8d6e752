package render

import "testing"

// FuzzOverlay lays any two files over a model. Whatever they hold, the answer is
// the model's own objects under Mooring's labels, or a finding with a file.
func FuzzOverlay(f *testing.F) {
	for _, patch := range []string{platformOverlay["priority.yaml"], "[]", "a: &a [*a]", "[{op: remove, path: /}]"} {
		f.Add(platformOverlay[kustomizationFile], patch)
		f.Add("patches: [{path: priority.yaml, target: {kind: InferenceService}}]", patch)
	}
	f.Add("replacements: [{sourceValue: x, targets: [{select: {kind: InferenceService}, fieldPaths: [metadata.name]}]}]", "")
	f.Add("images: [{name: a, newTag: b}]\nlabels: [{pairs: {a: b}, fields: [{path: spec/x, create: true}]}]", "")
	objects, err := Model(churn())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kustomization, patch string) {
		out, findings := Overlay(objects, overlayDir, overlayFiles(map[string]string{
			kustomizationFile:         kustomization,
			"priority.yaml":           patch,
			"network-policy.yaml":     platformOverlay["network-policy.yaml"],
			"mesh/kustomization.yaml": platformOverlay["mesh/kustomization.yaml"],
		}))
		if findings.Failed() {
			for _, finding := range findings {
				if finding.File == "" || finding.Code == "" || finding.Message == "" {
					t.Errorf("%+v", finding)
				}
			}
			if out != nil {
				t.Error("objects in spite of an error")
			}
			return
		}
		if p := verify(objects, out); p != nil {
			t.Error(p.message)
		}
	})
}
