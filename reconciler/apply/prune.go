package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

// obsolete is what the previous inventory has and the set has not.
func obsolete(set Set) []schemas.InventoryEntry {
	wanted := make(map[string]bool, len(set.Objects))
	for _, obj := range set.Objects {
		wanted[entryKey(Entry(obj))] = true
	}
	var out []schemas.InventoryEntry
	for _, entry := range set.Previous {
		if !wanted[entryKey(entry)] {
			out = append(out, entry)
		}
	}
	return out
}

// guardPrune stops a mistake in rendering or in an overlay from emptying a
// cluster. It judges before anything is written.
func guardPrune(set Set, pruning []schemas.InventoryEntry) error {
	var names []string
	perKind := map[string]int{}
	for _, entry := range pruning {
		if entry.Kind == "Namespace" {
			continue
		}
		names = append(names, entryName(entry))
		perKind[entry.Kind]++
	}
	refuse := func(format string, args ...any) error {
		return &PruneGuardError{Unit: set.Unit, Objects: names, Rule: fmt.Sprintf(format, args...)}
	}
	limit := set.MaxPrune
	if limit == 0 {
		limit = DefaultMaxPrune
	}
	switch {
	case len(names) == 0:
		return nil
	case len(set.Objects) == 0:
		return refuse("an empty set is a mistake here: Delete removes a unit")
	case len(names) > max(limit, 0):
		return refuse("the limit is %d", max(limit, 0))
	}
	for kind, n := range perKind {
		if most, limited := set.MaxPruneKind[kind]; limited && n > most {
			return refuse("the limit for %s is %d", kind, most)
		}
	}
	return nil
}

func entryName(e schemas.InventoryEntry) string {
	return fields.FormatName(e.Kind, e.Namespace, e.Name)
}

// prune removes what the set no longer has, and strikes it off the inventory.
func (a *Applier) prune(ctx context.Context, unit schemas.Unit, entries []schemas.InventoryEntry, result *Result) error {
	outcomes, err := a.removeAll(ctx, unit, entries)
	for _, out := range outcomes {
		if out.kept != "" {
			result.Kept = append(result.Kept, Kept{InventoryEntry: out.entry, Reason: out.kept})
		}
		if out.deleted {
			result.Pruned = append(result.Pruned, out.entry)
		}
		if out.gone {
			result.Inventory = slices.DeleteFunc(result.Inventory, func(e schemas.InventoryEntry) bool {
				return entryKey(e) == entryKey(out.entry)
			})
		}
	}
	return err
}

// Delete removes a whole unit, under the same guard of labels as prune.
// Namespaces stay, and are in remaining, as is everything that could not be
// removed; applying the unit again, or deleting again with remaining, goes on
// from there. Dependents are removed in the background by the cluster.
func (a *Applier) Delete(ctx context.Context, unit schemas.Unit, inventory []schemas.InventoryEntry) (remaining []schemas.InventoryEntry, err error) {
	outcomes, err := a.removeAll(ctx, unit, inventory)
	for _, out := range outcomes {
		if !out.gone {
			remaining = append(remaining, out.entry)
		}
	}
	return remaining, err
}

// outcome of the removal of one object.
type outcome struct {
	entry schemas.InventoryEntry
	// gone: it is no longer the unit's.
	gone    bool
	deleted bool
	// kept is why it was left alone.
	kept string
}

func (a *Applier) removeAll(ctx context.Context, unit schemas.Unit, entries []schemas.InventoryEntry) ([]outcome, error) {
	outcomes := make([]outcome, len(entries))
	targets := make([]*target, len(entries))
	for i, entry := range entries {
		outcomes[i].entry = entry
		targets[i] = &target{index: i, entry: entry}
	}
	errs := parallel(ctx, targets, func(ctx context.Context, t *target) error {
		return a.remove(ctx, unit, &outcomes[t.index])
	})
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("remove %s of %s: %w", entryName(entries[i]), unit, err)
		}
	}
	return outcomes, errors.Join(errs...)
}

// remove deletes one object if it still is the unit's. The preconditions close
// the gap between look and deed: an object that was relabelled or made anew in
// between survives, and is looked at again.
func (a *Applier) remove(ctx context.Context, unit schemas.Unit, out *outcome) error {
	if out.entry.Kind == "Namespace" {
		out.kept = "namespaces are never removed: they may hold what Mooring does not know of"
		return nil
	}
	t, err := a.locate(out.entry)
	if err != nil {
		return err
	}
	if t == nil {
		out.gone = true // the kind is gone, and its objects with it
		return nil
	}
	return a.call(ctx, func() error { return a.removeOnce(ctx, unit, t, out) })
}

func (a *Applier) removeOnce(ctx context.Context, unit schemas.Unit, t *target, out *outcome) error {
	resource := a.resource(t.gvr, t.entry.Namespace)
	live, err := resource.Get(ctx, t.entry.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		out.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	if !Owns(unit, live) {
		out.gone, out.kept = true, notOurs(live)
		return nil
	}
	if live.GetDeletionTimestamp() != nil {
		out.gone, out.deleted = true, true
		return nil
	}
	uid, version, background := live.GetUID(), live.GetResourceVersion(), metav1.DeletePropagationBackground
	err = resource.Delete(ctx, t.entry.Name, metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		PropagationPolicy: &background,
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	out.gone, out.deleted = true, true
	return nil
}

func notOurs(live *unstructured.Unstructured) string {
	if other, ok := UnitOf(live); ok {
		return "it now belongs to " + other.String()
	}
	return "it no longer carries Mooring's labels"
}
