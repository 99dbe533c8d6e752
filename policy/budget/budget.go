package budget

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings.
const (
	CodeExceeded = "budget-exceeded"
	CodeNear     = "budget-near"
	CodeCurrency = "budget-currency"
)

// Line is one model's cost a month in one environment.
type Line struct {
	Model       string
	Environment string
	// Monthly at replicas.min, exact.
	Monthly  placement.Cost
	Currency string
}

// Total is what a team's models cost a month.
type Total struct {
	// Monthly at replicas.min, rounded to cents.
	Monthly schemas.Money `json:"monthly"`
	// Budget is the whole budget a month.
	Budget   schemas.Money `json:"budget"`
	Currency string        `json:"currency"`
}

// Check sums the lines and holds the sum against the budget: above the share
// "deny" is an error, above "warn" a warning; exactly a share is allowed. A
// line in another currency than the budget's is an error, because it cannot be
// added.
func Check(team string, b schemas.Budget, lines ...Line) (Total, []policy.Finding) {
	var findings []policy.Finding
	var sum placement.Cost
	for _, l := range lines {
		if l.Currency != b.Currency && l.Monthly.Sign() != 0 {
			findings = append(findings, foreign(team, b, l))
			continue
		}
		sum = sum.Add(l.Monthly)
	}
	total := Total{Monthly: sum.Rounded(), Budget: b.Monthly, Currency: b.Currency}
	if f, over := judge(team, b, total, lines); over {
		findings = append(findings, f)
	}
	return total, findings
}

func judge(team string, b schemas.Budget, total Total, lines []Line) (policy.Finding, bool) {
	spent, whole := placement.CostOf(total.Monthly), placement.CostOf(b.Monthly)
	f := policy.Finding{Field: "spec.serving"}
	var share schemas.Percent
	switch {
	case spent.Cmp(whole.Share(b.Deny)) > 0:
		f.Severity, f.Code, share = schemas.SeverityError, CodeExceeded, b.Deny
		f.Remedy = "lower requests, replicas.min or the price of a pool (spot) of one of the team's models, or raise the budget in the team's file"
	case spent.Cmp(whole.Share(b.Warn)) > 0:
		f.Severity, f.Code, share = schemas.SeverityWarning, CodeNear, b.Warn
		f.Remedy = fmt.Sprintf("above %s the change would fail; plan for a higher budget or a smaller model", amount(whole.Share(b.Deny), b.Currency))
	default:
		return policy.Finding{}, false
	}
	f.Message = fmt.Sprintf("the models of team %s cost %s a month at replicas.min over all environments, above %s of the budget of %s (%s)",
		team, amount(spent, b.Currency), share, amount(whole, b.Currency), amount(whole.Share(share), b.Currency))
	if l, ok := dearest(lines, b.Currency); ok {
		f.Message += fmt.Sprintf("; the dearest is %s in %s at %s", l.Model, l.Environment, amount(l.Monthly, b.Currency))
	}
	return f, true
}

func foreign(team string, b schemas.Budget, l Line) policy.Finding {
	return policy.Finding{
		Severity: schemas.SeverityError, Code: CodeCurrency, Field: "spec.serving.pool",
		Message: fmt.Sprintf("%s in %s costs %s, and the budget of team %s is in %s, so they cannot be compared",
			l.Model, l.Environment, amount(l.Monthly, l.Currency), team, b.Currency),
		Remedy: "price the pools of the environment in the budget's currency",
	}
}

func amount(c placement.Cost, currency string) string { return c.String() + " " + currency }

func dearest(lines []Line, currency string) (Line, bool) {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Currency != currency })
	if len(lines) == 0 {
		return Line{}, false
	}
	return slices.MinFunc(lines, func(a, b Line) int {
		return cmp.Or(b.Monthly.Cmp(a.Monthly), cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Model, b.Model))
	}), true
}
