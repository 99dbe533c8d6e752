// Command generate writes everything in the repository that is derived from the
// types in schemas/: the deepcopy methods and CRDs of the cluster's objects, and
// the JSON Schemas of the files; and the controller's rights in the cluster, from
// the markers in reconciler/.
//
//	go run -C tools/generate .
//
// It is a module of its own, so that its dependencies stay out of the product's.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "schemas", "doc.go")); err != nil {
		return fmt.Errorf("run me as `go run -C tools/generate .` from the repository: %w", err)
	}
	err = controllerGen(root, "object", "crd", "paths=./schemas", "output:object:dir=./schemas", "output:crd:dir=./deploy/crds")
	if err != nil {
		return err
	}
	err = controllerGen(root, "rbac:roleName=mooring-controller", "paths=./reconciler/...", "output:rbac:dir=./deploy/base")
	if err != nil {
		return err
	}
	return writeSchemas(root)
}

// controllerGen runs the tool that go.mod pins, from the root of the
// repository: it loads the packages of the module it stands in.
func controllerGen(root string, arguments ...string) error {
	path, err := exec.Command("go", "tool", "-n", "controller-gen").Output()
	if err != nil {
		return fmt.Errorf("find controller-gen: %w", err)
	}
	cmd := exec.Command(strings.TrimSpace(string(path)), arguments...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run controller-gen: %w", err)
	}
	return nil
}
