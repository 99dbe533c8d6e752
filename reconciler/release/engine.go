package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/schemas"
)

// Applier writes units to the cluster; *apply.Applier is one.
type Applier interface {
	Apply(ctx context.Context, set apply.Set) (apply.Result, error)
	Delete(ctx context.Context, unit schemas.Unit, inventory []schemas.InventoryEntry) ([]schemas.InventoryEntry, error)
}

// Inspector tells drift from mere change; *drift.Inspector is one.
type Inspector interface {
	Inspect(ctx context.Context, desired []*unstructured.Unstructured, inventory []schemas.InventoryEntry) (drift.Inspection, error)
}

// Sight is what the watches have delivered.
type Sight interface {
	drift.Cache
	// Sees reports whether the objects of a kind are in memory. A kind that was
	// not watched before is watched from then on.
	Sees(gvk schema.GroupVersionKind) bool
	// Since is when the watches began.
	Since() time.Time
}

// Engine brings one unit at a time to what its fleet says, and keeps its
// receipt. It never waits: what is not ready yet comes back as an event.
type Engine struct {
	Client    client.Client
	Applier   Applier
	Inspector Inspector
	Sight     Sight
	Audit     Auditor
	Events    record.EventRecorder
	Heal      drift.HealPolicy
	// Metrics may be nil.
	Metrics *Metrics
	// Members is asked when a release has waited.
	Members TeamMembers
	Now     func() time.Time
}

// Reasons of conditions and events, beside those of health.
const (
	ReasonApplied       = "Applied"
	ReasonNotRendered   = "NotRendered"
	ReasonWaiting       = "WaitingForNamespace"
	ReasonKindNotServed = "KindNotServed"
	ReasonRefused       = "Refused"
	ReasonPruneGuard    = "PruneGuard"
	ReasonUnavailable   = "Unavailable"
	ReasonPartial       = "PartlyApplied"
	ReasonApplyFailed   = "ApplyFailed"
	ReasonNotRecorded   = "NotRecorded"
	ReasonQuarantined   = "Quarantined"
	ReasonClean         = "Clean"
	ReasonNone          = "None"
	ReasonDetected      = "Detected"
	ReasonContested     = "Contested"
	ReasonHealed        = "Healed"
	ReasonReported      = "Reported"
	ReasonPruned        = "Pruned"
	ReasonNothingToRun  = "NothingApproved"
	ReasonNotServed     = "NotServed"
	ReasonWindowClosed  = "WindowClosed"
	ReasonRolesUnknown  = "RolesUnknown"
	ReasonApproverLeft  = "ApproverLeft"
	ReasonBreakGlass    = "BreakGlass"
)

// work is one look at one unit.
type work struct {
	*Engine
	fleet      *Fleet
	repository string
	revision   string
	desired    *Desired
	receipt    *schemas.ModelRelease
	// first is the receipt as it was at the beginning of the look, stored as the
	// API server has it.
	first, stored *schemas.ModelRelease
	// interrupted: an apply was under way when the process before ended, or when
	// the last attempt failed.
	interrupted bool
}

// UnitOf is the unit that a receipt is of.
func UnitOf(r *schemas.ModelRelease) schemas.Unit {
	return schemas.Unit{Team: r.Spec.Team, Model: r.Spec.Model, Environment: r.Spec.Environment}
}

// Reconcile looks at one unit. Revision is the commit that the fleet is of. The
// duration says when to look again without an event; zero: not.
func (e *Engine) Reconcile(ctx context.Context, fleet *Fleet, revision string, receipt *schemas.ModelRelease) (time.Duration, error) {
	unit := UnitOf(receipt)
	w := &work{
		Engine: e, fleet: fleet, repository: receipt.Spec.Repository, revision: revision,
		desired: fleet.Unit(unit), receipt: receipt, stored: receipt.DeepCopy(),
		interrupted: receipt.Status.Phase == schemas.PhaseApplying,
	}
	w.first = w.stored
	switch {
	case receipt.Name != unit.ReceiptName():
		return 0, nil // Mooring makes no receipt of that name
	case w.desired == nil:
		return 0, w.abandon(ctx)
	case !w.agreed():
		// The branch is being judged: the fleet that agrees is about to come.
		return verifySoon, nil
	case w.desired.Removed():
		if again, held := w.held(ctx); held {
			again, err := w.keep(ctx, again)
			return again, errors.Join(err, w.save(ctx))
		}
		return w.remove(ctx)
	}
	again, err := w.run(ctx)
	return again, errors.Join(err, w.save(ctx))
}

// agreed reports whether the receipt, which outlives this process, names the
// same content as the fleet in memory.
func (w *work) agreed() bool {
	if w.desired.Unit.Model == "" {
		return true
	}
	a, b := w.receipt.Status.Approved, w.desired.Approved
	return a == nil && b == nil || a != nil && b != nil && a.Blob == b.Blob
}

// save writes the receipt's status where it changed. Approved and Quarantined
// are the branch's to write: they are never part of the patch.
func (w *work) save(ctx context.Context) error {
	before := w.stored.DeepCopy()
	before.Status.Approved, before.Status.Quarantined = w.receipt.Status.Approved, w.receipt.Status.Quarantined
	if equality.Semantic.DeepEqual(before.Status, w.receipt.Status) {
		return nil
	}
	if err := w.Client.Status().Patch(ctx, w.receipt, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write the receipt %s: %w", w.receipt.Name, err)
	}
	w.stored = w.receipt.DeepCopy()
	return nil
}

