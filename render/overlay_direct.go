package render

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// Most steps of most overlays are labels, annotations, JSON patches, and merges
// into kinds of which kustomize knows no schema. What kustomize makes of those is
// simple, and it takes milliseconds for each object, of which nearly all is spent
// on setting itself up. So they are done here, directly on the object. In any
// doubt kustomize does the object's steps, all of them; a test holds both ways
// against each other.

// direct does a step on an object, in place. It is false where that is left to
// kustomize; the object is then of no use any more.
type direct func(u *unstructured.Unstructured) bool

// applyDirect does an object's steps without kustomize, if that can be done.
func applyDirect(u *unstructured.Unstructured, steps []step) (*unstructured.Unstructured, bool) {
	if !plain(u) {
		return nil, false
	}
	id, out := objectID(u), u.DeepCopy()
	for _, s := range steps {
		switch {
		case !s.needs(id):
		case s.direct == nil:
			return nil, false
		case s.selects == nil || s.selects.marks(out):
			if !s.direct(out) || !plain(out) || identity(out) != identity(u) {
				return nil, false
			}
		}
	}
	return out, true
}

// plain reports whether an object's labels and annotations are text, and none of
// them is of those by which kustomize is told what to do with it.
func plain(u *unstructured.Unstructured) bool {
	for _, field := range []string{"labels", "annotations"} {
		all, found, err := unstructured.NestedMap(u.Object, "metadata", field)
		if err != nil || found && all == nil {
			return false
		}
		for key, value := range all {
			if _, text := value.(string); !text || strings.Contains(key, "config.kubernetes.io/") || strings.Contains(key, "config.k8s.io/") {
				return false
			}
		}
	}
	return true
}

// setAll sets labels or annotations. Into the templates of workloads kustomize
// writes annotations as well; none of the rendered kinds is one.
func setAll(field string, pairs map[string]string) direct {
	return func(u *unstructured.Unstructured) bool {
		if !rendered(u) {
			return false
		}
		for key, value := range pairs {
			if unstructured.SetNestedField(u.Object, value, "metadata", field, key) != nil {
				return false
			}
		}
		return true
	}
}

// rendered reports whether an object is of a kind that Mooring renders.
func rendered(u *unstructured.Unstructured) bool {
	gvk := objectID(u).Gvk
	return slices.ContainsFunc(renderedKinds, func(k resid.Gvk) bool { return sameKind(k, gvk) })
}

func directLabels(l types.Label) direct {
	if l.IncludeTemplates {
		return nil
	}
	return setAll("labels", l.Pairs)
}

// directPatch is nil for a patch that kustomize has to apply.
func directPatch(patch []byte) direct {
	var content any
	if json.Unmarshal(patch, &content) != nil || !literal(content) {
		return nil
	}
	if object, ok := content.(map[string]any); ok {
		return directMerge(object)
	}
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil
	}
	return func(u *unstructured.Unstructured) bool {
		before, err := json.Marshal(u.Object)
		if err != nil {
			return false
		}
		after, err := operations.Apply(before)
		return err == nil && u.UnmarshalJSON(after) == nil
	}
}

// literal reports whether a patch holds nothing that kustomize takes in a way of
// its own: directives, nulls, what is empty, and numbers with a fraction.
func literal(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if strings.HasPrefix(key, "$") || !literal(inner) {
				return false
			}
		}
		return len(v) > 0
	case []any:
		return len(v) > 0 && !slices.ContainsFunc(v, func(inner any) bool { return !literal(inner) })
	case float64:
		return v == float64(int32(v))
	}
	return value != nil
}

// schemaless are the rendered kinds of which kustomize has no schema: it merges
// maps into them and replaces lists.
var schemaless = []string{kserveAPIVersion + kserveKind, graphAPIVersion + graphKind, gatewayAPIVersion + routeKind}

func directMerge(patch map[string]any) direct {
	// A patch names an object, but the target says which are patched.
	patch = runtime.DeepCopyJSON(integers(patch).(map[string]any))
	delete(patch, "apiVersion")
	delete(patch, "kind")
	if metadata, ok := patch["metadata"].(map[string]any); ok {
		delete(metadata, "name")
		delete(metadata, "namespace")
		if len(metadata) == 0 {
			delete(patch, "metadata")
		}
	}
	return func(u *unstructured.Unstructured) bool {
		return slices.Contains(schemaless, u.GetAPIVersion()+u.GetKind()) && merge(u.Object, patch)
	}
}

// merge is false where a value would be of another type than before: kustomize
// may keep the type, and fails on some.
func merge(into, patch map[string]any) bool {
	for key, value := range patch {
		was, had := into[key]
		inner, isMap := was.(map[string]any)
		switch {
		case had && reflect.TypeOf(was) != reflect.TypeOf(value):
			return false
		case isMap:
			if !merge(inner, value.(map[string]any)) {
				return false
			}
		default:
			into[key] = runtime.DeepCopyJSONValue(value)
		}
	}
	return true
}

// integers turns the numbers of decoded JSON into those of Kubernetes' objects.
func integers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = integers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = integers(inner)
		}
	case float64:
		return int64(v)
	}
	return value
}
