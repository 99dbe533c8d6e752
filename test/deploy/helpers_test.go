package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

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

// build runs kustomize over deploy/ and returns its objects.
func build(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root(t), "deploy"))
	if err != nil {
		t.Fatalf("build deploy: %v", err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range built.Resources() {
		content, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(content, &obj.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, obj)
	}
	return objects
}

// moved is deploy/ as it would be in another namespace, under names of its own:
// what is cluster-wide must not collide with another test's.
func moved(t *testing.T, objects []*unstructured.Unstructured, namespace string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "Namespace" || o.GetKind() == "CustomResourceDefinition" {
			continue
		}
		content, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(content), systemNamespace, namespace)), &obj.Object); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(obj.GetKind(), "ClusterRole") {
			obj.SetName(namespace + "-" + obj.GetName())
		}
		if obj.GetKind() == "ClusterRoleBinding" {
			if err := unstructured.SetNestedField(obj.Object, obj.GetName(), "roleRef", "name"); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, obj)
	}
	return out
}

// only returns the one object of a kind.
func only(t *testing.T, objects []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == kind {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("deploy has %d objects of kind %s, want 1", len(found), kind)
	}
	return found[0]
}

// resourceOf is the plural of a kind, for those that deploy/ has.
func resourceOf(gvk schema.GroupVersionKind) schema.GroupVersionResource {
	plural := strings.ToLower(gvk.Kind)
	if y, ok := strings.CutSuffix(plural, "y"); ok {
		plural = y + "ie"
	}
	return gvk.GroupVersion().WithResource(plural + "s")
}

func name(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s", o.GetKind(), o.GetName())
}
