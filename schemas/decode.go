package schemas

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// decoder fills a Go value from a tree of nodes, by the json tags for the names
// and the rule tags for the values. It goes on after an error: everything wrong
// with a file is reported at once.
type decoder struct {
	*report
	refused map[*yaml.Node]bool
}

// place is a node with its key and the way to it.
type place struct {
	key   *yaml.Node
	value *yaml.Node
	trail *trail
}

func (d *decoder) bad(p place, code, message, remedy string) {
	d.at(placeOf(p.key, p.value), p.trail.String(), code, message, remedy)
}

// value decodes one node. The rule is that of the field which holds the value;
// items of lists and mappings inherit what concerns texts and numbers.
func (d *decoder) value(p place, into reflect.Value, rule *Rule) {
	if d.refused[p.value] {
		return
	}
	if read := scalarReaders[into.Type()]; read != nil {
		read(d, p, into, rule)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.value(p, into.Elem(), rule)
	case reflect.Struct:
		d.structure(p, into)
	case reflect.Map:
		d.mapping(p, into, rule)
	case reflect.Slice:
		d.list(p, into, rule)
	case reflect.String:
		d.text(p, into, rule)
	case reflect.Bool:
		d.boolean(p, into)
	case reflect.Int, reflect.Int32, reflect.Int64:
		d.integer(p, into, rule)
	case reflect.Float64:
		d.float(p, into, rule)
	default:
		panic("schemas: no decoding into " + into.Type().String())
	}
}

// is checks the kind of a node.
func (d *decoder) is(p place, kind yaml.Kind) bool {
	if p.value.Kind == kind {
		return true
	}
	d.wrongKind(p, kind, howToWrite(kind, p.value))
	return false
}

func (d *decoder) wrongKind(p place, kind yaml.Kind, remedy string) {
	d.bad(p, CodeWrongType, fmt.Sprintf("%s must be %s, not %s", p.trail.shown(), nodeKind(kind), nodeKind(p.value.Kind)), remedy)
}

// word is a text that may be an entry of a list as it is. More than a word is mostly
// no single entry, and may be a command's line with what nobody else should read.
var word = regexp.MustCompile(`^\w[\w.-]{0,30}$`)

// howToWrite shows the kind of node that belongs in the place of another.
func howToWrite(kind yaml.Kind, instead *yaml.Node) string {
	switch {
	case kind == yaml.MappingNode:
		return "write keys and values below it, as key: value"
	case kind == yaml.ScalarNode:
		return "write one value, without brackets, braces and dashes"
	case instead.Kind == yaml.ScalarNode && word.MatchString(instead.Value) && !looksSecret(instead.Value):
		return "begin each entry with -, or write it in brackets: [" + instead.Value + "]"
	}
	return "begin each entry with -, or write them in brackets: [a, b]"
}

