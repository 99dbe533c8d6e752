package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/test/promtool"
)

// rule is an alert, as far as the tests look at it.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func monitoring(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return variant{overlay: overlayPath(t, "single"), components: []string{filepath.Join(root(t), "deploy", "components", "monitoring")}}.build(t)
}

func alerts(t *testing.T) []rule {
	t.Helper()
	content, err := json.Marshal(only(t, monitoring(t), "PrometheusRule").Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	var spec struct{ Groups []struct{ Rules []rule } }
	if err := json.Unmarshal(content, &spec); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, g := range spec.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

// panels are the queries of the dashboard by their panel's title.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	text, _, err := unstructured.NestedString(only(t, monitoring(t), "ConfigMap").Object, "data", "mooring.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out[p.Title] = append(out[p.Title], target.Expr)
		}
	}
	return out
}

var (
	metricName = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	// selector is the part of a query in which names are labels and values.
	selector = regexp.MustCompile(`\{[^}]*\}|(by|on|without) \([^)]*\)`)
	function = regexp.MustCompile(`\b[a-z_]+\(`)
)

// others are metrics of controller-runtime, client-go, the kubelet and Prometheus.
var others = []string{
	"leader_election_master_status", "controller_runtime_reconcile_errors_total", "workqueue_depth", "rest_client_requests_total",
	"process_resident_memory_bytes", "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes",
}

// own are Mooring's metrics.
func own(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`//\s+(mooring_\w+)(?:\{[^}]*\})?\s+(gauge|counter|histogram)`).FindAllStringSubmatch(read(t, "reconciler/release/metrics.go"), -1) {
		names = append(names, m[1])
		if m[2] == "histogram" {
			names = append(names, m[1]+"_bucket", m[1]+"_sum", m[1]+"_count")
		}
	}
	if len(names) < 12 {
		t.Fatalf("only %v are found; is the pattern still right?", names)
	}
	return names
}

func TestQueriesAskForMetricsThatAreThere(t *testing.T) {
	known := append(own(t), others...)
	check := func(where, query string) {
		bare := function.ReplaceAllString(selector.ReplaceAllString(query, ""), "(")
		for _, m := range metricName.FindAllString(bare, -1) {
			if !slices.Contains(known, m) {
				t.Errorf("%s asks for %s, which nobody measures: %s", where, m, query)
			}
		}
	}
	used := ""
	for _, r := range alerts(t) {
		check(r.Alert, r.Expr)
		used += r.Expr
	}
	for title, queries := range panels(t) {
		for _, q := range queries {
			check(title, q)
			used += q
		}
	}
	for _, m := range own(t) {
		if stem := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m, "_bucket"), "_sum"), "_count"); !strings.Contains(used, stem) {
			t.Errorf("neither alert nor dashboard looks at %s", m)
		}
	}
	if m := "mooring_misspelt"; slices.Contains(known, m) {
		t.Errorf("%s counts as known, so this test proves nothing", m)
	}
}

func TestEveryAlertLeadsToTheRunbook(t *testing.T) {
	runbook := read(t, "docs/operations/runbook.md")
	for _, r := range alerts(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		url, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		if !strings.HasSuffix(url, "/docs/operations/runbook.md") || !strings.Contains(runbook, `<a id="`+anchor+`"></a>`) || !strings.Contains(runbook, "`"+r.Alert+"`") {
			t.Errorf("%s leads to %s, where nothing is said of it", r.Alert, r.Annotations["runbook_url"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s says nothing", r.Alert)
		}
	}
}

// withoutAnnotations are the rules as the cases want them, which would have to
// repeat every annotation; what those say is tested above.
func withoutAnnotations(t *testing.T) map[string]any {
	t.Helper()
	spec := only(t, monitoring(t), "PrometheusRule").Object["spec"].(map[string]any)
	for _, group := range spec["groups"].([]any) {
		for _, r := range group.(map[string]any)["rules"].([]any) {
			delete(r.(map[string]any), "annotations")
		}
	}
	return spec
}

// promtool parses every query, and plays the cases of testdata/alerts_test.yaml.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	dir := t.TempDir()
	cases := read(t, "test/deploy/testdata/alerts_test.yaml")
	if err := os.WriteFile(filepath.Join(dir, "alerts_test.yaml"), []byte(cases), 0o600); err != nil {
		t.Fatal(err)
	}
	var panelRules []rule
	for _, queries := range panels(t) {
		for _, q := range queries {
			panelRules = append(panelRules, rule{Alert: "Panel", Expr: q})
		}
	}
	promtool.Write(t, filepath.Join(dir, "rules.yaml"), withoutAnnotations(t))
	promtool.Write(t, filepath.Join(dir, "dashboard.yaml"), map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": panelRules}}})
	promtool.Run(t, dir, "check", "rules", "--lint=none", "rules.yaml", "dashboard.yaml")
	promtool.Run(t, dir, "test", "rules", "alerts_test.yaml")
	for _, r := range alerts(t) {
		if !strings.Contains(cases, "alertname: "+r.Alert+"\n") {
			t.Errorf("no case makes %s fire", r.Alert)
		}
	}
}
