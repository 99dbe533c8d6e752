package apply_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	unit       = schemas.Unit{Team: "ds", Model: "churn", Environment: "production"}
)

// fixture is a namespace of a real cluster and what the tests do to it.
type fixture struct {
	testing.TB
	*apply.Applier
	client    dynamic.Interface
	namespace string
}

func setup(t testing.TB) fixture {
	t.Helper()
	cfg := cluster.Config(t)
	applier, err := apply.New(cfg, apply.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{TB: t, Applier: applier, client: client, namespace: cluster.Namespace(t)}
}

// object reads a manifest and gives it the labels of u and, unless it is a
// namespace, the fixture's namespace.
func (f fixture) object(u schemas.Unit, text string) *unstructured.Unstructured {
	f.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		f.Fatal(err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(raw); err != nil {
		f.Fatal(err)
	}
	labels := map[string]string{
		schemas.LabelManagedBy: schemas.ManagedByMooring, schemas.LabelTeam: u.Team, schemas.LabelEnvironment: u.Environment,
	}
	if u.Model != "" {
		labels[schemas.LabelModel] = u.Model
	}
	obj.SetLabels(labels)
	if obj.GetKind() != "Namespace" && obj.GetNamespace() == "" {
		obj.SetNamespace(f.namespace)
	}
	return obj
}

func (f fixture) configMap(name, value string) *unstructured.Unstructured {
	return f.object(unit, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+"}\ndata: {key: '"+value+"'}")
}

func (f fixture) mustApply(set apply.Set) apply.Result {
	f.Helper()
	result, err := f.Apply(f.Context(), set)
	if err != nil {
		f.Fatal(err)
	}
	return result
}

func (f fixture) exists(name string) bool {
	f.Helper()
	_, err := f.client.Resource(configMaps).Namespace(f.namespace).Get(f.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		f.Fatal(err)
	}
	return err == nil
}

func (f fixture) refused(err error, causes ...apply.Cause) *apply.RefusedError {
	f.Helper()
	refused := (*apply.RefusedError)(nil)
	if !errors.As(err, &refused) {
		f.Fatalf("error %v, want a refusal", err)
	}
	var got []apply.Cause
	for _, r := range refused.Refusals {
		got = append(got, r.Cause)
		if r.Remedy == "" || r.Message == "" {
			f.Errorf("a refusal that helps nobody: %+v", r)
		}
	}
	if len(got) != len(causes) {
		f.Fatalf("causes %v, want %v: %v", got, causes, err)
	}
	for i := range got {
		if got[i] != causes[i] {
			f.Errorf("causes %v, want %v: %v", got, causes, err)
		}
	}
	return refused
}

func TestApplyPruneAndDelete(t *testing.T) {
	f := setup(t)
	first := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("a", "1"), f.configMap("b", "1")}})
	if len(first.Created) != 2 || len(first.Inventory) != 2 || !strings.HasPrefix(first.Inventory[0].Fields, "v1:") {
		t.Fatalf("first apply %+v", first)
	}
	again := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("a", "1"), f.configMap("b", "1")}, Previous: first.Inventory})
	if len(again.Created) != 0 || again.Inventory[0] != first.Inventory[0] {
		t.Errorf("the same again %+v", again)
	}
	second := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("a", "2")}, Previous: again.Inventory})
	if len(second.Pruned) != 1 || second.Pruned[0].Name != "b" || f.exists("b") || len(second.Inventory) != 1 {
		t.Errorf("second apply %+v", second)
	}
	if second.Inventory[0].Fields == first.Inventory[0].Fields {
		t.Error("another value has the same fingerprint")
	}
	remaining, err := f.Delete(t.Context(), unit, second.Inventory)
	if err != nil || len(remaining) != 0 || f.exists("a") {
		t.Errorf("delete: remaining %v, error %v", remaining, err)
	}
	if remaining, err = f.Delete(t.Context(), unit, second.Inventory); err != nil || len(remaining) != 0 {
		t.Errorf("delete again: remaining %v, error %v", remaining, err)
	}
}

