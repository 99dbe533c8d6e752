// Package apply writes the objects that make up a fresh cluster, by server-side apply: it can be
// repeated on a cluster that has them already, and it has no limit on an object's size (the
// schema of an InferenceService is too large for kubectl's client-side apply).
package apply

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// FieldManager is who owns the fields that this program writes.
const FieldManager = "controlplane"

const pollInterval = 40 * time.Millisecond

// resources are the kinds this program writes. A table spares the discovery requests that a
// REST mapper would make for them.
var resources = map[string]schema.GroupVersionResource{
	"Namespace":                      {Version: "v1", Resource: "namespaces"},
	"ConfigMap":                      {Version: "v1", Resource: "configmaps"},
	"Node":                           {Version: "v1", Resource: "nodes"},
	"CustomResourceDefinition":       {Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	"MutatingWebhookConfiguration":   {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
	"ValidatingWebhookConfiguration": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	"ClusterServingRuntime":          {Group: "serving.kserve.io", Version: "v1alpha1", Resource: "clusterservingruntimes"},
	"ClusterStorageContainer":        {Group: "serving.kserve.io", Version: "v1alpha1", Resource: "clusterstoragecontainers"},
}

// Object applies one object.
func Object(ctx context.Context, client dynamic.Interface, object *unstructured.Unstructured) error {
	resource, ok := resources[object.GetKind()]
	if !ok {
		return fmt.Errorf("applying %s %s: the kind is not in the table of this package; add it", object.GetKind(), object.GetName())
	}
	return Until(ctx, fmt.Sprintf("applying %s %s", object.GetKind(), object.GetName()), func(ctx context.Context) error {
		_, err := client.Resource(resource).Namespace(object.GetNamespace()).Apply(ctx, object.GetName(), object,
			metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
		return err
	})
}

// Until calls attempt until it succeeds. It gives up when the context ends, or when the API
// server has judged the request itself to be wrong; the error is the last one.
func Until(ctx context.Context, what string, attempt func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := attempt(ctx)
		if err == nil {
			return nil
		}
		if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (last attempt: %w)", what, context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// ReadFiles reads all objects of YAML files, in order.
func ReadFiles(paths ...string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading objects: %w", err)
		}
		objects, err := Parse(content)
		if err != nil {
			return nil, fmt.Errorf("reading objects from %s: %w", path, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// Parse reads all objects of a YAML stream, in order.
func Parse(content []byte) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}
