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

// local is a kustomization of a page with its sources taken from here, ready to
// be written into dir; ok is false for blocks of another kind.
func local(t *testing.T, page, text, dir string) (kustomization string, ok bool) {
	t.Helper()
	var k types.Kustomization
	if err := yaml.UnmarshalStrict([]byte(text), &k); err != nil || k.Kind != "Kustomization" {
		return "", false
	}
	for _, source := range append(k.Resources, k.Components...) {
		path, ours := strings.CutPrefix(source, "https://github.com/mlops-platform/mooring//")
		path, _, _ = strings.Cut(path, "?")
		relative, err := filepath.Rel(dir, filepath.Join(root(t), path))
		if _, missing := os.Stat(filepath.Join(root(t), path, "kustomization.yaml")); !ours || err != nil || missing != nil {
			t.Errorf("%s: %s is not there: %v %v", page, source, err, missing)
		}
		text = strings.ReplaceAll(text, source, relative)
	}
	return text, true
}

// The kustomizations of the pages, with their sources taken from here, build, and
// take everything from the region that they are for.
func TestTheKustomizationsOfThePagesBuild(t *testing.T) {
	regions := map[string]string{"install.md": "us-east-1", "disaster-recovery.md": "us-west-2"}
	for page, blocks := range fragments(t) {
		for _, text := range blocks {
			dir := t.TempDir()
			kustomization, ok := local(t, page, text, dir)
			if !ok {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
				t.Fatal(err)
			}
			objects := cluster.Build(t, dir)
			if regions[page] == "" {
				t.Errorf("%s has a kustomization, or a second one, of which this test does not know the region", page)
			}
			takesEverythingFrom(t, page, regions[page], objects)
			delete(regions, page)
		}
	}
	for page := range regions {
		t.Errorf("%s has no kustomization; is the pattern still right?", page)
	}
}

// takesEverythingFrom makes sure that an installation asks no other region: when
// that is lost, a pod whose image lies there never starts.
func takesEverythingFrom(t *testing.T, page, region string, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, c := range podOf(t, objects, systemNamespace).Spec.Containers {
		if !strings.Contains(c.Image, ".dkr.ecr."+region+".amazonaws.com/") {
			t.Errorf("%s: the image %s is not from %s", page, c.Image, region)
		}
	}
	store := only(t, objects, "SecretStore")
	if from, _, err := unstructured.NestedString(store.Object, "spec", "provider", "aws", "region"); err != nil || from != region {
		t.Errorf("%s: secrets are read in %q, not in %s: %v", page, from, region, err)
	}
	secret := only(t, objects, "ExternalSecret")
	data, _, err := unstructured.NestedSlice(secret.Object, "spec", "data")
	if err != nil || len(data) == 0 {
		t.Fatalf("%s: no data: %v", page, err)
	}
	for _, d := range data {
		key, _, err := unstructured.NestedString(d.(map[string]any), "remoteRef", "key")
		if err != nil || !strings.HasPrefix(key, "mlops-production/") { // Copies have the names of what they are of.
			t.Errorf("%s: %q is no entry of %s: %v", page, key, region, err)
		}
	}
}
