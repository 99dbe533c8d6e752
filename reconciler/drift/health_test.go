package drift_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

var deploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}

func TestAFailureIsAnEvent(t *testing.T) {
	f := setup(t, serviceKind)
	desired := f.object(service)
	// The runtimes for mlflow speak v2 alone.
	if err := unstructured.SetNestedField(desired.Object, "v1", "spec", "predictor", "model", "protocolVersion"); err != nil {
		t.Fatal(err)
	}
	f.apply(desired)
	event := f.await("the failure", func(e drift.Event) bool { return e.HealthChanged && e.Health.Status == apply.Failed })
	if event.Health.Reason != "NoSupportingRuntime" || event.Health.Message == "" {
		t.Errorf("health %+v", event.Health)
	}
	// The way back: fixed, it must not stay failed.
	fixed := f.object(service)
	f.apply(fixed)
	f.await("recovery", func(e drift.Event) bool { return e.HealthChanged && e.Health.Status == apply.Ready })
}

// KServe labels its Deployment like the InferenceService, so the same watch
// selector delivers it; it is in no inventory and never drifts.
func TestRolloutFollowsTheDeployment(t *testing.T) {
	f := setup(t, serviceKind, deploymentKind)
	rollout := func() apply.Health {
		live, _ := f.watcher.Get(serviceKind, f.namespace, "churn")
		deployment, _ := f.watcher.Get(deploymentKind, f.namespace, "churn-predictor")
		return apply.RolloutOf(live, deployment)
	}
	ready := func() error {
		if got := rollout(); got.Status != apply.Ready {
			return fmt.Errorf("rollout %+v", got)
		}
		return nil
	}
	f.apply(f.object(service))
	cluster.Eventually(t, limit, "the first version", ready)
	next := f.object(service)
	labels := next.GetLabels()
	labels[schemas.LabelVersion] = "2"
	next.SetLabels(labels)
	if err := unstructured.SetNestedField(next.Object, "s3://models/churn/2", "spec", "predictor", "model", "storageUri"); err != nil {
		t.Fatal(err)
	}
	f.apply(next)
	f.settled(next)
	cluster.Eventually(t, limit, "the second version", ready)
	deployment, _ := f.watcher.Get(deploymentKind, f.namespace, "churn-predictor")
	version, _, _ := unstructured.NestedString(deployment.Object, "spec", "template", "metadata", "labels", schemas.LabelVersion)
	if version != "2" {
		t.Errorf("the rollout is called complete with version %q", version)
	}
	for _, name := range f.driftEvents() {
		if name == "Deployment/churn-predictor" {
			t.Error("KServe's own Deployment is taken for drift")
		}
	}
}

// line is the network to the API server; it can be cut.
type line struct {
	mu    sync.Mutex
	open  []net.Conn
	isCut atomic.Bool
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isCut.Load() {
		return nil, fmt.Errorf("the line to %s is cut", address)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		l.mu.Lock()
		l.open = append(l.open, conn)
		l.mu.Unlock()
	}
	return conn, err
}

func (l *line) cut(t testing.TB) {
	l.isCut.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		if err := conn.Close(); err != nil {
			t.Log(err)
		}
	}
	l.open = nil
}

func TestTheWatchSurvivesALostAPIServer(t *testing.T) {
	f := setup(t, configKind)
	l := &line{}
	cfg := cluster.Config(t)
	cfg.Dial = l.dial
	events := make(chan drift.Event, 1000)
	watcher, err := drift.NewWatcher(cfg, []schema.GroupVersionKind{configKind}, drift.WatcherOptions{
		Environments: []string{f.namespace}, Recorded: f.recorded, OnEvent: func(e drift.Event) { events <- e },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.events = events
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	go func() { done <- watcher.Run(ctx) }()
	desired := f.object("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: value}")
	gone := f.object("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}")
	f.apply(desired, gone)
	first := map[string]bool{}
	f.await("the first sight of both", func(e drift.Event) bool {
		first[e.Name] = true
		return first["a"] && first["b"]
	})
	l.cut(t)
	f.patch(desired, "someone", "application/merge-patch+json", `{"data":{"key":"other"}}`)
	maps := f.client.Resource(resources["ConfigMap"]).Namespace(f.namespace)
	if err := maps.Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.isCut.Store(false)
	seen := map[string]bool{}
	f.await("what happened meanwhile", func(e drift.Event) bool {
		seen[e.Name] = seen[e.Name] || (e.Drifted && e.Deleted == (e.Name == "b"))
		return seen["a"] && seen["b"]
	})
}
