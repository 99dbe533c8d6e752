package review

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/schemas"
)

// TestRulesThatCannotJudgeDoNotPass has one case for each way in which rules that
// compile would stop the pull requests that they are asked about, once merged.
func TestRulesThatCannotJudgeDoNotPass(t *testing.T) {
	const header = "package mooring\n\nimport rego.v1\n\n"
	const staging = ` if input.manifest.spec.environment == "staging"`
	for name, tc := range map[string]struct {
		path, rules string
		line        int
		code, says  string
		remedy      string
	}{
		"a text of the manifest where an object belongs": {
			"policy/a.rego", header + "deny contains {\"msg\": \"never\"} if input.manifest.spec.team == \"x\"\n\ndeny contains input.manifest.spec.team" + staging + "\n", 7,
			"rego-shape", "the rules could not be evaluated: deny yields a string where an object with msg belongs, found on models/", `write deny contains {"msg": "…", "code": "…"} if { … }`,
		},
		"values that contradict each other": {
			"policy/a.rego", header + "deny contains {\"msg\": level} if true\n\nlevel := \"a\"" + staging + "\n\nlevel := \"b\"" + staging + "\n", 9,
			"rego-evaluation", "eval_conflict_error", "make its conditions exclude one another",
		},
		"a built-in that fails": {
			"policy/a.rego", header + "deny contains {\"msg\": \"a\"} if to_number(input.manifest.spec.team) > 1\n", 5,
			"rego-evaluation", "eval_builtin_error", "of the right type before the call",
		},
		"a rule without an end": {
			"policy/a.rego", header + "deny contains {\"msg\": \"a\"} if {\n\tsome i in numbers.range(1, 100000)\n\tsome j in numbers.range(1, 100000)\n\ti + j < 0\n}\n", 0, // wherever it was
			"rego-evaluation", "took longer than", "look at less",
		},
	} {
		t.Run(name, func(t *testing.T) {
			report := edited(t, map[string][2]string{tc.path: {"", tc.rules}})
			c := report.Changes[0]
			at := slices.IndexFunc(c.Findings, func(f schemas.Finding) bool { return f.Severity == schemas.SeverityError })
			if report.Verdict != policy.Fail || at < 0 {
				t.Fatalf("the verdict is %s: %s\n%v", report.Verdict, Headline(report), c.Findings)
			}
			f := c.Findings[at]
			if f.File != tc.path || f.Line < 1 || tc.line != 0 && f.Line != tc.line || f.Code != tc.code || !strings.Contains(f.Message, tc.says) || !strings.Contains(f.Message, ", found on models/") || !strings.Contains(f.Remedy, tc.remedy) {
				t.Errorf("%s (%s)", f, f.Code)
			}
			if c.Impact.Broken > 0 {
				t.Errorf("the manifests are blamed: %v", c.Findings)
			}
		})
	}
}

// TestAFaultOfTheBaseIsNotTheChanges judges a comment in rules that fail already.
func TestAFaultOfTheBaseIsNotTheChanges(t *testing.T) {
	const rule = "package mooring\n\nimport rego.v1\n\ndeny contains input.manifest.spec.team\n"
	repo, pr, base := pullRequestOf(t, "change",
		func(files map[string]string) { files["policy/a.rego"] = rule },
		func(files map[string]string) { files["policy/a.rego"] = rule + "# why\n" })
	report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, People: Nobody(), Now: benchTime})
	if err != nil || len(report.Changes) != 1 {
		t.Fatal(err, report)
	}
	if report.Verdict != policy.Pending {
		t.Errorf("the verdict is %s: %v", report.Verdict, report.Changes[0].Findings)
	}
}

// TestApprovedRulesThatFailAreNamed judges a manifest by such rules.
func TestApprovedRulesThatFailAreNamed(t *testing.T) {
	const manifest = "models/data-science/churn-predictor/staging/deployment.yaml"
	for name, tc := range map[string]struct{ rule, says string }{
		"that cannot be evaluated": {"deny contains input.manifest.spec.team", "policy/a.rego:5:1: deny yields a string"},
		"that do not compile":      {"deny contains f(1)", "policy/a.rego:5:15: undefined function f"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../example-repo/" + manifest)
			if err != nil {
				t.Fatal(err)
			}
			repo, pr, base := pullRequestOf(t, "change",
				func(files map[string]string) {
					files["policy/a.rego"] = "package mooring\n\nimport rego.v1\n\n" + tc.rule + "\n"
				},
				func(files map[string]string) { files[manifest] = string(text) + "# why\n" })
			report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, People: Nobody(), Now: benchTime})
			if err != nil {
				t.Fatal(err)
			}
			security := report.Stages[slices.IndexFunc(report.Stages, func(s policy.StageResult) bool { return s.Name == policy.StageSecurity })]
			if security.Verdict != policy.Error || !strings.Contains(security.Reason, tc.says) {
				t.Errorf("%+v", security)
			}
		})
	}
}

