package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// Units follows the ModelRelease objects: one look at one unit at a time.
type Units struct {
	Reader   client.Reader
	Engine   *release.Engine
	Fleets   *Fleets
	Statuses *Statuses
}

// Reconcile looks at one unit. A unit whose repository was not judged yet waits
// for that; the fleet asks for it then.
func (u *Units) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var receipt schemas.ModelRelease
	// Past the cache, which may not have this process's own last write yet.
	if err := u.Reader.Get(ctx, req.NamespacedName, &receipt); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read the receipt %s: %w", req.NamespacedName, err)
	}
	repository := client.ObjectKey{Namespace: receipt.Namespace, Name: receipt.Spec.Repository}
	fleet, revision := u.Fleets.at(repository)
	if fleet == nil {
		return ctrl.Result{}, nil
	}
	unit := unitOf(&receipt)
	before := receipt.DeepCopy()
	again, err := u.Engine.Reconcile(ctx, fleet, revision, &receipt)
	u.Fleets.Record(unit, receipt.Status.Inventory)
	if unit.Model == "" && before.Status.Applied == nil && receipt.Status.Applied != nil {
		u.Fleets.EnqueueTeam(repository, unit.Team, unit.Environment)
	}
	u.Statuses.Changed(repository, before, &receipt)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: again}, nil
}
