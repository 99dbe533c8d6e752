package risk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/schemas"
)

func table() schemas.RiskTable {
	return schemas.RiskTable{
		BusinessImpact:   map[string]int{"none": 0, "low": 2, "moderate": 5, "high": 8, "critical": 10},
		CustomerExposure: map[string]int{"none": 0, "internal": 2, "indirect": 5, "direct": 8, "public": 10},
		DataSensitivity:  map[string]int{"public": 0, "internal": 3, "confidential": 5, "pii": 8, "phi": 10},
		Regulations:      map[string]int{"gdpr": 4, "ccpa": 3, "soc2": 2, "sox": 5, "fcra": 8, "hipaa": 8},
		Explainability:   map[string]int{"none": 0, "recommended": 4, "required": 8, "mandated": 10},
		Levels:           schemas.Levels{Medium: 15, High: 30},
	}
}

func facts(impact, exposure, sensitivity, explainability string, regulations ...string) schemas.Facts {
	return schemas.Facts{
		BusinessImpact: impact, CustomerExposure: exposure, DataSensitivity: sensitivity,
		Explainability: explainability, Regulations: regulations,
	}
}

var none = facts("none", "none", "public", "none")

func before(f schemas.Facts) risk.Source { return risk.Source{Name: "before", Facts: f} }
func after(f schemas.Facts) risk.Source  { return risk.Source{Name: "after", Facts: f} }
func tags(f schemas.Facts) risk.Source {
	return risk.Source{Name: "the registered model", Facts: f, Partial: true}
}

func TestAssess(t *testing.T) {
	tests := map[string]struct {
		sources []risk.Source
		score   int
		level   schemas.RiskLevel
		reasons map[string]string
	}{
		"nothing at stake is low": {[]risk.Source{after(none)}, 0, schemas.RiskLow, map[string]string{
			risk.BusinessImpact: `"none" in after`, risk.RegulatoryScope: "no regulation in after",
		}},
		"14 is low": {[]risk.Source{after(facts("low", "internal", "pii", "none", "soc2"))}, 14, schemas.RiskLow, nil},
		"15 is medium": {
			[]risk.Source{after(facts("moderate", "internal", "pii", "none"))}, 15, schemas.RiskMedium, nil,
		},
		"29 is medium": {
			[]risk.Source{after(facts("critical", "direct", "internal", "recommended", "gdpr"))}, 29, schemas.RiskMedium, nil,
		},
		"30 is high": {
			[]risk.Source{after(facts("critical", "direct", "confidential", "recommended", "ccpa"))}, 30, schemas.RiskHigh, nil,
		},
		"everything at once is 50": {
			[]risk.Source{after(facts("critical", "public", "phi", "mandated", "fcra", "hipaa"))}, 50, schemas.RiskHigh,
			map[string]string{risk.RegulatoryScope: `"fcra" 8 + "hipaa" 8 = 16, at most 10 in after`},
		},
		"lowering a fact is judged by the higher side": {
			[]risk.Source{before(facts("high", "none", "phi", "none")), after(facts("low", "direct", "internal", "none"))},
			26, schemas.RiskMedium, map[string]string{
				risk.BusinessImpact: `"high" in before, "low" in after: the higher holds`, risk.CustomerExposure: `"none" in before, "direct" in after: the higher holds`, risk.DataSensitivity: `"phi" in before, "internal" in after: the higher holds`,
			},
		},
		"both sides are named when they agree": {
			[]risk.Source{before(none), after(none)}, 0, schemas.RiskLow,
			map[string]string{risk.DataSensitivity: `"public" in before, "public" in after`},
		},
		"regulations are summed for each source, then compared": {
			[]risk.Source{before(facts("none", "none", "public", "none", "gdpr", "soc2")), after(facts("none", "none", "public", "none", "ccpa"))},
			6, schemas.RiskLow, map[string]string{risk.RegulatoryScope: `"gdpr" 4 + "soc2" 2 in before, "ccpa" 3 in after: the higher holds`},
		},
		"a regulation tagged twice counts once": {
			[]risk.Source{after(none), tags(schemas.Facts{Regulations: []string{"sox", "sox"}})}, 5, schemas.RiskLow, nil,
		},
		"the registered model's tags raise the score and may say little": {
			[]risk.Source{after(none), tags(schemas.Facts{DataSensitivity: "phi"})}, 10, schemas.RiskLow,
			map[string]string{risk.DataSensitivity: `"public" in after, "phi" in the registered model: the higher holds`, risk.BusinessImpact: `"none" in after`},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := risk.Assess(table(), tc.sources...)
			if err != nil {
				t.Fatal(err)
			}
			if a.Score != tc.score || a.Level != tc.level {
				t.Errorf("score %d %s, want %d %s", a.Score, a.Level, tc.score, tc.level)
			}
			for factor, want := range tc.reasons {
				if got := a.Reasons()[factor]; got != want {
					t.Errorf("%s: %q, want %q", factor, got, want)
				}
			}
		})
	}
}

