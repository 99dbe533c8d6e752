package fields

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Version precedes every hash. It changes whenever the same object would hash
// differently, so that an upgrade of Mooring is never taken for drift.
const Version = "v1"

// Hash is the canonical hash of the fields that manager owns through
// server-side apply, and of their values: "v1:" and 64 hex digits. It fails
// with ErrNoEvidence when the object records nothing for manager.
func Hash(obj *unstructured.Unstructured, manager string) (string, error) {
	set, err := Owned(obj, manager)
	if err != nil {
		return "", err
	}
	h := hasher{obj: obj, manager: manager}
	h.write(set, obj.Object, scope{}, nil)
	sum := sha256.Sum256(h.buf)
	return Version + ":" + hex.EncodeToString(sum[:]), nil
}

// SameVersion reports whether a recorded hash was made the way Hash makes it.
func SameVersion(recorded string) bool {
	return strings.HasPrefix(recorded, Version+":")
}

type hasher struct {
	buf     []byte
	obj     *unstructured.Unstructured
	manager string
	// others is read when the first map is met; most objects have none.
	others *fieldpath.Set
}

func (h *hasher) write(set *fieldpath.Set, v any, at scope, path fieldpath.Path) {
	h.buf = append(h.buf, '(')
	for pe := range set.Members.All() {
		child, found := step(v, pe)
		h.buf = append(h.buf, pe.String()...)
		_, hasChildren := set.Children.Get(pe)
		switch {
		case !found:
			h.buf = append(h.buf, '!')
		case hasChildren:
			// Owned as an entry: that it is there, not all that is in it.
			h.buf = append(h.buf, '.')
		default:
			h.buf = append(h.buf, '=')
			h.buf = appendCanonical(h.buf, h.ours(child, append(path, pe)), at.into(pe))
		}
		h.buf = append(h.buf, ';')
	}
	for pe := range set.Children.All() {
		below, _ := set.Children.Get(pe)
		child, _ := step(v, pe)
		h.buf = append(h.buf, pe.String()...)
		h.write(below, child, at.into(pe), append(path, pe))
	}
	h.buf = append(h.buf, ')')
}

// ours leaves out of a map that we own as a leaf what other managers put
// below it. An atomic map has no such fields; a granular one that we applied
// as {} has, and they are none of our business.
func (h *hasher) ours(v any, path fieldpath.Path) any {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return v
	}
	if h.others == nil {
		h.others = others(h.obj, h.manager)
	}
	foreign := h.others
	for _, pe := range path {
		if foreign, ok = foreign.Children.Get(pe); !ok {
			return v
		}
	}
	return without(m, foreign)
}

func without(m map[string]any, foreign *fieldpath.Set) map[string]any {
	kept := make(map[string]any, len(m))
	for key, v := range m {
		pe := fieldpath.FieldNameElement(key)
		if foreign.Members.Has(pe) {
			continue
		}
		below, descend := foreign.Children.Get(pe)
		nested, isMap := v.(map[string]any)
		switch {
		case !descend:
			kept[key] = v
		case isMap:
			if rest := without(nested, below); len(rest) > 0 {
				kept[key] = rest
			}
		}
	}
	return kept
}

func (s scope) into(pe fieldpath.PathElement) scope {
	if pe.FieldName != nil {
		return s.child(*pe.FieldName)
	}
	return scope{metadata: s.metadata, key: " item"}
}

// others is the union of what every other manager owns. Entries that cannot be
// read are left out: they can only hide fields from us, never add any.
func others(obj *unstructured.Unstructured, manager string) *fieldpath.Set {
	union := &fieldpath.Set{}
	for _, entry := range obj.GetManagedFields() {
		if isApplyOf(entry, manager) || entry.FieldsV1 == nil || entry.Subresource == "status" {
			continue
		}
		if set, err := decode(entry); err == nil {
			union = union.Union(set)
		}
	}
	return union
}
