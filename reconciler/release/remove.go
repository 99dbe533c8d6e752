package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/schemas"
)

// remove takes a unit out of the cluster: its manifest's removal was approved.
// The objects go before the receipt, so that a process that dies in between
// knows what is left.
func (w *work) remove(ctx context.Context) (time.Duration, error) {
	inventory := w.receipt.Status.Inventory
	if len(inventory) > 0 {
		event := w.event(ActionPrune, "the manifest's removal was approved", map[string]any{"objects": objectNames(inventory)})
		if err := w.record(ctx, event, Intent); err != nil {
			w.stall(ReasonNotRecorded, "nothing is removed without a record of it: %v", err)
			return 0, errors.Join(err, w.save(ctx))
		}
		// From here on it is not deployed as a whole: should the manifest come
		// back, it is applied, whatever it renders to.
		w.receipt.Status.Applied = nil
		w.phase(schemas.PhasePending)
		conditions.MarkReconciling(w.receipt, "Removing", "the manifest's removal was approved")
		if err := w.save(ctx); err != nil {
			return 0, err
		}
		// What was saved to may say by now that the model is approved anew. From here
		// to the end the receipt's version tells that nobody did.
		if !w.agreed() {
			return verifySoon, nil
		}
		remaining, err := w.Applier.Delete(ctx, w.desired.Unit, inventory)
		w.receipt.Status.Inventory = remaining
		w.Metrics.pruned(err)
		if err != nil {
			w.stall(ReasonApplyFailed, "the objects cannot be removed: %v", err)
			return 0, errors.Join(err, w.save(ctx))
		}
		if err := w.record(ctx, event, Outcome); err != nil {
			// With nothing left to remove, the next look would end without the record.
			w.receipt.Status.Inventory = inventory
			w.stall(ReasonNotRecorded, "the objects are removed, which is not on record yet: %v", err)
			return 0, errors.Join(err, w.save(ctx))
		}
		w.Events.Eventf(w.receipt, corev1.EventTypeNormal, ReasonPruned, "%s is removed: its manifest was", w.desired.Unit)
	}
	return 0, w.forget(ctx)
}

// abandon is for a receipt that no manifest and no approved removal stands
// behind: content that was quarantined and is gone, or an environment that is
// no longer served here, or an approval that is on no record. Nobody approved a
// removal, so what is deployed stays, and what was approved stays so.
func (w *work) abandon(ctx context.Context) error {
	unit, approved := UnitOf(w.receipt), w.receipt.Status.Approved
	if unit.Model == "" {
		// A tenancy stays: its namespace may hold what others put there. That a team has
		// no model there any more is nothing to tell of.
		if w.cleared(unit) {
			if conditions.GetReason(w.receipt, "Ready") == ReasonNotServed {
				conditions.Delete(w.receipt, "Ready")
			}
			return w.save(ctx)
		}
	} else if len(w.receipt.Status.Inventory) == 0 && (approved == nil || approved.Blob == "") {
		return w.forget(ctx)
	}
	conditions.MarkFalse(w.receipt, "Ready", ReasonNotServed, "no environment that is served here has it any more, or its approval is not on record; what is deployed stays as it is")
	return w.save(ctx)
}

// cleared reports whether the fleet knows models of a tenancy that is not in it: then
// its environment is served, and their removal was approved.
func (w *work) cleared(tenancy schemas.Unit) bool {
	for unit := range w.fleet.units {
		if unit.Team == tenancy.Team && unit.Environment == tenancy.Environment {
			return true
		}
	}
	return false
}

// forget deletes the receipt, if nobody wrote to it since it was read.
func (w *work) forget(ctx context.Context) error {
	version := w.stored.ResourceVersion
	err := w.Client.Delete(ctx, w.receipt, client.Preconditions{ResourceVersion: &version})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the receipt %s: %w", w.receipt.Name, err)
	}
	return nil
}

func objectNames(inventory []schemas.InventoryEntry) []string {
	names := make([]string, 0, len(inventory))
	for _, i := range inventory {
		names = append(names, i.Kind+"/"+i.Namespace+"/"+i.Name)
	}
	return names
}
