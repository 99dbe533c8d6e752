package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// metadata is what Mooring writes of an object's metadata.
type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// object is any object that is rendered. It holds no status: that is the
// cluster's to write.
type object struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	// AutomountToken is a ServiceAccount's automountServiceAccountToken.
	AutomountToken *bool `json:"automountServiceAccountToken,omitempty"`
	// RoleRef and Subjects are a RoleBinding's.
	RoleRef  *rbacv1.RoleRef  `json:"roleRef,omitempty"`
	Subjects []rbacv1.Subject `json:"subjects,omitempty"`
	// Data is a ConfigMap's.
	Data map[string]string `json:"data,omitempty"`
	Spec any               `json:"spec,omitempty"`
}

func toUnstructured(objects []object) ([]*unstructured.Unstructured, error) {
	out := make([]*unstructured.Unstructured, len(objects))
	for i := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&objects[i])
		if err != nil {
			return nil, fmt.Errorf("convert %s %s: %w", objects[i].Kind, objects[i].Metadata.Name, err)
		}
		out[i] = &unstructured.Unstructured{Object: content}
	}
	return out, nil
}

// Hash is "sha256:" and the hash of the objects' canonical JSON, in their order.
// Equal hashes mean equal objects; a release with the hash of the last one
// applies nothing.
func Hash(objects []*unstructured.Unstructured) string {
	h := sha256.New()
	// json.Marshal sorts the keys of maps. Of the types that an unstructured
	// object is made of it fails on none, and a hash writer takes every write.
	enc := json.NewEncoder(h)
	for _, o := range objects {
		if err := enc.Encode(o.Object); err != nil {
			panic(fmt.Sprintf("render: %s %s cannot be encoded: %v", o.GetKind(), o.GetName(), err))
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// YAML writes the objects as one stream of documents, keys sorted.
func YAML(objects []*unstructured.Unstructured) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		doc, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, fmt.Errorf("write %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		out.Write(doc)
	}
	return out.Bytes(), nil
}
