package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// patience is for what takes two seconds on an idle machine.
const patience = 3 * time.Minute

var inferenceServices = schema.GroupVersionResource{Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"}

const cpuService = `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: churn-predictor
spec:
  predictor:
    minReplicas: 1
    nodeSelector: {workload-type: compute}
    model:
      modelFormat: {name: mlflow}
      protocolVersion: v2
      storageUri: s3://mlops-models/churn-predictor/v2
`

const gpuService = `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: image-tagger
spec:
  predictor:
    minReplicas: 1
    nodeSelector: {workload-type: gpu}
    tolerations: [{key: nvidia.com/gpu, operator: Equal, value: "true", effect: NoSchedule}]
    model:
      modelFormat: {name: mlflow}
      protocolVersion: v2
      storageUri: s3://mlops-models/image-tagger/v1
      resources:
        limits: {nvidia.com/gpu: "1"}
`

func TestNodesOfAllPoolsAreReady(t *testing.T) {
	client := kubernetes.NewForConfigOrDie(cluster.Config(t))
	// Tests beside this one make nodes of their own, which are not ready at once.
	cluster.Eventually(t, patience, "the nodes of all pools to be ready", func() error {
		list, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		var wrong []error
		pools := map[string]int{}
		for _, node := range list.Items {
			pools[node.Labels["workload-type"]]++
			for _, condition := range node.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
					wrong = append(wrong, fmt.Errorf("node %s is not ready: %s", node.Name, condition.Message))
				}
			}
		}
		for _, pool := range []string{"system", "compute", "gpu", "gpu-large", "phi"} {
			if pools[pool] == 0 {
				wrong = append(wrong, fmt.Errorf("there is no node in the pool %s", pool))
			}
		}
		return errors.Join(wrong...)
	})
}

func TestInferenceServiceBecomesReadyOnItsPool(t *testing.T) {
	for name, test := range map[string]struct {
		manifest string
		pool     string
	}{
		"a model without accelerator goes to a compute node": {cpuService, "compute"},
		"a model with a GPU goes to a GPU node":              {gpuService, "gpu"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := cluster.Namespace(t)
			service, err := applyService(t, namespace, test.manifest)
			if err != nil {
				t.Fatal(err)
			}
			awaitReady(t, namespace, service.GetName())
			client := kubernetes.NewForConfigOrDie(cluster.Config(t))
			pod := onlyPod(t, client.CoreV1().Pods(namespace), "app=isvc."+service.GetName()+"-predictor")
			node, err := client.CoreV1().Nodes().Get(t.Context(), pod.Spec.NodeName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := node.Labels["workload-type"]; got != test.pool {
				t.Errorf("the pod runs on %s in the pool %s, want the pool %s", node.Name, got, test.pool)
			}
		})
	}
}

// onlyPod waits until one pod, and no more, has the labels and a node: KServe may
// have changed its mind of a Deployment once, whose first pod is going then.
func onlyPod(t *testing.T, api typedcorev1.PodInterface, labels string) (pod corev1.Pod) {
	t.Helper()
	cluster.Eventually(t, patience, "one pod with a node", func() error {
		list, err := api.List(t.Context(), metav1.ListOptions{LabelSelector: labels})
		if err != nil {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].Spec.NodeName == "" {
			var saw []string
			for _, p := range list.Items {
				saw = append(saw, fmt.Sprintf("%s on %q, %s", p.Name, p.Spec.NodeName, p.Status.Phase))
			}
			return fmt.Errorf("%d pods have %s: %s", len(list.Items), labels, strings.Join(saw, "; "))
		}
		pod = list.Items[0]
		return nil
	})
	return pod
}

func TestInferenceServiceWithForbiddenNameIsRefused(t *testing.T) {
	_, err := applyService(t, cluster.Namespace(t), strings.ReplaceAll(cpuService, "churn-predictor", "1-churn"))
	if err == nil || !strings.Contains(err.Error(), "denied the request") {
		t.Fatalf("got %v, want a denial by KServe's webhook", err)
	}
}

// The garbage collector of a fresh cluster knows KServe's resources from the start: it need not
// find them on its next round, half a minute later.
func TestDeletedInferenceServiceTakesItsDeploymentAlong(t *testing.T) {
	namespace := cluster.Namespace(t)
	service, err := applyService(t, namespace, cpuService)
	if err != nil {
		t.Fatal(err)
	}
	awaitReady(t, namespace, service.GetName())
	config := cluster.Config(t)
	err = dynamic.NewForConfigOrDie(config).Resource(inferenceServices).Namespace(namespace).
		Delete(t.Context(), service.GetName(), metav1.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	cluster.Eventually(t, patience, "the end of deployment and pods", func() error {
		deployments, err := client.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		pods, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		if left := len(deployments.Items) + len(pods.Items); left > 0 {
			return fmt.Errorf("%d objects are left", left)
		}
		return nil
	})
}

func applyService(t *testing.T, namespace, manifest string) (*unstructured.Unstructured, error) {
	t.Helper()
	service := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &service.Object); err != nil {
		t.Fatal(err)
	}
	return dynamic.NewForConfigOrDie(cluster.Config(t)).Resource(inferenceServices).Namespace(namespace).
		Apply(t.Context(), service.GetName(), service, metav1.ApplyOptions{FieldManager: "cluster-test"})
}

func awaitReady(t *testing.T, namespace, name string) {
	t.Helper()
	client := dynamic.NewForConfigOrDie(cluster.Config(t)).Resource(inferenceServices).Namespace(namespace)
	cluster.Eventually(t, patience, "the InferenceService "+name+" to be ready", func() error {
		service, err := client.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, err := unstructured.NestedSlice(service.Object, "status", "conditions")
		if err != nil {
			return err
		}
		for _, entry := range conditions {
			condition, ok := entry.(map[string]any)
			if ok && condition["type"] == "Ready" && condition["status"] == "True" {
				return nil
			}
		}
		return errors.New("its conditions are " + fmt.Sprint(conditions))
	})
}
