package review

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/schemas"
)

func TestThePullRequestsCostIsTheSumOfItsChanges(t *testing.T) {
	usd := func(dollars int64) placement.Cost { return placement.CostOf(schemas.Money(dollars * 1_000_000)) }
	change := func(currency string, before, after, maxBefore, maxAfter int64) *Change {
		return &Change{Model: "m", Cost: Cost{
			Currency: currency, MonthlyBefore: usd(before), MonthlyAfter: usd(after), MonthlyMaxBefore: usd(maxBefore), MonthlyMaxAfter: usd(maxAfter),
		}}
	}
	for name, tc := range map[string]struct {
		changes []*Change
		want    []string
	}{
		"none":                           {nil, nil},
		"a governing file costs nothing": {[]*Change{{Cost: Cost{Currency: "USD"}}}, nil},
		"what stays is said too":         {[]*Change{change("USD", 1, 1, 2, 2)}, []string{"1.00 USD (unchanged) at replicas.min, 2.00 USD (unchanged) at replicas.max"}},
		"more and less are summed": {[]*Change{change("USD", 10, 20, 10, 40), change("USD", 5, 0, 5, 0)},
			[]string{"15.00 → 20.00 USD (+5.00) at replicas.min, 15.00 → 40.00 USD (+25.00) at replicas.max"}},
		"a removal saves": {[]*Change{change("USD", 7, 0, 9, 0)}, []string{"7.00 → 0.00 USD (-7.00) at replicas.min, 9.00 → 0.00 USD (-9.00) at replicas.max"}},
		"currencies are not added up": {[]*Change{change("USD", 0, 1, 0, 1), change("EUR", 0, 2, 0, 2)},
			[]string{"0.00 → 2.00 EUR (+2.00) at replicas.min, 0.00 → 2.00 EUR (+2.00) at replicas.max", "0.00 → 1.00 USD (+1.00) at replicas.min, 0.00 → 1.00 USD (+1.00) at replicas.max"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := costLines(&Report{Changes: tc.changes}); !slices.Equal(got, tc.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestAPoolThatAllModelsTogetherOutgrowIsTold(t *testing.T) {
	const ranker = "models/data-science/product-ranker/production/deployment.yaml"
	for name, tc := range map[string]struct {
		max  string
		says string
	}{
		"all fit":            {"{min: 2, max: 20}", ""},
		"together too many":  {"{min: 2, max: 300}", "of all models together at replicas.max need at least 21"},
		"too many by itself": {"{min: 2, max: 900}", "and 900 replicas at replicas.max need at least"},
	} {
		t.Run(name, func(t *testing.T) {
			report := edited(t, map[string][2]string{ranker: {"replicas: {min: 2, max: 8}", "replicas: " + tc.max}})
			var found []string
			for _, f := range report.Changes[0].Findings {
				if f.Code == placement.CodePoolTooSmall {
					found = append(found, f.Message)
				}
			}
			if want := min(len(tc.says), 1); len(found) != want || want == 1 && !strings.Contains(found[0], tc.says) {
				t.Errorf("%q", found)
			}
			if comment := Comment(report); !strings.Contains(comment, "A month has 730 hours") || !strings.Contains(comment, "2026-07-20") {
				t.Errorf("the comment does not say what the costs assume:\n%s", comment)
			}
		})
	}
}
