package render

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestModelsRenderToTheirGoldenFiles(t *testing.T) {
	for _, c := range modelCases() {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name, mustModel(t, c.input))
		})
	}
}

func TestATenancyRendersToItsGoldenFile(t *testing.T) {
	golden(t, "tenancy", mustTenancy(t))
}

// golden compares objects with testdata/NAME.yaml, or with -update writes it.
func golden(t *testing.T, name string, objects []*unstructured.Unstructured) {
	t.Helper()
	got, err := YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test ./render -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-golden +rendered):\n%s", file, diff)
	}
}
