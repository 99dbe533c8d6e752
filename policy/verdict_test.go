package policy_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

func TestWorst(t *testing.T) {
	tests := map[string]struct {
		in   []policy.Verdict
		want policy.Verdict
	}{
		"nothing to judge passes":                  {nil, policy.Pass},
		"pass alone passes":                        {[]policy.Verdict{policy.Pass}, policy.Pass},
		"pending beats pass":                       {[]policy.Verdict{policy.Pass, policy.Pending}, policy.Pending},
		"fail beats pending":                       {[]policy.Verdict{policy.Fail, policy.Pending}, policy.Fail},
		"error beats fail":                         {[]policy.Verdict{policy.Fail, policy.Error, policy.Pass}, policy.Error},
		"a verdict that was never set is an error": {[]policy.Verdict{policy.Pass, ""}, policy.Error},
		"an unknown verdict is an error":           {[]policy.Verdict{"Pass"}, policy.Error},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := policy.Worst(tc.in...); got != tc.want {
				t.Errorf("Worst(%v) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestWorstIgnoresOrderAndGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdict := rapid.SampledFrom([]policy.Verdict{policy.Pass, policy.Pending, policy.Fail, policy.Error, ""})
		a, b := rapid.SliceOf(verdict).Draw(t, "a"), rapid.SliceOf(verdict).Draw(t, "b")
		whole := policy.Worst(append(append([]policy.Verdict{}, a...), b...)...)
		if got := policy.Worst(policy.Worst(b...), policy.Worst(a...)); got != whole {
			t.Fatalf("in groups %q, at once %q", got, whole)
		}
	})
}

func TestStagesRunReviewFirst(t *testing.T) {
	all, review := policy.Stages(), policy.ReviewStages()
	if len(all) != 9 || len(review) != 5 {
		t.Fatalf("got %d stages, %d of review", len(all), len(review))
	}
	for i, s := range review {
		if all[i] != s {
			t.Errorf("stage %d is %q, want %q", i, all[i], s)
		}
	}
	all[0] = "changed"
	if policy.Stages()[0] != policy.StageValidate {
		t.Error("a caller could change the stages")
	}
}

func TestWorstOf(t *testing.T) {
	got := policy.WorstOf([]policy.StageResult{{Verdict: policy.Pass}, {Verdict: policy.Pending}})
	if got != policy.Pending {
		t.Errorf("got %q", got)
	}
}

func TestFindingAt(t *testing.T) {
	f := policy.Finding{Severity: schemas.SeverityWarning, Code: "quota", Field: "spec", Message: "m", Remedy: "r"}
	want := schemas.Finding{
		Severity: schemas.SeverityWarning, File: "f.yaml", Line: 3, Column: 4, Code: "quota", Message: "m", Remedy: "r",
	}
	if got := f.At("f.yaml", 3, 4); got != want {
		t.Errorf("got %+v", got)
	}
}
