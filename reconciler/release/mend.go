package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/schemas"
)

const (
	// maxDrift bounds the drifted fields that a receipt keeps.
	maxDrift = 20
	// maxFound bounds those of one look. It leaves room for the looks before, by
	// which a fight is told from an accident.
	maxFound = 5
	// maxEvidence bounds those that go on record at once.
	maxEvidence = 20
)

// mend looks for drift, writes it into the receipt and, where the environment
// says so, heals it. The duration says when to decide again.
func (w *work) mend(ctx context.Context, objects []*unstructured.Unstructured) (time.Duration, error) {
	if err := w.repay(ctx); err != nil {
		return 0, err
	}
	policy := w.fleet.DriftPolicy(w.desired.Unit)
	if policy == schemas.DriftPause {
		return 0, nil
	}
	inspection, err := w.Inspector.Inspect(ctx, objects, w.receipt.Status.Inventory)
	w.renew(inspection.Renew)
	if err != nil {
		return 0, fmt.Errorf("look for drift of %s: %w", w.desired.Unit, err)
	}
	found := inspection.Drifted
	if len(found) == 0 {
		w.settled()
		return 0, nil
	}
	kept := found[:min(len(found), maxFound)]
	decision := w.Heal.Decide(w.receipt.Status.Drift, kept, w.Now())
	w.report(kept, decision)
	for i := len(kept); i < len(found); i++ {
		if found[i].Manager == "" { // of which no entry is kept
			found[i].Since = kept[0].Since
		}
	}
	reason := ReasonDetected
	switch {
	case policy == schemas.DriftReport:
		reason = ReasonReported
	case decision.Heal == drift.HealNever:
		reason = ReasonContested
	}
	if err := w.markDrift(ctx, reason, found); err != nil || reason != ReasonDetected {
		return 0, err
	}
	if decision.Heal == drift.HealLater {
		return max(decision.At.Sub(w.Now()), time.Second), nil
	}
	return 0, w.heal(ctx, objects, found)
}

// heal applies the unit again, with a record before and after.
func (w *work) heal(ctx context.Context, objects []*unstructured.Unstructured, found []schemas.DriftedField) error {
	event := w.event(ActionHeal, differs, driftEvidence(found))
	if err := w.record(ctx, event, Intent); err != nil {
		w.stall(ReasonNotRecorded, "nothing is healed without a record of it: %v", err)
		return err
	}
	result, err := w.Applier.Apply(ctx, apply.Set{Unit: w.desired.Unit, Objects: objects, Previous: w.receipt.Status.Inventory})
	w.receipt.Status.Inventory = result.Inventory
	w.Metrics.applied(err)
	if err != nil {
		return w.failed(ctx, event, err)
	}
	w.Metrics.drift(DriftHealed)
	return w.mended(ctx, event, found)
}

// differs is why something is healed.
const differs = "the live objects differ from what was applied"

// mended puts a heal on record and says it on the receipt, in this order: until
// the record is taken it is owed, whatever the live objects are by then.
func (w *work) mended(ctx context.Context, event Event, found []schemas.DriftedField) error {
	if err := w.record(ctx, event, Outcome); err != nil {
		conditions.MarkTrue(w.receipt, schemas.ConditionDrifted, ReasonNotRecorded, "healed, which is not on record yet: %s", describe(found))
		w.stall(ReasonNotRecorded, "it is healed, which is not on record yet: %v", err)
		return err
	}
	now := w.stamp()
	for i := range w.receipt.Status.Drift {
		if d := &w.receipt.Status.Drift[i]; d.State == schemas.DriftDetected {
			d.State, d.HealedAt = schemas.DriftHealed, &now
		}
	}
	conditions.MarkFalse(w.receipt, schemas.ConditionDrifted, ReasonHealed, "%s", describe(found))
	w.Events.Eventf(w.receipt, corev1.EventTypeWarning, ReasonHealed, "mended: %s", clip(describe(found), maxEvent))
	return nil
}

// repay makes the record of a heal that the audit log did not take. Of what was
// found then, the receipt has the first fields.
func (w *work) repay(ctx context.Context) error {
	if conditions.GetReason(w.receipt, schemas.ConditionDrifted) != ReasonNotRecorded {
		return nil
	}
	var healed []schemas.DriftedField
	for _, d := range w.receipt.Status.Drift {
		if d.State == schemas.DriftDetected {
			healed = append(healed, d)
		}
	}
	if len(healed) == 0 {
		return nil // somebody edited the receipt
	}
	return w.mended(ctx, w.event(ActionHeal, differs, driftEvidence(healed)), healed)
}

func driftEvidence(found []schemas.DriftedField) map[string]any {
	return map[string]any{"fields": len(found), "drift": found[:min(len(found), maxEvidence)]}
}

// report keeps what was found, newest first; a field that is known to differ
// already keeps its first entry.
func (w *work) report(found []schemas.DriftedField, decision drift.HealDecision) {
	s := &w.receipt.Status
	for _, d := range slices.Backward(found) {
		d.State, d.Since.Time = schemas.DriftDetected, d.Since.Truncate(time.Second)
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
	// Since when something is gone nobody can tell: it is when that was first seen, at
	// each look, so that each look is not another event.
	for i, d := range found {
		if open := slices.IndexFunc(s.Drift, sameField(d)); open >= 0 {
			found[i].Since = s.Drift[open].Since
		}
	}
}

func sameField(d schemas.DriftedField) func(schemas.DriftedField) bool {
	return func(o schemas.DriftedField) bool {
		return o.Object == d.Object && o.Path == d.Path && o.Manager == d.Manager
	}
}

// markDrift says once that the unit drifted: in an event, a count and, where it
// is not mended at once, on record.
func (w *work) markDrift(ctx context.Context, reason string, found []schemas.DriftedField) error {
	if conditions.GetReason(w.first, schemas.ConditionDrifted) != reason {
		if reason != ReasonDetected {
			event := w.event(ActionDrift, strings.ToLower(reason)+": "+differs, driftEvidence(found))
			if err := w.record(ctx, event, Decided); err != nil {
				w.stall(ReasonNotRecorded, "the live objects differ from what was applied (%s), which is not on record yet: %v", describe(found), err)
				return err
			}
		}
		w.Events.Eventf(w.receipt, corev1.EventTypeWarning, "Drifted", "%s: %s", strings.ToLower(reason), clip(describe(found), maxEvent-64))
		w.Metrics.drift(driftResults[reason])
	}
	conditions.MarkTrue(w.receipt, schemas.ConditionDrifted, reason, "%s", describe(found))
	return nil
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
