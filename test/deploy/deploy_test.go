package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/test/cluster"
)

// strict refuses a field that the server does not know, and one that is there twice.
var strict = metav1.PatchOptions{
	FieldManager: "deploy-test", Force: new(true), DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
}

// installDefinitions gives the cluster the kinds of others that deploy/ uses.
func installDefinitions(t *testing.T, config *rest.Config) {
	t.Helper()
	dir := filepath.Join(root(t), "bin", "share", "definitions")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: hack/definitions.sh makes it", dir)
		}
		t.Skipf("%s is missing: hack/definitions.sh makes it", dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := controlplane.InstallCRDs(ctx, config, dir); err != nil {
		t.Fatal(err)
	}
}

// try applies an object without keeping it.
func try(ctx context.Context, client dynamic.Interface, o *unstructured.Unstructured) error {
	content, err := json.Marshal(o.Object)
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = client.Resource(resourceOf(o.GroupVersionKind()))
	if o.GetNamespace() != "" {
		resource = client.Resource(resourceOf(o.GroupVersionKind())).Namespace(o.GetNamespace())
	}
	_, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, content, strict)
	return err
}

func TestTheAPIServerTakesEveryObject(t *testing.T) {
	config := cluster.Config(t)
	installDefinitions(t, config)
	cluster.InstallCRDs(t, config)
	namespace := cluster.Namespace(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants(t) {
		t.Run(v.name, func(t *testing.T) {
			objects := v.build(t)
			tried := cluster.Moved(t, objects, namespace)
			tried = append(append(tried, of(objects, "Namespace")...), of(objects, "CustomResourceDefinition")...)
			for _, o := range tried {
				if err := try(t.Context(), client, o); err != nil {
					t.Errorf("%s: %v", name(o), err)
				}
			}
			if len(tried) != len(objects) {
				t.Errorf("%d of %d objects were tried", len(tried), len(objects))
			}
		})
	}
	t.Run("but no field that it does not know", func(t *testing.T) {
		for _, kind := range []string{"Deployment", "SecretStore", "PrometheusRule"} {
			o := only(t, cluster.Moved(t, variant{overlay: overlayPath(t, "single"), components: folders(t, "components")}.build(t), namespace), kind)
			if err := unstructured.SetNestedField(o.Object, "x", "spec", "misspelt"); err != nil {
				t.Fatal(err)
			}
			if err := try(t.Context(), client, o); err == nil || !strings.Contains(err.Error(), "misspelt") {
				t.Errorf("%s: %v", name(o), err)
			}
		}
	})
}

// podOf is the pod of a variant's Deployment, in another namespace.
func podOf(t *testing.T, objects []*unstructured.Unstructured, namespace string) *corev1.Pod {
	t.Helper()
	template, _, err := unstructured.NestedMap(only(t, objects, "Deployment").Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &pod); err != nil {
		t.Fatal(err)
	}
	pod.Name, pod.Namespace, pod.Spec.ServiceAccountName = "controller", namespace, "default"
	for i := range pod.Spec.TopologySpreadConstraints {
		pod.Spec.TopologySpreadConstraints[i].MatchLabelKeys = nil // of a ReplicaSet's label, which this pod has not
	}
	return &pod
}

// A Deployment is taken whatever its pods are; the pod itself has to pass.
func TestThePodMeetsTheRestrictedStandard(t *testing.T) {
	namespace := cluster.Namespace(t)
	client, err := kubernetes.NewForConfig(cluster.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	labels, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": only(t, single(t), "Namespace").GetLabels()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, labels, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	create := func(pod *corev1.Pod) error {
		_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	insecure := func(overlay string) *corev1.Pod {
		pod := podOf(t, cluster.Build(t, overlay), namespace)
		pod.Spec.Containers[0].SecurityContext = nil
		return pod
	}
	cluster.Eventually(t, patience, "the label to be in force", func() error {
		if create(insecure(folders(t, "overlays")[0])) == nil {
			return errors.New("a pod without its security context is accepted")
		}
		return nil
	})
	for _, overlay := range folders(t, "overlays") {
		t.Run(filepath.Base(overlay), func(t *testing.T) {
			pod := podOf(t, cluster.Build(t, overlay), namespace)
			if err := create(pod); err != nil {
				t.Errorf("the controller's pod: %v", err)
			}
			if err := create(insecure(overlay)); err == nil || !strings.Contains(err.Error(), "PodSecurity") {
				t.Errorf("without its security context: %v, so this test proves nothing", err)
			}
		})
	}
}
