package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/schemas"
)

// ApplyConfig puts the ModelRepository objects of a file into the cluster, so
// that a controller configured by a file and one configured by objects are the
// same. Objects of other kinds or namespaces are refused.
func ApplyConfig(ctx context.Context, o Options, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	objects, err := readConfig(content, o.Namespace)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := checkDefinitions(o.Config); err != nil {
		return err
	}
	scheme, err := Scheme()
	if err != nil {
		return err
	}
	c, err := client.New(o.Config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	for _, obj := range objects {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj),
			client.FieldOwner("mooring-config"), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("apply the ModelRepository %s of %s: %w", obj.GetName(), file, err)
		}
	}
	return nil
}

func readConfig(content []byte, namespace string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(obj); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("not valid YAML: %w", err)
		}
		if len(obj.Object) == 0 {
			continue
		}
		if obj.GetAPIVersion() != schemas.APIVersion || obj.GetKind() != string(schemas.KindModelRepository) {
			return nil, fmt.Errorf("%s %q is no %s of %s", obj.GetKind(), obj.GetName(), schemas.KindModelRepository, schemas.APIVersion)
		}
		if obj.GetNamespace() == "" {
			obj.SetNamespace(namespace)
		}
		if obj.GetNamespace() != namespace {
			return nil, fmt.Errorf("the ModelRepository %q is in the namespace %q; this controller works in %q", obj.GetName(), obj.GetNamespace(), namespace)
		}
		objects = append(objects, obj)
	}
	if len(objects) == 0 {
		return nil, errors.New("it holds no ModelRepository")
	}
	return objects, nil
}
