package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

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
	Metrics  *release.Metrics
	// Hint asks for a look at a repository.
	Hint func(client.ObjectKey)
	Now  func() time.Time
}

// lookTimeout bounds one look with all that is asked of the cluster and the
// audit log.
const lookTimeout = 2 * time.Minute

// Reconcile looks at one unit. A unit that no fleet has yet, since its repository
// was not judged or its receipt is being written, waits for that; the fleet asks
// for it then.
func (u *Units) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var receipt schemas.ModelRelease
	// Past the cache, which may not have this process's own last write yet.
	if err := u.Reader.Get(ctx, req.NamespacedName, &receipt); err != nil {
		if apierrors.IsNotFound(err) {
			unit := unitNamed(req.Name)
			u.Metrics.Moved(u.Fleets.Record(unit, "", nil), "")
			// Somebody deleted it. The loop that knows what is approved makes it again.
			for _, name := range u.Fleets.wanting(unit) {
				u.Hint(name)
			}
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read the receipt %s: %w", req.NamespacedName, err)
	}
	repository := client.ObjectKey{Namespace: receipt.Namespace, Name: receipt.Spec.Repository}
	unit := release.UnitOf(&receipt)
	at, known := u.Fleets.of(repository, unit)
	if !known {
		return ctrl.Result{}, nil
	}
	before := receipt.DeepCopy()
	again, err := u.Engine.Reconcile(ctx, at.fleet, at.revision, &receipt)
	phase := receipt.Status.Phase
	if phase == "" {
		phase = schemas.PhasePending
	}
	u.Metrics.Moved(u.Fleets.Record(unit, phase, receipt.Status.Inventory), phase)
	u.measure(at, before, &receipt)
	u.Statuses.Changed(repository, before, &receipt)
	if err != nil {
		return ctrl.Result{}, err // the queue's own pauses decide
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// measure how long an approved commit took.
func (u *Units) measure(at fleetAt, before, after *schemas.ModelRelease) {
	old, now := before.Status.Applied, after.Status.Applied
	if now != nil && !at.seen.IsZero() && now.Revision == at.revision && (old == nil || old.Revision != now.Revision || old.Hash != now.Hash) {
		u.Metrics.Arrived(u.Now().Sub(at.seen))
	}
}

// unitNamed is the unit whose receipt has a name.
func unitNamed(receipt string) schemas.Unit {
	parts := strings.SplitN(receipt, ".", 3)
	u := schemas.Unit{Environment: parts[0]}
	if len(parts) > 1 {
		u.Team = parts[1]
	}
	if len(parts) > 2 {
		u.Model = parts[2]
	}
	return u
}
