package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/schemas"
)

// sums of a report's changes in one currency.
type sums struct{ before, after, maxBefore, maxAfter placement.Cost }

// costLines says what the whole pull request costs a month, one line a currency.
func costLines(r *Report) []string {
	byCurrency := map[string]sums{}
	for _, c := range r.Changes {
		if c.Platform() || c.Cost.Currency == "" || c.Cost.unknown() {
			continue
		}
		s := byCurrency[c.Cost.Currency]
		s.before, s.after = s.before.Add(c.Cost.MonthlyBefore), s.after.Add(c.Cost.MonthlyAfter)
		s.maxBefore, s.maxAfter = s.maxBefore.Add(c.Cost.MonthlyMaxBefore), s.maxAfter.Add(c.Cost.MonthlyMaxAfter)
		byCurrency[c.Cost.Currency] = s
	}
	var lines []string
	for _, currency := range slices.Sorted(maps.Keys(byCurrency)) {
		s := byCurrency[currency]
		lines = append(lines, fmt.Sprintf("%s at replicas.min, %s at replicas.max",
			move(s.before, s.after, currency), move(s.maxBefore, s.maxAfter, currency)))
	}
	if without := unpriced(r); len(without) > 0 {
		lines = append(lines, "unknown for "+strings.Join(some(without), ", ")+", left out of the sums")
	}
	return lines
}

// unpriced are the changes of which a side's cost is unknown. In a sum they would
// look like savings.
func unpriced(r *Report) []string {
	var titles []string
	for _, c := range r.Changes {
		if c.Cost.unknown() {
			titles = append(titles, c.title())
		}
	}
	return titles
}

func (c Cost) unknown() bool { return c.UnknownBefore || c.UnknownAfter }

// sides is "100.00 → 120.00 USD", where nothing changes one of them, and "unknown"
// for what is not known.
func (c Cost) sides(before, after placement.Cost) string {
	switch {
	case c.UnknownAfter && (c.UnknownBefore || before.Sign() == 0):
		return "unknown"
	case c.UnknownAfter:
		return before.String() + " " + c.Currency + " → unknown"
	case c.UnknownBefore:
		return "unknown → " + after.String() + " " + c.Currency
	case before.String() == after.String():
		return after.String() + " " + c.Currency
	}
	return before.String() + " → " + after.String() + " " + c.Currency
}

// moves is the same with the difference, at replicas.min and at replicas.max.
func (c Cost) moves() string {
	const at = "%s at replicas.min, %s at replicas.max"
	if c.unknown() {
		return fmt.Sprintf(at, c.sides(c.MonthlyBefore, c.MonthlyAfter), c.sides(c.MonthlyMaxBefore, c.MonthlyMaxAfter))
	}
	return fmt.Sprintf(at, move(c.MonthlyBefore, c.MonthlyAfter, c.Currency), move(c.MonthlyMaxBefore, c.MonthlyMaxAfter, c.Currency))
}

// move is "100.00 → 120.00 USD (+20.00)".
func move(before, after placement.Cost, currency string) string {
	if before.String() == after.String() {
		return fmt.Sprintf("%s %s (unchanged)", after, currency)
	}
	delta := after.Add(before.Times(-1)).String()
	if !strings.HasPrefix(delta, "-") {
		delta = "+" + delta
	}
	return fmt.Sprintf("%s → %s %s (%s)", before, after, currency, delta)
}

// costBasis says what the costs assume, and whose prices they are.
func costBasis(r *Report) string {
	prices := map[string]bool{}
	for _, c := range r.Changes {
		env := r.environment(c.Environment)
		if env == nil {
			continue
		}
		for _, pool := range env.Spec.Pools {
			if c.runsOn(pool.Name) {
				prices[c.hide(fmt.Sprintf("%s (%s)", pool.Price.Source, pool.Price.Date))] = true
			}
		}
	}
	if len(prices) == 0 {
		return ""
	}
	return fmt.Sprintf("A month has %d hours, every replica runs all of it, and a replica costs its share of a node. Prices: %s.",
		placement.HoursPerMonth, strings.Join(slices.Sorted(maps.Keys(prices)), "; "))
}

func (r *Report) environment(name string) *schemas.Environment {
	if r.world == nil {
		return nil
	}
	return r.world.environment(name)
}

// fitLines hold what the team's models ask for together against its quota and
// its budget.
func (c *Change) fitLines() []string {
	if c.totals == nil {
		return nil
	}
	t := c.totals.team
	u, q, b := c.totals.usage[c.Environment], t.Spec.QuotaIn(c.Environment), c.totals.budgeted
	return []string{
		fmt.Sprintf("quota of team %s in %s: cpu %s of %s, memory %s of %s, gpu %d of %d at replicas.min; cpu %s, memory %s, gpu %d at replicas.max",
			c.Team, c.Environment, u.AtMin.CPU.String(), q.CPU.String(), u.AtMin.Memory.String(), q.Memory.String(), u.AtMin.GPU, q.GPU,
			u.AtMax.CPU.String(), u.AtMax.Memory.String(), u.AtMax.GPU),
		fmt.Sprintf("budget of team %s over all environments: %s of %s %s a month at replicas.min%s; it warns above %s and fails above %s",
			c.Team, b.Monthly, b.Budget, b.Currency, c.totals.without(), t.Spec.Budget.Warn, t.Spec.Budget.Deny),
	}
}
