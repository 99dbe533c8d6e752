package deploy_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/mlops-platform/mooring/test/cluster"
)

var dryRun = metav1.ApplyOptions{FieldManager: "deploy-test", Force: true, DryRun: []string{metav1.DryRunAll}}

func TestTheAPIServerTakesEveryObject(t *testing.T) {
	objects := build(t)
	config := cluster.Config(t)
	namespace := cluster.Namespace(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	tried := moved(t, objects, namespace)
	for _, o := range objects {
		if o.GetKind() == "Namespace" || o.GetKind() == "CustomResourceDefinition" {
			tried = append(tried, o)
		}
	}
	for _, o := range tried {
		var resource dynamic.ResourceInterface = client.Resource(resourceOf(o.GroupVersionKind()))
		if o.GetNamespace() != "" {
			resource = client.Resource(resourceOf(o.GroupVersionKind())).Namespace(o.GetNamespace())
		}
		if _, err := resource.Apply(t.Context(), o.GetName(), o, dryRun); err != nil {
			t.Errorf("%s: %v", name(o), err)
		}
	}
	if len(tried) != len(objects) {
		t.Errorf("%d of %d objects were tried", len(tried), len(objects))
	}
}

// A Deployment is taken whatever its pods are; the pod itself has to pass.
func TestThePodMeetsTheRestrictedStandard(t *testing.T) {
	objects := build(t)
	namespace := cluster.Namespace(t)
	client, err := kubernetes.NewForConfig(cluster.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	labels := only(t, objects, "Namespace").GetLabels()
	live, err := client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if live.Labels == nil {
		live.Labels = map[string]string{}
	}
	for key, value := range labels {
		live.Labels[key] = value
	}
	if _, err := client.CoreV1().Namespaces().Update(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	template, _, err := unstructured.NestedMap(only(t, objects, "Deployment").Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &pod); err != nil {
		t.Fatal(err)
	}
	pod.Name, pod.Namespace, pod.Spec.ServiceAccountName = "controller", namespace, "default"
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), &pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Errorf("the controller's pod: %v", err)
	}
	pod.Spec.Containers[0].SecurityContext = nil
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), &pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil {
		t.Error("the pod was taken without its security context, so this test proves nothing")
	}
}
