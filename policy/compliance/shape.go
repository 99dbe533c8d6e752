package compliance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/mlops-platform/mooring/schemas"
)

// misshapen is an ErrShape: what is wrong with what the rules of a name yield.
type misshapen struct{ rule, what string }

const (
	noSet       = "is no set"
	noObject    = " where an object with msg belongs"
	withoutMsg  = "yields an object without msg"
	withoutCode = "yields an exception without code, which silences nothing"
)

func noText(field string) string { return "yields an object whose " + field + " is no string" }

// Error says which rules, and what.
func (m *misshapen) Error() string { return m.rule + " " + m.what }

// Unwrap makes it an ErrShape.
func (m *misshapen) Unwrap() error { return ErrShape }

// decides is which of deny, warn and exception a rule is of; empty: of none.
func decides(rule *ast.Rule) string {
	v, ok := rule.Head.Ref()[0].Value.(ast.Var)
	if !ok || !decisive(string(v)) || rule.Module == nil || rule.Module.Package.Path.String() != "data.mooring" {
		return ""
	}
	return string(v)
}

// decisiveRules are those of a name, or with the name "" of all three, in the
// order of their places.
func (b *Bundle) decisiveRules(name string) []*ast.Rule {
	var rules []*ast.Rule
	for _, path := range slices.Sorted(maps.Keys(b.rules)) {
		for _, r := range b.rules[path].Rules {
			if is := decides(r); is != "" && (name == "" || is == name) {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

func shapeRemedy(rule string) string {
	if !decisive(rule) {
		return "correct the rule"
	}
	return fmt.Sprintf(`write %s contains {"msg": "…", "code": "…"} if { … }`, rule)
}

// checkTypes refuses rules of which the types alone tell that they can yield no
// violation: no test has to reach them. The compiler knows the type of all rules
// of a name together; only where that is suspicious is each asked by itself.
func (b *Bundle) checkTypes(compiled *ast.Compiler) schemas.Findings {
	suspicious := map[string]bool{}
	for _, name := range []string{"deny", "warn", "exception"} {
		suspicious[name] = suspect(name, compiled.TypeEnv.GetByRef(ref(name)))
	}
	modules := maps.Clone(b.rules)
	alone := map[string]*ast.Rule{}
	for _, rule := range b.decisiveRules("") {
		if !suspicious[decides(rule)] {
			continue
		}
		name := fmt.Sprintf("mooring__shape__%d", len(alone))
		alone[name] = rule
		modules[name] = renamed(rule, name)
	}
	if len(alone) == 0 {
		return nil
	}
	compiler := newCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		return nil // the engine says at evaluation what nobody can tell now
	}
	var findings schemas.Findings
	for name, rule := range alone {
		if why := wrong(decides(rule), compiler.TypeEnv.GetByRef(ref(name))); why != "" {
			findings = append(findings, finding("", rule.Location, CodeShape, why, shapeRemedy(decides(rule))))
		}
	}
	slices.SortFunc(findings, func(a, b schemas.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return findings
}

func ref(rule string) ast.Ref {
	return ast.DefaultRootRef.Append(ast.StringTerm("mooring")).Append(ast.StringTerm(rule))
}

// renamed is a module of its own with a copy of one rule under another name.
func renamed(rule *ast.Rule, name string) *ast.Module {
	module := rule.Module.Copy()
	module.Rules = nil
	only := rule.Copy()
	for r := only; r != nil; r = r.Else {
		r.Head.Name = ast.Var(name)
		r.Head.SetRef(ast.Ref{ast.VarTerm(name)})
		r.Module = module
	}
	module.Rules = []*ast.Rule{only}
	return module
}

// suspect reports whether something that a set may hold is no violation.
func suspect(rule string, t types.Type) bool {
	return slices.ContainsFunc(alternatives(t), func(t types.Type) bool {
		set, ok := t.(*types.Set)
		if !ok {
			return wrong(rule, t) != ""
		}
		return slices.ContainsFunc(alternatives(set.Of()), func(t types.Type) bool { return wrongMember(rule, t) != "" })
	})
}

// wrong says why nothing of a type is a set of violations; empty: it may be one.
func wrong(rule string, t types.Type) string {
	return always(t, func(t types.Type) string {
		switch t := t.(type) {
		case *types.Set:
			return always(t.Of(), func(t types.Type) string { return wrongMember(rule, t) })
		case *types.Array:
			return ""
		}
		if kindOf(t) == "" {
			return ""
		}
		return (&misshapen{rule, noSet}).Error()
	})
}

// wrongMember says why nothing of a type is a violation; empty: it may be one.
func wrongMember(rule string, t types.Type) string {
	object, ok := t.(*types.Object)
	switch {
	case !ok && kindOf(t) != "":
		return (&misshapen{rule, "yields " + kindOf(t) + noObject}).Error()
	case !ok:
		return ""
	case object.Select("msg") == nil:
		return (&misshapen{rule, withoutMsg}).Error()
	case rule == "exception" && object.Select("code") == nil:
		return (&misshapen{rule, withoutCode}).Error()
	}
	for _, field := range []string{"msg", "code", "path"} {
		of := object.Select(field)
		if of != nil && always(of, func(t types.Type) string {
			if _, text := t.(types.String); text {
				return ""
			}
			return kindOf(t)
		}) != "" {
			return (&misshapen{rule, noText(field)}).Error()
		}
	}
	return ""
}

// always is what is said of the alternatives of a type, if something is of each.
func always(t types.Type, say func(types.Type) string) string {
	said := ""
	for _, t := range alternatives(t) {
		if said = say(t); said == "" {
			return ""
		}
	}
	return said
}

// alternatives are the types that a value may be of; none where it may be anything.
func alternatives(t types.Type) []types.Type {
	switch t := t.(type) {
	case nil:
		return nil
	case *types.NamedType:
		return alternatives(t.Type)
	case types.Any:
		var out []types.Type
		for _, t := range t {
			of := alternatives(t)
			if len(of) == 0 {
				return nil
			}
			out = append(out, of...)
		}
		return out
	}
	return []types.Type{t}
}

// kindOf names what a value of a type is; empty where that is not known.
func kindOf(t types.Type) string {
	switch t.(type) {
	case types.String:
		return "a string"
	case types.Number:
		return "a number"
	case types.Boolean:
		return "a boolean"
	case types.Null:
		return "null"
	case *types.Array:
		return "an array"
	case *types.Set:
		return "a set"
	case *types.Object:
		return "an object"
	}
	return ""
}
