package drift_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

const limit = 2 * time.Minute

var (
	serviceKind = schema.GroupVersionKind{Group: "serving.kserve.io", Version: "v1beta1", Kind: "InferenceService"}
	configKind  = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	resources   = map[string]schema.GroupVersionResource{
		"InferenceService": {Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"},
		"ConfigMap":        {Version: "v1", Resource: "configmaps"},
	}
)

// requests counts what a client asks of the API server.
type requests struct {
	mu   sync.Mutex
	seen []string
}

func (r *requests) wrap(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(inner http.RoundTripper) http.RoundTripper { return counting{r, inner} })
	return cfg
}

type counting struct {
	*requests
	inner http.RoundTripper
}

func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.seen = append(c.seen, request.Method+" "+request.URL.Path)
	c.mu.Unlock()
	return c.inner.RoundTrip(request)
}

func (r *requests) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// fixture is one unit in a real cluster, watched.
type fixture struct {
	testing.TB
	namespace string
	unit      schemas.Unit
	applier   *apply.Applier
	watcher   *drift.Watcher
	inspector *drift.Inspector
	client    dynamic.Interface
	requests  requests
	events    chan drift.Event

	mu        sync.Mutex
	inventory []schemas.InventoryEntry
	drifts    []drift.Event
}

func setup(t *testing.T, kinds ...schema.GroupVersionKind) *fixture {
	t.Helper()
	namespace := cluster.Namespace(t)
	// The team is the namespace, so that tests that share a cluster do not
	// receive each other's events.
	f := &fixture{TB: t, namespace: namespace, events: make(chan drift.Event, 1000),
		unit: schemas.Unit{Team: namespace, Model: "churn", Environment: namespace}}
	cfg := cluster.Config(t)
	counted := f.requests.wrap(cfg)
	var err error
	if f.applier, err = apply.New(counted, apply.Options{}); err != nil {
		t.Fatal(err)
	}
	if f.client, err = dynamic.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	f.watcher, err = drift.NewWatcher(cfg, kinds, drift.WatcherOptions{
		Environments: []string{namespace}, Recorded: f.recorded, OnEvent: f.onEvent,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.inspector = drift.NewInspector(f.applier, f.watcher, drift.InspectorOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	f.synced(kinds...)
	return f
}

func (f *fixture) synced(kinds ...schema.GroupVersionKind) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), limit)
	defer cancel()
	if err := f.watcher.Synced(ctx, kinds...); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) recorded(unit schemas.Unit, entry schemas.InventoryEntry) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.inventory {
		if unit == f.unit && e.Kind == entry.Kind && e.Name == entry.Name && e.Namespace == entry.Namespace {
			return e.Fields, true
		}
	}
	return "", false
}

func (f *fixture) onEvent(event drift.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if event.Drifted {
		f.drifts = append(f.drifts, event)
	}
	f.events <- event
}

// driftEvents are the candidates so far.
func (f *fixture) driftEvents() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, e := range f.drifts {
		names = append(names, e.GVK.Kind+"/"+e.Name)
	}
	return names
}