func nodeKind(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func (d *decoder) structure(p place, into reflect.Value) {
	info := infoOf(into.Type())
	if p.value.Kind != yaml.MappingNode {
		d.wrongKind(p, yaml.MappingNode, "write its fields below it, as field: value; they are "+info.shown())
		return
	}
	var present uint64 // of info.fields; no struct has more than 64
	for i := 0; i+1 < len(p.value.Content); i += 2 {
		key, value := p.value.Content[i], p.value.Content[i+1]
		n, known := info.byName[key.Value]
		switch {
		case known && key.Kind == yaml.ScalarNode:
			present |= 1 << n
			f := &info.fields[n]
			d.value(place{key, value, &trail{up: p.trail, key: f.name}}, into.Field(f.index), &f.Rule)
		case !d.refused[key]:
			at := &trail{up: p.trail, key: key.Value, free: true}
			d.at(nodePosition(key), at.String(), CodeUnknownField,
				fmt.Sprintf("%s has no field %s", p.trail.shown(), echoKey(key.Value)), unknownFieldRemedy(key.Value, info))
		}
	}
	for n := range info.fields {
		if f := &info.fields[n]; f.Required && present&(1<<n) == 0 {
			at := &trail{up: p.trail, key: f.name}
			d.at(placeOf(p.key, p.value), at.String(), CodeRequired, at.shown()+" is missing", "write it")
		}
	}
}

// unknownFieldRemedy knows the mistakes that a list of names does not answer.
func unknownFieldRemedy(key string, info *structInfo) string {
	_, hasCPU := info.byName["cpu"]
	_, hasGPU := info.byName["gpu"]
	switch aboutGPU := strings.Contains(key, "/") || strings.Contains(strings.ToLower(key), "gpu"); {
	case !hasCPU || hasGPU || !aboutGPU:
	case info == infoOf(reflect.TypeFor[Allocatable]()):
		return "a pool's GPUs stand in its accelerator"
	default:
		return "GPUs are asked for by spec.serving.accelerator"
	}
	return suggest(key, info.names())
}

func (d *decoder) mapping(p place, into reflect.Value, rule *Rule) {
	if !d.is(p, yaml.MappingNode) {
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(p.value.Content)/2))
	d.atLeast(p, len(p.value.Content)/2, rule)
	for i := 0; i+1 < len(p.value.Content); i += 2 {
		key, value := p.value.Content[i], p.value.Content[i+1]
		if d.refused[key] {
			continue
		}
		at := place{key, value, &trail{up: p.trail, key: key.Value, free: true}}
		if rule.Key != nil && !rule.Key.accepts(key.Value) {
			d.malformed(place{nil, key, at.trail}, key.Value, rule.Key, "the key "+echo(key.Value))
		}
		item := reflect.New(into.Type().Elem()).Elem()
		d.value(at, item, rule)
		into.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
}

func (d *decoder) list(p place, into reflect.Value, rule *Rule) {
	if !d.is(p, yaml.SequenceNode) {
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(p.value.Content), len(p.value.Content)))
	d.atLeast(p, len(p.value.Content), rule)
	seen := map[string]int{}
	for i, item := range p.value.Content {
		at := place{nil, item, &trail{up: p.trail, index: i}}
		d.value(at, into.Index(i), rule)
		if !rule.Set || item.Kind != yaml.ScalarNode || d.refused[item] {
			continue
		}
		name := item.Value
		if rule.Fold {
			name = strings.ToLower(name)
		}
		if first, twice := seen[name]; twice {
			d.bad(at, CodeDuplicateValue, fmt.Sprintf("%s repeats the entry on line %d", at.trail.shown(), first), "keep one of the two")
			continue
		}
		seen[name] = item.Line
	}
}

func (d *decoder) atLeast(p place, entries int, rule *Rule) {
	if entries < rule.Items {
		d.bad(p, CodeOutOfRange, fmt.Sprintf("%s needs at least %d entries, there are %d", p.trail.shown(), rule.Items, entries),
			"add what is missing")
	}
}

// text decodes a string. What YAML takes for something else must be quoted: the
// author of an unquoted 1.10 or 2026-01-01 may get another text than was meant.
func (d *decoder) text(p place, into reflect.Value, rule *Rule) {
	s, ok := d.stringOf(p)
	if !ok {
		return
	}
	into.SetString(s)
	values := enums[into.Type()]
	switch {
	case rule.Const != "" && s != rule.Const:
		d.bad(p, CodeUnknownValue, fmt.Sprintf("%s is %s", p.trail.shown(), echo(s)), `write "`+rule.Const+`"`)
	case values != nil && !contains(values, s):
		d.bad(p, CodeUnknownValue, fmt.Sprintf("%s is %s, which is none of its values", p.trail.shown(), echo(s)), suggest(s, values))
	case rule.Length > 0 && utf8.RuneCountInString(s) > rule.Length:
		d.bad(p, CodeTooLong, fmt.Sprintf("%s has more than %d characters", p.trail.shown(), rule.Length), "shorten it")
	case rule.Format != nil && !rule.Format.accepts(s):
		d.malformed(p, s, rule.Format, p.trail.shown())
	}
}

// stringOf is a node's text, if it is one.
func (d *decoder) stringOf(p place) (string, bool) {
	if !d.is(p, yaml.ScalarNode) {
		return "", false
	}
	if p.value.Tag != "!!str" {
		d.bad(p, CodeWrongType, fmt.Sprintf("%s is a text, but unquoted this reads as %s", p.trail.shown(), kindOfScalar(p.value)), "quote it")
		return "", false
	}
	return p.value.Value, true
}

// malformed reports a text that its format does not accept.
func (d *decoder) malformed(p place, s string, f *Format, name string) {
	switch {
	case s == "":
		d.bad(p, CodeInvalidValue, name+" is empty", f.Meaning)
	case f.tooLong(s):
		d.bad(p, CodeTooLong, fmt.Sprintf("%s has more than %d characters", name, f.Max), f.Meaning)
	default:
		d.bad(p, CodeInvalidValue, name+" is not of the form it must have", f.Meaning)
	}
}

func contains(values []string, s string) bool {
	for _, v := range values {
		if v == s {
			return true
		}
	}
	return false
}
