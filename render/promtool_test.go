package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/promtool"
)

// observedCases are models of every server and of everything that counts before
// one.
func observedCases() []modelCase {
	var out []modelCase
	for _, format := range schemas.ModelFormats {
		for _, setting := range []string{"plain", "knative", "istio", "knative-istio"} {
			in := observe(simple("m-"+string(format), format, Placement{Pool: llmPool}, nil), nil)
			if format == schemas.FormatCustom {
				in.Deployment.Spec.Serving.Container = &schemas.Container{Image: "registry.example.com/a:1"}
			}
			in.Deployment.Spec.Serving.Accelerator = &schemas.Accelerator{Type: "nvidia-a10g", Count: 1}
			if strings.Contains(setting, "knative") {
				in.Environment.Spec.KServe.Mode = schemas.ModeKnative
			}
			if strings.Contains(setting, "istio") {
				in.Environment.Spec.Observability.Mesh = schemas.MeshIstio
			}
			out = append(out, modelCase{string(format) + "-" + setting, in})
		}
	}
	grpc := observe(simple("grpc", schemas.FormatTensorFlow, Placement{Pool: computePool}, nil), &schemas.Observability{Mesh: schemas.MeshIstio})
	grpc.Deployment.Spec.Serving.Protocol = schemas.ProtocolGRPCV1
	idle := observe(simple("idle", schemas.FormatSKLearn, Placement{Pool: computePool}, nil), nil)
	idle.Environment.Spec.KServe.Mode, idle.Deployment.Spec.Serving.Replicas = schemas.ModeKnative, replicas(0, 3)
	return append(out,
		modelCase{"grpc", grpc}, modelCase{"idle", idle},
		modelCase{"parts", observe(withComponents(churn()), nil)},
		modelCase{"canary", observe(canary(churn(), 10), nil)},
	)
}

// Every expression of every rule and panel is PromQL, and every template of an
// alert is one.
func TestPrometheusReadsEveryExpression(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	expressions := 0
	for _, c := range observedCases() {
		objects := mustModel(t, c.input)
		rules := find(t, objects, rulesKind).Object["spec"].(map[string]any)
		var panels []map[string]string
		for _, expr := range panelExpressions(t, objects) {
			panels = append(panels, map[string]string{"record": fmt.Sprintf("panel%d", len(panels)), "expr": expr})
		}
		rules["groups"] = append(rules["groups"].([]any), map[string]any{"name": "panels", "rules": panels})
		expressions += len(panels)
		promtool.Write(t, filepath.Join(dir, c.name+".yaml"), rules)
		files = append(files, c.name+".yaml")
	}
	promtool.Run(t, dir, append([]string{"check", "rules"}, files...)...)
	if expressions < 10*len(files) {
		t.Errorf("of %d dashboards only %d expressions were looked at", len(files), expressions)
	}
}

func panelExpressions(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var out []string
	for _, p := range readDashboard(t, objects).Panels {
		for _, target := range p.Targets {
			out = append(out, target.Expr)
		}
	}
	return out
}

// readDashboard is the model's dashboard as Grafana reads it.
func readDashboard(t *testing.T, objects []*unstructured.Unstructured) (out struct {
	dashboard
	Panels []panel `json:"panels"`
}) {
	t.Helper()
	data, _, err := unstructured.NestedStringMap(find(t, objects, kindConfigMap).Object, "data")
	if err != nil || len(data) != 1 {
		t.Fatalf("%d files, %v", len(data), err)
	}
	for _, text := range data {
		decoder := json.NewDecoder(bytes.NewBufferString(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&out); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return out
}

// series is what Prometheus has read: a selector and its values, one every thirty
// seconds, as promtool writes them.
type series map[string]string

// firing asks whether an alert is raised at a time.
type firing struct {
	alert string
	at    time.Duration
	want  bool
}

// ruleTest is a model, what is read of it, and the alerts that are raised.
type ruleTest struct {
	name   string
	rules  *unstructured.Unstructured
	series series
	expect []firing
}

// runRuleTests lets Prometheus evaluate the rules over the series.
func runRuleTests(t *testing.T, tests []ruleTest) {
	t.Helper()
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			promtool.Write(t, filepath.Join(dir, "rules.yaml"), c.rules.Object["spec"])
			var input []map[string]string
			for name, values := range c.series {
				input = append(input, map[string]string{"series": name, "values": values})
			}
			var asked []map[string]any
			for _, f := range c.expect {
				samples := []map[string]any{}
				if f.want {
					samples = append(samples, map[string]any{"labels": "{}", "value": 1})
				}
				asked = append(asked, map[string]any{
					"expr":      fmt.Sprintf("count(ALERTS{alertname=%q,alertstate=\"firing\"})", f.alert),
					"eval_time": promDuration(f.at), "exp_samples": samples,
				})
			}
			promtool.Write(t, filepath.Join(dir, "test.yaml"), map[string]any{
				"rule_files": []string{"rules.yaml"}, "evaluation_interval": promDuration(ruleInterval),
				"tests": []map[string]any{{"interval": promDuration(ruleInterval), "input_series": input, "promql_expr_test": asked}},
			})
			promtool.Run(t, dir, "test", "rules", "test.yaml")
		})
	}
}
