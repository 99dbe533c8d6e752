package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/schemas"
)

// maxDrift bounds the drifted fields that a receipt keeps.
const maxDrift = 20

// mend looks for drift, writes it into the receipt and, where the environment
// says so, heals it. The duration says when to decide again.
func (w *work) mend(ctx context.Context, objects []*unstructured.Unstructured) (time.Duration, error) {
	policy := w.fleet.DriftPolicy(w.desired.Unit)
	if policy == schemas.DriftPause {
		return 0, nil
	}
	found, err := w.Inspector.Inspect(ctx, objects, w.receipt.Status.Inventory)
	if err != nil {
		return 0, fmt.Errorf("look for drift of %s: %w", w.desired.Unit, err)
	}
	w.renew(found.Renew)
	if len(found.Drifted) == 0 {
		w.settled()
		return 0, nil
	}
	decision := w.Heal.Decide(w.receipt.Status.Drift, found.Drifted, w.Now())
	w.report(found.Drifted, decision)
	switch {
	case policy == schemas.DriftReport:
		w.markDrift(ReasonReported, found.Drifted)
		return 0, nil
	case decision.Heal == drift.HealNever:
		w.markDrift(ReasonContested, found.Drifted)
		return 0, nil
	case decision.Heal == drift.HealLater:
		w.markDrift(ReasonDetected, found.Drifted)
		return max(decision.At.Sub(w.Now()), time.Second), nil
	}
	return 0, w.heal(ctx, objects, found.Drifted)
}

// heal applies the unit again, with a record before and after.
func (w *work) heal(ctx context.Context, objects []*unstructured.Unstructured, found []schemas.DriftedField) error {
	key := fmt.Sprintf("heal/%s/%s/%s", w.receipt.Name, w.revision, driftKey(found))
	event := w.event(w.desired.Unit, ActionHeal, "the live objects differ from what was applied", map[string]any{"drift": found})
	if err := w.record(ctx, event, key, Intent); err != nil {
		return err
	}
	result, err := w.Applier.Apply(ctx, apply.Set{Unit: w.desired.Unit, Objects: objects, Previous: w.receipt.Status.Inventory})
	w.receipt.Status.Inventory, w.live = result.Inventory, result.Live
	if err != nil {
		w.markDrift(ReasonDetected, found)
		return w.failed(ctx, event, key, err)
	}
	if err := w.record(ctx, event, key, Outcome); err != nil {
		return err
	}
	now := w.stamp()
	for i := range w.receipt.Status.Drift {
		if d := &w.receipt.Status.Drift[i]; d.State == schemas.DriftDetected {
			d.State, d.HealedAt = schemas.DriftHealed, &now
		}
	}
	conditions.MarkFalse(w.receipt, schemas.ConditionDrifted, ReasonHealed, "%s", describe(found))
	w.Events.Eventf(w.receipt, corev1.EventTypeWarning, ReasonHealed, "mended: %s", describe(found))
	return nil
}

// driftKey names one drift: the same one found again after a crash has the same key.
func driftKey(found []schemas.DriftedField) string {
	first := found[0]
	return fmt.Sprintf("%s%s@%s+%d", first.Object, first.Path, first.Since.UTC().Format(time.RFC3339), len(found)-1)
}

// report keeps what was found, newest first; a field that is known to differ
// already keeps its first entry.
func (w *work) report(found []schemas.DriftedField, decision drift.HealDecision) {
	s := &w.receipt.Status
	for _, d := range slices.Backward(found) {
		d.State = schemas.DriftDetected
		if decision.Heal == drift.HealNever && slices.ContainsFunc(decision.Contested, sameField(d)) {
			d.State = schemas.DriftContested
		}
		open := slices.IndexFunc(s.Drift, func(o schemas.DriftedField) bool {
			return sameField(d)(o) && o.State != schemas.DriftHealed
		})
		if open >= 0 {
			s.Drift[open].After, s.Drift[open].State = d.After, d.State
			continue
		}
		s.Drift = append([]schemas.DriftedField{d}, s.Drift...)
	}
	s.Drift = s.Drift[:min(len(s.Drift), maxDrift)]
}

func sameField(d schemas.DriftedField) func(schemas.DriftedField) bool {
	return func(o schemas.DriftedField) bool {
		return o.Object == d.Object && o.Path == d.Path && o.Manager == d.Manager
	}
}

func (w *work) markDrift(reason string, found []schemas.DriftedField) {
	if !conditions.IsTrue(w.receipt, schemas.ConditionDrifted) {
		w.Events.Eventf(w.receipt, corev1.EventTypeWarning, "Drifted", "%s", describe(found))
	}
	conditions.MarkTrue(w.receipt, schemas.ConditionDrifted, reason, "%s", describe(found))
}

// settled closes what is in order again.
func (w *work) settled() {
	now := w.stamp()
	for i := range w.receipt.Status.Drift {
		if d := &w.receipt.Status.Drift[i]; d.State != schemas.DriftHealed {
			d.State, d.HealedAt = schemas.DriftHealed, &now
		}
	}
	if !conditions.Has(w.receipt, schemas.ConditionDrifted) {
		conditions.MarkFalse(w.receipt, schemas.ConditionDrifted, ReasonNone, "the live objects are as they were applied")
	} else if conditions.IsTrue(w.receipt, schemas.ConditionDrifted) {
		conditions.MarkFalse(w.receipt, schemas.ConditionDrifted, ReasonHealed, "the live objects are again as they were applied")
	}
}

// renew records the fingerprints of objects that are in order while their
// evidence is of another version.
func (w *work) renew(entries []schemas.InventoryEntry) {
	for _, e := range entries {
		for i := range w.receipt.Status.Inventory {
			entry := &w.receipt.Status.Inventory[i]
			if e.Fields != "" && entry.APIVersion == e.APIVersion && entry.Kind == e.Kind && entry.Namespace == e.Namespace && entry.Name == e.Name {
				entry.Fields = e.Fields
			}
		}
	}
}

func describe(found []schemas.DriftedField) string {
	first := found[0]
	what := first.Object + " " + first.Path
	if first.Path == "" {
		what = first.Object + " as a whole"
	}
	text := fmt.Sprintf("%s was %q and became %q, by %s", what, first.Before, first.After, orUnknown(first.Manager))
	if n := len(found) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

func orUnknown(s string) string {
	if s == "" {
		return "somebody unknown"
	}
	return s
}
