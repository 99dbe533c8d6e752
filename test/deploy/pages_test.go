package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/test/cluster"
)

var yamlBlock = regexp.MustCompile("(?ms)^( *)```yaml fragment\n(.*?)^ *```$")

// fragments are the YAML blocks of the pages on operations that belong to
// Kubernetes and kustomize, by page.
func fragments(t *testing.T) map[string][]string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "operations", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range yamlBlock.FindAllStringSubmatch(string(content), -1) {
			text := regexp.MustCompile(`(?m)^`+m[1]).ReplaceAllString(m[2], "")
			out[filepath.Base(page)] = append(out[filepath.Base(page)], text)
		}
	}
	return out
}

// What the pages tell an operator to apply, the API server takes.
func TestTheAPIServerTakesWhatThePagesShow(t *testing.T) {
	config := cluster.Config(t)
	namespace := cluster.Namespace(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for page, blocks := range fragments(t) {
		for _, text := range blocks {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, systemNamespace, namespace)), &o.Object); err != nil {
				t.Fatalf("%s: %v", page, err)
			}
			if o.GetKind() == "" || o.GetKind() == "Kustomization" {
				continue
			}
			tried[o.GetKind()] = true
			if err := try(t.Context(), client, o); err != nil {
				t.Errorf("%s: %s: %v", page, name(o), err)
			}
			if o.GetKind() != "Pod" {
				continue
			}
			pod := as[corev1.Pod](t, o)
			if s := pod.Spec.SecurityContext; s == nil || *s.RunAsUser != 65532 || pod.Namespace != namespace {
				t.Errorf("%s: %s does not write as the controller does", page, name(o))
			}
		}
	}
	for _, kind := range []string{"Pod", "Ingress", "StorageClass"} {
		if !tried[kind] {
			t.Errorf("no page shows a %s; is the pattern still right?", kind)
		}
	}
}

// The kustomizations of the pages, with their sources taken from here, build, and
// do what they say.
func TestTheKustomizationsOfThePagesBuild(t *testing.T) {
	patches := ""
	for page, blocks := range fragments(t) {
		for _, text := range blocks {
			var k types.Kustomization
			if err := yaml.UnmarshalStrict([]byte(text), &k); err != nil {
				continue // an object, which the test above applies
			}
			for _, source := range append(k.Resources, k.Components...) {
				path, ok := strings.CutPrefix(source, "https://github.com/mlops-platform/mooring//")
				path, _, _ = strings.Cut(path, "?")
				if _, err := os.Stat(filepath.Join(root(t), path, "kustomization.yaml")); !ok || err != nil {
					t.Errorf("%s: %s is not there: %v", page, source, err)
				}
			}
			if len(k.Patches) > 0 {
				patches += text
			}
		}
	}
	v := variant{overlay: overlayPath(t, "ha"), components: []string{filepath.Join(root(t), "deploy", "components", "external-secrets")}, more: patches}
	secret := only(t, v.build(t), "ExternalSecret")
	data, _, err := unstructured.NestedSlice(secret.Object, "spec", "data")
	if err != nil || len(data) == 0 {
		t.Fatalf("no data: %v", err)
	}
	for _, d := range data {
		key, _, err := unstructured.NestedString(d.(map[string]any), "remoteRef", "key")
		if err != nil || !strings.HasPrefix(key, "mlops-recovery/") {
			t.Errorf("recovery would read %q: %v", key, err)
		}
	}
	if region, _, err := unstructured.NestedString(only(t, v.build(t), "SecretStore").Object, "spec", "provider", "aws", "region"); err != nil || region != "us-west-2" {
		t.Errorf("recovery would read in %q: %v", region, err)
	}
}
