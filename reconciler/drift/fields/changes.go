package fields

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Change is one field that differs between two states of an object.
type Change struct {
	// Path such as .spec.predictor.containers[name=kserve-container].image.
	Path string
	// Before and After are the values, printed, at most 256 characters each,
	// secrets left out; empty: the field is absent.
	Before, After string
	// Owned is the path at which ownership of the field is recorded: the field
	// itself, or the atomic list or map around it. Nil from Changes.
	Owned fieldpath.Path
}

// Changes lists all differences of two objects apart from status and from the
// metadata that the API server keeps. Nil stands for an absent object.
func Changes(before, after *unstructured.Unstructured) []Change {
	d := newDiffer(before, after)
	d.values(desiredPart(before), desiredPart(after), place{})
	return d.changes
}

// OwnedChanges lists the differences of two objects along the paths in set,
// all else is left out.
func OwnedChanges(before, after *unstructured.Unstructured, set *fieldpath.Set) []Change {
	d := newDiffer(before, after)
	d.owned(set, before.Object, after.Object, place{})
	return d.changes
}

// serverMetadata is written by the API server alone.
var serverMetadata = []string{
	"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink",
	"deletionTimestamp", "deletionGracePeriodSeconds",
}

func desiredPart(obj *unstructured.Unstructured) any {
	if obj == nil {
		return nil
	}
	part := make(map[string]any, len(obj.Object))
	for key, v := range obj.Object {
		switch key {
		case "status":
		case "metadata":
			metadata := map[string]any{}
			if m, ok := v.(map[string]any); ok {
				for field, value := range m {
					if !slices.Contains(serverMetadata, field) {
						metadata[field] = value
					}
				}
			}
			part[key] = metadata
		default:
			part[key] = v
		}
	}
	return part
}

// place is where a walk stands: the printed path, the path of ownership, and
// what is needed to read and to print values there.
type place struct {
	text  string
	owned fieldpath.Path
	at    scope
	// item is the name of the list item around, for the rule about variables.
	item string
}

func (p place) field(key string) place {
	p.text += "." + quoteKey(key)
	p.at = p.at.child(key)
	return p
}

func (p place) element(label, item string) place {
	p.text += "[" + label + "]"
	p.at = scope{metadata: p.at.metadata, key: " item"}
	p.item = item
	return p
}

func (p place) into(pe fieldpath.PathElement) place {
	owned := append(slices.Clip(p.owned), pe)
	switch {
	case pe.FieldName != nil:
		p = p.field(*pe.FieldName)
	case pe.Key != nil:
		labels := make([]string, 0, len(*pe.Key))
		item := ""
		for _, field := range *pe.Key {
			text := fmt.Sprint(field.Value.Unstructured())
			labels = append(labels, field.Name+"="+text)
			if field.Name == "name" {
				item = text
			}
		}
		p = p.element(strings.Join(labels, ","), item)
	case pe.Value != nil:
		p = p.element(fmt.Sprint((*pe.Value).Unstructured()), "")
	case pe.Index != nil:
		p = p.element(fmt.Sprint(*pe.Index), "")
	}
	p.owned = owned
	return p
}

// quoteKey keeps a path readable when a label or annotation holds dots.
func quoteKey(key string) string {
	if strings.ContainsAny(key, "./[]\" ") {
		return fmt.Sprintf("[%q]", key)
	}
	return key
}

type differ struct {
	secret  bool
	changes []Change
}

func newDiffer(objects ...*unstructured.Unstructured) *differ {
	d := &differ{}
	for _, obj := range objects {
		d.secret = d.secret || (obj != nil && obj.GetKind() == "Secret")
	}
	return d
}

func (d *differ) add(before, after any, hadBefore, hasAfter bool, p place) {
	change := Change{Path: strings.ReplaceAll(p.text, ".[\"", "[\""), Owned: p.owned}
	if hadBefore {
		change.Before = d.print(before, p)
	}
	if hasAfter {
		change.After = d.print(after, p)
	}
	if change.Before == change.After && hadBefore && hasAfter {
		// Both were cut or left out: say that they differ all the same.
		change.After += " (differs)"
	}
	d.changes = append(d.changes, change)
}

