package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// awkward are texts that YAML is prone to take for something else.
var awkward = []string{
	"", "a", "true", "no", "1", "1e3", "0x1F", "1_000", "0o7", ".5", "null", "~", "2026-01-01", "a: b", "- x", "two\nlines", "two\nlines\n", " before", "after ",
	"a\ttab", "é", "\u2028", "\u0085", "\ufeff", "\x01", "# no comment", "'", `"`, "{{x}}", "{a", "[", "@", "`", "%", "&a", "*a", "!a", "|", ">", "?", "=", "<<",
	strings.Repeat("long words ", 30), "\U0001F600",
}

// places are JSON pointers to what an object holds.
func places(value any, at string, out []string) []string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	switch v := value.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			out = places(v[key], at+"/"+escape.Replace(key), append(out, at+"/"+escape.Replace(key)))
		}
	case []any:
		for i, inner := range v {
			p := at + "/" + string(rune('0'+i%10))
			out = places(inner, p, append(out, p))
		}
	}
	return out
}

func drawValue(t *rapid.T, depth int) any {
	kinds := []string{"text", "text", "number", "flag"}
	if depth > 0 {
		kinds = append(kinds, "map", "map", "list", "odd")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "number":
		return rapid.IntRange(-5, 1<<40).Draw(t, "number")
	case "flag":
		return rapid.Bool().Draw(t, "flag")
	case "map":
		out := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "size") {
			key := rapid.SampledFrom([]string{"a", "b", "name", "model", "resources", "1", "no", "a.b/c"}).Draw(t, "key")
			out[key] = drawValue(t, depth-1)
		}
		return out
	case "list":
		out := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "size") {
			out = append(out, drawValue(t, depth-1))
		}
		return out
	case "odd":
		return rapid.SampledFrom([]any{nil, 0.5, 1e30, map[string]any{"$patch": "delete"}, map[string]any{}, []any{}}).Draw(t, "odd")
	}
	return rapid.SampledFrom(awkward).Draw(t, "text")
}

func drawOperations(t *rapid.T, at []string) []any {
	var out []any
	for range rapid.IntRange(1, 3).Draw(t, "operations") {
		path := rapid.SampledFrom(at).Draw(t, "path")
		switch op := rapid.SampledFrom([]string{"add", "add", "replace", "remove", "copy", "move", "test"}).Draw(t, "op"); op {
		case "remove":
			out = append(out, map[string]any{"op": op, "path": path})
		case "copy", "move":
			out = append(out, map[string]any{"op": op, "from": path, "path": "/metadata/annotations/moved"})
		case "add":
			path += rapid.SampledFrom([]string{"", "", "/-", "/new"}).Draw(t, "below")
			fallthrough
		default:
			out = append(out, map[string]any{"op": op, "path": path, "value": drawValue(t, 2)})
		}
	}
	return out
}

// drawMerge draws a patch that follows an object's own fields down to somewhere.
func drawMerge(t *rapid.T, u *unstructured.Unstructured) map[string]any {
	out := map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "metadata": map[string]any{"name": "any"}}
	for range rapid.IntRange(1, 3).Draw(t, "fields") {
		from, into := u.Object, out
		for {
			key := rapid.SampledFrom(append(sortedKeys(from), "new")).Draw(t, "field")
			below, deeper := from[key].(map[string]any)
			next, open := into[key].(map[string]any)
			if !deeper || into[key] != nil && !open || rapid.IntRange(0, 3).Draw(t, "stop") == 0 {
				if key != "apiVersion" && key != "kind" && key != "metadata" && key != "name" {
					into[key] = drawValue(t, 2)
				}
				break
			}
			if !open {
				next = map[string]any{}
				into[key] = next
			}
			from, into = below, next
		}
	}
	return out
}

func drawEntries(t *rapid.T, u *unstructured.Unstructured) map[string]any {
	var patches []any
	at := places(u.Object, "", nil)
	for range rapid.IntRange(0, 3).Draw(t, "patches") {
		var patch any = drawOperations(t, at)
		if rapid.Bool().Draw(t, "merge") {
			patch = drawMerge(t, u)
		}
		text, err := json.Marshal(patch)
		if err != nil {
			t.Fatal(err)
		}
		target := map[string]any{"kind": u.GetKind()}
		switch rapid.IntRange(0, 5).Draw(t, "by") {
		case 0:
			target["labelSelector"] = rapid.SampledFrom([]string{"mlops-platform.com/model", "!a", "a in (x,1)", "mlops-platform.com/risk=high"}).Draw(t, "selector")
		case 1:
			target["annotationSelector"] = rapid.SampledFrom([]string{"a", "!modelFormat", "modelFormat!=x"}).Draw(t, "selector")
		}
		patches = append(patches, map[string]any{"patch": string(text), "target": target})
	}
	text := rapid.SampledFrom(awkward)
	out := map[string]any{"patches": patches, "labels": []any{map[string]any{"pairs": map[string]any{"a": text.Draw(t, "label"), "x/y": text.Draw(t, "label")}}}}
	if rapid.Bool().Draw(t, "annotated") {
		out["commonAnnotations"] = map[string]any{"a": text.Draw(t, "annotation")}
	}
	if patches == nil {
		delete(out, "patches")
	}
	return out
}

// TestWithAndWithoutKustomizeIsTheSame holds what is done directly against what
// kustomize makes of it, with drawn overlays over everything that is rendered.
func TestWithAndWithoutKustomizeIsTheSame(t *testing.T) {
	objects := mustTenancy(t)
	for _, c := range modelCases() {
		objects = append(objects, mustModel(t, c.input)...)
	}
	var direct, all int
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.SampledFrom(objects).Draw(t, "object")
		text, err := json.Marshal(drawEntries(t, u))
		if err != nil {
			t.Fatal(err)
		}
		overlay, findings := CompileOverlay(overlayDir, map[string][]byte{overlayDir + "/" + kustomizationFile: text})
		if overlay == nil {
			t.Skip(findings)
		}
		all++
		got, ok := applyDirect(u, overlay.steps)
		if !ok {
			return
		}
		direct++
		want, err := build([]*unstructured.Unstructured{u}, overlay.steps)
		if err != nil || len(want) != 1 {
			t.Fatalf("kustomize makes %d objects of it (%v)\n%s", len(want), err, text)
		}
		if diff := cmp.Diff(want[0].Object, got.Object); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	})
	t.Logf("%d of %d were done without kustomize", direct, all)
	if direct*4 < all {
		t.Errorf("only %d of %d overlays were done without kustomize, so the two were hardly compared", direct, all)
	}
}

func TestKustomizeKnowsNoSchemaOfWhatIsMerged(t *testing.T) {
	kinds := slices.DeleteFunc(slices.Clone(renderedKinds), func(k resid.Gvk) bool {
		return !slices.Contains(schemaless, k.ApiVersion()+k.Kind)
	})
	if len(kinds) != len(schemaless) {
		t.Errorf("%v of %v are rendered", kinds, schemaless)
	}
	for _, k := range kinds {
		if openapi.SchemaForResourceType(yaml.TypeMeta{APIVersion: k.ApiVersion(), Kind: k.Kind}) != nil {
			t.Errorf("kustomize has a schema of %s", k)
		}
	}
}
