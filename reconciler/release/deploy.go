package release

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// maxHistory bounds the past revisions that a receipt keeps.
const maxHistory = 10

// apply brings the unit to the cluster. The intent is in the audit log, and
// what may come to exist is in the receipt, before the cluster is touched: a
// process that dies in between leaves nothing that nobody knows of.
func (w *work) apply(ctx context.Context, set desired.Set) error {
	event := w.event(ActionApply, "the approved content changed", w.evidence(set))
	if err := w.record(ctx, event, Intent); err != nil {
		w.stall(ReasonNotRecorded, "nothing is applied without a record of it: %v", err)
		return err
	}
	if err := w.announce(ctx, set.Objects); err != nil {
		return err
	}
	result, err := w.Applier.Apply(ctx, apply.Set{
		Unit: w.desired.Unit, Objects: set.Objects, Previous: w.receipt.Status.Inventory,
	})
	w.receipt.Status.Inventory = result.Inventory
	w.Metrics.applied(err)
	if err != nil {
		return w.failed(ctx, event, err)
	}
	if err := w.record(ctx, event, Outcome); err != nil {
		w.stall(ReasonNotRecorded, "it is applied, which is not on record; it is applied again once the audit log takes the record: %v", err)
		return err
	}
	w.remember(schemas.AppliedRevision{
		Revision: w.revision, Blob: w.blob(), Version: set.Version, Hash: set.Hash, At: w.stamp(),
	})
	w.receipt.Status.Risk = set.Level
	w.receipt.Status.Begun, w.receipt.Status.Waited = "", nil
	w.phase(schemas.PhaseVerifying)
	conditions.Delete(w.receipt, "Stalled")
	w.Events.Eventf(w.receipt, corev1.EventTypeNormal, ReasonApplied, "applied %d objects of revision %.12s", len(set.Objects), w.revision)
	return nil
}

// announce writes the phase and the inventory as it may become into the receipt.
func (w *work) announce(ctx context.Context, objects []*unstructured.Unstructured) error {
	w.phase(schemas.PhaseApplying)
	w.receipt.Status.Begun = w.blob()
	conditions.MarkReconciling(w.receipt, "Applying", "applying revision %.12s", w.revision)
	for _, o := range objects {
		entry := apply.Entry(o)
		if !slices.ContainsFunc(w.receipt.Status.Inventory, func(i schemas.InventoryEntry) bool {
			i.Fields = ""
			return i == entry
		}) {
			w.receipt.Status.Inventory = append(w.receipt.Status.Inventory, entry)
		}
	}
	return w.save(ctx)
}

// failed says on the receipt why the cluster did not take the unit, and puts
// the outcome on record. The error brings the unit back with a growing pause.
func (w *work) failed(ctx context.Context, event Event, err error) error {
	reason, evidence := classify(err)
	if Untouched(reason) {
		w.phase(schemas.PhaseFailed)
		// Of a model nothing exists that did not before, so nothing was begun. Of a
		// tenancy the namespace may.
		if !w.interrupted && w.desired.Unit.Model != "" {
			w.receipt.Status.Inventory, w.receipt.Status.Begun = w.first.Status.Inventory, w.first.Status.Begun
		}
	}
	if applied := w.receipt.Status.Applied; applied != nil && (w.interrupted || w.receipt.Status.Phase == schemas.PhaseApplying) {
		applied.Hash = "" // it may no longer stand as a whole, so it is applied again in any case
	}
	if conditions.GetReason(w.first, "Stalled") != reason {
		w.Events.Eventf(w.receipt, corev1.EventTypeWarning, reason, "%s", clip(err.Error(), maxEvent))
	}
	w.stall(reason, "%v", err)
	// The record names the kind of failure and no more: words that differ at each
	// attempt would fill the log with the same.
	event.Reason, event.Evidence = FailedPrefix+reason, evidence
	return errors.Join(err, w.record(ctx, event, Outcome))
}

// maxEvent bounds an event's message; the API server takes 1,024 bytes.
const maxEvent = 1000

// FailedPrefix begins the reason of an outcome that was none; the reason of the
// receipt's condition follows.
const FailedPrefix = "failed: "

// Untouched reports whether an apply that failed for a reason left the cluster as
// it was: everything is tried before anything is written.
func Untouched(reason string) bool { return reason == ReasonRefused || reason == ReasonPruneGuard }

// classify tells the kinds of failure apart, with what does not differ between
// two attempts.
func classify(err error) (reason string, evidence map[string]any) {
	var refused *apply.RefusedError
	var guard *apply.PruneGuardError
	var partial *apply.PartialError
	switch {
	case errors.As(err, &refused):
		var list []string
		for _, r := range refused.Refusals {
			list = append(list, r.Object+": "+string(r.Cause))
		}
		slices.Sort(list)
		return ReasonRefused, map[string]any{"refused": list}
	case errors.As(err, &guard):
		return ReasonPruneGuard, map[string]any{"objects": guard.Objects}
	case errors.As(err, &partial):
		return ReasonPartial, nil
	case errors.Is(err, apply.ErrUnavailable):
		return ReasonUnavailable, nil
	}
	return ReasonApplyFailed, nil
}

// remember makes a revision the applied one and keeps the one before.
func (w *work) remember(r schemas.AppliedRevision) {
	s := &w.receipt.Status
	if before := s.Applied; before != nil && before.Hash != "" && before.Hash != r.Hash {
		s.History = append([]schemas.AppliedRevision{*before}, s.History...)
		s.History = s.History[:min(len(s.History), maxHistory)]
	}
	s.Applied, s.Version = &r, r.Version
	// What was fought over under the old content is settled by the new one.
	s.Drift = slices.DeleteFunc(s.Drift, func(d schemas.DriftedField) bool { return d.State == schemas.DriftContested })
}

func (w *work) blob() string {
	if w.desired.Approved == nil {
		return ""
	}
	return w.desired.Approved.Blob
}

func (w *work) evidence(set desired.Set) map[string]any {
	names := make([]string, 0, len(set.Objects))
	for _, o := range set.Objects {
		names = append(names, o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName())
	}
	evidence := map[string]any{"hash": set.Hash, "objects": names}
	if set.Version != "" {
		evidence["version"] = set.Version
	}
	if a := w.desired.Approved; a != nil {
		evidence["approved"] = a
	}
	return evidence
}

// event is a record about this unit.
func (w *work) event(action Action, reason string, evidence map[string]any) Event {
	unit := w.desired.Unit
	e := Event{
		Occasion: string(w.receipt.UID),
		Action:   action, Repository: w.repository, Team: unit.Team, Model: unit.Model, Environment: unit.Environment,
		Path: unit.Path(), Commit: w.revision, Reason: reason, Evidence: evidence,
	}
	if w.desired.Approved != nil {
		e.Digest = w.desired.Approved.Digest
	}
	return e
}

func (w *work) record(ctx context.Context, e Event, phase Phase) error {
	e.Phase = phase
	if err := Record(ctx, w.Audit, e); err != nil {
		w.Metrics.Unrecorded(e.Action, err)
		return fmt.Errorf("%s: %w", w.desired.Unit, err)
	}
	return nil
}
