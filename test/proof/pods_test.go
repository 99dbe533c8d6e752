package proof

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// What KServe's controller tells KServe's pod webhook, by annotations.
const (
	annotationStorage = "internal.serving.kserve.io/storage-initializer-sourceuri"
	annotationLogger  = "internal.serving.kserve.io/logger"
	annotationBatcher = "internal.serving.kserve.io/batcher"
)

// component is the part of an InferenceService's spec that a pod is made of.
type component struct {
	corev1.PodSpec `json:",inline"`
	Model          *struct {
		corev1.Container `json:",inline"`
		StorageURI       string `json:"storageUri"`
	} `json:"model"`
	Batcher *struct{} `json:"batcher"`
	Logger  *struct{} `json:"logger"`
}

// service is the one InferenceService among a model's objects.
func service(t *testing.T, objects []*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == "InferenceService" {
			return o
		}
	}
	t.Fatal("there is no InferenceService")
	return nil
}

// podOf is the pod that KServe's controller would ask for: what it is scheduled
// by, and what tells KServe's webhook which containers to put in. The tests hold
// it against pods that KServe's controller really makes.
func podOf(t *testing.T, service *unstructured.Unstructured, name string) *corev1.Pod {
	t.Helper()
	spec, found, err := unstructured.NestedMap(service.Object, "spec", name)
	if err != nil || !found {
		t.Fatalf("%s has no %s: %v", service.GetName(), name, err)
	}
	var c component
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &c); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.GetNamespace(), Name: fmt.Sprintf("%s-%s", service.GetName(), name),
			Labels: map[string]string{"serving.kserve.io/inferenceservice": service.GetName(), "component": name}, Annotations: map[string]string{},
		},
		Spec: c.PodSpec,
	}
	for key, value := range service.GetLabels() {
		pod.Labels[key] = value
	}
	annotate := func(key, value string, when bool) {
		if when {
			pod.Annotations[key] = value
		}
	}
	annotate(annotationLogger, "true", c.Logger != nil)
	annotate(annotationBatcher, "true", c.Batcher != nil)
	if c.Model != nil {
		c.Model.Name, c.Model.Image = "kserve-container", "registry.example.com/server"
		pod.Spec.Containers = []corev1.Container{c.Model.Container}
		annotate(annotationStorage, c.Model.StorageURI, true)
		return pod
	}
	for _, e := range pod.Spec.Containers[0].Env {
		annotate(annotationStorage, e.Value, e.Name == "STORAGE_URI")
	}
	return pod
}
