package main

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/mlops-platform/mooring/schemas"
)

// generator writes the rules of the types into their schemas, so that the
// loader and the schemas cannot come apart.
type generator struct {
	definitions jsonschema.Definitions
	seen        map[reflect.Type]bool
}

// structure applies the rules of a struct's fields.
func (g *generator) structure(t reflect.Type, s *jsonschema.Schema) {
	if g.seen[t] {
		return
	}
	g.seen[t] = true
	s.Required = nil
	s.Description = oneLine(s.Description)
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property, ok := s.Properties.Get(name)
		if !ok {
			panic("no property " + t.Name() + "." + name)
		}
		rule := schemas.RuleOf(f)
		if rule.Required {
			s.Required = append(s.Required, name)
		}
		property.Description = oneLine(property.Description)
		g.value(f.Type, property, rule)
	}
	if extend := between[t]; extend != nil {
		extend(s)
	}
}

// value applies a field's rule to its schema and goes on into its type.
func (g *generator) value(t reflect.Type, s *jsonschema.Schema, rule schemas.Rule) {
	if scalar(t) != nil {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		g.value(t.Elem(), s, rule)
	case reflect.Struct:
		g.structure(t, g.definitions[t.Name()])
	case reflect.Slice:
		s.UniqueItems = rule.Set
		s.MinItems, s.MaxItems = atLeast(rule.Items), maximum(schemas.MaxItems)
		if t.Elem().Kind() != reflect.Interface {
			g.value(t.Elem(), s.Items, rule)
		}
	case reflect.Map:
		s.MinProperties, s.MaxProperties = atLeast(rule.Items), maximum(schemas.MaxItems)
		if rule.Key != nil {
			s.PropertyNames = &jsonschema.Schema{Pattern: rule.Key.Pattern}
		}
		if s.AdditionalProperties != nil {
			g.value(t.Elem(), s.AdditionalProperties, rule)
		}
	case reflect.String:
		text(t, s, rule)
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		s.Minimum, s.Maximum = number(rule.Min), number(rule.Max)
	}
}

func text(t reflect.Type, s *jsonschema.Schema, rule schemas.Rule) {
	if rule.Const != "" {
		s.Const = rule.Const
	}
	for _, v := range schemas.Values(t) {
		s.Enum = append(s.Enum, v)
	}
	if rule.Length > 0 {
		s.MaxLength = maximum(rule.Length)
	}
	if rule.Format == nil {
		return
	}
	s.Pattern = rule.Format.Pattern
	if rule.Format.Max > 0 {
		s.MaxLength = maximum(rule.Format.Max)
	}
	if s.Description == "" {
		s.Description = strings.ToUpper(rule.Format.Meaning[:1]) + rule.Format.Meaning[1:] + "."
	}
}

func number(f *float64) json.Number {
	if f == nil {
		return ""
	}
	return json.Number(strconv.FormatFloat(*f, 'f', -1, 64))
}

func maximum(n int) *uint64 { v := uint64(n); return &v }

func atLeast(n int) *uint64 {
	if n == 0 {
		return nil
	}
	return maximum(n)
}

// oneLine undoes the line breaks of a comment.
func oneLine(comment string) string { return strings.Join(strings.Fields(comment), " ") }

// between holds the rules between the fields of a type, as far as JSON Schema
// has words for them. The loader's checks are the authority.
var between = map[reflect.Type]func(*jsonschema.Schema){
	reflect.TypeFor[schemas.Model](): func(s *jsonschema.Schema) { s.OneOf = written("version", "alias") },
	reflect.TypeFor[schemas.EnvVar](): func(s *jsonschema.Schema) {
		s.OneOf = written("value", "valueFrom")
		name, _ := s.Properties.Get("name")
		name.Not = &jsonschema.Schema{Const: "PYTHONPATH"}
	},
	reflect.TypeFor[schemas.EnvVarSource](): func(s *jsonschema.Schema) {
		s.OneOf = written("secretKeyRef", "configMapKeyRef", "fieldRef")
	},
	reflect.TypeFor[schemas.Smoke]():       func(s *jsonschema.Schema) { s.OneOf = written("instances", "inputs") },
	reflect.TypeFor[schemas.MetricCheck](): func(s *jsonschema.Schema) { s.AnyOf = written("min", "max", "maxRegression") },
	reflect.TypeFor[schemas.RoleHolders](): anybody,
	reflect.TypeFor[schemas.Alternates]():  anybody,
	reflect.TypeFor[schemas.Resources](): func(s *jsonschema.Schema) {
		requests, _ := s.Properties.Get("requests")
		requests.Required = []string{"cpu", "memory"}
	},
	reflect.TypeFor[schemas.Pool](): func(s *jsonschema.Schema) {
		name, _ := s.Properties.Get("name")
		name.Not = &jsonschema.Schema{Const: schemas.PoolAuto}
	},
	reflect.TypeFor[schemas.ModelDeploymentSpec](): func(s *jsonschema.Schema) {
		model := property("format", &jsonschema.Schema{Const: string(schemas.FormatCustom)})
		model.Required = []string{"format"}
		s.If = property("model", model)
		s.Then = property("serving", &jsonschema.Schema{Required: []string{"container"}})
		s.Else = property("serving", property("container", jsonschema.FalseSchema))
	},
	reflect.TypeFor[schemas.GovernanceTestSpec](): func(s *jsonschema.Schema) {
		cases, _ := s.Properties.Get("cases")
		cases.MaxItems = maximum(schemas.MaxCases)
	},
	reflect.TypeFor[schemas.Case](): func(s *jsonschema.Schema) {
		s.OneOf = written("patch", "content", "remove")
		remove, _ := s.Properties.Get("remove")
		remove.Const = true
	},
	reflect.TypeFor[schemas.Expectation](): func(s *jsonschema.Schema) { s.MinProperties = maximum(1) },
	reflect.TypeFor[schemas.Governance](): func(s *jsonschema.Schema) {
		metadata, _ := s.Properties.Get("metadata")
		metadata.Properties = property("name", &jsonschema.Schema{Const: "governance"}).Properties
	},
}

// written is one alternative for each field: that it is there.
func written(names ...string) (alternatives []*jsonschema.Schema) {
	for _, name := range names {
		alternatives = append(alternatives, &jsonschema.Schema{Required: []string{name}})
	}
	return alternatives
}

// property is a schema of one property.
func property(name string, s *jsonschema.Schema) *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	properties.Set(name, s)
	return &jsonschema.Schema{Properties: properties}
}

// anybody asks for at least one team or user.
func anybody(s *jsonschema.Schema) {
	s.AnyOf = nil
	for _, name := range []string{"teams", "users"} {
		held := property(name, &jsonschema.Schema{MinItems: maximum(1)})
		held.Required = []string{name}
		s.AnyOf = append(s.AnyOf, held)
	}
}
