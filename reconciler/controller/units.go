package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
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

	mu sync.Mutex
	// unserved are the units that nobody looks after, by repository.
	unserved map[client.ObjectKey]map[schemas.Unit]bool
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
			u.gone(unit)
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
	u.serves(unit, repository, conditions.GetReason(&receipt, "Ready") != release.ReasonNotServed)
	u.Statuses.Changed(repository, before, &receipt)
	if err != nil {
		return ctrl.Result{}, err // the queue's own pauses decide
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// serves counts the units of a repository that nobody looks after.
func (u *Units) serves(unit schemas.Unit, repository client.ObjectKey, served bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if served {
		delete(u.unserved[repository], unit)
	} else {
		if u.unserved == nil {
			u.unserved = map[client.ObjectKey]map[schemas.Unit]bool{}
		}
		if u.unserved[repository] == nil {
			u.unserved[repository] = map[schemas.Unit]bool{}
		}
		u.unserved[repository][unit] = true
	}
	u.Metrics.NotServed(repository.String(), len(u.unserved[repository]))
}

// forget ends the counting of a repository's units. Those that are not served are
// looked at again should the repository come back.
func (u *Units) forget(repository client.ObjectKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for unit := range u.unserved[repository] {
		u.Fleets.of(repository, unit)
	}
	delete(u.unserved, repository)
}

// gone forgets a unit whose receipt is gone, whichever repository's it was.
func (u *Units) gone(unit schemas.Unit) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for repository, units := range u.unserved {
		if units[unit] {
			delete(units, unit)
			u.Metrics.NotServed(repository.String(), len(units))
		}
	}
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
