package fields

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// ErrNoEvidence says that an object carries no record of what the manager
// applied. Anyone may clear managedFields, and an object that was deleted and
// created again has none of ours: lost evidence, which is no proof of drift.
var ErrNoEvidence = errors.New("no record of owned fields")

// Owned returns the paths that manager holds through server-side apply.
func Owned(obj *unstructured.Unstructured, manager string) (*fieldpath.Set, error) {
	for _, entry := range obj.GetManagedFields() {
		if !isApplyOf(entry, manager) {
			continue
		}
		if entry.FieldsV1 == nil {
			break
		}
		set, err := decode(entry)
		if err != nil {
			return nil, fmt.Errorf("read managedFields of %q on %s: %w", manager, Name(obj), err)
		}
		if !set.Empty() {
			return set, nil
		}
	}
	return nil, fmt.Errorf("%s, manager %q: %w", Name(obj), manager, ErrNoEvidence)
}

// AppliedAt is the time at which manager's last apply changed the object; zero
// without evidence.
func AppliedAt(obj *unstructured.Unstructured, manager string) metav1.Time {
	for _, entry := range obj.GetManagedFields() {
		if isApplyOf(entry, manager) && entry.Time != nil {
			return *entry.Time
		}
	}
	return metav1.Time{}
}

func isApplyOf(entry metav1.ManagedFieldsEntry, manager string) bool {
	return entry.Manager == manager &&
		entry.Operation == metav1.ManagedFieldsOperationApply &&
		entry.Subresource == ""
}

func decode(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := &fieldpath.Set{}
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return nil, err
	}
	return set, nil
}

// Name is "Kind/namespace/name", or "Kind/name" for what has no namespace.
func Name(obj *unstructured.Unstructured) string {
	return FormatName(obj.GetKind(), obj.GetNamespace(), obj.GetName())
}

// FormatName is Name from its parts.
func FormatName(kind, namespace, name string) string {
	if namespace == "" {
		return kind + "/" + name
	}
	return kind + "/" + namespace + "/" + name
}

// step returns the child of v that pe selects.
func step(v any, pe fieldpath.PathElement) (any, bool) {
	switch {
	case pe.FieldName != nil:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		child, ok := m[*pe.FieldName]
		return child, ok
	case pe.Key != nil:
		return findByKey(v, *pe.Key)
	case pe.Value != nil:
		return findByValue(v, (*pe.Value).Unstructured())
	case pe.Index != nil:
		list, ok := v.([]any)
		if !ok || *pe.Index < 0 || *pe.Index >= len(list) {
			return nil, false
		}
		return list[*pe.Index], true
	}
	return nil, false
}

// findByKey prefers an item that has all key fields; an item that leaves some
// out stands for the schema's defaults of them, which are not known here.
func findByKey(v any, key value.FieldList) (any, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	var partial any
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		match, complete := matchKey(m, key)
		if match && complete {
			return item, true
		}
		if match && partial == nil {
			partial = item
		}
	}
	return partial, partial != nil
}

func matchKey(item map[string]any, key value.FieldList) (match, complete bool) {
	present := 0
	for _, field := range key {
		got, ok := item[field.Name]
		if !ok {
			continue
		}
		present++
		if !equal(got, field.Value.Unstructured(), scope{}) {
			return false, false
		}
	}
	return present > 0, present == len(key)
}

func findByValue(v, want any) (any, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	for _, item := range list {
		if equal(item, want, scope{}) {
			return item, true
		}
	}
	return nil, false
}
