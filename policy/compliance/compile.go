package compliance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings.
const (
	CodeParse   = "rego-parse"
	CodeCompile = "rego-compile"
	CodeBuiltin = "rego-builtin"
	CodePackage = "rego-package"
	CodeShape   = "rego-shape"
)

// testSuffix ends the names of files that hold tests of the rules.
const testSuffix = "_test.rego"

// Bundle is a set of rules that compiled. It is immutable and may be used by
// several goroutines at once.
type Bundle struct {
	query rego.PreparedEvalQuery
	rules map[string]*ast.Module
	tests map[string]*ast.Module
}

// Compile reads Rego files by path. Files that end in _test.rego are tests:
// they take no part in judging. The bundle is nil where a rule does not
// compile; with a broken test alone it can still judge, and with a rule that can
// yield no violation as long as that yields nothing. No files at all are a bundle
// that has nothing against anything.
func Compile(files map[string][]byte) (*Bundle, []schemas.Finding) {
	b := &Bundle{rules: map[string]*ast.Module{}, tests: map[string]*ast.Module{}}
	var findings, testFindings schemas.Findings
	for _, path := range slices.Sorted(maps.Keys(files)) {
		module, problems := parse(path, files[path])
		switch {
		case strings.HasSuffix(path, testSuffix):
			testFindings = append(testFindings, problems...)
			b.tests[path] = module
		default:
			findings = append(findings, problems...)
			b.rules[path] = module
		}
	}
	var misshapen schemas.Findings
	if len(findings) == 0 {
		findings, misshapen = b.prepare()
	}
	if len(findings) > 0 {
		findings = append(findings, testFindings...)
		findings.Sort()
		return nil, findings
	}
	if len(testFindings) == 0 {
		testFindings = b.checkTests()
	}
	rest := append(misshapen, testFindings...)
	rest.Sort()
	return b, rest
}

func parse(path string, content []byte) (*ast.Module, schemas.Findings) {
	module, err := ast.ParseModuleWithOpts(path, string(content), ast.ParserOptions{
		RegoVersion: ast.RegoV1, Capabilities: capabilities(),
	})
	if err != nil {
		return nil, findingsOf(path, err)
	}
	if module == nil {
		return nil, schemas.Findings{finding(path, nil, CodePackage, "the file is empty", "begin it with package mooring, or remove it")}
	}
	if f := checkPackage(path, module); f != nil {
		return nil, schemas.Findings{*f}
	}
	return module, checkShapes(path, module)
}

// checkPackage keeps rules where they are looked for.
func checkPackage(path string, m *ast.Module) *schemas.Finding {
	name := strings.TrimPrefix(m.Package.Path.String(), "data.")
	test := strings.HasSuffix(path, testSuffix)
	inside, below := strings.CutPrefix(name, "mooring.")
	if name == "mooring" || below && !decisive(inside) || test && name == "mooring_test" {
		return nil
	}
	f := finding(path, m.Package.Location, CodePackage,
		"the package is "+name+", and rules outside the package mooring are never asked", "write package mooring")
	return &f
}

func decisive(rule string) bool {
	return slices.Contains([]string{"deny", "warn", "exception"}, rule)
}

// checkShapes refuses forms of deny, warn and exception that would be a
// function or an object, and so either never asked or never right.
func checkShapes(path string, m *ast.Module) schemas.Findings {
	var findings schemas.Findings
	for _, rule := range m.Rules {
		head, name := rule.Head, decides(rule)
		if name == "" {
			continue
		}
		if len(head.Ref()) > 1 || len(head.Args) > 0 || head.DocKind() == ast.PartialObjectDoc {
			findings = append(findings, finding(path, rule.Location, CodeShape,
				name+" is not a set here", shapeRemedy(name)))
		}
	}
	return findings
}

func newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1).WithEnablePrintStatements(false)
}

// query asks for all three sets at once; a set that no rule defines is left out
// rather than making the whole answer undefined.
const query = `answer := {
	"deny": [set | set := data.mooring.deny],
	"warn": [set | set := data.mooring.warn],
	"exception": [set | set := data.mooring.exception],
}`

// prepare makes the bundle ready to judge, and tells which rules never can.
func (b *Bundle) prepare() (wrong, misshapen schemas.Findings) {
	compiler := newCompiler()
	if compiler.Compile(b.rules); compiler.Failed() {
		return findingsOf("", compiler.Errors), nil
	}
	prepared, err := rego.New(
		rego.Query(query), rego.Compiler(compiler), rego.Capabilities(capabilities()), rego.StrictBuiltinErrors(true), rego.StackTraces(true),
	).PrepareForEval(context.Background())
	if err != nil {
		return findingsOf("", err), nil
	}
	b.query = prepared
	return nil, b.checkTypes(compiler)
}

// checkTests compiles the tests together with the rules.
func (b *Bundle) checkTests() schemas.Findings {
	if len(b.tests) == 0 {
		return nil
	}
	compiler := newCompiler()
	if compiler.Compile(b.all()); compiler.Failed() {
		return findingsOf("", compiler.Errors)
	}
	return nil
}

func (b *Bundle) all() map[string]*ast.Module {
	all := maps.Clone(b.rules)
	maps.Copy(all, b.tests)
	return all
}

// findingsOf puts OPA's errors at their places. The text of the file is left
// out: it may hold what must not be shown.
func findingsOf(path string, err error) schemas.Findings {
	var many ast.Errors
	if !errors.As(err, &many) {
		return schemas.Findings{finding(path, nil, CodeCompile, err.Error(), "mend the rule")}
	}
	var findings schemas.Findings
	for _, e := range many {
		code, remedy := CodeCompile, "mend the rule"
		if e.Code == ast.ParseErr {
			code = CodeParse
		}
		name := strings.TrimPrefix(e.Message, "undefined function ")
		if why, no := whyForbidden(name); no {
			code, remedy = CodeBuiltin, why
			e = &ast.Error{Location: e.Location, Message: "the built-in " + name + " is not available here"}
		}
		findings = append(findings, finding(path, e.Location, code, e.Message, remedy))
	}
	return findings
}

func finding(path string, at *ast.Location, code, message, remedy string) schemas.Finding {
	f := schemas.Finding{Severity: schemas.SeverityError, File: path, Code: code, Message: message, Remedy: remedy}
	if at != nil {
		f.Line, f.Column = at.Row, at.Col
		if at.File != "" {
			f.File = at.File
		}
	}
	return f
}
