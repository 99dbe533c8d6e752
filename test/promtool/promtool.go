// Package promtool gives tests Prometheus' own tool, by which rules are read and
// evaluated as Prometheus does it.
package promtool

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Run runs promtool in a folder, and fails the test if it is not content. Without
// promtool the test is skipped, or fails where everything has to be there.
func Run(t testing.TB, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("promtool is missing (hack/setup.sh installs it): %v", err)
	case err != nil:
		t.Skipf("promtool is missing (hack/setup.sh installs it): %v", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Write writes a file that promtool reads.
func Write(t testing.TB, file string, v any) {
	t.Helper()
	content, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