func TestOneRefusalAppliesNothing(t *testing.T) {
	f := setup(t)
	broken := f.configMap("broken", "1")
	broken.Object["dota"] = map[string]any{"key": "1"}
	unknown := f.object(unit, "apiVersion: nowhere.example.com/v1\nkind: Thing\nmetadata: {name: a}")
	elsewhere := f.configMap("far", "1")
	elsewhere.SetNamespace("does-not-exist")
	bare := f.configMap("bare", "1")
	bare.SetLabels(nil)
	cases := []struct {
		name string
		bad  *unstructured.Unstructured
		want apply.Cause
	}{
		{"an unknown field", broken, apply.CauseUnknownField},
		{"a value of the wrong type", f.object(unit, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {key: 1}"), apply.CauseInvalid},
		{"an invalid name", f.configMap("Not_A_Name", "1"), apply.CauseInvalid},
		{"a kind that the cluster lacks", unknown, apply.CauseMissingKind},
		{"a namespace that the cluster lacks", elsewhere, apply.CauseMissingNamespace},
		{"labels that an overlay removed", bare, apply.CauseLabels},
		{"the same object twice", f.configMap("good", "2"), apply.CauseInvalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			result, err := f.Apply(t.Context(), apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("good", "1"), c.bad}})
			f.refused(err, c.want)
			t.Log(err)
			if f.exists("good") || len(result.Inventory) != 0 {
				t.Error("the good one was applied")
			}
		})
	}
}

func TestQuotaRefusesTheWholeSet(t *testing.T) {
	f := setup(t)
	tenancy := schemas.Unit{Team: "ds", Environment: "production"}
	f.mustApply(apply.Set{Unit: tenancy, Objects: []*unstructured.Unstructured{
		f.object(tenancy, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: team}\nspec: {hard: {requests.cpu: '1'}}"),
	}})
	cluster.Eventually(t, limit, "the quota to be counted", func() error {
		quota, err := f.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}).Namespace(f.namespace).Get(t.Context(), "team", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if _, counted, _ := unstructured.NestedMap(quota.Object, "status", "used"); !counted {
			return errors.New("not counted")
		}
		return nil
	})
	greedy := f.object(unit, "apiVersion: v1\nkind: Pod\nmetadata: {name: greedy}\nspec: {containers: [{name: a, image: b, resources: {requests: {cpu: '2'}, limits: {cpu: '2'}}}]}")
	_, err := f.Apply(t.Context(), apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("good", "1"), greedy}})
	refused := f.refused(err, apply.CauseQuota)
	if f.exists("good") || !apierrors.IsForbidden(refused.Refusals[0].Err) {
		t.Errorf("refused with %v, applied %v", err, f.exists("good"))
	}
}

func TestNothingForeignIsTakenOver(t *testing.T) {
	f := setup(t)
	foreign := f.configMap("a", "theirs")
	foreign.SetLabels(nil)
	if _, err := f.client.Resource(configMaps).Namespace(f.namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	set := apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("a", "ours")}}
	_, err := f.Apply(t.Context(), set)
	refusal := f.refused(err, apply.CauseNotOurs).Refusals[0]
	if !strings.Contains(refusal.Remedy, apply.AnnotationAdopt+"=production.ds.churn") {
		t.Errorf("remedy %q", refusal.Remedy)
	}
	// What is about to be applied is announced in the inventory; that makes nothing ours.
	announced := set
	announced.Previous = []schemas.InventoryEntry{apply.Entry(set.Objects[0])}
	_, err = f.Apply(t.Context(), announced)
	f.refused(err, apply.CauseNotOurs)
	f.patch("a", `{"metadata":{"annotations":{"`+apply.AnnotationAdopt+`":"production.ds.churn"}}}`)
	f.mustApply(set)
	other := schemas.Unit{Team: "other", Model: "churn", Environment: "production"}
	_, err = f.Apply(t.Context(), apply.Set{Unit: other, Objects: []*unstructured.Unstructured{f.object(other, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}")}})
	if refusal := f.refused(err, apply.CauseNotOurs).Refusals[0]; !strings.Contains(refusal.Message, "ds/churn in production") {
		t.Errorf("another unit's object: %q", refusal.Message)
	}
	// An inventory that was lost in a crash is no reason to refuse our own, and
	// neither is that it is announced once more, of another version of its API.
	before := f.mustApply(set).Inventory[0]
	before.APIVersion = "v0"
	f.patch("a", `{"metadata":{"labels":null,"annotations":null}}`)
	announced.Previous = append(announced.Previous[:0], before, apply.Entry(set.Objects[0]))
	f.mustApply(announced)
}

func (f fixture) patch(name, body string) {
	f.Helper()
	_, err := f.client.Resource(configMaps).Namespace(f.namespace).Patch(f.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		f.Fatal(err)
	}
}

func TestPruneLeavesWhatIsNoLongerOurs(t *testing.T) {
	f := setup(t)
	keep := f.configMap("keep", "1")
	first := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{keep, f.configMap("released", "1"), f.configMap("moved", "1"), f.configMap("gone", "1")}})
	f.patch("released", `{"metadata":{"labels":{"`+schemas.LabelManagedBy+`":null}}}`)
	f.patch("moved", `{"metadata":{"labels":{"`+schemas.LabelTeam+`":"other"}}}`)
	if err := f.client.Resource(configMaps).Namespace(f.namespace).Delete(t.Context(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	second := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{keep}, Previous: first.Inventory})
	if len(second.Kept) != 2 || len(second.Pruned) != 0 || len(second.Inventory) != 1 || !f.exists("released") || !f.exists("moved") {
		t.Errorf("prune %+v", second)
	}
}

