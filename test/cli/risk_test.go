package cli

import (
	"strings"
	"testing"
)

func TestRisk(t *testing.T) {
	named := func(model string) string { return "name: " + model + "\n    version" }
	for name, tc := range map[string]struct {
		base, head func(*repo)
		path       string
		want       string
		factors    map[string]int
	}{
		"each factor takes its value in the table and regulations add up": {
			nil, bump(churn), churn, "high 36",
			map[string]int{"businessImpact": 8, "customerExposure": 8, "dataSensitivity": 8, "regulatoryScope": 4, "explainabilityNeed": 8},
		},
		"regulations count at most 10": {
			nil, func(r *repo) { r.edit(forecast, "regulations: []", "regulations: [gdpr, sox, hipaa, soc2]") }, forecast, "medium 15",
			map[string]int{"regulatoryScope": 10},
		},
		"one below the level's score is the level below": {
			nil, func(r *repo) { r.edit(forecast, "regulations: []", "regulations: [gdpr, sox]") }, forecast, "low 14", nil,
		},
		"exactly 30 is high": {
			nil, func(r *repo) {
				r.edit(ranker, "regulations: []", "regulations: [gdpr, soc2]") // 16 + 6
				r.edit(ranker, "explainability: none", "explainability: required")
			}, ranker, "high 30", nil,
		},
		"lowering a fact is judged by the higher side, factor by factor": {
			nil, func(r *repo) {
				r.edit(ranker, "customerExposure: direct", "customerExposure: none")
				r.edit(ranker, "businessImpact: moderate", "businessImpact: high")
			}, ranker, "medium 19", map[string]int{"customerExposure": 8, "businessImpact": 8},
		},
		"a removal is judged by before": {
			nil, func(r *repo) { r.remove(ranker) }, ranker, "medium 16", nil,
		},
		"an addition that names a registered model of the base is judged by its facts too": {
			nil, func(r *repo) {
				r.add("data-science", "harmless", "development", named("harmless"), named("churn-predictor"))
			},
			manifestPath("data-science", "harmless", "development"), "high 36", nil,
		},
		"an addition is judged by the highest of all such manifests": {
			func(r *repo) {
				r.add("clinical-ai", "other", "development", named("other"), named("product-ranker"), "businessImpact: low", "businessImpact: critical")
			},
			func(r *repo) {
				r.add("data-science", "harmless", "development", named("harmless"), named("product-ranker"))
			},
			manifestPath("data-science", "harmless", "development"), "medium 21", nil,
		},
		"a name that the base spells with escapes is found": {
			func(r *repo) { r.edit(ranker, "    name: product-ranker\n", "    name: \"product\\x2dranker\"\n") },
			func(r *repo) {
				r.add("data-science", "harmless", "development", named("harmless"), named("product-ranker"))
			},
			manifestPath("data-science", "harmless", "development"), "medium 16", nil,
		},
		"a longer name that contains the name is another model": {
			nil, func(r *repo) {
				r.add("data-science", "harmless", "development", named("harmless"), named("product-rank"))
			},
			manifestPath("data-science", "harmless", "development"), "low 5", nil,
		},
		"a platform file scores 10 on each factor": {
			nil, bump("governance.yaml"), "governance.yaml", "high 50",
			map[string]int{"businessImpact": 10, "customerExposure": 10, "dataSensitivity": 10, "regulatoryScope": 10, "explainabilityNeed": 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			c := p.change(t, tc.path)
			if !strings.HasSuffix(p.summary()+"\n", tc.want+"\n") && !strings.Contains(p.summary(), tc.path+" "+tc.want) {
				t.Errorf("want %s: %s", tc.want, p.summary())
			}
			for f, want := range tc.factors {
				if c.Risk.Factors[f] != want {
					t.Errorf("%s is %d, want %d", f, c.Risk.Factors[f], want)
				}
			}
		})
	}
}

func TestJustification(t *testing.T) {
	without := func(r *repo) {
		text := r.read(churn)
		r.write(churn, text[:strings.Index(text, "  justification:")])
	}
	t.Run("high risk without a justification fails", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(without)
		p := r.plan()
		if f := find(t, p.change(t, churn).Findings, "justification-required"); f.Severity != "error" || p.Verdict != "fail" {
			t.Errorf("%+v", p)
		}
		if v := r.validate(); v.Valid {
			t.Error("validate passes it")
		}
	})
	t.Run("a blank justification is none", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(func(r *repo) { without(r); r.write(churn, r.read(churn)+"  justification: \"  \"\n") })
		if p := r.plan(); p.Verdict != "fail" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("a removal needs none", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(without)
		r.head(func(r *repo) { r.remove(churn) })
		if p := r.plan(); p.Verdict != "pending" {
			t.Errorf("%+v", p)
		}
	})
}
