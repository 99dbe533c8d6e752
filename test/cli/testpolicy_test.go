package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const policyTest = "policy/production_test.rego"

func failPolicyTest(r *repo) {
	r.edit(policyTest, `codes == {"production-version"}`, `codes == {"another"}`)
}

var testPolicyCalls = map[string]struct {
	edit func(*repo)
	args []string
	code int
	want []string
	not  string
}{
	"the example passes":        {nil, nil, 0, []string{" passed, 0 failed, 0 skipped, 0 findings, in "}, "PASS"},
	"verbose names what passes": {nil, []string{"--verbose"}, 0, []string{"PASS mooring.test_an_alias_is_denied ("}, ""},
	"one test alone":            {nil, []string{"--run", "alias", "-v"}, 0, []string{"PASS mooring.test_an_alias_is_denied", "1 test passed"}, "replica"},
	"a test that fails, with its place": {
		failPolicyTest, nil, 1,
		[]string{"FAIL mooring.test_an_alias_is_denied\n     policy/production_test.rego:18: not true\n       expected to hold: codes == {\"another\"}", "1 failed"}, "PASS",
	},
	"a test that fails and is not asked for": {failPolicyTest, []string{"--run", "replica"}, 0, []string{"0 failed"}, ""},
	"a broken rule": {
		func(r *repo) { r.write("policy/x.rego", "package mooring\n\nimport rego.v1\n\ndeny contains f(1)\n") }, nil, 1,
		[]string{"policy/x.rego:5:"}, "FAIL",
	},
	"a link where a rule belongs": {
		func(r *repo) {
			if err := os.Symlink("phi.rego", r.path("policy/x.rego")); err != nil {
				r.t.Fatal(err)
			}
		}, nil, 1, []string{"policy/x.rego: the file is refused"}, "FAIL",
	},
	"no rules and no cases": {
		func(r *repo) { r.remove("policy"); r.remove("governance_test.yaml") }, nil, 0,
		[]string{"there are no tests: neither rules test_… in policy/*_test.rego, nor cases in governance_test.yaml\n"}, "passed",
	},
	"rules without tests": {
		func(r *repo) {
			r.remove(policyTest)
			r.remove("policy/phi_test.rego")
			r.remove("governance_test.yaml")
		}, nil, 1,
		[]string{"there are no tests: ", "; write some for the rules under policy/"}, "passed",
	},
	"rules that cases alone test": {func(r *repo) { r.remove(policyTest); r.remove("policy/phi_test.rego") }, nil, 0, []string{" passed, 0 failed"}, ""},
	"--run that matches nothing": {
		nil, []string{"--run", "zzz"}, 2,
		[]string{`mlops: --run "zzz" matches none of `, "such as mooring.test_", `, "`}, "passed",
	},
	"--run without tests": {
		func(r *repo) {
			r.remove(policyTest)
			r.remove("policy/phi_test.rego")
			r.remove("governance_test.yaml")
		}, []string{"--run", "x"}, 2,
		[]string{`--run "x" matches nothing: there are no tests`}, "passed",
	},
	"a broken rule and --run that matches nothing": {
		func(r *repo) { r.write("policy/x.rego", "package") }, []string{"--run", "zzz"}, 1, []string{"policy/x.rego:1:"}, "",
	},
	"too many tests":        {func(r *repo) { r.write("policy/x_test.rego", manyTests()) }, nil, 3, nil, "PASS"},
	"no such expression":    {nil, []string{"--run", "("}, 2, nil, ""},
	"an unknown option":     {nil, []string{"--quick"}, 2, nil, ""},
	"an unknown way to say": {nil, []string{"-o", "xml"}, 2, nil, ""},
}

func TestTestPolicy(t *testing.T) {
	for name, tc := range testPolicyCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			if tc.edit != nil {
				tc.edit(r)
			}
			o := mlops(t, r.dir, "", append([]string{"test-policy"}, tc.args...)...)
			if o.code != tc.code || tc.not != "" && strings.Contains(o.stdout, tc.not) {
				t.Errorf("exit %d\n%s\n%s", o.code, o.stdout, o.stderr)
			}
			for _, want := range tc.want {
				if !strings.Contains(o.all(), want) {
					t.Errorf("no %q in\n%s", want, o.all())
				}
			}
		})
	}
	testCases(t)
	t.Run("no such folder", func(t *testing.T) {
		if o := mlops(t, t.TempDir(), "", "test-policy", filepath.Join("not", "there")); o.code != 2 {
			t.Errorf("exit %d", o.code)
		}
	})
	t.Run("as JSON", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		failPolicyTest(r)
		o := mlops(t, r.dir, "", "test-policy", "-o", "json")
		var got struct {
			Passed, Failed int
			Rego           []struct {
				Name, File, Message, Expression string
				FailedLine                      int
			}
			Cases []struct {
				Name, File string
				Line       int
				Passed     bool
			}
		}
		if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
			t.Fatal(err, o.stderr)
		}
		if o.code != 1 || got.Failed != 1 || got.Passed != len(got.Rego)+len(got.Cases)-1 || len(got.Cases) < 8 || got.Cases[0].Line == 0 || got.Passed < 3 {
			t.Errorf("exit %d, %+v", o.code, got)
		}
	})
}

