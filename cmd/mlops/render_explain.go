package main

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/render"
)

// explanation is one object in JSON.
type explanation struct {
	APIVersion string                      `json:"apiVersion"`
	Kind       string                      `json:"kind"`
	Namespace  string                      `json:"namespace,omitempty"`
	Name       string                      `json:"name"`
	Exists     []desired.Origin            `json:"exists,omitempty"`
	Fields     map[string][]desired.Origin `json:"fields"`
}

// writeExplained prints each object with a comment at what comes from a file; in
// JSON the origins alone.
func writeExplained(w io.Writer, f format, explained []desired.Explained) error {
	if f == formatJSON {
		out := make([]explanation, 0, len(explained))
		for _, x := range explained {
			out = append(out, explanation{
				x.Object.GetAPIVersion(), x.Object.GetKind(), x.Object.GetNamespace(), x.Object.GetName(), x.Exists, x.Fields,
			})
		}
		return writeJSON(w, out)
	}
	const legend = "# A comment names the lines that decide what it stands at, with all in it.\n# What has none is Mooring's own, the same for every model.\n"
	if _, err := io.WriteString(w, legend); err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	for _, x := range explained {
		n, err := annotated(x)
		if err != nil {
			return err
		}
		if err := enc.Encode(n); err != nil {
			return err
		}
	}
	return enc.Close()
}

// annotated is an object's YAML with its origins as comments.
func annotated(x desired.Explained) (*yaml.Node, error) {
	text, err := render.YAML([]*unstructured.Unstructured{x.Object})
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		return nil, err
	}
	for _, o := range x.Exists {
		doc.Content[0].HeadComment += "exists because of " + phrase(o) + "\n"
	}
	annotator{x.Fields}.entries(doc.Content[0], "", nil)
	return &doc, nil
}

// annotator puts an origin over the outermost entry all of whose values have it.
type annotator struct{ origins map[string][]desired.Origin }

// entries annotates the entries of a mapping or list. told are the origins that
// stand over them already.
func (a annotator) entries(n *yaml.Node, path string, told []desired.Origin) {
	for entry := range entriesOf(n, path) {
		common := a.common(entry.value, entry.path)
		news := slices.DeleteFunc(slices.Clone(common), func(o desired.Origin) bool { return slices.Contains(told, o) })
		if len(news) == 1 && entry.value.Kind == yaml.ScalarNode && news[0].Reason == "" {
			entry.value.LineComment = phrase(news[0])
		} else {
			for _, o := range news {
				entry.key.HeadComment += phrase(o) + "\n"
			}
		}
		a.entries(entry.value, entry.path, slices.Concat(told, news))
	}
}

// common are the origins that every value under a node has.
func (a annotator) common(n *yaml.Node, path string) []desired.Origin {
	if n.Kind == yaml.ScalarNode {
		return a.origins[path]
	}
	var out []desired.Origin
	first := true
	for entry := range entriesOf(n, path) {
		of := a.common(entry.value, entry.path)
		if first {
			out, first = slices.Clone(of), false
			continue
		}
		out = slices.DeleteFunc(out, func(o desired.Origin) bool { return !slices.Contains(of, o) })
	}
	return out
}

// entry of a mapping or a list; that of a list is its own key.
type entry struct {
	key, value *yaml.Node
	path       string
}

func entriesOf(n *yaml.Node, path string) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				at := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
				if !yield(entry{n.Content[i], n.Content[i+1], at}) {
					return
				}
			}
		case yaml.SequenceNode:
			for i, item := range n.Content {
				if !yield(entry{item, item, fmt.Sprintf("%s[%d]", path, i)}) {
					return
				}
			}
		}
	}
}

// phrase is an origin in one line.
func phrase(o desired.Origin) string {
	text := o.Field
	if o.File != "" {
		text = fmt.Sprintf("%s:%d %s", o.File, o.Line, o.Field)
	}
	if o.Default {
		text += " (by default)"
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}
