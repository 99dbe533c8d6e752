// Package monitoring has the alerts of Mooring itself, as kustomize takes them.
package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/test/promtool"
)

// rules writes the alerts where promtool reads them, with the annotations of one
// alone: a case has to repeat them.
func rules(t *testing.T, dir, annotated string) {
	t.Helper()
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
			if r["alert"] != annotated {
				delete(r, "annotations")
			}
		}
	}
	promtool.Write(t, filepath.Join(dir, "rules.yaml"), rules.Spec)
}

func play(t *testing.T, annotated, cases string) {
	t.Helper()
	dir := t.TempDir()
	rules(t, dir, annotated)
	if err := os.WriteFile(filepath.Join(dir, "case.yaml"), []byte("rule_files: [rules.yaml]\n"+cases), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool.Run(t, dir, "test", "rules", "case.yaml")
}

// One thing that fails for ever, such as a fetch with a revoked token, is tried
// once a minute: nothing else tells of it, so that has to be enough.
func TestOneLoopThatFailsOnceAMinuteIsTold(t *testing.T) {
	play(t, "", `tests:
  - interval: 1m
    input_series:
      - {series: 'controller_runtime_reconcile_errors_total{controller="repositories",pod="a"}', values: '0+1x60'}
      - {series: 'controller_runtime_reconcile_errors_total{controller="units",pod="a"}', values: '0x20 1+0x40'}
    alert_rule_test:
      - eval_time: 40m
        alertname: MooringLoopErrors
        exp_alerts:
          - exp_labels: {severity: warning, controller: repositories}
`)
}

func TestTheReasonWhyARepositoryIsNotReadyIsTold(t *testing.T) {
	play(t, "MooringRepositoryNotReady", `tests:
  - interval: 1m
    input_series:
      - {series: 'mooring_repository_ready{repository="mooring-system/models",reason="MassRemoval",pod="a"}', values: '0x60'}
      - {series: 'mooring_repository_ready{repository="mooring-system/others",reason="Judged",pod="a"}', values: '1x60'}
    alert_rule_test:
      - eval_time: 20m
        alertname: MooringRepositoryNotReady
        exp_alerts:
          - exp_labels: {severity: warning, repository: mooring-system/models}
            exp_annotations:
              summary: "mooring-system/models is not Ready: MassRemoval."
              description: "Nothing new of it is taken over; what is deployed stays."
              runbook_url: https://github.com/mlops-platform/mooring/blob/main/docs/operations/runbook.md#mooringrepositorynotready
`)
}
