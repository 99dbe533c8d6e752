package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// bench is an engine whose outside world is played, and which writes down what
// happened in which order.
type bench struct {
	testing.TB
	engine  *Engine
	client  client.Client
	fleet   *Fleet
	blobs   *blobs
	ledger  Ledger
	unit    schemas.Unit
	now     time.Time
	log     []string
	records map[string]Event
	fails   map[string]error // by the log's line
	live    map[string]*unstructured.Unstructured
	unseen  map[string]bool
	drifted []schemas.DriftedField
	// stored is the receipt's inventory and phase when the cluster was touched.
	stored schemas.ModelReleaseStatus
	events *record.FakeRecorder
	// applied is the set of the last apply.
	applied apply.Set
}

var repository = &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: "mooring-system", Name: "models"}}

func newBench(tb testing.TB, path string) *bench {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := schemas.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	content, ledger := exampleLedger(tb)
	b := &bench{TB: tb, blobs: content, ledger: ledger, unit: unitAt(tb, path), now: judgedAt,
		records: map[string]Event{}, fails: map[string]error{}, live: map[string]*unstructured.Unstructured{}, unseen: map[string]bool{},
		events: record.NewFakeRecorder(1000),
		client: fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&schemas.ModelRelease{}, &schemas.ModelRepository{}).Build()}
	b.engine = &Engine{Client: b.client, Applier: b, Inspector: b, Sight: b, Audit: b, Events: b.events, Now: func() time.Time { return b.now }}
	b.live["Namespace//"+b.unit.Team+"-"+b.unit.Environment] = &unstructured.Unstructured{}
	b.reload()
	return b
}

// reload takes the ledger over, as the loop of repositories does.
func (b *bench) reload() {
	b.Helper()
	b.fleet = load(b, b.blobs, b.ledger, b.fleet)
	if _, err := b.store().Save(b.Context(), repository, b.fleet); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) store() Store { return Store{Client: b.client, Reader: b.client} }

func (b *bench) note(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	b.log = append(b.log, line)
	return b.fails[line]
}

// look reconciles the unit once.
func (b *bench) look() (time.Duration, error) {
	b.Helper()
	b.log = nil
	receipt := b.receipt()
	if receipt == nil {
		b.Fatalf("%s has no receipt", b.unit)
	}
	return b.engine.Reconcile(b.Context(), b.fleet, tip.String(), receipt)
}

func (b *bench) mustLook() time.Duration {
	b.Helper()
	again, err := b.look()
	if err != nil {
		b.Fatal(err)
	}
	return again
}

func (b *bench) receipt() *schemas.ModelRelease {
	b.Helper()
	var r schemas.ModelRelease
	err := b.client.Get(b.Context(), client.ObjectKey{Namespace: repository.Namespace, Name: b.unit.ReceiptName()}, &r)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	return &r
}

func (b *bench) Record(_ context.Context, e Event) error {
	if err := b.note("%s %s", e.Phase, e.Action); err != nil {
		return err
	}
	if known, twice := b.records[e.Key]; twice && encode(b, known) != encode(b, e) {
		b.Errorf("the key %s has two contents", e.Key)
	}
	if len(e.Key) > 512 || len(e.Reason) > 8<<10 {
		b.Errorf("the log would refuse %+v", e)
	}
	b.records[e.Key] = e
	return nil
}

func encode(tb testing.TB, e Event) string {
	text, err := json.Marshal(e)
	if err != nil {
		tb.Error(err)
	}
	return string(text)
}

func (b *bench) Apply(_ context.Context, set apply.Set) (apply.Result, error) {
	b.stored, b.applied = b.receipt().Status, set
	if err := b.note("apply"); err != nil {
		return apply.Result{Inventory: set.Previous}, err
	}
	result := apply.Result{}
	for _, o := range set.Objects {
		entry := apply.Entry(o)
		entry.Fields = "v1:" + o.GetName()
		result.Inventory = append(result.Inventory, entry)
		if o.GetKind() != "InferenceService" {
			b.live[o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName()] = o
		}
	}
	return result, nil
}

func (b *bench) Delete(_ context.Context, _ schemas.Unit, inventory []schemas.InventoryEntry) ([]schemas.InventoryEntry, error) {
	b.stored = b.receipt().Status
	if err := b.note("delete"); err != nil {
		return inventory[1:], err
	}
	return nil, nil
}

