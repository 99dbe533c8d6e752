package schemas

import (
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// Position of a field in its file. Line and Column count from 1, columns in
// characters. The zero Position means the file as a whole.
type Position struct{ Line, Column int }

// Document is a file that was read without error, with the place of every
// field. Value is complete: defaults are filled in.
type Document[T any] struct {
	File  string
	Value T

	places *places
}

// Position is where a field stands, such as "spec.serving.replicas.min" or
// "spec.rollout.canary.steps[1]": a scalar's own place, the key of a mapping or
// list, an item's own place. For a field that is not written it is the nearest
// parent that is, at last the start of the document.
func (d *Document[T]) Position(field string) Position {
	if d.places == nil {
		return Position{}
	}
	return positionOf(d.places.tree(), field)
}

// Written reports whether the file itself holds the field, as opposed to its
// value being a default.
func (d *Document[T]) Written(field string) bool {
	return d.places != nil && written(d.places.tree(), field)
}

// Finding is an error about a field of the document, placed where it stands.
func (d *Document[T]) Finding(field, code, message, remedy string) Finding {
	at := d.Position(field)
	return Finding{
		Severity: SeverityError, File: d.File, Line: at.Line, Column: at.Column,
		Code: code, Message: message, Remedy: remedy,
	}
}

// places finds fields in a file's text. The text is parsed again at the first
// question: few documents are ever asked, and a tree of nodes for each of
// thousands of cached documents would outweigh all the rest.
type places struct {
	content []byte
	once    sync.Once
	root    *yaml.Node
}

func (p *places) tree() *yaml.Node {
	p.once.Do(func() { p.root, _ = readTree("", p.content) })
	return p.root
}

// positionOf is Document.Position on a tree.
func positionOf(root *yaml.Node, field string) Position {
	if root == nil {
		return Position{}
	}
	key, value, _ := find(root, field)
	return placeOf(key, value)
}

func written(root *yaml.Node, field string) bool {
	if root == nil {
		return false
	}
	_, _, rest := find(root, field)
	return rest == ""
}

// placeOf is the value for scalars and items, the key for mappings and lists:
// a block mapping's own start would be its first entry, a line too far down.
func placeOf(key, value *yaml.Node) Position {
	if key != nil && (value == nil || value.Kind == yaml.MappingNode || value.Kind == yaml.SequenceNode) {
		return nodePosition(key)
	}
	return nodePosition(value)
}

func nodePosition(n *yaml.Node) Position { return Position{Line: n.Line, Column: n.Column} }

// find descends along a field's path as far as the tree goes. rest is what of
// the path was not found.
func find(root *yaml.Node, field string) (key, value *yaml.Node, rest string) {
	value, rest = root, field
	for rest != "" {
		k, v, r, ok := step(value, rest)
		if !ok {
			return key, value, rest
		}
		key, value, rest = k, v, r
	}
	return key, value, rest
}

// step takes the first segment of a path. Keys may hold dots and slashes
// (labels), so the keys that exist decide where a segment ends; the longest wins.
func step(n *yaml.Node, path string) (key, value *yaml.Node, rest string, ok bool) {
	switch n.Kind {
	case yaml.SequenceNode:
		digits, after, found := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(digits)
		if path[0] != '[' || !found || err != nil || i < 0 || i >= len(n.Content) {
			return nil, nil, "", false
		}
		return nil, n.Content[i], strings.TrimPrefix(after, "."), true
	case yaml.MappingNode:
		longest := -1
		for i := 0; i+1 < len(n.Content); i += 2 {
			after, has := strings.CutPrefix(path, n.Content[i].Value)
			if !has || after != "" && after[0] != '.' && after[0] != '[' || len(n.Content[i].Value) <= longest {
				continue
			}
			longest, key, value, rest, ok = len(n.Content[i].Value), n.Content[i], n.Content[i+1], strings.TrimPrefix(after, "."), true
		}
	}
	return key, value, rest, ok
}

// trail is the way to the field being decoded. It is spelt out only for
// findings, so that a clean file costs no strings.
type trail struct {
	up    *trail
	key   string
	index int
	// free marks a key of the author's own, which may be anything.
	free bool
}

// String is the field's path as Document.Position takes it.
func (t *trail) String() string {
	if t == nil {
		return ""
	}
	up := t.up.String()
	switch {
	case t.key == "":
		return up + "[" + strconv.Itoa(t.index) + "]"
	case up == "":
		return t.key
	}
	return up + "." + t.key
}

// shown is the field's path for a message: keys that could be secrets are left out.
func (t *trail) shown() string {
	if t == nil {
		return "the document"
	}
	clean := *t
	for s := &clean; s != nil; s = s.up {
		if s.free && !knownFieldNames()[s.key] && looksSecret(s.key) {
			s.key, s.free = "(not shown)", false
		}
		if s.up != nil {
			up := *s.up
			s.up = &up
		}
	}
	return clean.String()
}
