package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// systemNamespace is where deploy/ puts everything.
const systemNamespace = "mooring-system"

func root(t *testing.T) string {
	t.Helper()
	dir, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// read returns a file of the source tree.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// folders lists those below a folder of deploy/ that kustomize can build.
func folders(t *testing.T, below string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(root(t), "deploy", below), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "kustomization.yaml" {
			out = append(out, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("deploy/%s holds nothing to build", below)
	}
	return out
}

// variant is one way to install Mooring.
type variant struct {
	name    string
	overlay string
	// components are added to the overlay.
	components []string
}

// variants are every overlay alone, the first with each component, and each with
// all of them.
func variants(t *testing.T) []variant {
	t.Helper()
	components := folders(t, "components")
	var out []variant
	for _, overlay := range folders(t, "overlays") {
		name := filepath.Base(overlay)
		out = append(out, variant{name: name, overlay: overlay}, variant{name: name + " with all components", overlay: overlay, components: components})
	}
	for _, c := range components {
		out = append(out, variant{name: "single with " + filepath.Base(c), overlay: overlayPath(t, "single"), components: []string{c}})
	}
	return out
}

func overlayPath(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(root(t), "deploy", "overlays", name)
}

// build gives the objects of a variant, through a kustomization as a user writes it.
func (v variant) build(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	dir := t.TempDir()
	from := func(path string) string {
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		return relative
	}
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - " + from(v.overlay) + "\n"
	if len(v.components) > 0 {
		text += "components:\n"
	}
	for _, c := range v.components {
		text += "  - " + from(c) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cluster.Build(t, dir)
}

// single is what `kubectl apply -k deploy` applies.
func single(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return cluster.Build(t, filepath.Join(root(t), "deploy"))
}

// of returns the objects of a kind.
func of(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == kind {
			found = append(found, o)
		}
	}
	return found
}

// only returns the one object of a kind.
func only(t *testing.T, objects []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	t.Helper()
	found := of(objects, kind)
	if len(found) != 1 {
		t.Fatalf("there are %d objects of kind %s, want 1", len(found), kind)
	}
	return found[0]
}

// resourceOf is the plural of a kind, for those that deploy/ and its pages have.
func resourceOf(gvk schema.GroupVersionKind) schema.GroupVersionResource {
	plural := strings.ToLower(gvk.Kind)
	if y, ok := strings.CutSuffix(plural, "y"); ok {
		plural = y + "ie"
	}
	if strings.HasSuffix(plural, "s") {
		plural += "e"
	}
	return gvk.GroupVersion().WithResource(plural + "s")
}

func name(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s", o.GetKind(), o.GetName())
}
