package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

// renderedResources are where the rendered kinds are served.
var renderedResources = map[string]schema.GroupVersionResource{
	"ServiceAccount":      {Version: "v1", Resource: "serviceaccounts"},
	"PodDisruptionBudget": {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	"NetworkPolicy":       {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	"InferenceService":    inferenceServices,
	"InferenceGraph":      {Group: "serving.kserve.io", Version: "v1alpha1", Resource: "inferencegraphs"},
	"HTTPRoute":           {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
	"PodMonitor":          {Group: "monitoring.coreos.com", Version: "v1", Resource: "podmonitors"},
	"PrometheusRule":      {Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheusrules"},
	"ConfigMap":           {Version: "v1", Resource: "configmaps"},
}

// A model as a manifest has it: what stands under spec.model.format and
// spec.serving, and what its environment declares.
type model struct {
	name, format, serving string
	// rollout is YAML for spec.rollout; percent makes it a canary under way.
	rollout string
	percent int32
	knative bool
	// unready: this cluster lacks what KServe would need, so nothing becomes
	// ready. Admission and defaulting are the same.
	unready bool
}

// models are one for each format and protocol that KServe's stock runtimes
// serve, and one for each thing that is rendered in a way of its own.
func models() []model {
	var out []model
	release := schemas.KServeVersion{Minor: 20}
	for _, format := range schemas.ModelFormats {
		for _, protocol := range []schemas.Protocol{schemas.ProtocolV1, schemas.ProtocolV2, schemas.ProtocolGRPCV1, schemas.ProtocolGRPCV2} {
			if format == schemas.FormatCustom || schemas.StockRuntime(format, protocol, "", release) == nil {
				continue
			}
			m := model{name: string(format) + "-" + string(protocol), format: string(format), serving: "protocol: " + string(protocol)}
			if format.NeedsAccelerator() {
				m.serving += ", accelerator: {type: nvidia-a10g, count: 2}"
			}
			out = append(out, m)
		}
	}
	return append(out,
		model{name: "own", format: "custom", serving: `container: {image: "registry.example.com/a:1", args: [x], env: [{name: A, value: b}]}`},
		model{name: "both", format: "lightgbm", serving: `replicas: {min: 2, max: 3}, timeoutSeconds: 30, capacity: spot,
      batcher: {maxBatchSize: 8, maxLatency: 50}, logger: {url: "http://sink.logging.svc/", mode: all},
      env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}],
      transformer: {image: "registry.example.com/t:1", resources: {requests: {cpu: 50m, memory: 64Mi}}},
      explainer: {image: "registry.example.com/e:1", resources: {requests: {cpu: 50m, memory: 64Mi}}}`},
		model{name: "memory", format: "sklearn", serving: "replicas: {min: 1, max: 3}, autoscaling: {metric: memory, target: 70}"},
		model{name: "external", format: "sklearn", serving: "replicas: {min: 1, max: 3}, autoscaling: {metric: external}"},
		model{name: "scores", format: "xgboost", serving: "graph: {router: sequence, steps: [{model: scores}, {model: memory, data: response, optional: true}]}"},
		model{name: "ranker", format: "sklearn", rollout: "canary: {steps: [10, 50], interval: 10m}", percent: 10},
		model{name: "keda", format: "sklearn", serving: "replicas: {min: 1, max: 3}, autoscaling: {metric: prometheus, target: 5, query: sum(up)}", unready: true},
		model{name: "bursty", format: "sklearn", serving: "replicas: {min: 0, max: 3}, autoscaling: {metric: rps, target: 5}", knative: true, unready: true},
		model{name: "shifting", format: "sklearn", rollout: "canary: {steps: [10, 50], interval: 10m}", percent: 10, knative: true, unready: true},
	)
}

const manifest = `apiVersion: mlops-platform.com/v1alpha1
kind: ModelDeployment
metadata: {name: %s}
spec:
  team: data-science
  environment: production
  model: {name: m, version: "1", format: %s}
  serving: {resources: {requests: {cpu: 50m, memory: 64Mi}}%s}
  rollout: {%s}
  governance: {businessImpact: low, customerExposure: none, dataSensitivity: internal, regulations: [], explainability: none}
`

// input places the model on the pools of the example.
func (m model) input(t *testing.T, namespace string) render.ModelInput {
	t.Helper()
	serving := ""
	if m.serving != "" {
		serving = ", " + m.serving
	}
	doc, findings := schemas.ParseModelDeployment("f.yaml", fmt.Appendf(nil, manifest, m.name, m.format, serving, m.rollout))
	if doc == nil {
		t.Fatalf("%s: %v", m.name, findings)
	}
	team := read(t, "teams/data-science.yaml", schemas.ParseTeam)
	env := read(t, "environments/production.yaml", schemas.ParseEnvironment)
	env.Spec.Namespace = namespace
	env.Spec.KServe.KEDA = &schemas.KEDA{Prometheus: "http://prometheus.monitoring:9090"}
	if m.knative {
		env.Spec.KServe = schemas.KServe{Version: "0.20", Mode: schemas.ModeKnative}
	} else if m.percent > 0 {
		env.Spec.Gateway = &schemas.Gateway{Name: "models", Namespace: "gateway-system", Hostname: "{model}.{team}.models.example.com"}
	}
	placed, refusals := placement.ForDeployment(env.Spec, doc.Value)
	if len(refusals) > 0 {
		t.Fatalf("%s: %v", m.name, refusals)
	}
	in := render.ModelInput{
		Repository: "acme/models", Deployment: &doc.Value, Team: team, Environment: env, Version: "1",
		StorageURI: "s3://mlops-models/m/v1", Level: schemas.RiskLow,
	}
	for component, into := range map[string]**render.Placement{
		placement.Predictor: &in.Predictor, placement.Transformer: &in.Transformer, placement.Explainer: &in.Explainer, placement.Router: &in.Router,
	} {
		if choice, ok := placed.Of(component); ok {
			for _, pool := range env.Spec.Pools {
				if pool.Name == choice.Pool {
					*into = &render.Placement{Pool: pool, Capacity: choice.Capacity}
				}
			}
		}
	}
	if m.percent > 0 {
		stable := in
		in.Version, in.StorageURI = "2", "s3://mlops-models/m/v2"
		in.Canary = &render.Canary{Percent: m.percent, Stable: &stable}
	}
	return in
}

func read[T any](t *testing.T, path string, parse func(string, []byte) (*schemas.Document[T], schemas.Findings)) *T {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../example-repo", path))
	if err != nil {
		t.Fatal(err)
	}
	doc, findings := parse(path, content)
	if doc == nil {
		t.Fatal(findings)
	}
	return &doc.Value
}

// Everything that is rendered is accepted by the API server with KServe's CRDs
// and webhooks on, KServe makes it serve, and to apply it again after that
// changes nothing: no field is rendered that somebody else writes, and none is
// left to a default that somebody fills in.
func TestWhatIsRenderedServesAndStaysAsItIs(t *testing.T) {
	config := cluster.Config(t)
	installRoutes(t, config)
	giveRouter(t, config)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	namespace := cluster.Namespace(t)
	kinds := map[string]int{}
	rendered := map[string][]*unstructured.Unstructured{}
	for _, m := range models() {
		objects, err := render.Model(m.input(t, namespace))
		if err != nil {
			t.Fatal(err)
		}
		rendered[m.name] = objects
		for _, o := range objects {
			kinds[o.GetKind()]++
			if _, err := applied(t, client, o, false); err != nil {
				t.Errorf("%s: %s %s is refused: %v", m.name, o.GetKind(), o.GetName(), err)
			}
		}
	}
	for kind := range renderedResources {
		if kinds[kind] == 0 {
			t.Errorf("no %s was rendered", kind)
		}
	}
	if t.Failed() {
		return
	}
	for _, m := range models() {
		t.Run(m.name, func(t *testing.T) {
			for _, o := range rendered[m.name] {
				if !m.unready {
					awaitHealthy(t, client, o)
				}
				expectUnchanged(t, client, o)
			}
		})
	}
}

func applied(t *testing.T, client dynamic.Interface, o *unstructured.Unstructured, dryRun bool) (*unstructured.Unstructured, error) {
	t.Helper()
	options := metav1.ApplyOptions{FieldManager: schemas.FieldManager, Force: true}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return client.Resource(renderedResources[o.GetKind()]).Namespace(o.GetNamespace()).Apply(t.Context(), o.GetName(), o, options)
}

func awaitHealthy(t *testing.T, client dynamic.Interface, o *unstructured.Unstructured) {
	t.Helper()
	cluster.Eventually(t, patience, o.GetKind()+" "+o.GetName(), func() error {
		live, err := client.Resource(renderedResources[o.GetKind()]).Namespace(o.GetNamespace()).Get(t.Context(), o.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if health := apply.HealthOf(live); health.Status != apply.Ready {
			return errors.New(health.Reason + ": " + health.Message)
		}
		return nil
	})
}

// expectUnchanged holds a dry run of the same apply against the live object, as it
// was before and after: what KServe writes meanwhile is no change of the apply's.
func expectUnchanged(t *testing.T, client dynamic.Interface, o *unstructured.Unstructured) {
	t.Helper()
	resource := client.Resource(renderedResources[o.GetKind()]).Namespace(o.GetNamespace())
	var live, again *unstructured.Unstructured
	cluster.Eventually(t, patience, o.GetKind()+" "+o.GetName()+" to be left alone for a moment", func() (err error) {
		if live, err = resource.Get(t.Context(), o.GetName(), metav1.GetOptions{}); err != nil {
			return err
		}
		if again, err = applied(t, client, o, true); err != nil {
			return err
		}
		after, err := resource.Get(t.Context(), o.GetName(), metav1.GetOptions{})
		if err == nil && after.GetResourceVersion() != live.GetResourceVersion() {
			err = fmt.Errorf("from resource version %s it came to %s", live.GetResourceVersion(), after.GetResourceVersion())
		}
		return err
	})
	if diff := cmp.Diff(desiredPart(live), desiredPart(again)); diff != "" {
		t.Errorf("%s %s would be changed (-live +applied again):\n%s", o.GetKind(), o.GetName(), diff)
	}
	// No defaulter and no controller had to add to the specification.
	if slices.Contains([]string{"InferenceGraph", "HTTPRoute", "PodMonitor", "PrometheusRule"}, o.GetKind()) {
		if diff := cmp.Diff(o.Object["spec"], live.Object["spec"]); diff != "" {
			t.Errorf("%s %s is not as rendered (-rendered +live):\n%s", o.GetKind(), o.GetName(), diff)
		}
	}
}

func desiredPart(o *unstructured.Unstructured) map[string]any {
	content := o.DeepCopy().Object
	delete(content, "status")
	metadata := content["metadata"].(map[string]any)
	delete(metadata, "managedFields")
	delete(metadata, "resourceVersion")
	return content
}

// installRoutes serves HTTPRoutes by the definition of the module that KServe
// itself is built with.
func installRoutes(t *testing.T, config *rest.Config) {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	list.Dir = "../../tools/kserve"
	out, err := list.Output()
	var content []byte
	if err == nil {
		content, err = os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"))
	}
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("the Gateway API's definitions are missing (go mod download in tools/kserve fetches them): %v", err)
	case err != nil:
		t.Skipf("the Gateway API's definitions are missing (go mod download in tools/kserve fetches them): %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "httproutes.yaml"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := controlplane.InstallCRDs(t.Context(), config, dir); err != nil {
		t.Fatal(err)
	}
}

// giveRouter tells KServe's manager what the routers of graphs are made of. It
// reads that anew for each graph.
func giveRouter(t *testing.T, config *rest.Config) {
	t.Helper()
	const router = `{"data": {"router": "{\"image\": \"kserve/router:v0.20.0\", \"cpuRequest\": \"100m\", \"cpuLimit\": \"1\", \"memoryRequest\": \"100Mi\", \"memoryLimit\": \"1Gi\"}"}}`
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("kserve").
		Patch(t.Context(), "inferenceservice-config", types.MergePatchType, []byte(router), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
