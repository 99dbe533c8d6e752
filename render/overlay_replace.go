package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/filters/replacement"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/utils"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// What a replacement reads may be what it, or the next one, has written, so that a
// few lines would double an object forty times over. Therefore it copies single
// values, as they were before it began, of no more than maxReplaced bytes, and each
// object is measured after each field. Nor does it write into a text: kustomize
// would read that as YAML, of which a few aliases fill the memory.

// maxReplaced bounds a value that a replacement copies, in bytes.
const maxReplaced = 1 << 10

// replace does one replacement as kustomize does it, with kustomize's own filter.
func replace(objects []*unstructured.Unstructured, r types.Replacement) ([]*unstructured.Unstructured, error) {
	nodes, err := toNodes(objects)
	if err != nil {
		return nil, err
	}
	value, err := replaced(objects, nodes, r)
	if err != nil {
		return nil, err
	}
	for _, target := range r.Targets {
		if target == nil || target.Select == nil {
			return nil, fmt.Errorf("a target of a replacement selects nothing")
		}
		fields := target.FieldPaths
		if len(fields) == 0 {
			fields = []string{types.DefaultReplacementFieldPath}
		}
		for _, field := range fields {
			if err := intoText(objects, nodes, target.Select, field); err != nil {
				return nil, err
			}
			one := *target
			one.FieldPaths = []string{field}
			filter := replacement.Filter{Replacements: []types.Replacement{{SourceValue: &value, Targets: []*types.TargetSelector{&one}}}}
			if nodes, err = filter.Filter(nodes); err != nil {
				return nil, err
			}
			if i := slices.IndexFunc(nodes, func(n *kyaml.RNode) bool { return textSize(n.YNode()) > maxObjectBytes }); i >= 0 {
				return nil, tooLarge(objects[i])
			}
		}
	}
	return fromNodes(nodes)
}

// intoText refuses a field that lies inside a text of an object that is selected.
func intoText(objects []*unstructured.Unstructured, nodes []*kyaml.RNode, selector *types.Selector, field string) error {
	selected, err := selectTarget(*selector)
	if err != nil {
		return err
	}
	path := utils.SmarterPathSplitter(field, ".")
	for i, u := range objects {
		if !selected.object(objectID(u)) {
			continue
		}
		for n := 1; n < len(path); n++ {
			outer, err := nodes[i].Pipe(kyaml.Lookup(path[:n]...))
			if err == nil && outer != nil && outer.YNode().Kind == kyaml.ScalarNode {
				return fmt.Errorf("a replacement writes %s of %s into a text: replace all of it", field, identity(u))
			}
		}
	}
	return nil
}

// replaced is the text that a replacement copies.
func replaced(objects []*unstructured.Unstructured, nodes []*kyaml.RNode, r types.Replacement) (string, error) {
	value := ""
	if r.SourceValue != nil {
		value = *r.SourceValue
	} else {
		var err error
		if value, err = sourceValue(objects, nodes, *r.Source); err != nil {
			return "", err
		}
	}
	if len(value) > maxReplaced {
		return "", fmt.Errorf("a replacement copies %d bytes, more than %d", len(value), maxReplaced)
	}
	return value, nil
}

// sourceValue looks up a replacement's source in the objects, which the nodes are made of.
func sourceValue(objects []*unstructured.Unstructured, nodes []*kyaml.RNode, source types.SourceSelector) (string, error) {
	var from *kyaml.RNode
	for i, u := range objects {
		if !objectID(u).IsSelectedBy(source.ResId) {
			continue
		}
		if from != nil {
			return "", fmt.Errorf("the source of a replacement, %s, is more than one object", source.ResId)
		}
		from = nodes[i]
	}
	if from == nil {
		return "", fmt.Errorf("the source of a replacement, %s, is not there", source.ResId)
	}
	path := source.FieldPath
	if path == "" {
		path = types.DefaultReplacementFieldPath
	}
	found, err := from.Pipe(kyaml.Lookup(utils.SmarterPathSplitter(path, ".")...))
	switch {
	case err != nil:
		return "", fmt.Errorf("the source of a replacement, %s of %s: %w", path, source.ResId, err)
	case found.IsNilOrEmpty():
		return "", fmt.Errorf("the source of a replacement, %s, has no %s", source.ResId, path)
	case found.YNode().Kind != kyaml.ScalarNode:
		return "", fmt.Errorf("a replacement copies single values, and %s of %s is a map or a list: write what it holds into a patch", path, source.ResId)
	}
	return refined(found.YNode().Value, source.Options)
}

// refined takes the part of a value that a source's options name.
func refined(value string, options *types.FieldOptions) (string, error) {
	if options == nil || options.Delimiter == "" {
		return value, nil
	}
	parts := strings.Split(value, options.Delimiter)
	if options.Index < 0 || options.Index >= len(parts) {
		return "", fmt.Errorf("the source of a replacement has no part %d: by %q it has %d", options.Index, options.Delimiter, len(parts))
	}
	return parts[options.Index], nil
}

func toNodes(objects []*unstructured.Unstructured) ([]*kyaml.RNode, error) {
	nodes := make([]*kyaml.RNode, len(objects))
	for i, u := range objects {
		data, err := json.Marshal(u.Object)
		if err != nil {
			return nil, err
		}
		if nodes[i], err = kyaml.Parse(string(data)); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

func fromNodes(nodes []*kyaml.RNode) ([]*unstructured.Unstructured, error) {
	objects := make([]*unstructured.Unstructured, len(nodes))
	for i, n := range nodes {
		var err error
		if objects[i], err = fromKustomize(n); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// textSize adds up the text below a node.
func textSize(n *kyaml.Node) int {
	size := len(n.Value)
	for _, inner := range n.Content {
		size += textSize(inner)
	}
	return size
}
