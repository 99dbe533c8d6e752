package release

import (
	"context"
	"fmt"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/apply"
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

// Engine brings one unit at a time to what its fleet says, and keeps its
// receipt. It never waits: what is not ready yet comes back as an event.
type Engine struct {
	Client    client.Client
	Applier   Applier
	Inspector Inspector
	Cache     drift.Cache
	Audit     Auditor
	Events    record.EventRecorder
	Heal      drift.HealPolicy
	Now       func() time.Time
}

// verifyAgain is how soon a unit that is not ready is looked at again in case
// no event tells; the look is into memory and asks nobody.
const verifyAgain = 5 * time.Second

// Reasons of conditions and events, beside those of health.
const (
	ReasonApplied      = "Applied"
	ReasonNotRendered  = "NotRendered"
	ReasonWaiting      = "WaitingForNamespace"
	ReasonRefused      = "Refused"
	ReasonApplyFailed  = "ApplyFailed"
	ReasonQuarantined  = "Quarantined"
	ReasonClean        = "Clean"
	ReasonNone         = "None"
	ReasonDetected     = "Detected"
	ReasonContested    = "Contested"
	ReasonHealed       = "Healed"
	ReasonReported     = "Reported"
	ReasonPruned       = "Pruned"
	ReasonNothingToRun = "NothingApproved"
)

// work is one look at one unit.
type work struct {
	*Engine
	fleet      *Fleet
	repository string
	revision   string
	desired    *Desired
	receipt    *schemas.ModelRelease
	// live holds the API server's answers of an apply in this look; they are
	// newer than what the watch has delivered.
	live []*unstructured.Unstructured
}

// Reconcile looks at one unit. Desired is nil for a unit that should not be
// there. The duration says when to look again without an event; zero: not.
func (e *Engine) Reconcile(ctx context.Context, fleet *Fleet, revision string, receipt *schemas.ModelRelease) (time.Duration, error) {
	unit := schemas.Unit{Team: receipt.Spec.Team, Model: receipt.Spec.Model, Environment: receipt.Spec.Environment}
	w := &work{
		Engine: e, fleet: fleet, repository: receipt.Spec.Repository, revision: revision,
		desired: fleet.Unit(unit), receipt: receipt,
	}
	if w.desired == nil {
		return 0, w.remove(ctx, unit)
	}
	before := receipt.DeepCopy()
	again, err := w.run(ctx)
	if patchErr := e.patch(ctx, before, receipt); patchErr != nil {
		return 0, patchErr
	}
	return again, err
}

// patch writes the receipt's status where it changed. Approved and Quarantined
// are the branch's to write and are left out by the merge patch as unchanged.
func (e *Engine) patch(ctx context.Context, before, after *schemas.ModelRelease) error {
	if err := e.Client.Status().Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write the receipt %s: %w", after.Name, err)
	}
	return nil
}

// run is the list of what is done for a unit that should be there.
func (w *work) run(ctx context.Context) (time.Duration, error) {
	w.markQuarantine()
	if w.desired.Unit.Model != "" && w.desired.Approved == nil {
		w.phase(schemas.PhaseQuarantined)
		conditions.MarkFalse(w.receipt, "Ready", ReasonNothingToRun, "no content of this manifest was ever approved")
		return 0, nil
	}
	set, findings := w.fleet.Set(w.desired)
	if findings.Failed() {
		w.stall(ReasonNotRendered, "the approved content cannot be rendered: %s", findings[0])
		return 0, nil
	}
	if !w.namespaceReady(set.Objects) {
		w.phase(schemas.PhasePending)
		conditions.MarkFalse(w.receipt, "Ready", ReasonWaiting, "the team's namespace is being made")
		return verifyAgain, nil
	}
	applied := w.receipt.Status.Applied
	if applied == nil || applied.Hash != set.Hash || w.receipt.Status.Phase == schemas.PhaseApplying {
		if err := w.apply(ctx, set.Objects, set.Hash, set.Version); err != nil {
			return 0, err
		}
	} else if again, err := w.mend(ctx, set.Objects); err != nil || again > 0 {
		w.judgeHealth(set.Objects)
		return again, err
	}
	return w.judgeHealth(set.Objects), nil
}

var namespaceKind = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}

// namespaceReady reports whether the namespace of the objects is there. The set
// of a tenancy brings it along.
func (w *work) namespaceReady(objects []*unstructured.Unstructured) bool {
	if w.desired.Unit.Model == "" || len(objects) == 0 {
		return true
	}
	_, ok := w.Cache.Get(namespaceKind, "", objects[0].GetNamespace())
	return ok
}

func (w *work) phase(p schemas.ReleasePhase) { w.receipt.Status.Phase = p }

