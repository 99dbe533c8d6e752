package proof

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/fleet"
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
// by, and what tells KServe's webhook which containers to put in.
// TestWhatIsAppliedStaysAsItIs holds it against the pods that KServe makes.
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

// routerPodOf is the pod that KServe's controller would make of a graph: one
// container of the graph's name.
func routerPodOf(t *testing.T, objects []*unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "InferenceGraph" })
	if i < 0 {
		t.Fatal("there is no InferenceGraph")
	}
	graph := objects[i]
	var spec struct {
		Resources          corev1.ResourceRequirements `json:"resources"`
		Affinity           *corev1.Affinity            `json:"affinity"`
		Tolerations        []corev1.Toleration         `json:"tolerations"`
		ServiceAccountName string                      `json:"serviceAccountName"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(graph.Object["spec"].(map[string]any), &spec); err != nil {
		t.Fatal(err)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: graph.GetNamespace(), Name: graph.GetName(), Labels: map[string]string{"serving.kserve.io/inferencegraph": graph.GetName()},
		},
		Spec: corev1.PodSpec{
			Affinity: spec.Affinity, Tolerations: spec.Tolerations, ServiceAccountName: spec.ServiceAccountName,
			Containers: []corev1.Container{{Name: graph.GetName(), Image: "registry.example.com/router", Resources: spec.Resources}},
		},
	}
}

// scheduling is what the scheduler and the quota look at.
type scheduling struct {
	Affinity    *corev1.Affinity
	Tolerations []corev1.Toleration
	Spread      []corev1.TopologySpreadConstraint
	Selector    map[string]string
	Resources   map[string]corev1.ResourceRequirements
}

func schedulingOf(pod *corev1.Pod) scheduling {
	out := scheduling{
		Affinity: pod.Spec.Affinity, Tolerations: pod.Spec.Tolerations, Spread: pod.Spec.TopologySpreadConstraints,
		Selector: pod.Spec.NodeSelector, Resources: map[string]corev1.ResourceRequirements{},
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		out.Resources[c.Name] = c.Resources
	}
	return out
}

// comparePods holds podOf against the pods that KServe's controller made of the
// drawn models, whose quota has room for one more.
func (s *server) comparePods(t *testing.T, sets []desired.Set) {
	t.Helper()
	compared := 0
	for _, set := range sets {
		for _, o := range set.Objects {
			if set.Unit.Team != fleet.Team || o.GetKind() != "InferenceService" || o.GetAnnotations()["serving.kserve.io/deploymentMode"] == string(schemas.ModeKnative) {
				continue
			}
			for _, name := range []string{placement.Predictor, placement.Transformer, placement.Explainer} {
				if _, found, _ := unstructured.NestedMap(o.Object, "spec", name); !found {
					continue
				}
				made, err := s.typed.CoreV1().Pods(o.GetNamespace()).List(t.Context(), metav1.ListOptions{
					LabelSelector: "serving.kserve.io/inferenceservice=" + o.GetName() + ",component=" + name, Limit: 1,
				})
				if err != nil || len(made.Items) == 0 {
					t.Fatalf("%s has no pods of its %s: %v", o.GetName(), name, err)
				}
				ours, err := s.typed.CoreV1().Pods(o.GetNamespace()).Create(t.Context(), podOf(t, o, name), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				if err != nil {
					t.Fatal(err)
				}
				compared++
				if diff := cmp.Diff(schedulingOf(&made.Items[0]), schedulingOf(ours)); diff != "" {
					t.Errorf("the %s of %s is otherwise than these tests think (-KServe's +ours):\n%s", name, o.GetName(), diff)
				}
			}
		}
	}
	t.Logf("%d pods are as these tests think", compared)
}
