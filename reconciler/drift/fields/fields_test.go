package fields

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"
)

const manager = "mooring"

// owners maps "manager/operation" to FieldsV1.
func object(t testing.TB, text string, owners map[string]string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	var entries []metav1.ManagedFieldsEntry
	for owner, set := range owners {
		operation := metav1.ManagedFieldsOperationUpdate
		if owner == manager {
			operation = metav1.ManagedFieldsOperationApply
		}
		entries = append(entries, metav1.ManagedFieldsEntry{
			Manager: owner, Operation: operation, APIVersion: obj.GetAPIVersion(),
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(set),
			Time: &metav1.Time{Time: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)},
		})
	}
	obj.SetManagedFields(entries)
	return obj
}

const service = `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: churn
  namespace: ds
  labels: {version: "1.0", foreign: x}
spec:
  predictor:
    minReplicas: 2
    maxReplicas: 5
    model:
      resources:
        requests: {cpu: "1", memory: 2Gi}
    tolerations:
    - {key: gpu, operator: Exists}
status:
  ready: true
`

const ours = `{"f:metadata":{"f:labels":{"f:version":{}}},"f:spec":{"f:predictor":{"f:minReplicas":{},
 "f:model":{"f:resources":{"f:requests":{"f:cpu":{},"f:memory":{}}}},"f:tolerations":{}}}}`

func hash(t testing.TB, obj *unstructured.Unstructured) string {
	t.Helper()
	h, err := Hash(obj, manager)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func set(v any, path ...string) func(*unstructured.Unstructured) {
	return func(obj *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(obj.Object, v, path...); err != nil {
			panic(err)
		}
	}
}

func TestHash(t *testing.T) {
	cases := []struct {
		name string
		edit func(*unstructured.Unstructured)
		same bool
	}{
		{"another spelling of the same quantity is no change", set("1000m", "spec", "predictor", "model", "resources", "requests", "cpu"), true},
		{"a quantity written as a number is no change", set(int64(1), "spec", "predictor", "model", "resources", "requests", "cpu"), true},
		{"2Gi and its bytes are no change", set("2147483648", "spec", "predictor", "model", "resources", "requests", "memory"), true},
		{"another quantity is a change", set("1001m", "spec", "predictor", "model", "resources", "requests", "cpu"), false},
		{"a number written as a float is no change", set(float64(2), "spec", "predictor", "minReplicas"), true},
		{"another number is a change", set(int64(3), "spec", "predictor", "minReplicas"), false},
		{"a number as a string is a change", set("2", "spec", "predictor", "minReplicas"), false},
		{"a label is text, so 1.0 is not 1", set("1", "metadata", "labels", "version"), false},
		{"a foreign label is no change", set("y", "metadata", "labels", "foreign"), true},
		{"a field that is not owned is no change", set(int64(9), "spec", "predictor", "maxReplicas"), true},
		{"status is no change", set(false, "status", "ready"), true},
		{"an item more in an owned list is a change", set([]any{
			map[string]any{"key": "gpu", "operator": "Exists"}, map[string]any{"key": "x"},
		}, "spec", "predictor", "tolerations"), false},
		{"a removed field is a change", func(obj *unstructured.Unstructured) {
			unstructured.RemoveNestedField(obj.Object, "spec", "predictor", "minReplicas")
		}, false},
		{"a hostile exponent is text", set("1e999999999", "spec", "predictor", "model", "resources", "requests", "cpu"), false},
	}
	base := hash(t, object(t, service, map[string]string{manager: ours}))
	if !SameVersion(base) || len(base) != len("v1:")+64 {
		t.Fatalf("hash %q", base)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			obj := object(t, service, map[string]string{manager: ours, "kubectl": `{"f:metadata":{"f:labels":{"f:foreign":{}}}}`})
			c.edit(obj)
			if got := hash(t, obj) == base; got != c.same {
				t.Errorf("same = %v, want %v", got, c.same)
			}
		})
	}
}

func TestHashPinned(t *testing.T) {
	// A change here needs a new Version: else every model in every cluster
	// would be inspected after an upgrade as if it had drifted.
	const pinned = "v1:f0864e64fb98c780305bfd46060fe1c27064079fc6094defb463fc81420c7b46"
	if got := hash(t, object(t, service, map[string]string{manager: ours})); got != pinned {
		t.Errorf("hash %s, pinned %s", got, pinned)
	}
}

func TestOwnedMapThatOthersFill(t *testing.T) {
	text := "apiVersion: v1\nkind: Thing\nmetadata: {name: a}\nspec: {resources: {}}\n"
	own := `{"f:spec":{"f:resources":{}}}`
	empty := hash(t, object(t, text, map[string]string{manager: own}))
	filled := object(t, text, map[string]string{manager: own, "other": `{"f:spec":{"f:resources":{"f:limits":{"f:cpu":{}}}}}`})
	set("1", "spec", "resources", "limits", "cpu")(filled)
	if hash(t, filled) != empty {
		t.Error("a granular map applied as {} takes in what another manager put there")
	}
	atomic := object(t, text, map[string]string{manager: own})
	set("1", "spec", "resources", "limits", "cpu")(atomic)
	if hash(t, atomic) == empty {
		t.Error("the content of an atomic map does not count")
	}
}