// judgedOf judges a change of the example repository, which the base differs from.
func judgedOf(t *testing.T, rules RuleChecker, base, head func(files map[string]string)) *Report {
	t.Helper()
	repo, pr, at := pullRequestOf(t, "change", base, head)
	report, err := Evaluate(t.Context(), repo, Request{Base: at, Head: pr.Head, People: Nobody(), Now: benchTime, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func exampleFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("../../example-repo/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const churnInStaging = "models/data-science/churn-predictor/staging/deployment.yaml"

// TestAFaultRepeatsNoSecretOfAManifest: the engine says what it could not read.
func TestAFaultRepeatsNoSecretOfAManifest(t *testing.T) {
	secret := "ghp_" + "J7dKq2WmZ0xRt5VbN8yL" + "c3HsF6pGa1EuTi9o"
	report := judgedOf(t, nil, func(map[string]string) {}, func(files map[string]string) {
		files["policy/a.rego"] = "package mooring\n\nimport rego.v1\n\ndeny contains {\"msg\": sprintf(\"%d\", [x])} if {\n\tx := to_number(input.manifest.spec.serving.env[0].value)\n}\n"
		files[churnInStaging] = strings.Replace(exampleFile(t, churnInStaging), "  serving:\n", "  serving:\n    env: [{name: A_B, value: "+secret+"}]\n", 1)
	})
	said, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(said) + Comment(report); strings.Contains(text, secret) || !strings.Contains(text, "to_number") {
		t.Errorf("it says %s", text)
	}
}

// TestARuleThatNeverYieldsStopsNobody: what stands at the base judges on as long as
// it can; only who proposes such a rule is refused.
func TestARuleThatNeverYieldsStopsNobody(t *testing.T) {
	const rule = "package mooring\n\nimport rego.v1\n\ndeny contains \"never\" if input.manifest.spec.team == \"nobody\"\n"
	add := func(files map[string]string) { files["policy/a.rego"] = rule }
	report := judgedOf(t, nil, add, func(files map[string]string) { files[churnInStaging] = exampleFile(t, churnInStaging) + "# why\n" })
	if report.Verdict != policy.Pending {
		t.Errorf("another change is %s: %s", report.Verdict, Headline(report))
	}
	if report = judgedOf(t, nil, func(map[string]string) {}, add); report.Verdict != policy.Fail {
		t.Errorf("the rule itself is %s: %s", report.Verdict, Headline(report))
	}
}

// givesUp tries rules on the first manifest only, for which they take too long.
type givesUp struct{ inProcess }

func (givesUp) Try(context.Context, map[string][]byte, []any) ([]compliance.Tried, error) {
	return []compliance.Tried{{Fault: &schemas.Finding{Severity: schemas.SeverityError, Message: "took too long"}}}, nil
}

// TestWhatCouldNotBeTriedIsNotRight: the base fails on the same manifest, and of
// those after it nothing is known.
func TestWhatCouldNotBeTriedIsNotRight(t *testing.T) {
	const rule = "package mooring\n\nimport rego.v1\n\ndeny contains input.manifest.spec.team\n"
	report := judgedOf(t, givesUp{}, func(files map[string]string) { files["policy/a.rego"] = rule },
		func(files map[string]string) { files["policy/a.rego"] = rule + "# why\n" })
	if report.Verdict != policy.Error || !strings.Contains(Headline(report), "take too long") {
		t.Errorf("the verdict is %s: %s", report.Verdict, Headline(report))
	}
}

// TestAnAmountThatNobodyMeansIsRefusedWhereItIsProposed: where it stands already,
// everything goes on counting with it.
func TestAnAmountThatNobodyMeansIsRefusedWhereItIsProposed(t *testing.T) {
	odd := func(files map[string]string) {
		files[churnInStaging] = strings.Replace(exampleFile(t, churnInStaging), "memory: 2Gi}", "memory: 512m}", 1)
	}
	report := judgedOf(t, nil, func(map[string]string) {}, odd)
	if report.Verdict != policy.Fail || !strings.Contains(report.Changes[0].Findings[0].Message, "thousandths of a byte") {
		t.Errorf("proposed: %s: %v", report.Verdict, report.Changes[0].Findings)
	}
	const other = "models/data-science/email-classifier/staging/deployment.yaml"
	beside := func(files map[string]string) { files[other] = exampleFile(t, other) + "# why\n" }
	was, is := judgedOf(t, nil, func(map[string]string) {}, beside), judgedOf(t, nil, odd, beside)
	if was.Verdict != is.Verdict || is.Changes[0].Findings.Failed() {
		t.Errorf("beside it: %s instead of %s: %v", is.Verdict, was.Verdict, is.Changes[0].Findings)
	}
	for _, f := range is.Changes[0].Findings {
		if f.Code == "not-counted" {
			t.Errorf("it is not counted: %s", f)
		}
	}
}
