package nodes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Load reads Node objects from a file: a YAML sequence of them, a v1 List, or several YAML
// documents. Misspelled fields are errors, because a node that silently lacks a taint or a GPU
// makes for a test of something else.
func Load(path string) ([]corev1.Node, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading nodes: %w", err)
	}
	all, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("reading nodes from %s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("reading nodes from %s: there is no Node in it", path)
	}
	return all, nil
}

func parse(content []byte) ([]corev1.Node, error) {
	var all []corev1.Node
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, check(all)
		}
		if err != nil {
			return nil, err
		}
		found, err := parseDocument(document)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
}

func parseDocument(document []byte) ([]corev1.Node, error) {
	asJSON, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(asJSON, []byte("null")) {
		return nil, nil // Comments only.
	}
	if asJSON[0] == '[' {
		var sequence []corev1.Node
		err := yaml.UnmarshalStrict(document, &sequence)
		return sequence, err
	}
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := yaml.Unmarshal(asJSON, &kind); err != nil {
		return nil, err
	}
	switch kind.Kind {
	case "List", "NodeList":
		var list corev1.NodeList
		err := yaml.UnmarshalStrict(document, &list)
		return list.Items, err
	default:
		var node corev1.Node
		err := yaml.UnmarshalStrict(document, &node)
		return []corev1.Node{node}, err
	}
}

// check makes sure that all are Nodes, named, and that they can be applied as they are.
func check(all []corev1.Node) error {
	seen := map[string]bool{}
	for i := range all {
		node := &all[i]
		switch {
		case node.Kind == "" && node.APIVersion == "":
			node.Kind, node.APIVersion = "Node", "v1" // Implied in a NodeList.
		case node.Kind != "Node" || node.APIVersion != "v1":
			return fmt.Errorf("object %d is %s %s; only v1 Node objects are allowed", i+1, node.APIVersion, node.Kind)
		}
		if node.Name == "" {
			return fmt.Errorf("node %d has no metadata.name", i+1)
		}
		if seen[node.Name] {
			return fmt.Errorf("node %s is there twice", node.Name)
		}
		seen[node.Name] = true
	}
	return nil
}
