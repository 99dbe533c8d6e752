package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTestPolicy(t *testing.T) {
	const test = "policy/production_test.rego"
	broken := func(r *repo) {
		r.edit(test, `codes == {"production-version"}`, `codes == {"another"}`)
	}
	for name, tc := range map[string]struct {
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
			broken, nil, 1,
			[]string{"FAIL mooring.test_an_alias_is_denied\n     policy/production_test.rego:18: not true\n       expected to hold: codes == {\"another\"}", "1 failed"}, "PASS",
		},
		"a test that fails and is not asked for": {broken, []string{"--run", "replica"}, 0, []string{"0 failed"}, ""},
		"a broken rule": {
			func(r *repo) { r.write("policy/x.rego", "package mooring\n\nimport rego.v1\n\ndeny contains f(1)\n") }, nil, 1,
			[]string{"policy/x.rego:5:"}, "FAIL",
		},
		"a link where a rule belongs": {
			func(r *repo) {
				if err := os.Symlink("phi.rego", r.path("policy/x.rego")); err != nil {
					r.t.Fatal(err)
				}
			}, nil, 1, []string{"policy/x.rego:0:0: the file is refused"}, "FAIL",
		},
		"no rules at all":       {func(r *repo) { r.remove("policy") }, nil, 0, []string{"0 tests passed"}, ""},
		"too many tests":        {func(r *repo) { r.write("policy/x_test.rego", manyTests()) }, nil, 3, nil, "PASS"},
		"no such expression":    {nil, []string{"--run", "("}, 2, nil, ""},
		"an unknown option":     {nil, []string{"--quick"}, 2, nil, ""},
		"an unknown way to say": {nil, []string{"-o", "xml"}, 2, nil, ""},
	} {
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
				if !strings.Contains(o.stdout, want) {
					t.Errorf("no %q in\n%s", want, o.stdout)
				}
			}
		})
	}
	t.Run("no such folder", func(t *testing.T) {
		if o := mlops(t, t.TempDir(), "", "test-policy", filepath.Join("not", "there")); o.code != 2 {
			t.Errorf("exit %d", o.code)
		}
	})
	t.Run("as JSON", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		broken(r)
		o := mlops(t, r.dir, "", "test-policy", "-o", "json")
		var got struct {
			Passed, Failed int
			Rego           []struct {
				Name, File, Message, Expression string
				FailedLine                      int
			}
		}
		if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
			t.Fatal(err, o.stderr)
		}
		if o.code != 1 || got.Failed != 1 || got.Passed != len(got.Rego)-1 || got.Passed < 3 {
			t.Errorf("exit %d, %+v", o.code, got)
		}
	})
}

func manyTests() string {
	var b strings.Builder
	b.WriteString("package mooring\n\nimport rego.v1\n")
	for i := range 1001 {
		b.WriteString("\ntest_" + strings.Repeat("x", i+1) + " if true\n")
	}
	return b.String()
}
