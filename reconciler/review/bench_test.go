package review

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// fleet writes a Git repository with that many manifests over ten teams, by way
// of fast-import, and a branch that changes some of them.
func fleet(tb testing.TB, manifests, changed int) string {
	tb.Helper()
	dir := tb.TempDir()
	var b bytes.Buffer
	who := "committer Ada <ada@example.com> 1780000000 +0000\n"
	file := func(path, text string) { fmt.Fprintf(&b, "M 644 inline %s\ndata %d\n%s\n", path, len(text), text) }
	fmt.Fprintf(&b, "commit refs/heads/main\n%sdata 4\nbase\n", who)
	for _, name := range []string{"governance.yaml", "environments/production.yaml", "environments/staging.yaml", "environments/development.yaml",
		"overlays/production/kustomization.yaml", "overlays/production/scrape.yaml", "policy/phi.rego", "policy/production.rego"} {
		text, err := os.ReadFile(filepath.Join("../../example-repo", name))
		if err != nil {
			tb.Fatal(err)
		}
		file(name, string(text))
	}
	const teams = 10
	for i := range teams {
		file(fleetTeamPath(i), fleetTeam(i))
	}
	for i := range manifests {
		file(fleetPath(i), fleetManifest(i, 1))
	}
	fmt.Fprintf(&b, "commit refs/heads/pr\n%sdata 2\npr\nfrom refs/heads/main\n", who)
	for i := range changed {
		file(fleetPath(i), fleetManifest(i, 2))
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"fast-import", "--quiet"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if args[0] == "fast-import" {
			cmd.Stdin = &b
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

func fleetTeamPath(i int) string { return fmt.Sprintf("teams/team-%d.yaml", i%10) }

// fleetTeam is the example's team with room for many models.
func fleetTeam(i int) string {
	text, err := os.ReadFile("../../example-repo/teams/data-science.yaml")
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer("data-science", fmt.Sprintf("team-%d", i%10), `cpu: "100"`, `cpu: "10000"`, "200Gi", "20000Gi", "320Gi", "32000Gi", `"19000"`, `"1900000"`).Replace(string(text))
}

func fleetPath(i int) string {
	return fmt.Sprintf("models/team-%d/model-%d/%s/deployment.yaml", i%10, i, fleetEnvironment(i))
}

func fleetEnvironment(i int) string { return []string{"production", "staging", "development"}[i%3] }

func fleetManifest(i, version int) string {
	return fmt.Sprintf(`# Made for a benchmark.
apiVersion: mlops-platform.com/v1alpha1
kind: ModelDeployment
metadata:
  name: model-%[1]d
spec:
  team: team-%[2]d
  environment: %[3]s
  model:
    name: model-%[1]d
    version: "%[4]d"
    format: sklearn
  serving:
    replicas: {min: 2, max: 4}
    resources:
      requests: {cpu: 500m, memory: 1Gi}
      limits: {cpu: "1", memory: 2Gi}
    capacity: on-demand
  governance:
    businessImpact: moderate
    customerExposure: direct
    dataSensitivity: internal
    regulations: [gdpr]
    explainability: none
  checks:
    metrics: [{name: auc, min: 0.80, maxRegression: 0.01}]
    smoke: {instances: [[1.0, 2.0, 3.0]]}
  features: [customer_features]
`, i, i%10, fleetEnvironment(i), version)
}

func evaluateFleet(tb testing.TB, dir string) *Report {
	tb.Helper()
	ctx := tb.Context()
	// Opened anew each time: nothing is cached but what the process compiles once.
	repo, err := source.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer repo.Close() // opened for reading
	base, err := repo.Resolve(ctx, "main")
	if err != nil {
		tb.Fatal(err)
	}
	head, err := repo.Resolve(ctx, "pr")
	if err != nil {
		tb.Fatal(err)
	}
	report, err := Evaluate(ctx, repo, Request{Base: base, Head: head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC), Repository: "bench"})
	if err != nil {
		tb.Fatal(err)
	}
	if report.Verdict != policy.Pending {
		tb.Fatalf("%+v", report)
	}
	return report
}

// BenchmarkEvaluate judges a pull request against 1,000 manifests from a cold
// repository: the limit is one second and 200 MiB for one changed manifest.
func BenchmarkEvaluate(b *testing.B) {
	for _, changed := range []int{1, 10, 100, 1000} {
		dir := fleet(b, 1000, changed)
		b.Run(fmt.Sprintf("changed=%d", changed), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				evaluateFleet(b, dir)
			}
		})
	}
}

func BenchmarkComment(b *testing.B) {
	report := evaluateFleet(b, fleet(b, 1000, 1000))
	b.ReportAllocs()
	for b.Loop() {
		Comment(report)
	}
}

// TestEvaluateGrowsWithTheChangeAlone holds that the work is not quadratic: a
// hundred changes cost far less than a hundred times ten.
func TestEvaluateGrowsWithTheChangeAlone(t *testing.T) {
	few, many := fleet(t, 1000, 10), fleet(t, 1000, 100)
	evaluateFleet(t, few)
	allocs := func(dir string) float64 { return testing.AllocsPerRun(1, func() { evaluateFleet(t, dir) }) }
	if a, b := allocs(few), allocs(many); b > 15*a {
		t.Errorf("10 changes make %.0f allocations, 100 make %.0f", a, b)
	}
}
