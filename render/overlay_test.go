package render

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

const overlayDir = "overlays/production"

// overlayFiles are the files of an overlay; keys are inside its folder.
func overlayFiles(files map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		out[overlayDir+"/"+name] = []byte(data)
	}
	return out
}

func kustomizationOf(text string) map[string]string {
	return map[string]string{kustomizationFile: text}
}

func mustOverlay(t testing.TB, objects []*unstructured.Unstructured, files map[string]string) []*unstructured.Unstructured {
	t.Helper()
	out, findings := Overlay(objects, overlayDir, overlayFiles(files))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return out
}

func field(t *testing.T, u *unstructured.Unstructured, path ...string) any {
	t.Helper()
	v, _, err := unstructured.NestedFieldNoCopy(u.Object, path...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func find(t *testing.T, objects []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, u := range objects {
		if u.GetKind() == kind {
			return u
		}
	}
	t.Fatalf("no %s among %d objects", kind, len(objects))
	return nil
}

// platformOverlay is an overlay with every kind of entry.
var platformOverlay = map[string]string{
	kustomizationFile: `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
components: [mesh]
resources: [network-policy.yaml]
patches:
  - path: priority.yaml
    target: {kind: InferenceService}
  - target: {group: serving.kserve.io, kind: InferenceService, name: churn-.*}
    patch: |-
      - op: add
        path: /spec/predictor/annotations
        value: {prometheus.io/scrape: "true"}
  - patch: |-
      apiVersion: serving.kserve.io/v1beta1
      kind: InferenceService
      metadata: {name: churn-predictor}
      spec: {predictor: {runtimeClassName: gvisor}}
  - patch: |-
      apiVersion: serving.kserve.io/v1beta1
      kind: InferenceService
      metadata: {name: another-model}
      spec: {predictor: {runtimeClassName: kata}}
  - target: {kind: NetworkPolicy}
    patch: '[{"op": "add", "path": "/metadata/annotations", "value": {"owner": "platform"}}]'
labels:
  - pairs: {tier: serving}
commonAnnotations:
  owner: platform
replacements:
  - source: {kind: Namespace, fieldPath: metadata.name}
    targets:
      - select: {kind: ResourceQuota}
        fieldPaths: [metadata.annotations.namespace]
        options: {create: true}
`,
	"priority.yaml": `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: any}
spec:
  predictor: {priorityClassName: models}
`,
	"network-policy.yaml": `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
`,
	"mesh/kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target: {kind: Namespace}
    patch: |-
      - {op: add, path: /metadata/labels/istio-injection, value: enabled}
`,
	"README.md": "not read",
}

func TestAnOverlayPatchesAModel(t *testing.T) {
	objects := mustModel(t, churn())
	before, err := YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	out := mustOverlay(t, objects, platformOverlay)
	golden(t, "overlay-churn-predictor", out)

	service := find(t, out, kserveKind)
	for path, want := range map[string]any{
		"spec.predictor.priorityClassName": "models",
		"spec.predictor.runtimeClassName":  "gvisor",
		"metadata.labels.tier":             "serving",
		"spec.predictor.minReplicas":       int64(2),
	} {
		if got := field(t, service, strings.Split(path, ".")...); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if after, err := YAML(objects); err != nil || string(after) != string(before) {
		t.Errorf("the rendered objects were changed by the overlay (%v)", err)
	}
}

func TestAnOverlayPatchesATenancyAndAddsItsObjects(t *testing.T) {
	out := mustOverlay(t, mustTenancy(t), platformOverlay)
	golden(t, "overlay-tenancy", out)
	policy := find(t, out, "NetworkPolicy")
	if policy.GetNamespace() != "data-science-production" || policy.GetLabels()[schemas.LabelTeam] != "data-science" {
		t.Errorf("the added object is in %q with labels %v", policy.GetNamespace(), policy.GetLabels())
	}
	if got := find(t, out, "ResourceQuota").GetAnnotations()["namespace"]; got != "data-science-production" {
		t.Errorf("the replacement wrote %q", got)
	}
}

func TestAnOverlayMayAddWhatUndoesNothing(t *testing.T) {
	for name, text := range map[string]string{
		"a ConfigMap":            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {containers: '[{}]'}}",
		"a further quota":        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: a}, spec: {hard: {pods: 10}}}",
		"an autoscaler":          "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}}",
		"KEDA's autoscaler":      "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}}",
		"a monitor":              "{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: a}}",
		"a policy without rules": "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}, policyTypes: [Egress]}}",
	} {
		t.Run(name, func(t *testing.T) {
			base := mustTenancy(t)
			out := mustOverlay(t, base, map[string]string{kustomizationFile: "resources: [o.yaml]", "o.yaml": text})
			if len(out) != len(base)+1 {
				t.Errorf("%d objects from %d", len(out), len(base))
			}
		})
	}
}

func TestAnAddedObjectTakesNoRenderedOnesPlace(t *testing.T) {
	quota := find(t, mustTenancy(t), "ResourceQuota").GetName()
	files := overlayFiles(map[string]string{
		kustomizationFile: "resources: [o.yaml]", "o.yaml": "\n{apiVersion: v1, kind: ResourceQuota, metadata: {name: " + quota + "}, spec: {hard: {pods: 999}}}",
	})
	out, findings := Overlay(mustTenancy(t), overlayDir, files)
	if out != nil || len(findings) != 1 || findings[0].Code != CodeOverlayResource || findings[0].File != overlayDir+"/o.yaml" || findings[0].Line != 2 {
		t.Errorf("got %v and %d objects", findings, len(out))
	}
}

func TestAnOverlayThatConcernsNoObjectCostsNoBuild(t *testing.T) {
	objects := mustModel(t, churn())
	out := mustOverlay(t, objects, kustomizationOf(`
resources: []
patches:
  - target: {kind: Namespace}
    patch: '[{"op": "add", "path": "/metadata/labels/x", "value": "y"}]'
`))
	for i := range objects {
		if objects[i] != out[i] {
			t.Errorf("%s was rebuilt", identity(objects[i]))
		}
	}
}

func TestAnOverlayKeepsWhatItDoesNotName(t *testing.T) {
	for _, c := range modelCases() {
		t.Run(c.name, func(t *testing.T) {
			objects := mustModel(t, c.input)
			out := mustOverlay(t, objects, kustomizationOf("commonAnnotations: {owner: platform}\n"))
			for _, u := range out {
				annotations := u.GetAnnotations()
				delete(annotations, "owner")
				if len(annotations) == 0 {
					annotations = nil
				}
				u.SetAnnotations(annotations)
			}
			if diff := cmp.Diff(objects, out); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatAnOverlayMayNotHoldIsRefusedAtItsPlace(t *testing.T) {
	patch := func(text string) map[string]string { return kustomizationOf("patches:\n- " + text + "\n") }
	with := func(entry string, files map[string]string) map[string]string {
		out := kustomizationOf("resources:\n- " + entry + "\n")
		for name, data := range files {
			out[name] = data
		}
		return out
	}
	object := func(text string) map[string]string { return with("o.yaml", map[string]string{"o.yaml": text}) }
	for name, c := range map[string]struct {
		files map[string]string
		want  string // file:line:column inside the folder, and the code
	}{
		"no kustomization":            {map[string]string{"a.yaml": "a: b"}, "kustomization.yaml:0:0 overlay-missing"},
		"a generator":                 {kustomizationOf("configMapGenerator: [{name: a}]"), "kustomization.yaml:1:1 overlay-field"},
		"helm charts":                 {kustomizationOf("labels: []\nhelmCharts: []"), "kustomization.yaml:2:1 overlay-field"},
		"plugins":                     {kustomizationOf("transformers: [a.yaml]"), "kustomization.yaml:1:1 overlay-field"},
		"validators":                  {kustomizationOf("validators: [a.yaml]"), "kustomization.yaml:1:1 overlay-field"},
		"bases":                       {kustomizationOf("bases: [../base]"), "kustomization.yaml:1:1 overlay-field"},
		"crds":                        {kustomizationOf("crds: [a.yaml]"), "kustomization.yaml:1:1 overlay-field"},
		"another schema":              {kustomizationOf("openapi: {path: a.json}"), "kustomization.yaml:1:1 overlay-field"},
		"a namespace":                 {kustomizationOf("namespace: other"), "kustomization.yaml:1:1 overlay-field"},
		"a name prefix":               {kustomizationOf("namePrefix: x-"), "kustomization.yaml:1:1 overlay-field"},
		"labels in selectors":         {kustomizationOf("labels:\n- {pairs: {a: b}, includeSelectors: true}"), "kustomization.yaml:2:3 overlay-field"},
		"one of Mooring's labels":     {kustomizationOf("labels:\n- {pairs: {mlops-platform.com/risk: low}}"), "kustomization.yaml:2:3 overlay-identity"},
		"a remote resource":           {with("https://example.com/a.yaml", nil), "kustomization.yaml:2:3 overlay-path"},
		"a remote repository":         {with("github.com/acme/base?ref=v1", nil), "kustomization.yaml:2:3 overlay-path"},
		"a repository by ssh":         {with("git@github.com/acme/base", nil), "kustomization.yaml:2:3 overlay-path"},
		"a path that is not there":    {with("github.com/acme/base", nil), "kustomization.yaml:2:3 overlay-path"},
		"an absolute path":            {with("/etc/passwd", nil), "kustomization.yaml:2:3 overlay-path"},
		"a path outside":              {with("../staging/a.yaml", nil), "kustomization.yaml:2:3 overlay-path"},
		"a path out and in again":     {with("x/../../production/a.yaml", map[string]string{"a.yaml": ""}), "kustomization.yaml:2:3 overlay-path"},
		"itself":                      {with(".", nil), "kustomization.yaml:2:3 overlay-path"},
		"a folder as resource":        {with("sub", map[string]string{"sub/kustomization.yaml": ""}), "kustomization.yaml:2:3 overlay-path"},
		"the same file twice":         {with("a.yaml\n- a.yaml", map[string]string{"a.yaml": ""}), "kustomization.yaml:3:3 overlay-path"},
		"an unknown component":        {kustomizationOf("components: [gone]"), "kustomization.yaml:1:14 overlay-path"},
		"a generator in a component":  {map[string]string{kustomizationFile: "components: [c]", "c/kustomization.yaml": "kind: Component\nsecretGenerator: []"}, "c/kustomization.yaml:2:1 overlay-field"},
		"an alias":                    {kustomizationOf("labels: &a []\nimages: *a"), "kustomization.yaml:1:9 overlay-syntax"},
		"a tag":                       {kustomizationOf("labels: !!seq []"), "kustomization.yaml:1:9 overlay-syntax"},
		"a key twice":                 {kustomizationOf("labels: []\nlabels: []"), "kustomization.yaml:2:1 overlay-syntax"},
		"two documents":               {kustomizationOf("labels: []\n---\nimages: []"), "kustomization.yaml:1:1 overlay-syntax"},
		"no YAML":                     {kustomizationOf("labels: []\n  x: ["), "kustomization.yaml:1:1 overlay-syntax"},
		"an unknown field of a patch": {patch("{patch: 'a', targets: {}}"), "kustomization.yaml:2:1 overlay-syntax"},
		"a renaming patch":            {patch("{patch: 'a: b', target: {kind: Namespace}, options: {allowNameChange: true}}"), "kustomization.yaml:2:3 overlay-field"},
		"a patch of an unknown kind":  {patch("{patch: '[{op: remove, path: /a}]', target: {kind: InferenceServices}}"), "kustomization.yaml:2:3 overlay-target"},
		"a target that is no pattern": {patch("{patch: '[{op: remove, path: /a}]', target: {name: '('}}"), "kustomization.yaml:2:3 overlay-target"},
		"an aimless patch":            {patch("{patch: '[{op: remove, path: /a}]'}"), "kustomization.yaml:2:3 overlay-patch"},
		"a nameless patch":            {patch("{patch: '{kind: Namespace}'}"), "kustomization.yaml:2:3 overlay-patch"},
		"an empty patch":              {patch("{patch: '', target: {kind: Namespace}}"), "kustomization.yaml:2:3 overlay-patch"},
		"a patch of nonsense":         {patch("{patch: 'hello', target: {kind: Namespace}}"), "kustomization.yaml:2:3 overlay-patch"},
		"a broken patch file":         {map[string]string{kustomizationFile: "patches: [{path: p.yaml}]", "p.yaml": "a: b\nc: &d e"}, "p.yaml:2:4 overlay-syntax"},
		"a Secret":                    {object("{apiVersion: v1, kind: Secret, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a model by hand":             {object("{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a cluster's object":          {object("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"an object elsewhere":         {object("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: kube-system}}"), "o.yaml:1:1 overlay-resource"},
		"Mooring's own kind":          {object("{apiVersion: mlops-platform.com/v1alpha1, kind: ModelRelease, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a list":                      {object("\n{apiVersion: v1, kind: ConfigMapList, metadata: {name: a}}"), "o.yaml:2:1 overlay-resource"},
		"a role's binding":            {object("{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a role":                      {object("{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"an account":                  {object("{apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a namespace as object":       {object("{apiVersion: v1, kind: Namespace, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a pod":                       {object("{apiVersion: v1, kind: Pod, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a deployment":                {object("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a job":                       {object("{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a webhook":                   {object("{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a definition":                {object("{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a route":                     {object("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a graph by hand":             {object("{apiVersion: serving.kserve.io/v1alpha1, kind: InferenceGraph, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"Knative's service":           {object("{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"pods of another kind":        {object("{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: a}, spec: {template: {spec: {containers: [{image: a}]}}}}"), "o.yaml:1:1 overlay-resource"},
		"pods in a list":              {object("{apiVersion: ray.io/v1, kind: RayCluster, metadata: {name: a}, spec: {groups: [{containers: [{image: a}]}]}}"), "o.yaml:1:1 overlay-resource"},
		"a policy that lets all in":   {object("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}, ingress: [{}]}}"), "o.yaml:1:1 overlay-resource"},
		"a policy that lets all out":  {object("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}, egress: [{}], policyTypes: [Egress]}}"), "o.yaml:1:1 overlay-resource"},
		"a policy of a plugin":        {object("{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}}"), "o.yaml:1:1 overlay-resource"},
		"a policy without sense":      {object("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {ingress: all}}"), "o.yaml:1:1 overlay-resource"},
		"a model's label":             {object("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {mlops-platform.com/model: a}}}"), "o.yaml:1:1 overlay-resource"},
		"too much":                    {with("a.yaml", map[string]string{"a.yaml": strings.Repeat("#", maxOverlayBytes)}), "kustomization.yaml:0:0 overlay-too-large"},
		"too deep":                    {kustomizationOf("images: " + strings.Repeat("[", 40) + strings.Repeat("]", 40)), "kustomization.yaml:1:40 overlay-syntax"},
	} {
		t.Run(name, func(t *testing.T) { refusedAt(t, c.files, c.want) })
	}
}

// refusedAt wants an overlay to be refused at one place, for one reason.
func refusedAt(t *testing.T, files map[string]string, want string) {
	t.Helper()
	findings := CheckOverlay(overlayDir, overlayFiles(files))
	if len(findings) != 1 {
		t.Fatalf("got %d findings: %v", len(findings), findings)
	}
	f := findings[0]
	got := fmt.Sprintf("%s:%d:%d %s", strings.TrimPrefix(f.File, overlayDir+"/"), f.Line, f.Column, f.Code)
	if got != want {
		t.Errorf("got %s (%s), want %s", got, f.Message, want)
	}
	if out, found := Overlay(mustModel(t, churn()), overlayDir, overlayFiles(files)); out != nil || !found.Failed() {
		t.Errorf("it was applied all the same")
	}
}

func TestWhatAnOverlayMayNotDoIsRefusedAtTheStepThatDoesIt(t *testing.T) {
	const harmless = "patches:\n- target: {kind: ServiceAccount}\n  patch: '[{op: add, path: /metadata/annotations, value: {a: b}}]'\n"
	const service = "- target: {kind: InferenceService}\n  patch: "
	for name, c := range map[string]struct{ entry, code string }{
		"delete an object":    {service + "'{apiVersion: a/v1, kind: A, metadata: {name: a}, $patch: delete}'", CodeOverlayIdentity},
		"rename an object":    {service + "'[{op: replace, path: /metadata/name, value: b}]'", CodeOverlayIdentity},
		"move an object":      {service + "'[{op: replace, path: /metadata/namespace, value: kube-system}]'", CodeOverlayIdentity},
		"change the kind":     {service + "'[{op: replace, path: /kind, value: Pod}]'", CodeOverlayIdentity},
		"drop all labels":     {service + "'[{op: remove, path: /metadata/labels}]'", CodeOverlayIdentity},
		"change a label":      {service + "'[{op: replace, path: /metadata/labels/mlops-platform.com~1risk, value: low}]'", CodeOverlayIdentity},
		"add such a label":    {service + "'[{op: add, path: /metadata/labels/mlops-platform.com~1x, value: y}]'", CodeOverlayIdentity},
		"hide it as local":    {service + "'[{op: add, path: /metadata/annotations/config.kubernetes.io~1local-config, value: \"true\"}]'", CodeOverlayIdentity},
		"patch what is not":   {service + "'[{op: replace, path: /spec/nothing/here, value: 1}]'", CodeOverlayBuild},
		"have several at one": {service + "'[{op: test, path: /kind, value: Pod}]'", CodeOverlayBuild},
	} {
		t.Run(name, func(t *testing.T) {
			files := overlayFiles(kustomizationOf(harmless + c.entry + "\n"))
			if findings := CheckOverlay(overlayDir, files); len(findings) > 0 {
				t.Fatal(findings)
			}
			out, findings := Overlay(mustModel(t, churn()), overlayDir, files)
			if out != nil || len(findings) != 1 || findings[0].Code != c.code || findings[0].Line != 4 {
				t.Errorf("got %v and %d objects, want %s at line 4", findings, len(out), c.code)
			}
			first := overlayFiles(kustomizationOf("patches:\n" + c.entry + "\n" + strings.TrimPrefix(harmless, "patches:\n")))
			_, findings = Overlay(mustModel(t, churn()), overlayDir, first)
			if len(findings) != 1 || findings[0].Code != c.code || findings[0].Line != 2 {
				t.Errorf("got %v, want %s at line 2", findings, c.code)
			}
		})
	}
}

func TestOneCompiledOverlayServesManyModelsAtOnce(t *testing.T) {
	overlay, findings := CompileOverlay(overlayDir, overlayFiles(platformOverlay))
	if overlay == nil {
		t.Fatal(findings)
	}
	objects := mustModel(t, churn())
	first, _ := overlay.Apply(objects)
	want := Hash(first)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				out, findings := overlay.Apply(objects)
				if got := Hash(out); got != want || len(findings) > 0 {
					t.Errorf("got %s, want %s %v", got, want, findings)
				}
			}
		})
	}
	wg.Wait()
}

// Labels are written without kustomize where nothing else is; it would write the
// same.
func TestLabelsAloneAreWrittenAsKustomizeWritesThem(t *testing.T) {
	const labels = "labels:\n- pairs: {tier: serving, release: other}\n- pairs: {tier: edge}\n"
	objects := mustModel(t, observe(canary(churn(), 10), &schemas.Observability{Labels: map[string]string{"release": "prometheus"}}))
	before, err := YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	alone := mustOverlay(t, objects, kustomizationOf(labels))
	// A patch of everything that changes nothing has kustomize read everything.
	all := mustOverlay(t, objects, kustomizationOf(labels+"patches:\n- target: {labelSelector: app.kubernetes.io/managed-by=mooring}\n"+
		"  patch: '[{op: test, path: /metadata/labels/app.kubernetes.io~1managed-by, value: mooring}]'\n"))
	if diff := cmp.Diff(all, alone); diff != "" {
		t.Errorf("-by kustomize +alone:\n%s", diff)
	}
	if labels := find(t, alone, monitorKind).GetLabels(); labels["tier"] != "edge" || labels["release"] != "other" || labels[schemas.LabelModel] == "" {
		t.Errorf("the labels are %v", labels)
	}
	if after, err := YAML(objects); err != nil || string(after) != string(before) {
		t.Errorf("the rendered objects were changed (%v)", err)
	}
}
