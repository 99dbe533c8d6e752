package render

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/promtool"
)

func TestNothingIsObservedWhereTheEnvironmentDoesNotSaySo(t *testing.T) {
	for _, o := range mustModel(t, canary(withComponents(churn()), 10)) {
		if slices.Contains([]string{monitorKind, rulesKind, kindConfigMap}, o.GetKind()) {
			t.Errorf("%s %s is rendered", o.GetKind(), o.GetName())
		}
	}
}

// targetsOf plays the discovery of Prometheus over a PodMonitor: each container is
// a target for each of its ports, and one without a port if it has none.
func targetsOf(t *testing.T, o *unstructured.Unstructured, ip string) []string {
	t.Helper()
	var spec podMonitorSpec
	content, _, err := unstructured.NestedMap(o.Object, "spec")
	if err != nil {
		t.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &spec); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, component := range []string{componentPredictor, componentTransformer, componentExplainer} {
		for _, container := range []string{"storage-initializer", servingContainer, "agent"} {
			for _, e := range spec.PodMetricsEndpoints {
				labels := map[string]string{
					"__address__": ip, "__meta_kubernetes_pod_ip": ip,
					"__meta_kubernetes_pod_label_component": component, "__meta_kubernetes_pod_container_name": container,
				}
				if e.Port == "" && relabelled(t, e.Relabelings, labels) {
					out = append(out, component+" "+labels["__address__"]+e.Path)
				}
			}
		}
	}
	return out
}

func relabelled(t *testing.T, rules []relabelTo, labels map[string]string) bool {
	t.Helper()
	for _, r := range rules {
		pattern, value := regexp.MustCompile("^(?:"+r.Regex+")$"), labels[r.SourceLabels[0]]
		switch match := pattern.FindStringSubmatchIndex(value); {
		case r.Action == "keep" && match == nil:
			return false
		case r.Action == "replace" && match != nil:
			labels[r.TargetLabel] = string(pattern.ExpandString(nil, r.Replacement, value, match))
		}
	}
	return true
}

