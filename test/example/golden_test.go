package example

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

const goldenDir = "testdata/rendered"

// goldenFile is where the objects of a unit stand, the overlay laid over them.
func goldenFile(u schemas.Unit) string {
	name := u.Model
	if name == "" {
		name = "tenancy"
	}
	return filepath.Join(goldenDir, u.Environment, u.Team, name+".yaml")
}

// Whoever changes the renderer sees in the change what becomes of the example.
func TestTheExampleRendersToItsGoldenFiles(t *testing.T) {
	sets, findings, err := desired.All(t.Context(), "models", read(t), desired.Selection{})
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	rendered := map[string]string{}
	for _, s := range sets {
		text, err := render.YAML(s.Objects)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := rendered[goldenFile(s.Unit)]; twice {
			t.Fatalf("two units are in %s", goldenFile(s.Unit))
		}
		rendered[goldenFile(s.Unit)] = string(text)
	}
	if *update {
		write(t, rendered)
		return
	}
	for file, got := range rendered {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v (go test ./test/example -update writes it)", err)
			continue
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s differs (-golden +rendered):\n%s", file, diff)
		}
	}
	for _, file := range goldenFiles(t) {
		if _, ok := rendered[file]; !ok {
			t.Errorf("%s is of no unit of the example (go test ./test/example -update removes it)", file)
		}
	}
}

func goldenFiles(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(goldenDir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, rendered map[string]string) {
	t.Helper()
	if err := os.RemoveAll(goldenDir); err != nil {
		t.Fatal(err)
	}
	for file, text := range rendered {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
