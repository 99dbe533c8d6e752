package fleet_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/fleet"
	"github.com/mlops-platform/mooring/test/promtool"
)

// What is drawn is meant to be valid: a generator that is refused proves nothing.
func TestDrawnManifestsAreValid(t *testing.T) {
	r, files := fleet.Random(t), append(fleet.Platform(t, ""), fleet.Beside(t))
	for i := range 200 {
		for _, environment := range []string{fleet.Production, fleet.Staging, fleet.Slices, fleet.Serverless, fleet.Isolated} {
			files = append(files, fleet.ManifestFile(t, fleet.Manifest(r, fmt.Sprintf("m%d", i), environment)))
		}
	}
	result, err := review.Validate(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Findings {
		if f.Severity == schemas.SeverityError {
			t.Error(f)
		}
	}
}

// What is rendered of them has every shape that the environment is there for.
func TestDrawnManifestsHaveEveryShape(t *testing.T) {
	r, files := fleet.Random(t), append(fleet.Platform(t, ""), fleet.Beside(t))
	for i := range 200 {
		files = append(files, fleet.ManifestFile(t, fleet.Manifest(r, fmt.Sprintf("m%d", i), fleet.Isolated)))
	}
	sets, findings, err := desired.All(t.Context(), "fleet", files, desired.Selection{Environment: fleet.Isolated})
	if err != nil || findings.Failed() {
		t.Fatal(err, findings)
	}
	seen := map[string]int{}
	for _, set := range sets {
		for _, o := range set.Objects {
			seen[o.GetKind()]++
			seen[o.GetAnnotations()["serving.kserve.io/autoscalerClass"]]++
			if o.GetKind() == "InferenceService" {
				seen[o.GetNamespace()]++
				if _, speaks, _ := unstructured.NestedSlice(o.Object, "spec", "predictor", "model", "ports"); speaks {
					seen["gRPC"]++
				}
			}
		}
	}
	for _, shape := range []string{"InferenceGraph", "keda", "external", "gRPC", "fleet-isolated", "fleet-phi-isolated"} {
		if seen[shape] < 5 {
			t.Errorf("%d of %s", seen[shape], shape)
		}
	}
}

// Whatever a manifest says, Prometheus reads the rules that come of it.
func TestPrometheusReadsTheRulesOfDrawnManifests(t *testing.T) {
	r := fleet.Random(t)
	world, findings := desired.NewWorld("fleet", fleet.Platform(t, ""))
	if findings.Failed() {
		t.Fatal(findings)
	}
	dir, args := t.TempDir(), []string{"check", "rules"}
	for i := range 60 {
		for _, environment := range []string{fleet.Production, fleet.Slices, fleet.Serverless} {
			f := fleet.ManifestFile(t, fleet.Manifest(r, fmt.Sprintf("m%d", i), environment))
			doc, findings := schemas.ParseModelDeployment(f.Path, f.Content)
			if findings.Failed() {
				t.Fatal(findings)
			}
			set, findings := world.Model(doc)
			if findings.Failed() {
				t.Fatal(findings)
			}
			for _, o := range set.Objects {
				if o.GetKind() == "PrometheusRule" {
					args = append(args, fmt.Sprintf("%d-%s.yaml", i, environment))
					promtool.Write(t, filepath.Join(dir, args[len(args)-1]), o.Object["spec"])
				}
			}
		}
	}
	if rules := len(args) - 2; rules != 180 {
		t.Errorf("%d models have rules", rules)
	}
	promtool.Run(t, dir, args...)
}

// What KServe's webhook refuses, or what never runs, is refused before.
func TestWhatKServeRefusesIsInvalid(t *testing.T) {
	for name, tc := range map[string]struct {
		environment string
		serving     map[string]any
	}{
		"replicas that never run":                   {fleet.Serverless, map[string]any{"replicas": map[string]any{"min": 0, "max": 0}}},
		"a custom container that speaks gRPC":       {fleet.Staging, map[string]any{"protocol": "grpc-v2"}},
		"a custom container's own idea of protocol": {fleet.Staging, map[string]any{"container": container("PROTOCOL", "v3")}},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := fleet.Manifest(fleet.Random(t), "m", tc.environment)
			spec := manifest["spec"].(map[string]any)
			spec["model"].(map[string]any)["format"] = "custom"
			serving := map[string]any{
				"resources": map[string]any{"requests": map[string]any{"cpu": "1", "memory": "1Gi"}}, "container": container("A", "b"),
			}
			for _, step := range []bool{true, false} {
				spec["serving"] = serving
				files := append(fleet.Platform(t, ""), fleet.ManifestFile(t, manifest))
				result, err := review.Validate(t.Context(), files)
				if err != nil || result.Valid != step {
					t.Errorf("valid %t, want %t: %v %v", result.Valid, step, result.Findings, err)
				}
				for key, value := range tc.serving {
					serving[key] = value
				}
			}
		})
	}
}

func container(name, value string) map[string]any {
	return map[string]any{
		"image": "registry.example.com/x", "env": []any{map[string]any{"name": name, "value": value}},
	}
}
