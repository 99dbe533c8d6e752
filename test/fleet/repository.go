package fleet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/schemas"
)

// Team owns the manifests that are drawn.
const Team = "fleet"

// Environments that manifests are drawn for, by what they differ in.
const (
	// Production is the example's, with its overlay.
	Production = "production"
	// Staging is the example's, without one.
	Staging = "staging"
	// Slices has pools of parts of GPUs.
	Slices = "slices"
	// Serverless runs models by Knative.
	Serverless = "serverless"
	// Isolated keeps PHI apart, scales by KEDA and has graphs, which ask Beside.
	Isolated = "isolated"
)

// beside is a model that graphs ask besides their own.
const beside = "beside"

const defaultSeed = 1

// Random is the test's source of chance. What it is seeded with is in the log.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(defaultSeed)
	if text := os.Getenv("MOORING_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MOORING_SEED: %v", err)
		}
	}
	t.Logf("MOORING_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Example reads the example repository. Its namespaces end in the suffix, if
// there is one, so that several tests can share a cluster.
func Example(t testing.TB, suffix string) []schemas.File {
	t.Helper()
	root, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := worktree.Read(filepath.Join(root, "example-repo"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if schemas.ClassifyPath(f.Path) == schemas.PathEnvironment && suffix != "" {
			files[i].Content = []byte(strings.Replace(string(f.Content), "{environment}\"", "{environment}-"+suffix+"\"", 1))
		}
	}
	return files
}

// Platform is what governs the manifests that are drawn: everything but models
// and rules of the example, the environments beside its own, and the team.
func Platform(t testing.TB, suffix string) []schemas.File {
	t.Helper()
	var files []schemas.File
	for _, f := range Example(t, suffix) {
		if kind := schemas.ClassifyPath(f.Path); kind != schemas.PathManifest && kind != schemas.PathPolicy {
			files = append(files, f)
		}
	}
	namespace := "{team}-{environment}"
	if suffix != "" {
		namespace += "-" + suffix
	}
	return append(files,
		schemas.File{Path: schemas.TeamPath(Team), Content: []byte(team)},
		schemas.File{Path: schemas.EnvironmentPath(Slices), Content: fmt.Appendf(nil, environment, Slices, namespace, "Standard", "{interval: 1m30s, labels: {release: prometheus}, mesh: istio}", slicedPools)},
		schemas.File{Path: schemas.EnvironmentPath(Serverless), Content: fmt.Appendf(nil, environment, Serverless, namespace, "Knative", "{interval: 1.5s, dashboardLabels: {dashboards: models}}", "")},
		schemas.File{Path: schemas.EnvironmentPath(Isolated), Content: fmt.Appendf(nil, environment, Isolated, namespace,
			`Standard, keda: {prometheus: "http://prometheus.monitoring:9090"}`, "{}", phiPool+isolation+strings.ReplaceAll(namespace, "{team}", "{team}-phi")+"\"\n")},
	)
}

// Beside is the manifest of the model that the graphs of Isolated ask besides
// their own. Whoever draws manifests there has it, too.
func Beside(t testing.TB) schemas.File {
	t.Helper()
	return ManifestFile(t, object{
		"apiVersion": schemas.APIVersion, "kind": string(schemas.KindModelDeployment), "metadata": object{"name": beside},
		"spec": object{
			"team": Team, "environment": Isolated, "model": object{"name": beside, "version": "1", "format": string(schemas.FormatSKLearn)},
			"serving": object{"resources": object{"requests": object{"cpu": "1", "memory": "1Gi"}}},
			"governance": object{
				"businessImpact": "none", "customerExposure": "none", "dataSensitivity": "internal", "regulations": []string{}, "explainability": "none",
			},
		},
	})
}

// ManifestFile is a manifest at its place in the repository. JSON is YAML.
func ManifestFile(t testing.TB, manifest map[string]any) schemas.File {
	t.Helper()
	content, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := manifest["spec"].(map[string]any)
	metadata, _ := manifest["metadata"].(map[string]any)
	return schemas.File{Path: fmt.Sprintf("models/%v/%v/%v/deployment.yaml", spec["team"], metadata["name"], spec["environment"]), Content: content}
}

// team has room for every manifest that a test can draw.
const team = `apiVersion: mlops-platform.com/v1alpha1
kind: Team
metadata: {name: fleet}
spec:
  costCenter: CC-7_7.x
  contacts: {slack: "#fleet", email: fleet@example.com}
  quota: {cpu: "1e9", memory: 1Ei, gpu: 1000000}
  budget: {monthly: "9000000000", currency: USD, warn: 80%, deny: 100%}
`

const environment = `apiVersion: mlops-platform.com/v1alpha1
kind: Environment
metadata: {name: %s}
spec:
  namespace: "%s"
  kserve: {version: "0.20", mode: %s}
  drift: heal
  capacity: spot
  images: {registries: ["registry.example.com/"], digest: optional}
  observability: %s
  pools:
    - name: compute
      labels: {workload-type: compute, example.com/tier: "1"}
      spot: {labels: {karpenter.sh/capacity-type: spot}}
      nodes: {min: 0, max: 10000, instance: m5.4xlarge}
      allocatable: {cpu: 15890m, memory: 57Gi}
      price: {onDemand: "0.768", spot: "0.2304", currency: USD, per: hour, source: test, date: 2026-07-20}
%s`

const slicedPools = `    - name: mig
      labels: {workload-type: mig}
      taints: [{key: nvidia.com/gpu, value: "true", effect: NoSchedule}, {key: dedicated, effect: NoExecute}]
      accelerator: {name: a100-slice, resource: nvidia.com/mig-1g.5gb, perNode: 7}
      nodes: {min: 0, max: 10000, instance: p4d.24xlarge}
      allocatable: {cpu: 95690m, memory: 1120Gi}
      price: {onDemand: "21.957642", spot: "6.5", currency: USD, per: hour, source: test, date: 2026-07-20}
    - name: shared
      labels: {workload-type: shared}
      taints: [{key: nvidia.com/gpu, value: "true", effect: NoSchedule}]
      spot: {labels: {capacity: SPOT}, taints: [{key: spot-instance, effect: NoSchedule}]}
      accelerator: {name: t4-share, resource: nvidia.com/gpu.shared, perNode: 4}
      nodes: {min: 0, max: 10000, instance: g4dn.2xlarge}
      allocatable: {cpu: 7910m, memory: 29636Mi}
      price: {onDemand: "0.752", spot: "0.2256", currency: USD, per: hour, source: test, date: 2026-07-20}
`

const phiPool = `    - name: phi
      labels: {workload-type: phi}
      taints: [{key: phi, value: "true", effect: NoSchedule}]
      onlyFor: {dataSensitivity: [phi]}
      nodes: {min: 0, max: 10000, instance: m5.4xlarge}
      allocatable: {cpu: 15890m, memory: 57Gi}
      price: {onDemand: "0.768", currency: USD, per: hour, source: test, date: 2026-07-20}
`

// isolation ends in the template of the namespace.
const isolation = `  isolation:
    - dataSensitivity: [phi]
      artifacts: "s3://models-phi/{name}/v{version}"
      teams: [fleet]
      namespace: "`
