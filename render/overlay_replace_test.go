package render

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// replacementsOf are the replacements of a kustomization, in flow style.
func replacementsOf(entries ...string) string {
	return "replacements:\n- " + strings.Join(entries, "\n- ") + "\n"
}

// A replacement is done with kustomize's filter, field by field, and has to come
// to what kustomize makes of all of it.
func TestReplacementsAreAsKustomizeMakesThem(t *testing.T) {
	objects := mustTenancy(t)
	for name, text := range map[string]string{
		"a name":             "{source: {kind: Namespace}, targets: [{select: {kind: ResourceQuota}, fieldPaths: [metadata.annotations.a], options: {create: true}}]}",
		"a label":            "{source: {kind: Namespace, fieldPath: 'metadata.labels.[mlops-platform.com/team]'}, targets: [{select: {}, fieldPaths: [metadata.annotations.a, metadata.annotations.b], options: {create: true}}]}",
		"a part":             "{source: {kind: Namespace, options: {delimiter: '-', index: 2}}, targets: [{select: {kind: ResourceQuota}, fieldPaths: [metadata.annotations.a], options: {create: true}}]}",
		"into a part":        "{sourceValue: x, targets: [{select: {kind: ResourceQuota}, fieldPaths: ['metadata.labels.[mlops-platform.com/team]'], options: {delimiter: '-', index: 1}}]}",
		"a number":           "{sourceValue: '3', targets: [{select: {kind: ResourceQuota}, fieldPaths: ['spec.hard.[requests.nvidia.com/gpu]']}]}",
		"all but some":       "{sourceValue: x, targets: [{select: {}, reject: [{kind: Namespace}], fieldPaths: [metadata.annotations.a], options: {create: true}}]}",
		"each of a list":     "{sourceValue: Egress, targets: [{select: {kind: NetworkPolicy}, fieldPaths: [spec.policyTypes.*]}]}",
		"the source as well": "{source: {kind: Namespace, fieldPath: metadata.name}, targets: [{select: {kind: Namespace}, fieldPaths: [metadata.annotations.a, metadata.annotations.b], options: {create: true}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			overlay, findings := CompileOverlay(overlayDir, overlayFiles(kustomizationOf(replacementsOf(text))))
			if overlay == nil {
				t.Fatal(findings)
			}
			got, err := replace(objects, overlay.steps[0].replacement.Replacement)
			if err != nil {
				t.Fatal(err)
			}
			fs := filesys.MakeFsInMemory()
			if err := writeBuild(fs, objects, nil); err != nil {
				t.Fatal(err)
			}
			if err := writeKustomization(fs, "", types.Kustomization{Resources: []string{"objects.yaml"}, Replacements: []types.ReplacementField{*overlay.steps[0].replacement}}); err != nil {
				t.Fatal(err)
			}
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, ".")
			if err != nil {
				t.Fatal(err)
			}
			changed := false
			for i, r := range built.Resources() {
				content, err := r.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				mine, err := json.Marshal(got[i].Object)
				if err != nil {
					t.Fatal(err)
				}
				var want, is any
				if json.Unmarshal(content, &want) != nil || json.Unmarshal(mine, &is) != nil {
					t.Fatal("no JSON")
				}
				if diff := cmp.Diff(want, is); diff != "" {
					t.Error(diff)
				}
				changed = changed || !cmp.Equal(got[i].Object, objects[i].Object)
			}
			if !changed {
				t.Error("nothing was replaced, so nothing is compared")
			}
		})
	}
}

