package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/apply"
	"github.com/mlops-platform/mooring/tools/controlplane/internal/supervise"
)

var nodesResource = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// startNodes creates the nodes and starts KWOK, which plays their kubelets.
func (s *Stack) startNodes(ctx context.Context) error {
	for i := range s.nodes {
		if err := s.applyNode(ctx, &s.nodes[i]); err != nil {
			return err
		}
	}
	if err := s.startKWOK(); err != nil {
		return err
	}
	if err := s.awaitNodes(ctx); err != nil {
		return err
	}
	s.progress("%d nodes are ready", len(s.nodes))
	return nil
}

func (s *Stack) applyNode(ctx context.Context, node *corev1.Node) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(node)
	if err != nil {
		return fmt.Errorf("converting node %s: %w", node.Name, err)
	}
	object := &unstructured.Unstructured{Object: content}
	// Written out by the typed object although empty, and not ours to own.
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(object.Object, "status", "daemonEndpoints")
	unstructured.RemoveNestedField(object.Object, "status", "nodeInfo")
	return apply.Object(ctx, s.client, object)
}

func (s *Stack) startKWOK() error {
	kubeconfig, err := s.userKubeconfig(kwok, "system:kwok")
	if err != nil {
		return err
	}
	stages, err := filepath.Glob(filepath.Join(s.programs.kwokShare, "*.yaml"))
	if err != nil {
		return fmt.Errorf("looking for KWOK's stages: %w", err)
	}
	if len(stages) == 0 {
		return fmt.Errorf("there are no KWOK stages in %s; run hack/build-tools.sh", s.programs.kwokShare)
	}
	port, err := s.ports.Next()
	if err != nil {
		return err
	}
	arguments := []string{
		"kwok",
		"--kubeconfig=" + kubeconfig,
		"--manage-all-nodes",
		"--node-lease-duration-seconds=40",
		"--cidr=10.244.0.0/16", // The default has room for 254 pods.
		fmt.Sprintf("--server-address=127.0.0.1:%d", port),
	}
	for _, stage := range stages {
		arguments = append(arguments, "--config="+stage)
	}
	return s.group.Start(supervise.Spec{Name: kwok, Program: s.programs.kwok, Args: arguments})
}

func (s *Stack) awaitNodes(ctx context.Context) error {
	return apply.Until(ctx, "waiting for the nodes to be ready", func(ctx context.Context) error {
		list, err := s.client.Resource(nodesResource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		waiting := map[string]bool{}
		for i := range s.nodes {
			waiting[s.nodes[i].Name] = true
		}
		for i := range list.Items {
			ready, err := isReady(&list.Items[i])
			if err != nil {
				return err
			}
			if ready {
				delete(waiting, list.Items[i].GetName())
			}
		}
		if len(waiting) > 0 {
			return errors.New("not ready: " + strings.Join(sortedKeys(waiting), ", "))
		}
		return nil
	})
}

func isReady(object *unstructured.Unstructured) (bool, error) {
	var node corev1.Node
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &node); err != nil {
		return false, fmt.Errorf("reading node %s: %w", object.GetName(), err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, nil
		}
	}
	return false, nil
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
