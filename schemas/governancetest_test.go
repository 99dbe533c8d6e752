package schemas

import (
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

var governanceTestRules = []mutation{
	{"a case twice", "name: a removal", "name: ¦a patch", CodeDuplicateValue},
	{"a team in two spellings", "acme/ml-managers: [mia], acme/senior-ds: [sam]", "¦acme/ml-managers: [mia], ACME/ml-managers: [sam]", CodeDuplicateValue},
	{"a patch and a removal", "    - name: a patch", "    - ¦name: a patch\n      remove: true", CodeConflict},
	{"no change at all", "    - name: a removal\n      path: teams/data-science.yaml\n      remove: true", "    - ¦name: a removal\n      path: teams/data-science.yaml", CodeConflict},
	{"a removal that is none", "remove: true", "remove: ¦false", CodeInvalidValue},
	{"an expectation of nothing", "expect: {level: high}", "¦expect: {}", CodeRequired},
	{"an expectation of no seats", "expect: {level: high}", "expect: {¦seats: {}}", CodeOutOfRange},
	{"a path upwards", "path: teams/data-science.yaml", "path: ¦../teams/data-science.yaml", CodeInvalidValue},
	{"a path where nothing is judged", "path: teams/data-science.yaml", "path: ¦docs/README.md", CodeInvalidValue},
	{"a patch of nothing", "patch: {spec: {justification: null}}", "¦patch: [a]", CodeWrongType},
	{"a patch that is null", "patch: {spec: {justification: null}}", "patch: ¦null", CodeNull},
	{"a null elsewhere", "author: alice", "author: ¦null", CodeNull},
	{"a verdict that does not exist", "verdict: pending", "verdict: ¦passed", CodeUnknownValue},
	{"a state that does not exist", "state: APPROVED", "state: ¦approved", CodeUnknownValue},
	{"a level that does not exist", "{level: high}", "{level: ¦severe}", CodeUnknownValue},
	{"a score beyond all", "score: 38", "score: ¦51", CodeOutOfRange},
	{"a day for a time", `"2026-06-10T12:00:00Z"`, `¦"2026-06-10"`, CodeInvalidValue},
}

func TestGovernanceTest(t *testing.T) { expectBroken(t, "governance_test.yaml", governanceTestRules) }

func FuzzParseGovernanceTest(f *testing.F) {
	fuzzParser(f, "governance_test.yaml", ParseGovernanceTest)
}

func TestACaseIsCompleteByItsDefaults(t *testing.T) {
	const text = "apiVersion: mlops-platform.com/v1alpha1\nkind: GovernanceTest\nmetadata: {name: g}\nspec:\n  at: \"2026-06-10T12:00:00Z\"\n" +
		"  cases: [{name: a, path: governance.yaml, patch: {}, reviews: [{user: mia, state: APPROVED}], expect: {verdict: pass}}]\n"
	doc, findings := ParseGovernanceTest("f", []byte(text))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	c := doc.Value.Spec.Cases[0]
	if c.Author != "author" || !c.At.Equal(doc.Value.Spec.At) || c.Reviews[0].Ago != Duration(time.Minute) || c.Expect.Missing != nil || c.Content != nil {
		t.Errorf("%+v", c)
	}
}

// The cases of appendix A of RFC 7396 that have a mapping on both sides, and
// what YAML adds to them.
func TestAFragmentMergesAsTheRFCSays(t *testing.T) {
	for name, tc := range map[string]struct{ file, patch, want string }{
		"a value replaces":                    {"a: b", "{a: c}", "a: c\n"},
		"a new field is added":                {"a: b", "{b: c}", "a: b\nb: c\n"},
		"null removes":                        {"a: b\nb: c", "{a: null}", "b: c\n"},
		"a null of nothing is nothing":        {"a: b", "{c: null}", "a: b\n"},
		"a text replaces a list":              {"a: [b]", "{a: c}", "a: c\n"},
		"a list replaces a text":              {"a: c", "{a: [b]}", "a: [b]\n"},
		"a list is replaced, not merged":      {"a: [{b: c}]", "{a: [1]}", "a: [1]\n"},
		"mappings merge":                      {"a: {b: c}", "{a: {b: d, c: null}}", "a: {b: d}\n"},
		"a mapping replaces a value":          {"a: foo", "{a: {bb: {ccc: null}}}", "a:\n    bb: {}\n"},
		"a null in a list stays":              {"e: 1", "{a: [null]}", "e: 1\na: [null]\n"},
		"numbers and texts stay as spelt":     {"v: \"2\"\nn: 1.10", "{x: 0.50, y: \"3\"}", "v: \"2\"\nn: 1.10\nx: 0.50\ny: \"3\"\n"},
		"an empty one adds a line break":      {"a:   b # why\n", "{}", "a:   b # why\n\n"},
		"a comment of the patch stays behind": {"a: {b: c}", "{a: {\n# why\nb: d # so\n}}", "a: {b: d}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fragment(t, tc.patch).MergeInto([]byte(tc.file))
			if err != nil || string(got) != tc.want {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
		})
	}
	for name, file := range map[string]string{"no YAML": "a: [", "a list": "[a]", "nothing": "", "two documents": "a: b\n---\nc: d\n"} {
		if got, err := fragment(t, "{a: 1}").MergeInto([]byte(file)); err == nil {
			t.Errorf("%s: merged to %q", name, got)
		}
	}
}

func fragment(t *testing.T, text string) Fragment {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return newFragment(doc.Content[0])
}