func (d *differ) owned(set *fieldpath.Set, before, after any, p place) {
	for pe := range set.Members.All() {
		was, hadBefore := step(before, pe)
		is, hasAfter := step(after, pe)
		_, hasChildren := set.Children.Get(pe)
		switch {
		case !hadBefore && !hasAfter:
		case hadBefore && hasAfter && hasChildren:
		case hadBefore && hasAfter:
			d.values(was, is, p.into(pe))
		default:
			d.add(was, is, hadBefore, hasAfter, p.into(pe))
		}
	}
	for pe := range set.Children.All() {
		below, _ := set.Children.Get(pe)
		was, hadBefore := step(before, pe)
		is, hasAfter := step(after, pe)
		switch {
		case hadBefore && hasAfter:
			d.owned(below, was, is, p.into(pe))
		case hadBefore != hasAfter && !set.Members.Has(pe):
			d.add(was, is, hadBefore, hasAfter, p.into(pe))
		}
	}
}

func (d *differ) values(before, after any, p place) {
	was, wasMap := before.(map[string]any)
	is, isMap := after.(map[string]any)
	if wasMap && isMap {
		d.maps(was, is, p)
		return
	}
	wasItems, wasList := before.([]any)
	isItems, isList := after.([]any)
	if wasList && isList {
		d.lists(wasItems, isItems, p)
		return
	}
	if !equal(before, after, p.at) {
		d.add(before, after, before != nil, after != nil, p)
	}
}

func (d *differ) maps(before, after map[string]any, p place) {
	keys := make([]string, 0, len(before)+len(after))
	for key := range before {
		keys = append(keys, key)
	}
	for key := range after {
		if _, both := before[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		was, hadBefore := before[key]
		is, hasAfter := after[key]
		if hadBefore && hasAfter {
			d.values(was, is, p.field(key))
		} else {
			d.add(was, is, hadBefore, hasAfter, p.field(key))
		}
	}
}

// lists matches items by their natural key where they have one, so that a
// sidecar put in front of our container reads as one addition, not as every
// item changed.
func (d *differ) lists(before, after []any, p place) {
	if equal(before, after, p.at) {
		return
	}
	key, ok := commonKey(before, after)
	if !ok {
		d.add(before, after, true, true, p)
		return
	}
	reported := len(d.changes)
	for _, was := range before {
		name := keyOf(was, key)
		is, found := itemWith(after, key, name)
		at := p.element(key+"="+name, name)
		if found {
			d.values(was, is, at)
		} else {
			d.add(was, nil, true, false, at)
		}
	}
	for _, is := range after {
		name := keyOf(is, key)
		if _, found := itemWith(before, key, name); !found {
			d.add(nil, is, false, true, p.element(key+"="+name, name))
		}
	}
	if len(d.changes) == reported {
		// Same items, other order: order is part of an atomic list's value.
		d.add(before, after, true, true, p)
	}
}

// naturalKeys identify the items of Kubernetes lists, by preference.
var naturalKeys = []string{"name", "key", "mountPath", "containerPort", "port", "topologyKey", "type", "ip"}

func commonKey(lists ...[]any) (string, bool) {
	for _, key := range naturalKeys {
		if slices.IndexFunc(lists, func(list []any) bool { return !keyed(list, key) }) < 0 {
			return key, true
		}
	}
	return "", false
}

func keyed(list []any, key string) bool {
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		name := keyOf(item, key)
		if name == "" || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

func keyOf(item any, key string) string {
	m, ok := item.(map[string]any)
	if !ok || m[key] == nil {
		return ""
	}
	return fmt.Sprint(m[key])
}

func itemWith(list []any, key, name string) (any, bool) {
	for _, item := range list {
		if keyOf(item, key) == name {
			return item, true
		}
	}
	return nil, false
}