func (b *bench) Inspect(context.Context, []*unstructured.Unstructured, []schemas.InventoryEntry) (drift.Inspection, error) {
	return drift.Inspection{Drifted: slices.Clone(b.drifted)}, b.note("inspect")
}

func (b *bench) Get(gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, bool) {
	o, ok := b.live[gvk.Kind+"/"+namespace+"/"+name]
	return o, ok
}

func (b *bench) Sees(gvk schema.GroupVersionKind) bool { return !b.unseen[gvk.Kind] }
func (b *bench) Since() time.Time                      { return judgedAt }

// serve plays KServe: the model's service and its Deployments are ready.
func (b *bench) serve(components ...string) {
	b.Helper()
	set, _ := b.fleet.Set(b.fleet.Unit(b.unit))
	for _, o := range set.Objects {
		if o.GetKind() != "InferenceService" {
			continue
		}
		service := o.DeepCopy()
		service.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
		b.live["InferenceService/"+o.GetNamespace()+"/"+o.GetName()] = service
		for _, c := range append(components, "predictor") {
			b.live["Deployment/"+o.GetNamespace()+"/"+o.GetName()+"-"+c] = &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": c, "generation": int64(1)},
				"spec": map[string]any{"replicas": int64(1), "template": map[string]any{"metadata": map[string]any{
					"labels": map[string]any{schemas.LabelVersion: service.GetLabels()[schemas.LabelVersion]}}}},
				"status": map[string]any{"observedGeneration": int64(1), "replicas": int64(1), "updatedReplicas": int64(1), "readyReplicas": int64(1),
					"availableReplicas": int64(1), "conditions": []any{map[string]any{"type": "Available", "status": "True"}}},
			}}
		}
	}
}

// bring the unit to where it serves.
func (b *bench) bring() {
	b.Helper()
	b.mustLook()
	b.serve()
	b.now = b.now.Add(time.Minute)
	if again := b.mustLook(); b.receipt().Status.Phase != schemas.PhaseLive || again != 0 {
		b.Fatalf("the unit is %s: %s", b.receipt().Status.Phase, conditions.GetMessage(b.receipt(), "Ready"))
	}
}

func (b *bench) says(condition, reason string) {
	b.Helper()
	if got := conditions.GetReason(b.receipt(), condition); got != reason {
		b.Errorf("%s has the reason %q (%s), want %q", condition, got, conditions.GetMessage(b.receipt(), condition), reason)
	}
}

func (b *bench) did(want ...string) {
	b.Helper()
	if !slices.Equal(b.log, want) {
		b.Errorf("it did %q, want %q", b.log, want)
	}
}

func TestIntentIsOnRecordBeforeAndOutcomeAfterAnApply(t *testing.T) {
	b := newBench(t, low)
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
	if b.stored.Phase != schemas.PhaseApplying || len(b.stored.Inventory) == 0 {
		t.Errorf("before the cluster is touched the receipt says %s and lists %d objects", b.stored.Phase, len(b.stored.Inventory))
	}
	if s := b.receipt().Status; s.Phase != schemas.PhaseVerifying || s.Applied == nil || s.Applied.Blob != s.Approved.Blob {
		t.Errorf("after it the receipt says %s, %+v", s.Phase, s.Applied)
	}
	b.serve()
	if again := b.mustLook(); again <= 0 || again > settleTime || b.receipt().Status.Phase != schemas.PhaseVerifying {
		t.Errorf("KServe's word is taken at once: %s, again after %s", b.receipt().Status.Phase, again)
	}
	b.now = b.now.Add(settleTime)
	if b.mustLook(); b.receipt().Status.Phase != schemas.PhaseLive {
		t.Errorf("it serves and is %s", b.receipt().Status.Phase)
	}
	b.did("inspect")
	version := b.receipt().ResourceVersion
	if again := b.mustLook(); again != 0 || b.receipt().ResourceVersion != version {
		t.Error("a look at a unit in order wrote to its receipt, or asks for another")
	}
}

