package fields

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Author is who holds a field, by which operation, since when.
type Author struct {
	Manager   string
	Operation string
	At        metav1.Time
}

// AuthorOf finds the latest manager other than ours that owns path, or an
// atomic value around it. The API server does not record who removed a field:
// then there is none, and guessing would accuse the wrong one.
func AuthorOf(obj *unstructured.Unstructured, path fieldpath.Path, ours string) (Author, bool) {
	var author Author
	found := false
	for _, entry := range obj.GetManagedFields() {
		if isApplyOf(entry, ours) || entry.FieldsV1 == nil || entry.Subresource == "status" {
			continue
		}
		set, err := decode(entry)
		if err != nil || !covers(set, path) {
			continue
		}
		at := metav1.Time{}
		if entry.Time != nil {
			at = *entry.Time
		}
		if found && !author.At.Before(&at) {
			continue
		}
		author, found = Author{Manager: entry.Manager, Operation: operation(entry), At: at}, true
	}
	return author, found
}

func operation(entry metav1.ManagedFieldsEntry) string {
	if entry.Subresource == "" {
		return string(entry.Operation)
	}
	return string(entry.Operation) + " of " + entry.Subresource
}

// covers reports whether set has path, something below it, or a leaf above it.
func covers(set *fieldpath.Set, path fieldpath.Path) bool {
	for _, pe := range path {
		below, descend := set.Children.Get(pe)
		if !descend {
			return set.Members.Has(pe)
		}
		set = below
	}
	return true
}