func TestPrometheusReadsWhereServersTellWhatTheyCounted(t *testing.T) {
	onGPU := func(in *ModelInput) {
		in.Predictor = &Placement{Pool: llmPool}
		in.Deployment.Spec.Serving.Accelerator = &schemas.Accelerator{Type: "nvidia-a10g", Count: 1}
	}
	speaking := func(p schemas.Protocol) func(*ModelInput) {
		return func(in *ModelInput) { in.Deployment.Spec.Serving.Protocol = p }
	}
	for _, c := range []struct {
		name   string
		format schemas.ModelFormat
		edit   func(*ModelInput)
		want   []string
	}{
		{"MLServer, not where KServe's annotation says", schemas.FormatSKLearn, nil, []string{"predictor 10.1.2.3:8082/metrics"}},
		{"KServe's own servers", schemas.FormatSKLearn, speaking(schemas.ProtocolV1), []string{"predictor 10.1.2.3:8080/metrics"}},
		{"Triton", schemas.FormatONNX, nil, []string{"predictor 10.1.2.3:8002/metrics"}},
		{"the server before TorchServe", schemas.FormatPyTorch, nil, []string{"predictor 10.1.2.3:8080/metrics"}},
		{"vLLM", schemas.FormatVLLM, onGPU, []string{"predictor 10.1.2.3:8080/metrics"}},
		{"TensorFlow Serving counts nothing", schemas.FormatTensorFlow, nil, nil},
		{"TensorFlow on Triton", schemas.FormatTensorFlow, speaking(schemas.ProtocolV2), []string{"predictor 10.1.2.3:8002/metrics"}},
		{"a runtime of the cluster's own", schemas.FormatSKLearn, func(in *ModelInput) { in.Deployment.Spec.Serving.Runtime = "ours" }, nil},
		{"a container of the team's own", schemas.FormatCustom, func(in *ModelInput) {
			in.Deployment.Spec.Serving.Container = &schemas.Container{Image: "registry.example.com/a:1"}
		}, nil},
		{"parts beside it", schemas.FormatLightGBM, func(in *ModelInput) { *in = withComponents(*in) }, []string{
			"predictor 10.1.2.3:8082/metrics", "transformer 10.1.2.3:8080/metrics", "explainer 10.1.2.3:8080/metrics",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := observe(simple("m", c.format, Placement{Pool: computePool}, c.edit), nil)
			var got []string
			for _, o := range mustModel(t, in) {
				if o.GetKind() == monitorKind {
					got = targetsOf(t, o, "10.1.2.3")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("Prometheus reads %q, want %q", got, c.want)
			}
		})
	}
	six := targetsOf(t, find(t, mustModel(t, observe(churn(), nil)), monitorKind), "fd00::1")
	if !slices.Equal(six, []string{"predictor [fd00::1]:8082/metrics"}) {
		t.Errorf("of a pod with an address of IPv6 it reads %q", six)
	}
}

// What the stock runtimes say of their metrics in KServe's own files, but for
// those that are known to be wrong there.
func TestServersAreReadWhereTheirRuntimesSay(t *testing.T) {
	wrong := map[string]string{
		"kserve-mlserver":         "its server has another port for metrics, 8082, unless told otherwise",
		"kserve-torchserve":       "that port is there only where the model's own configuration opens it",
		schemas.RuntimeTensorFlow: "its server has metrics only if told so by a file that the runtime does not have",
	}
	release, files := schemas.KServeVersion{Minor: 20}, installedRuntimes(t, releaseDir(t, "0.20.0"))
	for _, format := range schemas.ModelFormats {
		for _, protocol := range allProtocols {
			stock := schemas.StockRuntime(format, protocol, "", release)
			if stock == nil || wrong[stock.Name] != "" {
				continue
			}
			i := slices.IndexFunc(files, func(r servingRuntime) bool { return r.Metadata.Name == stock.Name })
			o := observed{modelRenderer: &modelRenderer{runtime: runtimeChoice{metrics: stock.Metrics}}}
			if said := files[i].Spec.Annotations["prometheus.kserve.io/port"]; said != fmt.Sprint(o.metricsPort()) {
				t.Errorf("%s: it is read at %d, and its runtime says %s", stock.Name, o.metricsPort(), said)
			}
		}
	}
}

func TestPrometheusReachesEveryPodOfTheModel(t *testing.T) {
	in := observe(withComponents(churn()), nil)
	r := policiesOf(t, mustTenancy(t), mustModel(t, in))
	prometheus := party{namespace: "monitoring", labels: map[string]string{"app": "prometheus"}}
	for _, component := range []string{componentPredictor, componentTransformer, componentExplainer} {
		for _, port := range []int32{serverPort, mlserverPort, tritonPort, 9091} {
			if !r.allowed(t, prometheus, party{namespace: home, labels: podLabels("churn-predictor", component)}, port, "TCP") {
				t.Errorf("Prometheus does not reach the %s at %d", component, port)
			}
		}
	}
}

func TestLabelsOfTheEnvironmentReplaceNoneOfMoorings(t *testing.T) {
	in := observe(churn(), &schemas.Observability{
		Labels:          map[string]string{"release": "prometheus", schemas.LabelTeam: "others"},
		DashboardLabels: map[string]string{"dashboards": "models", schemas.LabelModel: "another"},
	})
	objects := mustModel(t, in)
	for kind, key := range map[string]string{monitorKind: "release", rulesKind: "release", kindConfigMap: "dashboards"} {
		labels := find(t, objects, kind).GetLabels()
		if labels[key] == "" || labels[schemas.LabelTeam] != "data-science" || labels[schemas.LabelModel] != "churn-predictor" {
			t.Errorf("%s has the labels %v", kind, labels)
		}
	}
	if _, both := find(t, objects, kindConfigMap).GetLabels()["grafana_dashboard"]; both {
		t.Error("the labels of the environment do not replace the default")
	}
}

// A canary changes nothing of what watches the model but its version, so that no
// history ends with it.
func TestACanaryIsWatchedWithItsModel(t *testing.T) {
	alone, both := mustModel(t, observe(canary(churn(), 10), nil)), mustModel(t, observe(func() ModelInput {
		in := canary(churn(), 10)
		in.Canary = nil
		return in
	}(), nil))
	for _, kind := range []string{monitorKind, rulesKind, kindConfigMap} {
		a, b := find(t, alone, kind), find(t, both, kind)
		if a.GetName() != b.GetName() || fmt.Sprint(a.Object["spec"], a.Object["data"]) != fmt.Sprint(b.Object["spec"], b.Object["data"]) {
			t.Errorf("%s differs", kind)
		}
	}
	values, _, err := unstructured.NestedSlice(find(t, both, monitorKind).Object, "spec", "selector", "matchExpressions")
	if err != nil || !strings.Contains(fmt.Sprint(values), "churn-predictor-canary") {
		t.Errorf("it selects %v, %v", values, err)
	}
}

// The pods of a model whose name begins like another's are its own.
func TestPodsAreTakenForTheirModelsAlone(t *testing.T) {
	pattern := func(in ModelInput) *regexp.Regexp {
		r, err := newModelRenderer(observe(in, nil))
		if err != nil {
			t.Fatal(err)
		}
		quoted := strings.TrimPrefix(r.observed().pods(), "pod=~")
		return regexp.MustCompile("^(?:" + strings.Trim(quoted, `"`) + ")$")
	}
	named := func(name string, knative bool) ModelInput {
		in := withComponents(simple(name, schemas.FormatSKLearn, Placement{Pool: computePool}, nil))
		if knative {
			in.Environment.Spec.KServe.Mode = schemas.ModeKnative
		}
		return in
	}
	long := strings.Repeat("m", 40)
	for _, c := range []struct {
		model   string
		knative bool
		pod     string
		want    bool
	}{
		{"churn", false, "churn-predictor-6b7f9c8d5f-abcde", true},
		{"churn", false, "churn-canary-predictor-6b7f9c8d5f-abcde", true},
		{"churn", false, "churn-transformer-6b7f9c8d5f-abcde", true},
		{"churn", false, "churn-predictor-predictor-6b7f9c8d5f-abcde", false},
		{"churn-predictor", false, "churn-predictor-predictor-6b7f9c8d5f-abcde", true},
		{"churn", false, "customer-churn-predictor-6b7f9c8d5f-abcde", false},
		{long, false, long + "-canary-predictor-abcde", true},
		{"churn", true, "churn-predictor-00001-deployment-6b7f9c8d5f-abcde", true},
		{"churn", true, "churn-predictor-predictor-00001-deployment-6b7f9c8d5f-abcde", false},
	} {
		if got := pattern(named(c.model, c.knative)).MatchString(c.pod); got != c.want {
			t.Errorf("the pod %s is of the model %s: %t", c.pod, c.model, got)
		}
	}
}

func TestDashboardsHaveAddressesAndFilesOfTheirOwn(t *testing.T) {
	seen := map[string]string{}
	for name, edit := range map[string]func(*ModelInput){
		"the model":           func(*ModelInput) {},
		"another model":       func(in *ModelInput) { in.Deployment.Metadata.Name = "churn" },
		"another team":        func(in *ModelInput) { in.Team.Metadata.Name, in.Deployment.Spec.Team = "risk", "risk" },
		"another environment": func(in *ModelInput) { in.Environment.Metadata.Name = "staging" },
		"another repository":  func(in *ModelInput) { in.Repository = "acme/others" },
	} {
		in := observe(churn(), nil)
		edit(&in)
		d := readDashboard(t, mustModel(t, in))
		if other, twice := seen[d.UID]; twice || len(d.UID) > maxDashboardUID {
			t.Errorf("the dashboards of %s and %s have the address %s", name, other, d.UID)
		}
		seen[d.UID] = name
	}
	in := observe(churn(), nil)
	in.Version, in.Level = "3", schemas.RiskLow
	if seen[readDashboard(t, mustModel(t, in)).UID] != "the model" {
		t.Error("another version has another address")
	}
}

// Grafana draws what a person can read: titles, units, no panel over another, and
// every query has data of its source.
func TestDashboardsCanBeRead(t *testing.T) {
	units := []string{unitRequests, unitShare, unitPercent, unitSeconds, unitBytes, unitMebibyte, unitCount}
	for _, c := range observedCases() {
		d := readDashboard(t, mustModel(t, c.input))
		taken := map[[2]int]string{}
		for i, p := range d.Panels {
			if p.ID != i+1 || p.Title == "" {
				t.Errorf("%s: panel %d is %d, %q", c.name, i, p.ID, p.Title)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= gridWidth {
						t.Fatalf("%s: %q lies over %q or outside", c.name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "text" {
				continue
			}
			if !slices.Contains(units, p.FieldConfig.Defaults.Unit) || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %q has the unit %q, %d queries and the source %v", c.name, p.Title, p.FieldConfig.Defaults.Unit, len(p.Targets), p.Datasource)
			}
		}
		if size := len(d.Panels); size < 4 {
			t.Errorf("%s has %d panels", c.name, size)
		}
	}
}

// A limit that a manifest names is in the alert, and a line in the graph.
func TestLimitsOfTheManifestAreDrawn(t *testing.T) {
	in := observe(churn(), nil)
	rollback := &in.Deployment.Spec.Rollout.Rollback
	rollback.ErrorRate, rollback.Availability, rollback.LatencyP95Factor = percent("2.5%"), percent("99.95%"), 1.5
	want := map[string]float64{"Error rate": 0.025, "Available, last hour": 0.9995, "Replicas ready": 2}
	found := 0
	d := readDashboard(t, mustModel(t, in))
	for _, p := range d.Panels {
		if limit, ok := want[p.Title]; ok && p.FieldConfig.Defaults.Thresholds != nil {
			if found++; *p.FieldConfig.Defaults.Thresholds.Steps[1].Value != limit {
				t.Errorf("%s turns at %v", p.Title, *p.FieldConfig.Defaults.Thresholds.Steps[1].Value)
			}
		}
	}
	if found != 4 {
		t.Errorf("%d limits are drawn", found)
	}
	if !slices.Contains(panelExpressions(t, mustModel(t, in)), `1.5 * mooring_model:latency_seconds:baseline{namespace="data-science-production",model="churn-predictor"}`) {
		t.Error("the limit of the latency is not drawn")
	}
}

func TestWhatIsNotCountedIsSaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		format schemas.ModelFormat
		edit   func(*ModelInput)
		alerts []string
		says   string
	}{
		{"MLServer counts all", schemas.FormatSKLearn, nil, []string{"ModelErrorRateHigh", "ModelLatencyHigh", "ModelMetricsMissing"}, ""},
		{"KServe's servers count no failures", schemas.FormatPMML, nil, []string{"ModelLatencyHigh", "ModelMetricsMissing"}, "not how many fail"},
		{"TensorFlow Serving counts nothing", schemas.FormatTensorFlow, nil, nil, "its server counts nothing"},
		{"a runtime of the cluster's own", schemas.FormatSKLearn, func(in *ModelInput) { in.Deployment.Spec.Serving.Runtime = "ours" }, nil, "the runtime ours"},
		{"a container of the team's own", schemas.FormatCustom, func(in *ModelInput) {
			in.Deployment.Spec.Serving.Container = &schemas.Container{Image: "registry.example.com/a:1"}
		}, nil, "the team's own"},
		{"a mesh counts for all", schemas.FormatTensorFlow, func(in *ModelInput) {
			in.Environment.Spec.Observability = &schemas.Observability{Mesh: schemas.MeshIstio}
		}, []string{"ModelErrorRateHigh", "ModelLatencyHigh"}, ""},
		{"Knative counts for all", schemas.FormatTensorFlow, func(in *ModelInput) { in.Environment.Spec.KServe.Mode = schemas.ModeKnative }, []string{"ModelErrorRateHigh", "ModelLatencyHigh", "ModelMetricsMissing"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := observe(simple("m", c.format, Placement{Pool: computePool}, nil), nil)
			if c.edit != nil {
				c.edit(&in)
			}
			objects := mustModel(t, in)
			text := fmt.Sprint(find(t, objects, rulesKind).Object)
			for _, alert := range []string{"ModelErrorRateHigh", "ModelLatencyHigh", "ModelMetricsMissing", "ModelDown", "ModelStateUnknown"} {
				always := alert == "ModelDown" || alert == "ModelStateUnknown"
				if got, want := strings.Contains(text, "alert:"+alert+" "), always || slices.Contains(c.alerts, alert); got != want {
					t.Errorf("the alert %s is there: %t", alert, got)
				}
			}
			said := ""
			for _, p := range readDashboard(t, objects).Panels {
				said += p.Options.Content
			}
			if !strings.Contains(said, c.says) || c.says == "" && said != "" {
				t.Errorf("the dashboard says %q", said)
			}
		})
	}
}

func TestAlertsSayWhatIsWrongInPlainWords(t *testing.T) {
	t.Parallel()
	in := observe(churn(), nil)
	in.Team.Spec.CostCenter = "{{ $value }}"
	dir := t.TempDir()
	promtool.Write(t, filepath.Join(dir, "rules.yaml"), find(t, mustModel(t, in), rulesKind).Object["spec"])
	input := []map[string]string{}
	for name, values := range mlserver("churn-predictor", "0+94x120", "0+6x120", nil) {
		input = append(input, map[string]string{"series": name, "values": values})
	}
	promtool.Write(t, filepath.Join(dir, "test.yaml"), map[string]any{
		"rule_files": []string{"rules.yaml"}, "evaluation_interval": "30s",
		"tests": []map[string]any{{"interval": "30s", "input_series": input, "alert_rule_test": []map[string]any{{
			"eval_time": "20m", "alertname": "ModelErrorRateHigh", "exp_alerts": []map[string]any{{
				"exp_labels": map[string]string{
					"severity": "critical", "model": "churn-predictor", "namespace": home, "team": "data-science", "environment": "production",
					"cost_center": labelValue("{{ $value }}"), "risk": "high",
				},
				"exp_annotations": map[string]string{
					"summary":     "churn-predictor in production: 6% of the requests fail",
					"description": "More than 5% of the requests have failed for 5m. The limit is spec.rollout.rollback.errorRate of the manifest.",
					"runbook_url": "https://github.com/mlops-platform/mooring/blob/main/docs/operations/observability.md#modelerrorratehigh",
				},
			}},
		}}}},
	})
	promtool.Run(t, dir, "test", "rules", "test.yaml")
}

func TestDurationsAreWrittenAsPrometheusReadsThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", 90 * time.Second: "1m30s", 1500 * time.Millisecond: "1s500ms", 720 * time.Hour: "720h", time.Microsecond: "1ms",
	} {
		if got := promDuration(d); got != want {
			t.Errorf("%s is written %s, want %s", d, got, want)
		}
	}
	slow := observe(churn(), &schemas.Observability{Interval: schemas.Duration(10 * time.Minute)})
	if text := fmt.Sprint(find(t, mustModel(t, slow), rulesKind).Object); !strings.Contains(text, "[40m]") || strings.Contains(text, "[5m]") {
		t.Error("rates are taken over less than a few scrapes")
	}
}
