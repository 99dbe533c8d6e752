package schemas

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// inspector judges the form of a document before its meaning: no anchors, tags
// or nulls, every key once, nothing too deep or too long. The nodes it refuses
// are remembered, so that the decoder does not report them a second time.
type inspector struct {
	*report
	source  []byte
	lines   []int
	refused map[*yaml.Node]bool

	last   Position // where char looked last, and the offset of that place
	offset int
}

// inspect walks the whole document and returns the refused nodes.
func inspect(r *report, source []byte) map[*yaml.Node]bool {
	in := &inspector{report: r, source: source, refused: map[*yaml.Node]bool{}}
	in.node(r.root, nil, 1)
	return in.refused
}

func (in *inspector) refuse(n *yaml.Node, t *trail, code, message, remedy string) {
	in.refused[n] = true
	in.at(nodePosition(n), t.String(), code, message, remedy)
}

func (in *inspector) node(n *yaml.Node, t *trail, depth int) {
	if !in.plain(n, t) {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		in.scalar(n, t)
	case yaml.SequenceNode, yaml.MappingNode:
		entries := len(n.Content)
		if n.Kind == yaml.MappingNode {
			entries /= 2
		}
		switch {
		case depth > MaxDepth:
			in.refuse(n, t, CodeTooDeep, fmt.Sprintf("nested deeper than %d levels", MaxDepth), "flatten it")
		case entries > MaxItems:
			in.refuse(n, t, CodeTooMany, fmt.Sprintf("%d entries, more than the %d allowed", entries, MaxItems), "shorten it")
		case n.Kind == yaml.MappingNode:
			in.mapping(n, t, depth)
		default:
			for i, item := range n.Content {
				in.node(item, &trail{up: t, index: i}, depth+1)
			}
		}
	}
}

// plain refuses aliases, anchors and tags.
func (in *inspector) plain(n *yaml.Node, t *trail) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		in.refuse(n, t, CodeAlias, "YAML aliases are not allowed", "write the value out, or quote a text that begins with *")
	case n.Anchor != "":
		in.refuse(n, t, CodeAlias, "YAML anchors are not allowed", "remove the anchor, or quote a text that begins with &")
	case n.Style&yaml.TaggedStyle != 0 || in.char(n) == '!':
		in.refuse(n, t, CodeTag, "YAML tags are not allowed", "remove the tag, or quote a text that begins with !")
	default:
		return true
	}
	return false
}

// char is the character at which a node begins. The library forgets the
// non-specific tag "!", so it has to be looked up in the source. Nodes are
// visited in the order of the text, so the place is found from the last one: a
// long line is not walked again for each of its nodes.
func (in *inspector) char(n *yaml.Node) byte {
	if in.lines == nil {
		in.lines = lineStarts(in.source)
	}
	if n.Line < 1 || n.Line > len(in.lines) {
		return 0
	}
	if n.Line != in.last.Line || n.Column < in.last.Column {
		in.last, in.offset = Position{n.Line, 1}, in.lines[n.Line-1]
	}
	for ; in.last.Column < n.Column && in.offset < len(in.source); in.last.Column++ {
		_, size := utf8.DecodeRune(in.source[in.offset:])
		in.offset += size
	}
	if in.offset >= len(in.source) {
		return 0
	}
	return in.source[in.offset]
}

// lineStarts lists the offset of each line. CR, LF and CRLF end one, as in YAML.
func lineStarts(source []byte) []int {
	starts := []int{0}
	for i, c := range source {
		if c == '\n' || c == '\r' && (i+1 == len(source) || source[i+1] != '\n') {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (in *inspector) scalar(n *yaml.Node, t *trail) {
	if n.Tag == "!!null" {
		if inPatch.MatchString(t.String()) {
			return
		}
		in.refuse(n, t, CodeNull, t.shown()+" has no value", "write a value or remove the field")
		return
	}
	if n.Style == 0 && n.Tag == "!!str" && numberText.MatchString(n.Value) {
		n.Tag = "!!float" // 1e999: the library takes a number beyond its range for a text
	}
	in.characters(n, t)
}

// characters refuses what escapes such as "\0" and "\L" smuggle past the check
// of the file's bytes.
func (in *inspector) characters(n *yaml.Node, t *trail) {
	if n.Style&yaml.DoubleQuotedStyle == 0 {
		return
	}
	for _, char := range n.Value {
		if what := forbidden(char, utf8.RuneLen(char)); what != "" {
			in.refuse(n, t, CodeEncoding, "the text holds "+what, "remove the escape")
			return
		}
	}
}

func (in *inspector) mapping(n *yaml.Node, t *trail, depth int) {
	const hashFrom = 16
	var seen map[string]*yaml.Node
	if len(n.Content) > 2*hashFrom {
		seen = make(map[string]*yaml.Node, len(n.Content)/2)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := &trail{up: t, key: key.Value, free: true}
		if !in.key(key, at) {
			in.refused[value] = true
			continue
		}
		if first := earlier(n.Content[:i], key.Value, seen); first != nil {
			in.refuse(key, at, CodeDuplicateKey,
				fmt.Sprintf("the key %s stands here again; the first is on line %d", echoKey(key.Value), first.Line), "keep one of the two")
			in.refused[value] = true
			continue
		}
		if seen != nil {
			seen[key.Value] = key
		}
		in.node(value, at, depth+1)
	}
}

// earlier finds a key among those before it; short mappings need no hash for that.
func earlier(before []*yaml.Node, key string, seen map[string]*yaml.Node) *yaml.Node {
	if seen != nil {
		return seen[key]
	}
	for i := 0; i < len(before); i += 2 {
		if before[i].Kind == yaml.ScalarNode && before[i].Value == key {
			return before[i]
		}
	}
	return nil
}

// key refuses keys that are not plain or quoted text.
func (in *inspector) key(key *yaml.Node, at *trail) bool {
	switch {
	case key.Kind == yaml.ScalarNode && key.Tag == "!!merge":
		in.refuse(key, at, CodeAlias, "YAML merge keys are not allowed", "write the fields out")
	case !in.plain(key, at):
	case key.Kind != yaml.ScalarNode:
		in.refuse(key, at.up, CodeWrongType, "a key is a text, not a mapping or list", "write the key as a plain word")
	case key.Tag == "!!null":
		in.refuse(key, at, CodeNull, "a key is missing here", "write the key before the colon")
	case key.Tag != "!!str":
		in.refuse(key, at, CodeWrongType, "this key reads as "+kindOfScalar(key)+", not as a text", "put quotes around it")
	default:
		in.characters(key, at)
		return !in.refused[key]
	}
	return false
}

// echoKey is echo for field names; the names of our own fields, such as
// secretKeyRef, are no secrets though they look like one.
func echoKey(key string) string {
	if knownFieldNames()[key] {
		return `"` + key + `"`
	}
	return echo(key)
}

// kindOfScalar names what YAML takes an unquoted text for.
func kindOfScalar(n *yaml.Node) string {
	switch strings.TrimPrefix(n.Tag, "!!") {
	case "int", "float":
		return "a number"
	case "bool":
		return "a boolean"
	case "timestamp":
		return "a date"
	case "null":
		return "nothing"
	}
	return "a text"
}
