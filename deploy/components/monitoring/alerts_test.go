// Package monitoring has the alerts of Mooring itself, as kustomize takes them.
package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/test/promtool"
)

// One thing that fails for ever, such as a fetch with a revoked token, is tried
// once a minute: nothing else tells of it, so that has to be enough.
func TestOneLoopThatFailsOnceAMinuteIsTold(t *testing.T) {
	content, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Spec struct {
			Groups []struct {
				Name  string           `json:"name"`
				Rules []map[string]any `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Spec.Groups {
		for _, r := range g.Rules {
			delete(r, "annotations") // which a case would have to repeat
		}
	}
	dir := t.TempDir()
	promtool.Write(t, filepath.Join(dir, "rules.yaml"), rules.Spec)
	if err := os.WriteFile(filepath.Join(dir, "case.yaml"), []byte(`rule_files: [rules.yaml]
tests:
  - interval: 1m
    input_series:
      - {series: 'controller_runtime_reconcile_errors_total{controller="repositories",pod="a"}', values: '0+1x60'}
      - {series: 'controller_runtime_reconcile_errors_total{controller="units",pod="a"}', values: '0x20 1+0x40'}
    alert_rule_test:
      - eval_time: 40m
        alertname: MooringLoopErrors
        exp_alerts:
          - exp_labels: {severity: warning, controller: repositories}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool.Run(t, dir, "test", "rules", "case.yaml")
}
