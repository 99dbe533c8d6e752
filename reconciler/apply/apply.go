package apply

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

// Set is what a unit should consist of.
type Set struct {
	Unit schemas.Unit
	// Objects carry the unit's labels and an explicit namespace where their
	// kind has one. They are not changed.
	Objects []*unstructured.Unstructured
	// Previous is the inventory of the last apply, also of one that failed.
	Previous []schemas.InventoryEntry
	// Adopt takes over objects of the same name that are not Mooring's yet.
	// Without it each must carry AnnotationAdopt.
	Adopt bool
	// MaxPrune bounds how many objects may be removed in one go; zero means
	// DefaultMaxPrune, a negative number none at all. MaxPruneKind narrows it
	// for single kinds.
	MaxPrune     int
	MaxPruneKind map[string]int
}

// Result is what an apply did.
type Result struct {
	// Inventory is what the unit may now have in the cluster. It is right also
	// when Apply fails: then it joins the previous one with what was applied.
	Inventory []schemas.InventoryEntry
	// Live holds the API server's answers, in the order of Set.Objects; nil
	// where an object was not applied.
	Live []*unstructured.Unstructured
	// Created lists objects that did not exist before.
	Created []schemas.InventoryEntry
	// Pruned lists objects that were removed.
	Pruned []schemas.InventoryEntry
	// Kept lists objects that are no longer wanted and were left alone.
	Kept []Kept
}

// Kept is an object that prune left alone.
type Kept struct {
	schemas.InventoryEntry
	Reason string
}

// Apply makes the unit consist of the set's objects. It writes nothing when
// the cluster would refuse any of them (*RefusedError), when it would remove
// too much (*PruneGuardError), or when that could not be found out
// (ErrUnavailable). One exception: a namespace of the set that does not exist
// is created first, since nothing can be tried inside it otherwise. When a
// write fails after all were tried, the error is a *PartialError.
func (a *Applier) Apply(ctx context.Context, set Set) (Result, error) {
	result := Result{Inventory: slices.Clone(set.Previous), Live: make([]*unstructured.Unstructured, len(set.Objects))}
	pruning := obsolete(set)
	if err := guardPrune(set, pruning); err != nil {
		return result, err
	}
	targets, err := a.resolve(set)
	if err != nil {
		return result, err
	}
	if err := a.tryAll(ctx, set, targets, &result); err != nil {
		return result, err
	}
	if err := a.writeAll(ctx, set, targets, &result); err != nil {
		return result, err
	}
	err = a.prune(ctx, set.Unit, pruning, &result)
	return result, err
}

// tryAll dry-runs every object. Objects in a namespace that the set brings
// along are tried after that namespace was created, and it is created only
// when everything else would be taken.
func (a *Applier) tryAll(ctx context.Context, set Set, targets []*target, result *Result) error {
	if err := a.inspectLive(ctx, set, targets); err != nil {
		return err
	}
	missing := missingNamespaces(targets)
	var now, later []*target
	for _, t := range targets {
		if missing[t.obj.GetNamespace()] {
			later = append(later, t)
		} else {
			now = append(now, t)
		}
	}
	if err := a.dryRunAll(ctx, set.Unit, now); err != nil || len(later) == 0 {
		return err
	}
	for _, t := range targets {
		if !missing[t.obj.GetName()] || !isNamespace(t.obj) {
			continue
		}
		if err := a.write(ctx, t); err != nil {
			return &PartialError{Unit: set.Unit, Total: len(targets), Errs: []error{err}}
		}
		record(t, result)
	}
	return a.dryRunAll(ctx, set.Unit, later)
}

// inspectLive refuses to take over what belongs to someone else. Objects that the
// previous inventory has evidence of are the unit's own and are not asked for
// again; an entry without was announced, and may be of what somebody else made.
func (a *Applier) inspectLive(ctx context.Context, set Set, targets []*target) error {
	known := make(map[string]bool, len(set.Previous))
	for _, entry := range set.Previous {
		known[entryKey(entry)] = known[entryKey(entry)] || entry.Fields != ""
	}
	return a.collect(ctx, set.Unit, targets, func(ctx context.Context, t *target) error {
		if known[entryKey(t.entry)] && !isNamespace(t.obj) {
			return nil
		}
		live, err := a.get(ctx, t)
		if err != nil {
			return err
		}
		t.missing = live == nil
		if live == nil || known[entryKey(t.entry)] || set.Adopt {
			return nil
		}
		return ownership(set.Unit, t, live)
	})
}

func missingNamespaces(targets []*target) map[string]bool {
	missing := map[string]bool{}
	for _, t := range targets {
		if isNamespace(t.obj) && t.missing {
			missing[t.obj.GetName()] = true
		}
	}
	return missing
}

func (a *Applier) dryRunAll(ctx context.Context, unit schemas.Unit, targets []*target) error {
	return a.collect(ctx, unit, targets, func(ctx context.Context, t *target) error {
		_, err := a.patch(ctx, t, dryRun)
		return err
	})
}

// collect runs step over all targets and turns their errors into one: refusals
// into a *RefusedError, anything that kept us from knowing into ErrUnavailable.
func (a *Applier) collect(ctx context.Context, unit schemas.Unit, targets []*target, step func(context.Context, *target) error) error {
	errs := parallel(ctx, targets, step)
	refused := &RefusedError{Unit: unit}
	for i, err := range errs {
		if err == nil {
			continue
		}
		refusal, ok := explain(targets[i], err)
		if !ok {
			return fmt.Errorf("try %s for %s: %w: %w", targets[i].name(), unit, ErrUnavailable, withoutValues(targets[i].obj, err))
		}
		refused.Refusals = append(refused.Refusals, refusal)
	}
	if len(refused.Refusals) > 0 {
		return refused
	}
	return nil
}

// writeAll applies in stages, since later objects need earlier ones: pods need
// their service account, and quota should stand before what it limits.
func (a *Applier) writeAll(ctx context.Context, set Set, targets []*target, result *Result) error {
	for _, stage := range stages(targets) {
		errs := parallel(ctx, stage, func(ctx context.Context, t *target) error {
			if t.live != nil {
				return nil // the namespace that tryAll created
			}
			return a.write(ctx, t)
		})
		var failed []error
		for i, t := range stage {
			if errs[i] != nil {
				failed = append(failed, fmt.Errorf("apply %s: %w", t.name(), withoutValues(t.obj, errs[i])))
				continue
			}
			record(t, result)
		}
		if len(failed) > 0 {
			return &PartialError{Unit: set.Unit, Applied: applied(targets), Total: len(targets), Errs: failed}
		}
	}
	return nil
}

func applied(targets []*target) int {
	n := 0
	for _, t := range targets {
		if t.live != nil {
			n++
		}
	}
	return n
}

func (a *Applier) write(ctx context.Context, t *target) error {
	live, err := a.patch(ctx, t, forReal)
	if err != nil {
		return err
	}
	t.live = live
	// Without evidence the entry stays empty and the first look renews it.
	t.entry.Fields, _ = fields.Hash(live, schemas.FieldManager)
	return nil
}

// record puts an applied object into the inventory, in place of what stood
// there for it before.
func record(t *target, result *Result) {
	if result.Live[t.index] != nil {
		return
	}
	result.Live[t.index] = t.live
	if t.missing {
		result.Created = append(result.Created, t.entry)
	}
	at := slices.IndexFunc(result.Inventory, func(e schemas.InventoryEntry) bool {
		return entryKey(e) == entryKey(t.entry)
	})
	if at >= 0 {
		result.Inventory[at] = t.entry
		return
	}
	result.Inventory = append(result.Inventory, t.entry)
}
