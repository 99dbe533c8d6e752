package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	crdFieldManager = "mooring-install"
	crdPollInterval = 25 * time.Millisecond
)

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// InstallCRDs applies the CustomResourceDefinitions in a directory's *.yaml files, one per file
// (others are skipped), and returns when every version of them is served. Several processes may
// do so at once.
func InstallCRDs(ctx context.Context, config *rest.Config, dir string) error {
	definitions, err := readCRDs(dir)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("making a discovery client: %w", err)
	}
	for i := range definitions {
		if err := applyCRD(ctx, client, &definitions[i]); err != nil {
			return err
		}
	}
	for i := range definitions {
		if err := awaitServed(ctx, client, finder, &definitions[i]); err != nil {
			return err
		}
	}
	return nil
}

func readCRDs(dir string) ([]apiextensionsv1.CustomResourceDefinition, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("looking for definitions in %s: %w", dir, err)
	}
	var definitions []apiextensionsv1.CustomResourceDefinition
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a definition: %w", err)
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(content, &definition); err != nil {
			return nil, fmt.Errorf("reading the definition %s: %w", path, err)
		}
		if definition.Kind == "CustomResourceDefinition" {
			definitions = append(definitions, definition)
		}
	}
	return definitions, nil
}

func applyCRD(ctx context.Context, client dynamic.Interface, definition *apiextensionsv1.CustomResourceDefinition) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(definition)
	if err != nil {
		return fmt.Errorf("converting the definition %s: %w", definition.Name, err)
	}
	object := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(object.Object, "status")
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	return until(ctx, "applying the definition "+definition.Name, func() error {
		_, err := client.Resource(crdResource).Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: crdFieldManager, Force: true})
		return err
	})
}

// awaitServed lists each served version: the condition Established is true a moment before the
// API server answers for the resource, and in that moment it answers 404 or 429.
func awaitServed(ctx context.Context, client dynamic.Interface, finder discovery.DiscoveryInterface, definition *apiextensionsv1.CustomResourceDefinition) error {
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		resource := schema.GroupVersionResource{Group: definition.Spec.Group, Version: version.Name, Resource: definition.Spec.Names.Plural}
		err := until(ctx, "waiting for "+resource.String()+" to be served", func() error {
			if _, err := client.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
				return err
			}
			return discoverable(finder, resource)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// discoverable returns nil when clients with a REST mapper can find the resource. The API server
// tells of it a moment after it answers for it, in two documents that it updates one after the
// other; the one of the group is for those that look up a single version.
func discoverable(finder discovery.DiscoveryInterface, resource schema.GroupVersionResource) error {
	_, all, err := finder.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	one, err := finder.ServerResourcesForGroupVersion(resource.GroupVersion().String())
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

// until repeats an attempt until it succeeds, the context ends, or the API server says that the
// request itself is wrong.
func until(ctx context.Context, what string, attempt func() error) error {
	ticker := time.NewTicker(crdPollInterval)
	defer ticker.Stop()
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(context.Cause(ctx), err))
		case <-ticker.C:
		}
	}
}
