package budget_test

import (
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy/budget"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/schemas"
)

func line(model, amount, currency string) budget.Line {
	m, err := schemas.ParseMoney(amount)
	if err != nil {
		panic(err)
	}
	return budget.Line{Model: model, Environment: "production", Monthly: placement.CostOf(m), Currency: currency}
}

func TestCheck(t *testing.T) {
	percent := func(s string) schemas.Percent {
		p, err := schemas.ParsePercent(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	plan := schemas.Budget{Monthly: 19_000_000_000, Currency: "USD", Warn: percent("80%"), Deny: percent("100%")}
	tests := map[string]struct {
		lines []budget.Line
		total string
		want  []string
	}{
		"no models":                   {nil, "0", nil},
		"exactly the warning's share": {[]budget.Line{line("a", "15000", "USD"), line("b", "200", "USD")}, "15200", nil},
		"a cent above it warns": {
			[]budget.Line{line("a", "15000", "USD"), line("b", "200.01", "USD")}, "15200.01",
			[]string{"warning budget-near: cost 15200.01 USD a month at replicas.min over all environments, above 80% of the budget of 19000.00 USD (15200.00 USD); the dearest is a in production at 15000.00 USD"},
		},
		"less than half a cent is not shown and does not warn": {
			[]budget.Line{line("a", "15200.004", "USD")}, "15200", nil,
		},
		"halves of a cent add up before they are rounded": {
			[]budget.Line{line("a", "15200.004", "USD"), line("b", "0.001", "USD")}, "15200.01", []string{"warning budget-near: 15200.01"},
		},
		"exactly the budget warns":      {[]budget.Line{line("a", "19000", "USD")}, "19000", []string{"warning budget-near: "}},
		"a cent above the budget fails": {[]budget.Line{line("a", "19000.01", "USD")}, "19000.01", []string{"error budget-exceeded: above 100% of the budget"}},
		"another currency cannot be added": {
			[]budget.Line{line("a", "1", "EUR"), line("b", "2", "USD")}, "2", []string{"error budget-currency: a in production costs 1.00 EUR"},
		},
		"nothing costs nothing in any currency": {[]budget.Line{line("a", "0", "EUR")}, "0", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			total, findings := budget.Check("ds", plan, tc.lines...)
			if total.Monthly.String() != tc.total || total.Budget != plan.Monthly || total.Currency != "USD" {
				t.Errorf("total %+v, want %s", total, tc.total)
			}
			if len(findings) != len(tc.want) {
				t.Fatalf("%+v", findings)
			}
			for i, f := range findings {
				head, part, _ := strings.Cut(tc.want[i], ": ")
				if string(f.Severity)+" "+f.Code != head || !strings.Contains(f.Message, part) || f.Remedy == "" {
					t.Errorf("%+v\nwant %s", f, tc.want[i])
				}
			}
		})
	}
}