func TestNoEvidence(t *testing.T) {
	for name, owners := range map[string]map[string]string{
		"managedFields cleared":       nil,
		"only others":                 {"kubectl": ours},
		"an entry that owns nothing":  {manager: `{}`},
		"an entry of another manager": {"mooring2": ours},
	} {
		if _, err := Hash(object(t, service, owners), manager); !errors.Is(err, ErrNoEvidence) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	update := object(t, service, map[string]string{manager: ours})
	entries := update.GetManagedFields()
	entries[0].Operation = metav1.ManagedFieldsOperationUpdate
	update.SetManagedFields(entries)
	if _, err := Hash(update, manager); !errors.Is(err, ErrNoEvidence) {
		t.Errorf("our name, but not by apply: error %v", err)
	}
}

func TestListsByKey(t *testing.T) {
	text := `
apiVersion: v1
kind: Thing
metadata: {name: a, finalizers: [first, second]}
spec: {ports: [{port: 1, protocol: TCP, name: a}, {port: 2, protocol: TCP, name: b}]}
`
	own := `{"f:metadata":{"f:finalizers":{"v:\"second\"":{}}},"f:spec":{"f:ports":{"k:{\"port\":2,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{}}}}}`
	base := object(t, text, map[string]string{manager: own})
	other := base.DeepCopy()
	ports, _, _ := unstructured.NestedSlice(other.Object, "spec", "ports")
	ports[0], ports[1] = ports[1], ports[0]
	set(ports, "spec", "ports")(other)
	if hash(t, base) != hash(t, other) {
		t.Error("order of a keyed list counts")
	}
	ports[0].(map[string]any)["name"] = "c"
	set(ports, "spec", "ports")(other)
	if hash(t, base) == hash(t, other) {
		t.Error("a change of our item does not count")
	}
	set([]any{"first"}, "metadata", "finalizers")(base)
	owned, err := Owned(base, manager)
	if err != nil {
		t.Fatal(err)
	}
	got := OwnedChanges(object(t, text, nil), base, owned)
	if len(got) != 1 || got[0].Path != ".metadata.finalizers[second]" || got[0].Before != "second" || got[0].After != "" {
		t.Errorf("changes %+v", got)
	}
}

func TestChanges(t *testing.T) {
	before := `
apiVersion: v1
kind: Thing
metadata: {name: a, annotations: {example.com/a: x}}
spec:
  n: 1
  containers:
  - {name: main, image: a, env: [{name: LEVEL, value: info}, {name: DB_PASSWORD, value: one}]}
  args: [a, b]
`
	after := `
apiVersion: v1
kind: Thing
metadata: {name: a, annotations: {example.com/a: z}, resourceVersion: "9"}
spec:
  n: 1.0
  containers:
  - {name: side, image: z, env: [{name: API_TOKEN, value: two}]}
  - {name: main, image: b, env: [{name: LEVEL, value: debug}, {name: DB_PASSWORD, value: two}]}
  args: [b, a]
status: {x: 1}
`
	got := map[string][2]string{}
	for _, c := range Changes(object(t, before, nil), object(t, after, nil)) {
		got[c.Path] = [2]string{c.Before, c.After}
	}
	want := map[string][2]string{
		`.metadata.annotations["example.com/a"]`:                  {"x", "z"},
		`.spec.args`:                                              {`["a","b"]`, `["b","a"]`},
		`.spec.containers[name=main].image`:                       {"a", "b"},
		`.spec.containers[name=main].env[name=LEVEL].value`:       {"info", "debug"},
		`.spec.containers[name=main].env[name=DB_PASSWORD].value`: {"(hidden)", "(hidden) (differs)"},
		`.spec.containers[name=side]`:                             {"", `{"env":[{"name":"API_TOKEN","value":"(hidden)"}],"image":"z","name":"side"}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	before := object(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: b25l}\nstringData: {x: plain}\n", nil)
	after := object(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {note: b25l}}\ndata: {k: dHdv}\n", nil)
	raw, err := json.Marshal(Changes(before, after))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"b25l", "dHdv", "plain"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is shown in %s", secret, raw)
		}
	}
	if got := Redact("git https://user:pw@host/x"); strings.Contains(got, "pw") {
		t.Errorf("redacted: %s", got)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	long := make([]rune, 5000)
	for i := range long {
		long[i] = 'ä'
	}
	got := shorten(string(long))
	if n := len([]rune(got)); n != MaxValue {
		t.Errorf("%d characters", n)
	}
}

func TestAuthor(t *testing.T) {
	obj := object(t, service, map[string]string{
		manager:        ours,
		"kubectl-edit": `{"f:spec":{"f:predictor":{"f:minReplicas":{},"f:containers":{}}}}`,
	})
	for path, want := range map[string]bool{"minReplicas": true, "maxReplicas": false} {
		author, ok := AuthorOf(obj, fieldpath.MakePathOrDie("spec", "predictor", path), manager)
		if ok != want || (ok && (author.Manager != "kubectl-edit" || author.Operation != "Update" || author.At.IsZero())) {
			t.Errorf("%s: %+v, %v", path, author, ok)
		}
	}
	if _, ok := AuthorOf(obj, fieldpath.MakePathOrDie("spec", "predictor", "containers", 0, "image"), manager); !ok {
		t.Error("the owner of an atomic list is not found for a field inside it")
	}
}

func BenchmarkHash(b *testing.B) {
	obj := object(b, service, map[string]string{manager: ours, "kserve": `{"f:metadata":{"f:finalizers":{".":{},"v:\"x\"":{}}}}`})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Hash(obj, manager); err != nil {
			b.Fatal(err)
		}
	}
}