func TestNothingIsTouchedWithoutARecord(t *testing.T) {
	b := newBench(t, high)
	b.fails["intent apply"] = errors.New("disk full")
	if _, err := b.look(); err == nil {
		t.Error("no error")
	}
	b.did("intent apply")
	b.says("Ready", ReasonNotRecorded)
	delete(b.fails, "intent apply")
	b.bring()

	b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
	b.fails["intent heal"] = errors.New("disk full")
	if _, err := b.look(); err == nil {
		t.Error("no error")
	}
	b.did("inspect", "intent heal")

	b.ledger.Approved[high] = schemas.ApprovedFile{Path: high}
	b.reload()
	b.fails["intent prune"] = errors.New("disk full")
	if _, err := b.look(); err == nil || b.receipt() == nil {
		t.Error("it was removed")
	}
	b.did("intent prune")
}

func TestInterruptedApplyIsDoneAgainWithTheSameRecord(t *testing.T) {
	b := newBench(t, low)
	b.fails["outcome apply"] = errors.New("killed")
	if _, err := b.look(); err == nil || b.receipt().Status.Phase != schemas.PhaseApplying {
		t.Fatalf("%v, %s", err, b.receipt().Status.Phase)
	}
	delete(b.fails, "outcome apply")
	records := len(b.records)
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
	if len(b.records) != records+1 {
		t.Errorf("%d records became %d", records, len(b.records))
	}
}

func TestFailuresKeepTheInventoryAndSayWhy(t *testing.T) {
	unit := unitAt(t, low)
	for _, test := range []struct {
		name   string
		err    error
		reason string
		phase  schemas.ReleasePhase
		begun  bool // something of it may exist
	}{
		{"refused", &apply.RefusedError{Unit: unit, Refusals: []apply.Refusal{{Object: "x", Cause: apply.CauseQuota, Message: "no room"}}}, ReasonRefused, schemas.PhaseFailed, false},
		{"guarded", &apply.PruneGuardError{Unit: unit, Objects: []string{"a"}}, ReasonPruneGuard, schemas.PhaseFailed, false},
		{"partial", &apply.PartialError{Unit: unit, Applied: 1, Total: 3}, ReasonPartial, schemas.PhaseApplying, true},
		{"no answer", fmt.Errorf("try: %w", apply.ErrUnavailable), ReasonUnavailable, schemas.PhaseApplying, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, low)
			for attempt := range 3 {
				b.fails["apply"] = fmt.Errorf("attempt %d: %w", attempt, test.err)
				if _, err := b.look(); !errors.Is(err, test.err) {
					t.Fatalf("got %v", err)
				}
			}
			b.did("intent apply", "apply", "outcome apply")
			b.says("Stalled", test.reason)
			if s := b.receipt().Status; s.Phase != test.phase || (len(s.Inventory) > 0) != test.begun || (s.Begun != "") != test.begun || s.Applied != nil {
				t.Errorf("the receipt says %s with %d objects, applied %v", s.Phase, len(s.Inventory), s.Applied)
			}
			if len(b.records) != 2 {
				t.Errorf("three attempts that fail alike make %d records", len(b.records))
			}
			if n := len(b.events.Events); n != 1 {
				t.Errorf("three attempts that fail alike make %d events", n)
			}
			delete(b.fails, "apply")
			b.bring()
			if conditions.Has(b.receipt(), "Stalled") {
				t.Error("it serves and is stalled")
			}
		})
	}
}

func TestContentThatWasHalfAppliedIsAppliedAgainEvenIfItIsTheOldOne(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	old := b.blobs.content
	text := old[source.ID(b.ledger.Approved[low].Blob)]
	b.blobs.approve(b.ledger, low, strings.Replace(text, `version: "7"`, `version: "8"`, 1))
	b.reload()
	b.fails["apply"] = &apply.PartialError{Unit: b.unit, Applied: 1, Total: 3}
	if _, err := b.look(); err == nil {
		t.Fatal("no error")
	}
	delete(b.fails, "apply")
	b.blobs.approve(b.ledger, low, text)
	b.reload()
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
}

func TestLastGoodStaysWhenTheGovernanceBreaks(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	b.blobs.approve(b.ledger, schemas.GovernancePath, "kind: Nonsense\n")
	b.reload()
	b.mustLook()
	b.did()
	b.says("Stalled", ReasonNotRendered)
	if s := b.receipt().Status; s.Applied == nil || s.Version != "7" {
		t.Errorf("the receipt says %+v", s.Applied)
	}
}