func TestAssessFailsClosed(t *testing.T) {
	broken := table()
	broken.BusinessImpact["none"] = -50
	tests := map[string]struct {
		table   schemas.RiskTable
		sources []risk.Source
		want    string
		unknown bool
	}{
		"no source":        {table(), nil, "no manifest declares any facts", true},
		"an unknown value": {table(), []risk.Source{after(facts("vast", "none", "public", "none"))}, `after: governance.businessImpact "vast"`, true},
		"another spelling": {table(), []risk.Source{after(facts("none", "none", "PHI", "none"))}, `governance.dataSensitivity "PHI"`, true},
		"an unknown regulation": {
			table(), []risk.Source{after(facts("none", "none", "public", "none", "gdpr", "law"))}, `governance.regulations "law"`, true,
		},
		"an unknown tag": {table(), []risk.Source{after(none), tags(schemas.Facts{Explainability: "some"})}, `the registered model: governance.explainability "some"`, true},
		"a fact left out of a manifest": {
			table(), []risk.Source{before(none), after(facts("", "none", "public", "none"))}, "after: businessImpact is not declared", true,
		},
		"tags alone pass where they state everything": {table(), []risk.Source{tags(none), tags(schemas.Facts{})}, "", false},
		"tags alone that leave a fact out":            {table(), []risk.Source{tags(schemas.Facts{})}, "businessImpact is declared nowhere", true},
		"a score outside the range":                   {broken, []risk.Source{after(none)}, "outside 0–10", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := risk.Assess(tc.table, tc.sources...)
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, risk.ErrUnknownFact) != tc.unknown {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestPlatformIsTheHighestRisk(t *testing.T) {
	a := risk.Platform("governance.yaml")
	want := map[string]int{
		"businessImpact": 10, "customerExposure": 10, "dataSensitivity": 10, "regulatoryScope": 10, "explainabilityNeed": 10,
	}
	if diff := cmp.Diff(want, a.Scores()); diff != "" || a.Score != 50 || a.Level != schemas.RiskHigh {
		t.Errorf("%+v %s", a, diff)
	}
}

func TestAnotherSourceNeverLowersTheRisk(t *testing.T) {
	tb := table()
	pick := func(t *rapid.T, m map[string]int, label string) string {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		return rapid.SampledFrom(sorted(keys)).Draw(t, label)
	}
	draw := rapid.Custom(func(t *rapid.T) schemas.Facts {
		return facts(pick(t, tb.BusinessImpact, "impact"), pick(t, tb.CustomerExposure, "exposure"),
			pick(t, tb.DataSensitivity, "data"), pick(t, tb.Explainability, "explain"),
			rapid.SliceOfDistinct(rapid.SampledFrom([]string{"gdpr", "ccpa", "soc2", "sox", "fcra", "hipaa"}), rapid.ID).Draw(t, "regulations")...)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		alone, err := risk.Assess(tb, before(a))
		if err != nil {
			t.Fatal(err)
		}
		both, err := risk.Assess(tb, before(a), after(b))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for i, f := range both.Factors {
			sum += f.Score
			if f.Score < alone.Factors[i].Score || f.Score > risk.MaxFactor {
				t.Fatalf("%s: %d alone, %d with another source", f.Name, alone.Factors[i].Score, f.Score)
			}
		}
		if sum != both.Score {
			t.Fatalf("factors sum to %d, score %d", sum, both.Score)
		}
	})
}
