package kserve

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/apply"
)

var (
	inferenceServices = schema.GroupVersionResource{Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"}
	listOne           = metav1.ListOptions{Limit: 1}
)

// callByURL replaces, in a webhook configuration, the reference to a Service, which would need
// a pod network, by the address of a process outside the cluster.
func callByURL(configuration *unstructured.Unstructured, address string, ca []byte) error {
	name := configuration.GetKind() + " " + configuration.GetName()
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil {
		return fmt.Errorf("reading the webhooks of %s: %w", name, err)
	}
	for _, entry := range webhooks {
		webhook, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("%s has a webhook that is no object", name)
		}
		path, found, err := unstructured.NestedString(webhook, "clientConfig", "service", "path")
		if err != nil {
			return fmt.Errorf("reading the webhooks of %s: %w", name, err)
		}
		if !found {
			return fmt.Errorf("%s has a webhook without clientConfig.service.path", name)
		}
		webhook["clientConfig"] = map[string]any{
			"url":      address + path,
			"caBundle": base64.StdEncoding.EncodeToString(ca),
		}
	}
	unstructured.RemoveNestedField(configuration.Object, "metadata", "creationTimestamp")
	return unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")
}

// servedResource is what a CustomResourceDefinition makes the API server serve.
func servedResource(definition *unstructured.Unstructured) (schema.GroupVersionResource, error) {
	group, _, groupErr := unstructured.NestedString(definition.Object, "spec", "group")
	plural, _, pluralErr := unstructured.NestedString(definition.Object, "spec", "names", "plural")
	versions, _, versionsErr := unstructured.NestedSlice(definition.Object, "spec", "versions")
	if err := errors.Join(groupErr, pluralErr, versionsErr); err != nil {
		return schema.GroupVersionResource{}, fmt.Errorf("reading the definition %s: %w", definition.GetName(), err)
	}
	for _, entry := range versions {
		version, ok := entry.(map[string]any)
		if ok && version["served"] == true {
			name, _, err := unstructured.NestedString(version, "name")
			return schema.GroupVersionResource{Group: group, Version: name, Resource: plural}, err
		}
	}
	return schema.GroupVersionResource{}, fmt.Errorf("the definition %s serves no version", definition.GetName())
}

// discoverable returns nil when clients can find the resource. The API server answers requests
// for it a moment before it tells of it, in two documents that it updates one after the other.
func (i *Installation) discoverable(resource schema.GroupVersionResource) error {
	_, all, err := i.Discovery.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	one, err := i.Discovery.ServerResourcesForGroupVersion(resource.GroupVersion().String())
	if err != nil {
		return err
	}
	for _, lists := range [][]*metav1.APIResourceList{all, {one}} {
		if !slices.ContainsFunc(lists, func(list *metav1.APIResourceList) bool { return has(list, resource) }) {
			return fmt.Errorf("the API server does not tell of %s yet", resource)
		}
	}
	return nil
}

func has(list *metav1.APIResourceList, resource schema.GroupVersionResource) bool {
	return list.GroupVersion == resource.GroupVersion().String() &&
		slices.ContainsFunc(list.APIResources, func(served metav1.APIResource) bool { return served.Name == resource.Resource })
}

// The API server learns of a new webhook a moment after its configuration was written. The next
// two find out by dry-run requests whether it already calls the webhooks, because a test that
// creates an InferenceService in that moment would meet no admission at all.

// awaitDefaulting returns when an InferenceService comes back with defaults in it.
func (i *Installation) awaitDefaulting(ctx context.Context) error {
	return apply.Until(ctx, "waiting for KServe's defaulting webhook to be called", func(ctx context.Context) error {
		defaulted, err := i.dryRun(ctx, "probe-defaulting")
		if err != nil {
			return err
		}
		if _, ok := defaulted.GetAnnotations()["serving.kserve.io/deploymentMode"]; !ok {
			return errors.New("an InferenceService came back without a deployment mode")
		}
		return nil
	})
}

// awaitValidation returns when an InferenceService with a name that KServe forbids is refused.
func (i *Installation) awaitValidation(ctx context.Context) error {
	return apply.Until(ctx, "waiting for KServe's validating webhook to be called", func(ctx context.Context) error {
		_, err := i.dryRun(ctx, "0-probe-validation")
		switch {
		case err == nil:
			return errors.New("an InferenceService with a forbidden name was accepted")
		case apierrors.IsForbidden(err), apierrors.IsBadRequest(err), apierrors.IsInvalid(err):
			return nil
		default:
			return err
		}
	})
}

func (i *Installation) dryRun(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	service := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "serving.kserve.io/v1beta1",
		"kind":       "InferenceService",
		"metadata":   map[string]any{"name": name, "namespace": "default"},
		"spec": map[string]any{"predictor": map[string]any{"model": map[string]any{
			"modelFormat":     map[string]any{"name": "mlflow"},
			"protocolVersion": "v2",
			"storageUri":      "s3://probe/model",
		}}},
	}}
	return i.Client.Resource(inferenceServices).Namespace("default").Create(ctx, service,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}
