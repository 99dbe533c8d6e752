package apply

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

// Action is what an apply would do to an object.
type Action string

// The actions.
const (
	ActionCreate    Action = "create"
	ActionChange    Action = "change"
	ActionUnchanged Action = "unchanged"
	ActionRemove    Action = "remove"
	ActionRefused   Action = "refused"
)

// ObjectDiff is what an apply would do to one object.
type ObjectDiff struct {
	schemas.InventoryEntry
	Action Action
	// Changes from live to desired; empty for create and remove.
	Changes []fields.Change
	// Refusal says why the cluster would not take it.
	Refusal *Refusal
}

// Diff says what Apply would do, without writing. Objects in a namespace that
// the set would bring along cannot be tried yet and count as created.
func (a *Applier) Diff(ctx context.Context, set Set) ([]ObjectDiff, error) {
	targets, err := a.resolve(set)
	if err != nil {
		return nil, err
	}
	live := make([]*unstructured.Unstructured, len(targets))
	errs := parallel(ctx, targets, func(ctx context.Context, t *target) error {
		var err error
		live[t.index], err = a.get(ctx, t)
		t.missing = live[t.index] == nil
		return err
	})
	for i, err := range errs {
		if err != nil {
			return nil, unavailable("read "+targets[i].name(), withoutValues(targets[i].obj, err))
		}
	}
	coming := missingNamespaces(targets)
	diffs := make([]ObjectDiff, len(targets))
	errs = parallel(ctx, targets, func(ctx context.Context, t *target) error {
		var err error
		diffs[t.index], err = a.diffOne(ctx, t, live[t.index], coming[t.obj.GetNamespace()])
		return err
	})
	for i, err := range errs {
		if err != nil {
			return nil, unavailable("try "+targets[i].name(), withoutValues(targets[i].obj, err))
		}
	}
	for _, entry := range obsolete(set) {
		if entry.Kind != "Namespace" {
			diffs = append(diffs, ObjectDiff{InventoryEntry: entry, Action: ActionRemove})
		}
	}
	return diffs, nil
}

func (a *Applier) diffOne(ctx context.Context, t *target, live *unstructured.Unstructured, inNewNamespace bool) (ObjectDiff, error) {
	diff := ObjectDiff{InventoryEntry: t.entry, Action: ActionCreate}
	if inNewNamespace {
		return diff, nil
	}
	answer, err := a.patch(ctx, t, dryRun)
	if err != nil {
		refusal, ok := explain(t, err)
		if !ok {
			return diff, err
		}
		diff.Action, diff.Refusal = ActionRefused, &refusal
		return diff, nil
	}
	if live == nil {
		return diff, nil
	}
	diff.Changes = fields.Changes(live, answer)
	diff.Action = ActionUnchanged
	if len(diff.Changes) > 0 {
		diff.Action = ActionChange
	}
	return diff, nil
}