// A few lines could double what they write, or write all over an object that a
// patch has made large, until memory ends.
func TestAnOverlayCannotGrowAnObjectWithoutBound(t *testing.T) {
	patch := func(value string) string {
		return "patches:\n- target: {kind: InferenceService}\n  patch: '[{op: add, path: /metadata/annotations/a, value: " + value + "}]'\n"
	}
	double := "{source: {kind: InferenceService, fieldPath: metadata.annotations.a}, targets: [{select: {kind: InferenceService}, fieldPaths: [" +
		strings.Repeat("metadata.annotations.a,", 40) + "], options: {delimiter: '+', index: 99999999}}]}"
	var chain []string
	for range 40 {
		chain = append(chain, "{source: {kind: InferenceService, fieldPath: metadata.annotations.a}, targets: [{select: {kind: InferenceService}, fieldPaths: [metadata.annotations.a], options: {delimiter: '+', index: 99999999}}]}")
	}
	for name, c := range map[string]struct{ text, says string }{
		"a map within itself":     {replacementsOf("{source: {kind: InferenceService, fieldPath: metadata.labels}, targets: [{select: {kind: InferenceService}, fieldPaths: [metadata.labels.a, metadata.labels.b], options: {create: true}}]}"), "single values"},
		"a text after itself":     {patch("aaaa") + replacementsOf(chain...), "a replacement copies"},
		"a long text":             {patch(strings.Repeat("a", maxReplaced+1)) + replacementsOf(double), "a replacement copies"},
		"aliases within a text":   {patch(`"{z: q, s: &s aaaa, l: [*s, *s]}"`) + replacementsOf("{sourceValue: b, targets: [{select: {kind: InferenceService}, fieldPaths: [metadata.annotations.a.z]}]}"), "into a text"},
		"a patch without measure": {patch(strings.Repeat("a", maxObjectBytes)), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			out, findings := Overlay(mustModel(t, churn()), overlayDir, overlayFiles(kustomizationOf(c.text)))
			if out != nil || len(findings) != 1 || !strings.Contains(findings[0].Message, c.says) {
				t.Errorf("%d objects come out of it, and it says %.300v", len(out), findings)
			}
		})
	}
	files := kustomizationOf("resources: [list.yaml]\n" + replacementsOf("{sourceValue: "+strings.Repeat("a", maxReplaced)+", targets: [{select: {kind: Listing}, fieldPaths: [spec.*.x]}]}"))
	files["list.yaml"] = "{apiVersion: example.com/v1, kind: Listing, metadata: {name: a}, spec: [" + strings.Repeat("{x: y},", 1_000) + "]}"
	if out, findings := Overlay(mustTenancy(t), overlayDir, overlayFiles(files)); out != nil || len(findings) != 1 || !strings.Contains(findings[0].Message, "larger than") {
		t.Errorf("a value in each of a thousand places: %d objects, %.300v", len(out), findings)
	}
	// What a replacement writes into its own source it does not read again.
	out := mustOverlay(t, mustModel(t, churn()), kustomizationOf(patch("aaaa")+replacementsOf(double)))
	if got := find(t, out, kserveKind).GetAnnotations()["a"]; got != "aaaa"+strings.Repeat("+aaaa", 40) {
		t.Errorf("forty times after itself it is %.100s", got)
	}
}

func TestAnOverlayDoesSoMuchAndNoMore(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"labels in fields":    {kustomizationOf("labels:\n- {pairs: {a: b}, fields: [{path: spec/x, create: true}]}"), "kustomization.yaml:2:3 overlay-field"},
		"a patch that copies": {kustomizationOf("patches:\n- {patch: '[{op: add, path: /a, value: 1}, {op: copy, from: /metadata, path: /metadata/x}]', target: {kind: Namespace}}"), "kustomization.yaml:2:3 overlay-patch"},
		"a long image":        {kustomizationOf("images:\n- {name: a, newName: " + strings.Repeat("a", maxImageBytes+1) + "}"), "kustomization.yaml:2:3 overlay-too-large"},
		"too many operations": {kustomizationOf("patches:\n- {patch: '[" + strings.Repeat("{op: remove, path: /a},", maxOverlayEntries+1) + "]', target: {kind: Namespace}}"), "kustomization.yaml:2:3 overlay-too-large"},
		"too many fields":     {kustomizationOf("replacements:\n- {sourceValue: a, targets: [{select: {kind: Namespace}, fieldPaths: [" + strings.Repeat("a,", maxOverlayEntries+1) + "]}]}"), "kustomization.yaml:2:3 overlay-too-large"},
		"a deep field":        {kustomizationOf("replacements:\n- {sourceValue: a, targets: [{select: {kind: Namespace}, fieldPaths: [" + strings.Repeat("a.", maxFieldBytes) + "]}]}"), "kustomization.yaml:2:3 overlay-too-large"},
		"too many patches":    {kustomizationOf("patches:\n" + strings.Repeat("- {patch: '[{op: remove, path: /a}]', target: {kind: Namespace}}\n", maxOverlayEntries+2)), "kustomization.yaml:1002:3 overlay-too-large"},
	} {
		t.Run(name, func(t *testing.T) { refusedAt(t, c.files, c.want) })
	}
}