func TestTenancyBringsItsNamespace(t *testing.T) {
	f := setup(t)
	tenancy := schemas.Unit{Team: "ds", Environment: "staging"}
	name := f.namespace + "-team"
	objects := func(quota string) []*unstructured.Unstructured {
		q := f.object(tenancy, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: team, namespace: "+name+"}\nspec: {hard: {requests.cpu: "+quota+"}}")
		return []*unstructured.Unstructured{q, f.object(tenancy, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}")}
	}
	t.Cleanup(func() {
		err := f.client.Resource(namespaces).Delete(context.Background(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	diffs, err := f.Diff(t.Context(), apply.Set{Unit: tenancy, Objects: objects("'1'")})
	if err != nil || len(diffs) != 2 || diffs[0].Action != apply.ActionCreate || diffs[1].Action != apply.ActionCreate {
		t.Fatalf("diff %+v, error %v", diffs, err)
	}
	_, err = f.Apply(t.Context(), apply.Set{Unit: tenancy, Objects: objects("nonsense")})
	f.refused(err, apply.CauseInvalid)
	result := f.mustApply(apply.Set{Unit: tenancy, Objects: objects("'1'")})
	if len(result.Inventory) != 2 || result.Live[0] == nil || result.Live[1] == nil {
		t.Fatalf("apply %+v", result)
	}
	remaining, err := f.Delete(t.Context(), tenancy, result.Inventory)
	if err != nil || len(remaining) != 1 || remaining[0].Kind != "Namespace" {
		t.Errorf("delete: remaining %+v, error %v", remaining, err)
	}
}

func TestDiffWritesNothing(t *testing.T) {
	f := setup(t)
	first := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("same", "1"), f.configMap("changed", "1"), f.configMap("dropped", "1")}})
	set := apply.Set{Unit: unit, Previous: first.Inventory, Objects: []*unstructured.Unstructured{f.configMap("same", "1"), f.configMap("changed", "2"), f.configMap("new", "1"), f.configMap("Bad_Name", "1")}}
	diffs, err := f.Diff(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	want := []apply.Action{apply.ActionUnchanged, apply.ActionChange, apply.ActionCreate, apply.ActionRefused, apply.ActionRemove}
	for i, diff := range diffs {
		if diff.Action != want[i] {
			t.Errorf("%s: %s, want %s (%+v)", diff.Name, diff.Action, want[i], diff.Changes)
		}
	}
	if c := diffs[1].Changes; len(c) != 1 || c[0].Path != ".data.key" || c[0].Before != "1" || c[0].After != "2" {
		t.Errorf("changes %+v", c)
	}
	if f.exists("new") || !f.exists("dropped") {
		t.Error("a diff wrote")
	}
}

func TestTheWebhookOfKServeRefuses(t *testing.T) {
	f := setup(t)
	service := func(name string, replicas string) *unstructured.Unstructured {
		return f.object(unit, `apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: `+name+`}
spec: {predictor: {minReplicas: `+replicas+`, model: {modelFormat: {name: mlflow}, protocolVersion: v2, storageUri: "s3://models/a"}}}`)
	}
	for name, bad := range map[string]*unstructured.Unstructured{
		"a name": service("1churn", "1"), "a negative number": service("churn", "-1"),
	} {
		_, err := f.Apply(t.Context(), apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("good", "1"), bad}})
		f.refused(err, apply.CauseWebhook)
		t.Log(err)
		if f.exists("good") {
			t.Errorf("%s: the good one was applied", name)
		}
	}
}