// run is the list of what is done for a unit that should be there.
func (w *work) run(ctx context.Context) (time.Duration, error) {
	w.markQuarantine()
	if w.desired.Unit.Model != "" && w.desired.Approved == nil {
		if w.receipt.Status.Applied == nil {
			w.phase(schemas.PhaseQuarantined)
		}
		conditions.MarkFalse(w.receipt, "Ready", ReasonNothingToRun, "no content of this manifest was ever approved")
		return 0, nil
	}
	set, findings := w.fleet.Set(w.desired)
	if findings.Failed() {
		w.phase(schemas.PhaseFailed)
		w.stall(ReasonNotRendered, "the approved content cannot be rendered: %s", firstError(findings))
		return 0, nil
	}
	if gvk, unseen := w.unseen(set.Objects); unseen {
		return w.awaitKind(gvk), nil
	}
	if !w.namespaceReady(set.Objects) {
		if w.receipt.Status.Applied == nil {
			w.phase(schemas.PhasePending)
		}
		conditions.MarkFalse(w.receipt, "Ready", ReasonWaiting, "the team's namespace is not there yet; how it fares says the receipt %s",
			schemas.Unit{Team: w.desired.Unit.Team, Environment: w.desired.Unit.Environment}.ReceiptName())
		return w.pace(), nil
	}
	if applied := w.receipt.Status.Applied; applied == nil || applied.Hash != set.Hash || w.interrupted {
		if again, held := w.held(ctx); held {
			return w.keep(ctx, again)
		}
		if err := w.apply(ctx, set); err != nil {
			return 0, err
		}
		return w.judgeHealth(set.Objects), nil
	}
	w.desired.settle()
	if err := w.reaffirm(ctx, set); err != nil {
		return 0, err
	}
	w.receipt.Status.Waited = nil
	again, err := w.mend(ctx, set.Objects)
	if err != nil {
		return 0, err
	}
	return sooner(again, w.judgeHealth(set.Objects)), nil
}

// reaffirm takes what is deployed for what is approved: it renders to the same
// objects. Where the last word on record is another approval's, or that an apply
// failed, the outcome of this one goes on record; nothing was to be done for it,
// so it has no intent.
func (w *work) reaffirm(ctx context.Context, set desired.Set) error {
	applied := w.receipt.Status.Applied
	if applied.Blob != w.blob() || w.fellShort() {
		event := w.event(ActionApply, "the approved content is what is deployed", w.evidence(set))
		if err := w.record(ctx, event, Outcome); err != nil {
			w.stall(ReasonNotRecorded, "the approved content is what is deployed, which is not on record yet: %v", err)
			return err
		}
		// Said once, whatever fails after it in this look.
		w.phase(schemas.PhaseVerifying)
		conditions.Delete(w.receipt, "Stalled")
	}
	applied.Blob = w.blob()
	return nil
}

// fellShort reports whether the look before this one, at other content, ended
// without the objects that should be there. What is deployed and ill did not, nor
// what was refused to be healed.
func (w *work) fellShort() bool {
	switch w.first.Status.Phase {
	case schemas.PhasePending:
		return true
	case schemas.PhaseFailed:
		drifted := conditions.GetReason(w.first, schemas.ConditionDrifted)
		healing := conditions.IsTrue(w.first, schemas.ConditionDrifted) && (drifted == ReasonDetected || drifted == ReasonNotRecorded)
		return !healing && slices.Contains([]string{ReasonRefused, ReasonPruneGuard, ReasonNotRecorded}, conditions.GetReason(w.first, "Stalled"))
	}
	return false
}

// sooner is the smaller of two pauses; zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func firstError(findings schemas.Findings) schemas.Finding {
	for _, f := range findings {
		if f.Severity == schemas.SeverityError {
			return f
		}
	}
	return schemas.Finding{}
}

// namespaceReady reports whether the namespace of the objects is there. The set
// of a tenancy brings it along.
func (w *work) namespaceReady(objects []*unstructured.Unstructured) bool {
	if w.desired.Unit.Model == "" {
		return true
	}
	for _, o := range objects {
		if o.GetNamespace() != "" {
			_, ok := w.Sight.Get(namespaceKind, "", o.GetNamespace())
			return ok
		}
	}
	return true
}

func (w *work) phase(p schemas.ReleasePhase) { w.receipt.Status.Phase = p }

// stall marks a unit that waits for a person. What is deployed stays.
func (w *work) stall(reason, format string, args ...any) {
	message := clip(fmt.Sprintf(format, args...), maxReason)
	conditions.MarkStalled(w.receipt, reason, "%s", message)
	conditions.MarkFalse(w.receipt, "Ready", reason, "%s", message)
}

func (w *work) markQuarantine() {
	q := w.desired.Quarantined
	if q == nil {
		conditions.MarkFalse(w.receipt, schemas.ConditionQuarantined, ReasonClean, "the branch holds the approved content")
		return
	}
	if !conditions.IsTrue(w.receipt, schemas.ConditionQuarantined) {
		w.Events.Eventf(w.receipt, corev1.EventTypeWarning, ReasonQuarantined, "%s at %.12s is not deployed: %s", q.Path, q.Commit, q.Reason)
	}
	conditions.MarkTrue(w.receipt, schemas.ConditionQuarantined, ReasonQuarantined, "the content of commit %.12s is not deployed: %s", q.Commit, q.Reason)
}

// stamp is a receipt's time: whole seconds, as the API server keeps it.
func (e *Engine) stamp() metav1.Time { return metav1.NewTime(e.Now().Truncate(time.Second)) }
