package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// maxOverlayDepth bounds the nesting of an overlay's YAML, as of every file.
const maxOverlayDepth = 32

// yamlError is what is wrong with a YAML file, and where.
type yamlError struct {
	line, column int
	message      string
}

func (e *yamlError) Error() string { return e.message }

// parseYAML reads a stream of documents and refuses what no file of a model
// repository may hold: anchors, aliases, tags, keys given twice. kustomize would
// expand aliases, and a few lines of them fill the memory.
func parseYAML(data []byte) ([]*yaml.Node, *yamlError) {
	var docs []*yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, syntaxError(err)
		}
		root := doc.Content[0]
		if isNull(root) {
			continue
		}
		if e := checkNode(root, 1); e != nil {
			return nil, e
		}
		docs = append(docs, root)
	}
}

func checkNode(n *yaml.Node, depth int) *yamlError {
	bad := func(format string, args ...any) *yamlError {
		return &yamlError{n.Line, n.Column, fmt.Sprintf(format, args...)}
	}
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return bad("anchors and aliases are not allowed")
	case n.Style&yaml.TaggedStyle != 0:
		return bad("tags (%s) are not allowed", n.Tag)
	case depth > maxOverlayDepth:
		return bad("nested deeper than %d", maxOverlayDepth)
	}
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || seen[key.Value] {
				return &yamlError{key.Line, key.Column, fmt.Sprintf("key %q is given twice or is no text", key.Value)}
			}
			seen[key.Value] = true
		}
	}
	for _, child := range n.Content {
		if e := checkNode(child, depth+1); e != nil {
			return e
		}
	}
	return nil
}

// syntaxError takes the line out of an error of the YAML library, which gives it
// in the text alone.
func syntaxError(err error) *yamlError {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	message = strings.TrimPrefix(message, "unmarshal errors:\n  ")
	e := &yamlError{message: message}
	if n, _ := fmt.Sscanf(message, "line %d:", &e.line); n == 1 {
		_, e.message, _ = strings.Cut(message, ": ")
		e.column = 1
	}
	return e
}

// decodeStrict fills v from a document and refuses fields that v lacks.
func decodeStrict(data []byte, v any) *yamlError {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		return syntaxError(err)
	}
	return nil
}

// nodeJSON turns a document into JSON as Kubernetes does; a date stays text.
func nodeJSON(doc *yaml.Node) ([]byte, error) {
	data, err := yaml.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return sigsyaml.YAMLToJSON(data)
}

// child is the value of a mapping's key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// text is the scalar at a path of keys, or "".
func text(n *yaml.Node, keys ...string) string {
	for _, key := range keys {
		n = child(n, key)
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
