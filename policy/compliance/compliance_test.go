package compliance_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/schemas"
)

const header = "package mooring\n\nimport rego.v1\n\n"

func compile(t testing.TB, rules string) *compliance.Bundle {
	t.Helper()
	b, findings := compliance.Compile(map[string][]byte{"policy/rules.rego": []byte(header + rules)})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return b
}

func manifest() compliance.Input {
	return compliance.Input{
		Manifest: &schemas.ModelDeployment{
			Metadata: schemas.Metadata{Name: "churn"},
			Spec:     schemas.ModelDeploymentSpec{Team: "ds", Model: schemas.Model{Name: "churn", Version: "2"}},
		},
		Risk: compliance.Risk{Score: 20, Level: schemas.RiskMedium, Factors: map[string]int{"businessImpact": 8}},
		Now:  time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC),
	}
}

func TestEvaluate(t *testing.T) {
	v := func(code, path, msg string) compliance.Violation {
		return compliance.Violation{Msg: msg, Code: code, Path: path}
	}
	tests := map[string]struct {
		rules string
		want  compliance.Result
	}{
		"no rules have nothing against it": {"", compliance.Result{}},
		"rules that do not apply neither": {
			`deny contains {"msg": "no"} if input.manifest.spec.team == "other"`, compliance.Result{},
		},
		"rules see the input by its JSON names": {
			`deny contains {"msg": sprintf("%s %d %s", [input.manifest.spec.model.version, input.risk.factors.businessImpact, input.now])} if {
				input.before == null
				input.risk.level == "medium"
			}`,
			compliance.Result{Deny: []compliance.Violation{v("", "", "2 8 2026-07-20T12:00:00Z")}},
		},
		"all of a kind, ordered by code, path and message": {
			`deny contains {"msg": "b", "code": "z"}
			 deny contains {"msg": "a", "code": "z", "path": "spec.team"}
			 deny contains {"msg": "c", "code": "a"}
			 deny contains {"msg": "a", "code": "z"}
			 warn contains {"msg": "w", "path": "spec"}`,
			compliance.Result{
				Deny: []compliance.Violation{v("a", "", "c"), v("z", "", "a"), v("z", "", "b"), v("z", "spec.team", "a")},
				Warn: []compliance.Violation{v("", "spec", "w")},
			},
		},
		"a complete rule may yield an array": {
			`deny := [{"msg": "a"}, {"msg": "a", "severity": "high"}]`,
			compliance.Result{Deny: []compliance.Violation{v("", "", "a")}},
		},
		"an exception silences its code and shows what it silenced": {
			`deny contains {"msg": "a", "code": "x", "path": "p"}
			 deny contains {"msg": "b", "code": "y"}
			 exception contains {"msg": "until spring", "code": "x"}`,
			compliance.Result{
				Deny: []compliance.Violation{v("y", "", "b")},
				Exceptions: []compliance.Exception{{
					Violation: v("x", "", "until spring"), Silenced: []compliance.Violation{v("x", "p", "a")},
				}},
			},
		},
		"an exception with a path silences only that": {
			`deny contains {"msg": "a", "code": "x", "path": "p"}
			 deny contains {"msg": "a", "code": "x", "path": "q"}
			 exception contains {"msg": "e", "code": "x", "path": "q"}`,
			compliance.Result{
				Deny:       []compliance.Violation{v("x", "p", "a")},
				Exceptions: []compliance.Exception{{Violation: v("x", "q", "e"), Silenced: []compliance.Violation{v("x", "q", "a")}}},
			},
		},
		"no exception silences a deny without code, nor a warning": {
			`deny contains {"msg": "a"}
			 warn contains {"msg": "w", "code": "x"}
			 exception contains {"msg": "e", "code": "x"}`,
			compliance.Result{
				Deny: []compliance.Violation{v("", "", "a")}, Warn: []compliance.Violation{v("x", "", "w")},
				Exceptions: []compliance.Exception{{Violation: v("x", "", "e"), Silenced: []compliance.Violation{}}},
			},
		},
		"print has no effect": {
			`deny contains {"msg": "a"} if print("secret")`, compliance.Result{Deny: []compliance.Violation{v("", "", "a")}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, tc.rules).Evaluate(t.Context(), manifest())
			if err != nil {
				t.Fatal(err)
			}
			if got.Deny == nil || got.Warn == nil || got.Exceptions == nil {
				t.Error("a list is nil")
			}
			if len(tc.want.Deny) == 0 {
				tc.want.Deny = []compliance.Violation{}
			}
			if len(tc.want.Warn) == 0 {
				tc.want.Warn = []compliance.Violation{}
			}
			if len(tc.want.Exceptions) == 0 {
				tc.want.Exceptions = []compliance.Exception{}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEvaluateFailsClosed(t *testing.T) {
	const team, conflict = "input.manifest.spec.team", "deny := [{\"msg\": \"a\"}] if true\n\ndeny := [] if input.now"
	right := "deny contains {\"msg\": \"right\"}\n\n"
	tests := map[string]struct{ rules, want string }{
		"a violation that is a string":        {right + `deny contains ` + team, "rules.rego:7:1: deny yields a string where an object with msg belongs; write deny contains {"},
		"a violation that a helper words":     {right + "deny contains v if some v in words\n\nwords contains x if some x in [" + team + ", {\"msg\": \"a\"}]", "rules.rego:7:1: deny yields a string"},
		"a violation with a msg of the input": {right + `deny contains {"msg": x} if x := input.objects`, "rules.rego:7:1: deny yields an object whose msg is no string"},
		"a msg that is empty":                 {`deny contains {"msg": x} if x := trim(` + team + `, "data-science")`, "rules.rego:5:1: deny yields an object without msg"},
		"a code that is no string":            {`warn contains {"msg": "a", "code": input.objects}`, "warn yields an object whose code is no string"},
		"a warn that is an object":            {`warn := input.manifest`, "rules.rego:5:1: warn is no set; write warn contains"},
		"an exception without code":           {`exception contains x if some x in [{"msg": "a"}, {"msg": "a", "code": ` + team + `}]`, "exception without code"},
		"a set that holds a string":           {`deny := {` + team + `}`, "rules.rego:5:1: deny yields a string"},
		"rules that contradict each other":    {conflict, "rules.rego:7:1: eval_conflict_error"},
		"a built-in that fails":               {right + `deny contains {"msg": "a"} if to_number(` + team + `) > 3`, "rules.rego:7:31: eval_builtin_error: to_number"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, tc.rules).Evaluate(t.Context(), manifest())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q (result %+v)", err, tc.want, got)
			}
			if f := (*compliance.Fault)(nil); !errors.As(err, &f) || f.Finding.Remedy == "" || f.Finding.Severity != schemas.SeverityError {
				t.Errorf("no fault with a remedy: %+v", f)
			}
		})
	}
}

const endless = `deny contains {"msg": "a"} if {
	some i in numbers.range(1, 100000)
	some j in numbers.range(1, 100000)
	i + j < 0
}`

func TestEvaluateIsBoundedInTime(t *testing.T) {
	b := compile(t, endless)
	begin := time.Now()
	if _, err := b.Evaluate(t.Context(), manifest()); !errors.Is(err, compliance.ErrTimeout) || !strings.Contains(err.Error(), "policy/rules.rego:") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(begin); took > 10*compliance.TimeLimit {
		t.Errorf("took %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Evaluate(ctx, manifest()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestEvaluateAtOnceFromManyGoroutines(t *testing.T) {
	b := compile(t, `deny contains {"msg": input.manifest.metadata.name}`)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if r, err := b.Evaluate(t.Context(), manifest()); err != nil || len(r.Deny) != 1 {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
	wg.Wait()
}

var faultyRules = map[string]struct {
	files map[string]string
	want  []string // file:line code: part of the message
}{
	"a file that does not parse": {
		map[string]string{"policy/a.rego": header + "deny contains {"}, []string{"policy/a.rego:5 rego-parse: ", "policy/a.rego:5 rego-parse: expected rule key"},
	},
	"the old syntax": {
		map[string]string{"policy/a.rego": "package mooring\n\ndeny[msg] { msg := 1 }"}, []string{"policy/a.rego:3 rego-parse: ", "policy/a.rego:3 rego-parse: "},
	},
	"an unknown function": {
		map[string]string{"policy/a.rego": header + "deny contains {\"msg\": f(1)}"},
		[]string{"policy/a.rego:5 rego-compile: undefined function f"},
	},
	"another package": {
		map[string]string{"policy/a.rego": "package rules\n"}, []string{"policy/a.rego:1 rego-package: the package is rules"},
	},
	"a package that would hide the rules": {
		map[string]string{"policy/a.rego": "package mooring.deny\n\nx := 1"}, []string{"policy/a.rego:1 rego-package: "},
	},
	"an empty file": {map[string]string{"policy/a.rego": ""}, []string{"policy/a.rego: rego-"}},
	"a deny that is a function": {
		map[string]string{"policy/a.rego": header + "deny(x) := x"}, []string{"policy/a.rego:5 rego-shape: deny is not a set"},
	},
	"a deny that is an object": {
		map[string]string{"policy/a.rego": header + "deny[msg] := 1 if some msg in input"}, []string{"policy/a.rego:5 rego-shape: "},
	},
	"a deny with names below it": {
		map[string]string{"policy/a.rego": header + "deny.images contains {\"msg\": \"a\"}"}, []string{"policy/a.rego:5 rego-shape: "},
	},
	"a deny that is true": {
		map[string]string{"policy/a.rego": header + "deny if input.manifest"}, []string{"policy/a.rego:5 rego-shape: deny is no set"},
	},
	"a warn that is an object": {
		map[string]string{"policy/a.rego": header + "warn := {\"a\": {\"msg\": \"a\"}}"}, []string{"policy/a.rego:5 rego-shape: warn is no set"},
	},
	"texts where objects belong, among what is right": {
		map[string]string{
			"policy/a.rego": header + "deny contains {\"msg\": \"a\"}\n\ndeny contains \"no\" if {input.manifest.spec.environment == \"staging\"}",
			"policy/b.rego": header + "deny contains msg if {\n\tmsg := sprintf(\"no %s\", [input.manifest.spec.team])\n}\n\nwarn contains v if some v in data.mooring.lib.all",
			"policy/c.rego": "package mooring.lib\n\nall := {\"a\", \"b\"}",
		}, []string{
			"policy/a.rego:7 rego-shape: deny yields a string where an object with msg belongs",
			"policy/b.rego:5 rego-shape: deny yields a string", "policy/b.rego:9 rego-shape: warn yields a string",
		},
	},
	"objects without what belongs in them": {
		map[string]string{"policy/a.rego": header + `deny contains {"message": "no"}
deny contains {"msg": 1}
warn contains {"msg": "a", "code": 7}
exception contains {"msg": "a"}
deny contains {"msg": "a", "path": ["spec"]} if input.now`}, []string{
			"policy/a.rego:5 rego-shape: deny yields an object without msg", "policy/a.rego:6 rego-shape: deny yields an object whose msg is no string",
			"policy/a.rego:7 rego-shape: warn yields an object whose code is no string", "policy/a.rego:8 rego-shape: exception yields an exception without code",
			"policy/a.rego:9 rego-shape: deny yields an object whose path is no string",
		},
	},
	"what may be right is not refused": {
		map[string]string{"policy/a.rego": header + `deny contains input.manifest.spec.team
deny contains {"msg": x} if some x in ["a", 1]
deny contains object.union({"msg": "a"}, {"code": "b"})
deny contains v if some v in input.objects
warn := {v | some v in [{"msg": "a"}]} if true else := set()
default exception := []
exception := [{"msg": "a", "code": "b"}] if input.now`}, nil,
	},
	"every broken file at once": {
		map[string]string{"policy/b.rego": "nonsense", "policy/a.rego": "package x"},
		[]string{"policy/a.rego:1 rego-package: ", "policy/b.rego:1 rego-parse: "},
	},
	"a helper package below is fine": {
		map[string]string{
			"policy/a.rego":      header + "deny contains {\"msg\": \"a\"} if data.mooring.lib.yes",
			"policy/lib.rego":    "package mooring.lib\n\nyes := true",
			"policy/a_test.rego": "package mooring_test\n\nimport data.mooring\n\ntest_a if count(mooring.deny) == 1",
		}, nil,
	},
	"a broken test": {
		map[string]string{"policy/a_test.rego": header + "test_a if f(1)"},
		[]string{"policy/a_test.rego:5 rego-compile: undefined function f"},
	},
}

func TestCompileFindings(t *testing.T) {
	for name, tc := range faultyRules {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for path, content := range tc.files {
				files[path] = []byte(content)
			}
			_, findings := compliance.Compile(files)
			if len(findings) != len(tc.want) {
				t.Fatalf("%v", findings)
			}
			for i, f := range findings {
				place, rest, _ := strings.Cut(tc.want[i], " ")
				code, part, _ := strings.Cut(rest, ": ")
				if !strings.HasPrefix(f.String(), place+":") && !strings.HasPrefix(f.String(), place) ||
					!strings.HasPrefix(f.Code, code) || !strings.Contains(f.Message, part) {
					t.Errorf("%s (%s)\nwant %s", f, f.Code, tc.want[i])
				}
			}
		})
	}
}

func TestBuiltInsThatReachOutsideDoNotCompile(t *testing.T) {
	calls := []string{
		`http.send({"method": "get", "url": "http://169.254.169.254/"})`, `net.lookup_ip_addr("example.com")`,
		`net.cidr_contains("10.0.0.0/8", "10.0.0.1")`, `opa.runtime().env.HOME`, `time.now_ns()`, `rand.intn("x", 9)`,
		`uuid.rfc4122("x")`, `json.match_schema({}, {"$ref": "http://example.com/s.json"})`,
		`json.verify_schema({"$ref": "file:///etc/passwd"})`, `rego.parse_module("a.rego", "package a")`,
		`io.jwt.decode_verify("a.b.c", {})`, `crypto.x509.parse_and_verify_certificates("x")`, `trace("x")`,
		`providers.aws.sign_req({}, {}, 0)`,
	}
	for _, call := range calls {
		for _, name := range []string{"policy/a.rego", "policy/a_test.rego"} {
			rule := "deny contains {\"msg\": \"a\"} if x := " + call
			b, findings := compliance.Compile(map[string][]byte{name: []byte(header + rule)})
			if len(findings) == 0 || findings[0].Code != compliance.CodeBuiltin || findings[0].Line != 5 || findings[0].Remedy == "" {
				t.Errorf("%s in %s: %v", call, name, findings)
			}
			if name == "policy/a.rego" && b != nil {
				t.Errorf("%s: a bundle all the same", call)
			}
		}
	}
}

func TestSchemasOfAnnotationsAreNotFetched(t *testing.T) {
	rules := header + `# METADATA
# schemas:
#   - input: {"$ref": "http://127.0.0.1:1/schema.json"}
deny contains {"msg": "a"} if input.x`
	if _, findings := compliance.Compile(map[string][]byte{"policy/a.rego": []byte(rules)}); len(findings) > 0 {
		t.Error(findings)
	}
}

// TestEveryBuiltInWasJudged fails when an upgrade of OPA brings a built-in that
// nobody has looked at: add it to the file, as allowed where it decides on its
// arguments alone, or forbid it. It also fails where the file says other than
// what a rule meets.
func TestEveryBuiltInWasJudged(t *testing.T) {
	b, err := os.ReadFile("testdata/builtins.txt")
	if err != nil {
		t.Fatal(err)
	}
	decisions := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, decision, _ := strings.Cut(strings.TrimSpace(line), " ")
		decisions[name] = decision
	}
	for _, builtin := range ast.CapabilitiesForThisVersion().Builtins {
		got := "allowed"
		if !compliance.Available(builtin.Name) {
			got = "forbidden"
		}
		switch decision := decisions[builtin.Name]; {
		case decision == "":
			t.Errorf("%s is new", builtin.Name)
		case decision != got:
			t.Errorf("%s is %s, and the file says %s", builtin.Name, got, decision)
		case decision == "allowed" && builtin.Nondeterministic:
			t.Errorf("%s is not deterministic", builtin.Name)
		}
		delete(decisions, builtin.Name)
	}
	for name := range decisions {
		t.Errorf("%s is gone", name)
	}
}

func TestTestsRunApartFromTheRules(t *testing.T) {
	b, findings := compliance.Compile(map[string][]byte{
		"policy/a.rego": []byte(header + "deny contains {\"msg\": \"no\"} if input.bad"),
		"policy/a_test.rego": []byte(header + `test_bad_is_denied if count(deny) == 1 with input as {"bad": true}

test_good_is_denied if {
	count(deny) == 1 with input as {"bad": false}
}

todo_test_later if false

deny contains {"msg": "from a test"}

test_endless if {
	some i in numbers.range(1, 100000)
	some j in numbers.range(1, 100000)
	i + j < 0
}

test_fails if to_number("x")
`),
	})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	r, err := b.Evaluate(t.Context(), map[string]any{"bad": false})
	if err != nil || len(r.Deny) != 0 {
		t.Errorf("a test file took part in judging: %+v %v", r, err)
	}
	results, err := b.Test(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, strings.TrimPrefix(r.Name, "mooring.")+" "+map[bool]string{true: "passed", false: r.Message}[r.Passed])
	}
	want := []string{"test_bad_is_denied not true", "test_good_is_denied passed", "todo_test_later ", "test_endless took longer than", "test_fails policy"}
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("%q\nwant %q", got, want)
		}
	}
}

