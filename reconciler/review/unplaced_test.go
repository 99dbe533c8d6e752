package review

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/placement"
)

const (
	readmissionPath = "models/clinical-ai/readmission-risk/production/deployment.yaml"
	churnStaging    = "models/data-science/churn-predictor/staging/deployment.yaml"
)

// What cannot be placed, or not even read, is no saving and no removal.
func TestAModelWithoutObjectsIsNotPresentedAsItsRemoval(t *testing.T) {
	const problems = "not rendered: see the problems above"
	for name, tc := range map[string]struct {
		path     string
		from, to string
		verdict  policy.Verdict
		build    policy.Verdict
		says     string
	}{
		"no pool has the capacity":  {readmissionPath, "capacity: on-demand", "capacity: spot", policy.Fail, policy.Pending, problems},
		"no pool has the hardware":  {readmissionPath, "capacity: on-demand", "capacity: on-demand\n    accelerator: {type: nvidia-t5, count: 1}", policy.Fail, policy.Pending, problems},
		"it cannot be read":         {readmissionPath, "capacity: on-demand", "capacity: [", policy.Fail, policy.Pending, problems},
		"its environment is absent": {readmissionPath, "environment: production", "environment: nowhere", policy.Fail, policy.Pending, problems},
		"its version is an alias":   {churnStaging, `version: "2"`, "alias: champion", policy.Pending, policy.Pass, "not rendered: the registry resolves the alias at the release"},
	} {
		t.Run(name, func(t *testing.T) {
			report := edited(t, map[string][2]string{
				tc.path:    {tc.from, tc.to},
				rankerPath: {`version: "9"`, `version: "10"`},
			})
			c, build := report.Changes[0], report.Stages[len(report.Stages)-1]
			if c.Path != tc.path || c.Diff != "" || c.Verdict != tc.verdict {
				t.Errorf("%s is %s, with the diff:\n%s", c.Path, c.Verdict, c.Diff)
			}
			if build.Name != policy.StageBuild || build.Verdict != tc.build || !strings.Contains(build.Reason, c.title()+": not rendered") {
				t.Errorf("%+v", build)
			}
			var text bytes.Buffer
			if err := report.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			expect(t, Comment(report), "**Rendered objects:** "+tc.says)
			expect(t, text.String(), "  objects "+tc.says)
		})
	}
}

func TestTheCostOfWhatIsNotPlacedIsUnknown(t *testing.T) {
	const ranker = "70.57 USD (unchanged) at replicas.min, 282.26 USD (unchanged) at replicas.max"
	report := edited(t, map[string][2]string{
		readmissionPath: {"capacity: on-demand", "capacity: spot"},
		rankerPath:      {`version: "9"`, `version: "10"`},
	})
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	expect(t, text.String(), "157.37 USD → unknown", "Cost a month: "+ranker+"\n", "Cost a month: unknown for clinical-ai/readmission-risk in production, left out of the sums",
		"budget of team clinical-ai over all environments: 0 of 6000 USD a month at replicas.min, without readmission-risk in production, whose cost is unknown;")
	expect(t, Comment(report), `157\.37 USD → unknown`, "unknown for clinical-ai/readmission-risk in production")
	for i, unknown := range []bool{true, false} {
		data, err := json.Marshal(report.Changes[i].Cost)
		if err != nil || strings.Contains(string(data), `"monthlyAfter":0,"`) != unknown || strings.Contains(string(data), `"unknownAfter":true`) != unknown {
			t.Errorf("%s: %v", data, err)
		}
	}
	expect(t, strings.Join(allText(report.Explain(report.Changes[0])), "\n"), "157.37 USD → unknown at replicas.min")
}

func allText(x Explanation) []string {
	lines := []string{x.Text}
	for _, b := range x.Because {
		lines = append(lines, allText(b)...)
	}
	return lines
}

func TestSidesOfACost(t *testing.T) {
	one, two := placement.CostOf(1_000_000), placement.CostOf(2_000_000)
	for name, tc := range map[string]struct {
		cost          Cost
		before, after placement.Cost
		want          string
	}{
		"it stays":               {Cost{}, one, one, "1.00 USD"},
		"it changes":             {Cost{}, one, two, "1.00 → 2.00 USD"},
		"a new one is unknown":   {Cost{UnknownAfter: true}, placement.Cost{}, placement.Cost{}, "unknown"},
		"it becomes unknown":     {Cost{UnknownAfter: true}, one, placement.Cost{}, "1.00 USD → unknown"},
		"it is known again":      {Cost{UnknownBefore: true}, placement.Cost{}, two, "unknown → 2.00 USD"},
		"neither side was known": {Cost{UnknownBefore: true, UnknownAfter: true}, placement.Cost{}, placement.Cost{}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cost.Currency = "USD"
			if got := tc.cost.sides(tc.before, tc.after); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Where nobody can say who may approve, nothing else is looked at, and none of it
// is said to be right.
func TestWhatIsNotLookedAtDoesNotPass(t *testing.T) {
	repo, pr, base := pullRequestOf(t, "change", func(files map[string]string) { files["governance.yaml"] = "kind: [" }, func(files map[string]string) {
		files[rankerPath] = strings.Replace(files[rankerPath], `"9"`, `"10"`, 1)
	})
	report := (&judgement{t, repo, Request{Base: base, Head: pr.Head, People: Nobody()}}).at(0)
	for _, s := range report.Stages {
		if s.Verdict == policy.Pass {
			t.Errorf("%s passes: %s", s.Name, s.Reason)
		}
	}
	if cell := report.Changes[0].costCell(); report.Verdict != policy.Error || cell != "unknown" {
		t.Errorf("%s, and the cost is %s", report.Verdict, cell)
	}
}
