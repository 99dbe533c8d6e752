package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/schemas"
)

// maxHistory bounds the past revisions that a receipt keeps.
const maxHistory = 10

// apply brings the unit to the cluster. The intent is in the audit log, and
// what may come to exist is in the receipt, before the cluster is touched: a
// process that dies in between leaves nothing that nobody knows of.
func (w *work) apply(ctx context.Context, objects []*unstructured.Unstructured, hash, version string) error {
	key := fmt.Sprintf("apply/%s/%s/%s", w.receipt.Name, w.revision, hash)
	event := w.event(w.desired.Unit, ActionApply, "the approved content changed", w.evidence(hash, version, objects))
	if err := w.record(ctx, event, key, Intent); err != nil {
		w.stall(ReasonApplyFailed, "nothing is applied without a record of it: %v", err)
		return err
	}
	if err := w.announce(ctx, objects); err != nil {
		return err
	}
	result, err := w.Applier.Apply(ctx, apply.Set{
		Unit: w.desired.Unit, Objects: objects, Previous: w.receipt.Status.Inventory,
	})
	w.receipt.Status.Inventory = result.Inventory
	w.live = result.Live
	if err != nil {
		return w.failed(ctx, event, key, err)
	}
	if err := w.record(ctx, event, key, Outcome); err != nil {
		return err
	}
	w.remember(schemas.AppliedRevision{
		Revision: w.revision, Blob: w.blob(), Version: version, Hash: hash, At: w.stamp(),
	})
	w.phase(schemas.PhaseVerifying)
	w.Events.Eventf(w.receipt, corev1.EventTypeNormal, ReasonApplied, "applied %d objects of revision %.12s", len(objects), w.revision)
	return nil
}

// announce writes the phase and the inventory as it may become into the receipt.
func (w *work) announce(ctx context.Context, objects []*unstructured.Unstructured) error {
	before := w.receipt.DeepCopy()
	w.phase(schemas.PhaseApplying)
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
	return w.patch(ctx, before, w.receipt)
}

// failed says on the receipt why the cluster did not take the unit, and puts
// the outcome on record. The error brings the unit back with a growing pause.
func (w *work) failed(ctx context.Context, event Event, key string, err error) error {
	reason := ReasonApplyFailed
	if refused := (*apply.RefusedError)(nil); errors.As(err, &refused) {
		reason = ReasonRefused
	}
	w.stall(reason, "%v", err)
	if reason == ReasonRefused && w.receipt.Status.Applied != nil {
		// Nothing of it was applied: the last good revision still stands.
		w.phase(schemas.PhaseFailed)
	}
	w.Events.Eventf(w.receipt, corev1.EventTypeWarning, reason, "%v", err)
	sum := sha256.Sum256([]byte(err.Error()))
	event.Reason = "failed: " + err.Error()
	if recordErr := w.record(ctx, event, key+"/failed/"+hex.EncodeToString(sum[:6]), Outcome); recordErr != nil {
		return joinPatch(err, recordErr)
	}
	return err
}

// remember makes a revision the applied one and keeps the one before.
func (w *work) remember(r schemas.AppliedRevision) {
	s := &w.receipt.Status
	if s.Applied != nil {
		s.History = append([]schemas.AppliedRevision{*s.Applied}, s.History...)
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

func (w *work) evidence(hash, version string, objects []*unstructured.Unstructured) map[string]any {
	names := make([]string, 0, len(objects))
	for _, o := range objects {
		names = append(names, o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName())
	}
	evidence := map[string]any{"hash": hash, "objects": names}
	if version != "" {
		evidence["version"] = version
	}
	if a := w.desired.Approved; a != nil {
		evidence["approved"] = a
	}
	return evidence
}

// event is a record about this unit, without its key and phase.
func (w *work) event(unit schemas.Unit, action Action, reason string, evidence map[string]any) Event {
	e := Event{
		Action: action, Repository: w.repository, Team: unit.Team, Model: unit.Model, Environment: unit.Environment,
		Path: unit.Path(), Commit: w.revision, Reason: reason, Evidence: evidence,
	}
	if w.desired != nil && w.desired.Approved != nil {
		e.Digest = w.desired.Approved.Digest
	}
	return e
}

func (w *work) record(ctx context.Context, e Event, key string, phase Phase) error {
	e.Key, e.Phase = key+"/"+string(phase), phase
	if err := w.Audit.Record(ctx, e); err != nil {
		return fmt.Errorf("record the %s of %s in the audit log: %w", phase, key, err)
	}
	return nil
}

func joinPatch(err, other error) error {
	if other == nil {
		return err
	}
	return errors.Join(err, other)
}