// caseFile is a governance_test.yaml with these cases.
func caseFile(cases string) string {
	return "apiVersion: mlops-platform.com/v1alpha1\nkind: GovernanceTest\nmetadata: {name: governance}\nspec:\n" +
		"  at: \"2026-06-10T12:00:00Z\"\n  cases:\n" + cases
}

func testCases(t *testing.T) {
	const low = "path: models/data-science/demand-forecast/development/deployment.yaml"
	for name, tc := range map[string]struct {
		cases string
		args  []string
		code  int
		want  []string
	}{
		"a case that is told otherwise, with all differences and the reasons": {
			"    - {name: Waits, " + low + ", patch: {}, expect: {verdict: pending, level: high, score: 1, missing: [legal], seats: {team-lead: mia}, findings: [freeze], stages: {approval: fail, aproval: pass}}}\n",
			nil, 1, []string{
				"FAIL case \"Waits\"\n     governance_test.yaml:7: expected verdict pending, got pass\n     expected level high, got low\n",
				"expected score 1, got ", "expected missing legal, got none", "expected seat team-lead mia, got automatic",
				"expected findings freeze, got none", "expected stage approval fail, got pass", "expected stage aproval pass, got no such stage; there are validate, ",
				"1 failed",
			},
		},
		"a broken change is judged, and its finding is named": {
			"    - {name: Typo, " + low + ", patch: {spec: {sevring: 1}}, expect: {verdict: pass}}\n", nil, 1,
			[]string{"expected verdict pass, got fail", "[unknown-field]"},
		},
		"a removed field, where null stands": {
			"    - {name: Gone, " + low + ", patch: {spec: {team: null}}, expect: {findings: [required]}}\n", []string{"--run", "Gone", "-v"}, 0,
			[]string{"PASS case \"Gone\"", "1 test passed"},
		},
		"a new file, by its content": {
			"    - {name: New, path: teams/new.yaml, content: \"kind: Team\", expect: {verdict: fail, level: high}}\n", []string{"--run", "New"}, 0, []string{"1 test passed"},
		},
		"a rule that is proposed": {
			"    - {name: Rule, path: policy/x.rego, content: \"package mooring\\n\\nimport rego.v1\\n\\ntest_x if false\\n\", expect: {findings: [rego-test]}}\n", []string{"--run", "Rule"}, 0,
			[]string{"1 test passed"},
		},
		"a file that does not exist": {
			"    - {name: Nowhere, path: teams/nobody.yaml, remove: true, expect: {verdict: fail}}\n", nil, 1, []string{"there is no file teams/nobody.yaml to change"},
		},
		"a patch of what is no YAML": {
			"    - {name: Same, path: policy/phi.rego, patch: {a: 1}, expect: {verdict: fail}}\n", nil, 1, []string{"policy/phi.rego cannot be patched"},
		},
		"an unknown field": {
			"    - {name: A, " + low + ", patch: {}, expects: {verdict: pass}, expect: {verdict: pass}}\n", nil, 1, []string{"governance_test.yaml:7:99: spec.cases[0] has no field"},
		},
		"two of one name": {
			strings.Repeat("    - {name: A, "+low+", patch: {}, expect: {verdict: pass}}\n", 2), nil, 1, []string{"governance_test.yaml:8:14: spec.cases[1].name is that of spec.cases[0]"},
		},
		"a broken file": {"    - {\n", nil, 1, []string{"governance_test.yaml:", "1 finding"}},
		"a path outside of what is judged": {
			"    - {name: A, path: model/x, content: x, expect: {verdict: pass}}\n", nil, 1, []string{"spec.cases[0].path is none at which a change is judged"},
		},
	} {
		t.Run("cases/"+name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.write("governance_test.yaml", caseFile(tc.cases))
			o := mlops(t, r.dir, "", append([]string{"test-policy"}, tc.args...)...)
			if o.code != tc.code {
				t.Errorf("exit %d\n%s\n%s", o.code, o.stdout, o.stderr)
			}
			for _, want := range tc.want {
				if !strings.Contains(o.stdout, want) {
					t.Errorf("no %q in\n%s", want, o.stdout)
				}
			}
		})
	}
}

func manyTests() string {
	var b strings.Builder
	b.WriteString("package mooring\n\nimport rego.v1\n")
	for i := range 1001 {
		b.WriteString("\ntest_" + strings.Repeat("x", i+1) + " if true\n")
	}
	return b.String()
}