func (f *fixture) object(text string) *unstructured.Unstructured {
	f.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		f.Fatal(err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(raw); err != nil {
		f.Fatal(err)
	}
	obj.SetNamespace(f.namespace)
	obj.SetLabels(map[string]string{
		schemas.LabelManagedBy: schemas.ManagedByMooring, schemas.LabelTeam: f.unit.Team,
		schemas.LabelModel: f.unit.Model, schemas.LabelEnvironment: f.unit.Environment, schemas.LabelVersion: "1.0",
	})
	return obj
}

const service = `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: churn
  annotations: {serving.kserve.io/deploymentMode: Standard, serving.kserve.io/autoscalerClass: none}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 1
    tolerations: [{key: spot, operator: Exists}]
    model:
      modelFormat: {name: mlflow}
      protocolVersion: v2
      storageUri: s3://models/churn/1
      resources: {requests: {cpu: 100m, memory: 1024Mi}, limits: {cpu: 1000m, memory: 1Gi}}
`

// apply applies and records, as a caller does.
func (f *fixture) apply(objects ...*unstructured.Unstructured) {
	f.Helper()
	f.mu.Lock()
	previous := f.inventory
	f.mu.Unlock()
	result, err := f.applier.Apply(f.Context(), apply.Set{Unit: f.unit, Objects: objects, Previous: previous})
	if err != nil {
		f.Fatal(err)
	}
	f.mu.Lock()
	f.inventory = result.Inventory
	f.mu.Unlock()
}

// await returns the first event that matches.
func (f *fixture) await(what string, matches func(drift.Event) bool) drift.Event {
	f.Helper()
	deadline := time.After(limit)
	for {
		select {
		case event := <-f.events:
			if matches(event) {
				return event
			}
		case <-deadline:
			f.Fatalf("waited %s in vain for %s", limit, what)
		}
	}
}

// patch edits an object as another manager and returns what tells the edit's
// own event from earlier ones.
func (f *fixture) patch(obj *unstructured.Unstructured, manager string, kind types.PatchType, body string) func(drift.Event) bool {
	f.Helper()
	edited, err := f.client.Resource(resources[obj.GetKind()]).Namespace(f.namespace).
		Patch(f.Context(), obj.GetName(), kind, []byte(body), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		f.Fatal(err)
	}
	return func(e drift.Event) bool {
		return e.Drifted && e.Object.GetResourceVersion() == edited.GetResourceVersion()
	}
}

func (f *fixture) inspect(objects ...*unstructured.Unstructured) drift.Inspection {
	f.Helper()
	f.mu.Lock()
	inventory := f.inventory
	f.mu.Unlock()
	found, err := f.inspector.Inspect(f.Context(), objects, inventory)
	if err != nil {
		f.Fatal(err)
	}
	return found
}

// settled waits until memory shows obj as it was recorded.
func (f *fixture) settled(obj *unstructured.Unstructured) {
	f.Helper()
	cluster.Eventually(f, limit, "the recorded state in the cache", func() error {
		live, found := f.watcher.Get(obj.GroupVersionKind(), f.namespace, obj.GetName())
		if !found {
			return fmt.Errorf("%s is not there", obj.GetName())
		}
		hash, err := drift.Fingerprint(live, schemas.FieldManager)
		want, _ := f.recorded(f.unit, apply.Entry(obj))
		if err != nil || hash != want {
			return fmt.Errorf("fingerprint %q (%v), recorded %q", hash, err, want)
		}
		return nil
	})
}

func one(t testing.TB, found drift.Inspection) schemas.DriftedField {
	t.Helper()
	if len(found.Drifted) != 1 {
		t.Fatalf("drift %+v, want one field", found.Drifted)
	}
	return found.Drifted[0]
}

func TestInferenceServiceDriftsAndHeals(t *testing.T) {
	f := setup(t, serviceKind)
	desired := f.object(service)
	f.apply(desired)
	f.await("the service to be ready", func(e drift.Event) bool {
		return e.Name == "churn" && e.HealthChanged && e.Health.Status == apply.Ready
	})
	// By now KServe has defaulted, put a finalizer and written status. An event
	// may have come before the apply's answer was recorded; nothing after.
	f.settled(desired)
	f.requests.take()
	if found := f.inspect(desired); len(found.Drifted)+len(found.Renew) > 0 {
		t.Fatalf("drift without a cause: %+v", found)
	}
	if asked := f.requests.take(); len(asked) > 0 {
		t.Errorf("a look at what is in order asks %v", asked)
	}
	edit := f.patch(desired, "replica-bot", types.MergePatchType, `{"spec":{"predictor":{"minReplicas":3,"maxReplicas":3}}}`)
	f.await("the drift", edit)
	found := f.inspect(desired)
	// A read besides where KServe, whom the edit concerns, too, was quicker than the watch.
	if asked := f.requests.take(); len(asked) == 0 || len(asked) > 2 || !strings.HasPrefix(asked[0], "PATCH ") || len(asked) == 2 && !strings.HasPrefix(asked[1], "GET ") {
		t.Errorf("one look asks %v", asked)
	}
	if len(found.Drifted) != 2 {
		t.Fatalf("drift %+v", found.Drifted)
	}
	got := found.Drifted[1]
	if got.Object != "InferenceService/"+f.namespace+"/churn" || got.Path != ".spec.predictor.minReplicas" || got.Before != "1" || got.After != "3" ||
		got.Manager != "replica-bot" || got.Operation != "Update" || time.Since(got.Since.Time) > limit || got.State != schemas.DriftDetected {
		t.Errorf("drift %+v", got)
	}
	f.apply(desired)
	f.settled(desired)
	if found := f.inspect(desired); len(found.Drifted)+len(found.Renew) > 0 {
		t.Errorf("after healing: %+v", found)
	}
}

func TestWhatDriftIsCalled(t *testing.T) {
	f := setup(t, serviceKind)
	desired := f.object(service)
	f.apply(desired)
	cases := []struct {
		name string
		kind types.PatchType
		body string
		want [3]string // path, before, after
	}{
		{"an item more in our atomic list", types.MergePatchType, `{"spec":{"predictor":{"tolerations":[{"key":"spot","operator":"Exists"},{"key":"gpu","operator":"Exists"}]}}}`,
			[3]string{".spec.predictor.tolerations[key=gpu]", "", `{"key":"gpu","operator":"Exists"}`}},
		{"a changed item of our atomic list", types.MergePatchType, `{"spec":{"predictor":{"tolerations":[{"key":"spot","operator":"Equal","value":"x"}]}}}`,
			[3]string{".spec.predictor.tolerations[key=spot].operator", "Exists", "Equal"}},
		{"a field removed", types.JSONPatchType, `[{"op":"remove","path":"/spec/predictor/model/resources/limits/cpu"}]`,
			[3]string{".spec.predictor.model.resources.limits.cpu", "1", ""}},
		{"a label changed that is text", types.MergePatchType, `{"metadata":{"labels":{"` + schemas.LabelVersion + `":"1"}}}`,
			[3]string{`.metadata.labels["` + schemas.LabelVersion + `"]`, "1.0", "1"}},
	}
	for _, c := range cases {
		f.settled(desired)
		f.await(c.name, f.patch(desired, "someone", c.kind, c.body))
		found := f.inspect(desired)
		if len(found.Drifted) == 0 || [3]string{found.Drifted[0].Path, found.Drifted[0].Before, found.Drifted[0].After} != c.want {
			t.Errorf("%s: %+v, want %q", c.name, found.Drifted, c.want)
		}
		f.apply(desired)
	}
}

func TestWhatIsNoDrift(t *testing.T) {
	f := setup(t, serviceKind)
	desired := f.object(service)
	f.apply(desired)
	// An event may have come before the apply's answer was recorded; none does now.
	f.await("the service to be ready", func(e drift.Event) bool {
		return e.Name == "churn" && e.HealthChanged && e.Health.Status == apply.Ready
	})
	f.settled(desired)
	before := len(f.driftEvents())
	f.patch(desired, "someone", types.MergePatchType, `{"metadata":{"labels":{"note":"x"},"annotations":{"note":"x"}},"spec":{"predictor":{"timeout":30}}}`)
	cluster.Eventually(t, limit, "the edit in the cache", func() error {
		live, _ := f.watcher.Get(serviceKind, f.namespace, "churn")
		if live == nil || live.GetLabels()["note"] != "x" {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if after := f.driftEvents(); len(after) > before {
		t.Errorf("fields that are not ours made events: %v", after[before:])
	}
	// Another spelling takes our ownership away and changes nothing.
	f.patch(desired, "someone", types.MergePatchType, `{"spec":{"predictor":{"model":{"resources":{"limits":{"cpu":"1.0"}}}}}}`)
	f.patch(desired, "someone", types.JSONPatchType, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
	f.await("evidence to be lost", func(e drift.Event) bool {
		if e.Object == nil {
			return false
		}
		_, err := drift.Fingerprint(e.Object, schemas.FieldManager)
		return err != nil
	})
	found := f.inspect(desired)
	if len(found.Drifted) > 0 || len(found.Renew) != 1 || found.Renew[0].Fields != "" {
		t.Fatalf("lost evidence: %+v", found)
	}
	f.apply(desired)
	f.settled(desired)
}

func TestDeletedAndStripped(t *testing.T) {
	f := setup(t, configKind)
	desired := f.object("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: value}")
	f.apply(desired)
	f.settled(desired)
	f.patch(desired, "someone", types.MergePatchType, `{"metadata":{"labels":{"`+schemas.LabelManagedBy+`":"helm"}}}`)
	f.await("the label's loss", func(e drift.Event) bool { return e.Deleted })
	got := one(t, f.inspect(desired))
	if got.Path != `.metadata.labels["`+schemas.LabelManagedBy+`"]` || got.Before != "mooring" || got.After != "helm" || got.Manager != "someone" {
		t.Errorf("stripped: %+v", got)
	}
	f.apply(desired)
	f.settled(desired)
	err := f.client.Resource(resources["ConfigMap"]).Namespace(f.namespace).Delete(t.Context(), "a", metav1.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.await("the deletion", func(e drift.Event) bool { return e.Deleted && e.Drifted && e.Unit == f.unit })
	if got := one(t, f.inspect(desired)); got.Path != "" || got.After != "absent" || got.Object != "ConfigMap/"+f.namespace+"/a" {
		t.Errorf("deleted: %+v", got)
	}
	f.apply(desired)
	f.settled(desired)
}

func TestAKindThatComesLater(t *testing.T) {
	f := setup(t)
	group := strings.ReplaceAll(f.namespace, "-", "") + ".example.com"
	gvk := schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Thing"}
	f.watcher.Watch(gvk, gvk)
	crds := f.client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	crd := &unstructured.Unstructured{}
	body := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"things.%[1]s"},
		"spec":{"group":%[2]q,"names":{"kind":"Thing","plural":"things"},"scope":"Namespaced","versions":[{"name":"v1","served":true,"storage":true,
		"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"count":{"type":"integer"}}}}}}}]}}`, group, group)
	if err := json.Unmarshal([]byte(body), &crd.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := crds.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crds.Delete(context.Background(), crd.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	f.synced(gvk)
	f.apply(f.object("apiVersion: " + group + "/v1\nkind: Thing\nmetadata: {name: a}\nspec: {count: 1}"))
	event := f.await("the first thing", func(e drift.Event) bool { return e.GVK == gvk })
	if event.Unit != f.unit || event.Name != "a" {
		t.Errorf("event %+v", event)
	}
}