func TestLookWaitsForTheFleetThatTheReceiptAgreesWith(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	stale := b.fleet
	b.blobs.approve(b.ledger, low, "kind: [")
	b.reload()
	b.fleet = stale
	if again := b.mustLook(); again == 0 {
		t.Error("it does not look again")
	}
	b.did()
}

func TestNothingIsSaidOfUnitsBeforeTheWatchesArrived(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	version := b.receipt().ResourceVersion
	b.now = judgedAt
	b.unseen["InferenceService"] = true
	if again := b.mustLook(); again == 0 || b.receipt().ResourceVersion != version {
		t.Error("the receipt was written to before anything could be seen")
	}
	b.did()
	b.now = judgedAt.Add(time.Minute)
	b.mustLook()
	b.did()
	b.says("Ready", ReasonKindNotServed)
	if message := conditions.GetMessage(b.receipt(), "Ready"); !strings.Contains(message, "install KServe") {
		t.Errorf("%q does not say what to do", message)
	}
	b.unseen["InferenceService"] = false
	if b.mustLook(); !conditions.IsTrue(b.receipt(), "Ready") {
		t.Error("it is not ready again")
	}
}

// An environment says that its cluster has these kinds; where it has not, the
// remedy is there.
func TestWhatAnEnvironmentDeclaresAndTheClusterLacksIsSaid(t *testing.T) {
	for kind, remedy := range map[schema.GroupVersionKind]string{
		{Group: "monitoring.coreos.com", Version: "v1", Kind: "PodMonitor"}:     "spec.observability",
		{Group: "monitoring.coreos.com", Version: "v1", Kind: "PrometheusRule"}: "install Prometheus' operator",
		{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}:  "spec.gateway",
		{Group: "example.com", Version: "v1", Kind: "Other"}:                    "take it out of the overlay",
	} {
		b := newBench(t, low)
		b.bring()
		w := &work{Engine: b.engine, receipt: b.receipt()}
		b.now = judgedAt.Add(time.Minute)
		w.awaitKind(kind)
		if message := conditions.GetMessage(w.receipt, "Ready"); !strings.Contains(message, remedy) {
			t.Errorf("%s: %q does not say what to do", kind.Kind, message)
		}
	}
}

func TestModelWaitsForItsNamespace(t *testing.T) {
	b := newBench(t, low)
	delete(b.live, "Namespace//data-science-development")
	if again := b.mustLook(); again == 0 {
		t.Error("it does not look again")
	}
	b.did()
	b.says("Ready", ReasonWaiting)
}

func TestLookNeverWritesTheBranchsPartOfTheReceipt(t *testing.T) {
	b := newBench(t, low)
	receipt := b.receipt()
	later := schemas.ApprovedFile{Path: low, Blob: receipt.Status.Approved.Blob, Commit: "later"}
	b.fails["apply"] = nil
	meanwhile := b.engine.Applier
	b.engine.Applier = applierFunc(func(ctx context.Context, set apply.Set) (apply.Result, error) {
		r := b.receipt()
		r.Status.Approved = &later
		if err := b.client.Status().Update(ctx, r); err != nil {
			t.Error(err)
		}
		return meanwhile.Apply(ctx, set)
	})
	if _, err := b.engine.Reconcile(t.Context(), b.fleet, tip.String(), receipt); err != nil {
		t.Fatal(err)
	}
	if got := b.receipt().Status.Approved.Commit; got != "later" {
		t.Errorf("the standing was written over with %q", got)
	}
}

type applierFunc func(context.Context, apply.Set) (apply.Result, error)

func (f applierFunc) Apply(ctx context.Context, set apply.Set) (apply.Result, error) {
	return f(ctx, set)
}

func (applierFunc) Delete(context.Context, schemas.Unit, []schemas.InventoryEntry) ([]schemas.InventoryEntry, error) {
	return nil, nil
}

func BenchmarkCleanUnit(bb *testing.B) {
	b := newBench(bb, low)
	b.bring()
	receipt := b.receipt()
	for bb.Loop() {
		if _, err := b.engine.Reconcile(bb.Context(), b.fleet, tip.String(), receipt.DeepCopy()); err != nil {
			bb.Fatal(err)
		}
	}
}