func TestABrokenTestDoesNotStopTheRules(t *testing.T) {
	b, findings := compliance.Compile(map[string][]byte{
		"policy/a.rego":      []byte(header + "deny contains {\"msg\": \"no\"}"),
		"policy/a_test.rego": []byte("nonsense"),
	})
	if len(findings) != 1 || b == nil {
		t.Fatal(findings)
	}
	if r, err := b.Evaluate(t.Context(), manifest()); err != nil || len(r.Deny) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := b.Test(t.Context(), nil); err == nil {
		t.Error("the broken test ran")
	}
}

func BenchmarkEvaluate(b *testing.B) {
	bundle := compile(b, `deny contains {"msg": "a", "code": "x"} if input.risk.score > 30
warn contains {"msg": "w"} if not input.manifest.spec.justification`)
	for b.Loop() {
		if _, err := bundle.Evaluate(b.Context(), manifest()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, `deny contains {"msg": "a", "code": "x"} if input.risk.score > 30`)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(header + `deny contains {"msg": "a"} if input.x`))
	f.Add([]byte(header + "test_a if true\n\ndeny.a contains 1"))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, name := range []string{"policy/a.rego", "policy/a_test.rego"} {
			b, findings := compliance.Compile(map[string][]byte{name: content})
			if b == nil && len(findings) == 0 {
				t.Fatal("neither a bundle nor a finding")
			}
		}
	})
}