// stall marks a unit that waits for a person. What is deployed stays.
func (w *work) stall(reason, format string, args ...any) {
	conditions.MarkStalled(w.receipt, reason, format, args...)
	conditions.MarkFalse(w.receipt, "Ready", reason, format, args...)
	if w.receipt.Status.Applied == nil {
		w.phase(schemas.PhaseFailed)
	}
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

// judgeHealth reads what the watch delivered and says how the unit fares.
func (w *work) judgeHealth(objects []*unstructured.Unstructured) time.Duration {
	health := w.health(objects)
	switch health.Status {
	case apply.Ready:
		if w.receipt.Status.Phase != schemas.PhaseLive {
			w.Events.Eventf(w.receipt, corev1.EventTypeNormal, "Ready", "%s serves", w.desired.Unit)
		}
		w.phase(schemas.PhaseLive)
		conditions.MarkTrue(w.receipt, "Ready", ReasonApplied, "every object is ready")
		conditions.Delete(w.receipt, "Reconciling")
		conditions.Delete(w.receipt, "Stalled")
		return 0
	case apply.Failed:
		w.phase(schemas.PhaseFailed)
		conditions.MarkFalse(w.receipt, "Ready", health.Reason, "%s", health.Message)
		conditions.MarkStalled(w.receipt, health.Reason, "%s", health.Message)
		conditions.Delete(w.receipt, "Reconciling")
		return verifyAgain
	default:
		w.phase(schemas.PhaseVerifying)
		conditions.MarkReconciling(w.receipt, health.Reason, "%s", health.Message)
		conditions.MarkFalse(w.receipt, "Ready", health.Reason, "%s", health.Message)
		conditions.Delete(w.receipt, "Stalled")
		return verifyAgain
	}
}

// health is the worst of the unit's objects: a failed one, else one that is not
// ready yet.
func (w *work) health(objects []*unstructured.Unstructured) apply.Health {
	worst := apply.Health{Status: apply.Ready}
	for i, o := range objects {
		h := w.healthOf(i, o)
		if h.Status == apply.Failed {
			return h
		}
		if h.Status != apply.Ready && worst.Status == apply.Ready {
			worst = h
		}
	}
	return worst
}

func (w *work) healthOf(i int, o *unstructured.Unstructured) apply.Health {
	live, ok := w.Cache.Get(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if i < len(w.live) && w.live[i] != nil {
		live, ok = w.live[i], true
	}
	if !ok {
		return apply.Health{Status: apply.Progressing, Reason: "Missing", Message: o.GetKind() + " " + o.GetName() + " is not there yet"}
	}
	if o.GetKind() != "InferenceService" {
		return apply.HealthOf(live)
	}
	deployment, ok := w.Cache.Get(DeploymentKind, o.GetNamespace(), o.GetName()+"-predictor")
	if !ok {
		return apply.RolloutOf(live, nil)
	}
	return apply.RolloutOf(live, deployment)
}

// DeploymentKind is what KServe makes of an InferenceService in Standard mode.
var DeploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}

// WatchedKinds are what the engine needs to see: everything that is rendered,
// and the Deployments that KServe makes.
var WatchedKinds = []schema.GroupVersionKind{
	namespaceKind, DeploymentKind,
	{Version: "v1", Kind: "ResourceQuota"},
	{Version: "v1", Kind: "LimitRange"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "serving.kserve.io", Version: "v1beta1", Kind: "InferenceService"},
}

// remove takes a unit out of the cluster: its manifest's removal was approved.
// A tenancy stays, since its namespace may hold what others put there.
func (w *work) remove(ctx context.Context, unit schemas.Unit) error {
	if unit.Model == "" {
		return nil
	}
	inventory := w.receipt.Status.Inventory
	if len(inventory) > 0 {
		key := fmt.Sprintf("prune/%s/%s", w.receipt.UID, w.receipt.Name)
		event := w.event(unit, ActionPrune, "the manifest was removed", map[string]any{"objects": objectNames(inventory)})
		if err := w.record(ctx, event, key, Intent); err != nil {
			return err
		}
		remaining, err := w.Applier.Delete(ctx, unit, inventory)
		if err != nil {
			before := w.receipt.DeepCopy()
			w.receipt.Status.Inventory = remaining
			w.stall(ReasonApplyFailed, "the objects cannot be removed: %v", err)
			return joinPatch(err, w.patch(ctx, before, w.receipt))
		}
		if err := w.record(ctx, event, key, Outcome); err != nil {
			return err
		}
		w.Events.Eventf(w.receipt, corev1.EventTypeNormal, ReasonPruned, "%s is removed: its manifest was", unit)
	}
	if err := w.Client.Delete(ctx, w.receipt); err != nil && !apierrors.IsNotFound(err) {
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

// stamp is a receipt's time: whole seconds, as the API server keeps it.
func (e *Engine) stamp() metav1.Time { return metav1.NewTime(e.Now().Truncate(time.Second)) }
