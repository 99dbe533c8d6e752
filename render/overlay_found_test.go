package render

import (
	"testing"

	"github.com/mlops-platform/mooring/schemas"
)

func TestAStepThatFindsNothingIsToldOf(t *testing.T) {
	const patch = "  patch: '[{op: add, path: /metadata/labels/x, value: b}]'\n"
	for name, c := range map[string]struct {
		entry string
		found bool
	}{
		"a kind":                               {"patches:\n- target: {kind: InferenceService}\n" + patch, true},
		"a kind that no model here has":        {"patches:\n- target: {kind: InferenceGraph}\n" + patch, false},
		"a model":                              {"patches:\n- target: {name: rules}\n" + patch, true},
		"a model that is not there":            {"patches:\n- target: {kind: InferenceService, name: rulez}\n" + patch, false},
		"a label":                              {"patches:\n- target: {labelSelector: mlops-platform.com/model}\n" + patch, true},
		"a label that nothing has":             {"patches:\n- target: {kind: InferenceService, labelSelector: nothing=here}\n" + patch, false},
		"an annotation that nothing has":       {"patches:\n- target: {annotationSelector: nothing}\n" + patch, false},
		"a label that the overlay sets":        {"labels:\n- pairs: {tier: a}\npatches:\n- target: {labelSelector: tier=a}\n" + patch, true},
		"a merge by name":                      {"patches:\n- patch: '{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: rules}}'\n", true},
		"a merge of a model that is not there": {"patches:\n- patch: '{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: rulez}}'\n", false},
		"an image":                             {"images:\n- {name: registry.example.com/rules, newName: mirror/rules}\n", true},
		"an image that nothing runs":           {"images:\n- {name: registry.example.com/rulez, newName: mirror/rules}\n", false},
		"a replacement":                        {"replacements:\n- {sourceValue: x, targets: [{select: {kind: ServiceAccount}, fieldPaths: [metadata.annotations.x], options: {create: true}}]}\n", true},
		"a replacement without a target":       {"replacements:\n- {sourceValue: x, targets: [{select: {kind: ServiceAccount, name: other}, fieldPaths: [metadata.annotations.x]}]}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			overlay, findings := CompileOverlay(overlayDir, overlayFiles(kustomizationOf(c.entry)))
			if overlay == nil {
				t.Fatal(findings)
			}
			objects := objectsOf(t, "custom-container")
			out, findings := overlay.Apply(objects)
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			unfound := overlay.Unfound(overlay.Found(objects, out))
			if c.found != (len(unfound) == 0) {
				t.Fatalf("got %v", unfound)
			}
			for _, f := range unfound {
				if f.Severity != schemas.SeverityWarning || f.Code != CodeOverlayUnfound || f.File != overlayDir+"/kustomization.yaml" || f.Line != 2 {
					t.Errorf("got %+v", f)
				}
			}
			other := objectsOf(t, "graph")
			if out, findings = overlay.Apply(other); len(findings) > 0 {
				t.Fatal(findings)
			}
			both := overlay.Found(objects, objects).With(overlay.Found(other, out))
			if name == "a kind that no model here has" && len(overlay.Unfound(both)) > 0 {
				t.Errorf("a graph beside it is not found: %v", both)
			}
		})
	}
}
