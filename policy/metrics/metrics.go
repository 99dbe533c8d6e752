package metrics

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// CodeMetric: a metric is missing, out of its bounds, or worse than it may be.
const CodeMetric = "metric"

// Row is one check's outcome.
type Row struct {
	Name string `json:"name"`
	// Value and Baseline are absent where they are unknown or no number. Baseline
	// is the live version's.
	Value    *float64       `json:"value,omitempty"`
	Baseline *float64       `json:"baseline,omitempty"`
	Verdict  policy.Verdict `json:"verdict"`
	// Reason says what the value was held against, in words.
	Reason string `json:"reason"`
}

// Check holds a version's metrics against the checks, one row each in their
// order. Baseline holds those of the live version; nil where nothing is known of it.
func Check(checks []schemas.MetricCheck, now, baseline map[string]float64) []Row {
	rows := make([]Row, 0, len(checks))
	for _, c := range checks {
		rows = append(rows, check(c, now, baseline))
	}
	return rows
}

func check(c schemas.MetricCheck, now, baseline map[string]float64) Row {
	row := Row{Name: c.Name, Verdict: policy.Fail}
	live, known := baseline[c.Name]
	if known = known && finite(live); known {
		row.Baseline = &live
	}
	value, logged := now[c.Name]
	switch {
	case !logged:
		row.Reason = "the version's run did not log it"
		return row
	case !finite(value):
		row.Reason = fmt.Sprintf("it is %v, which is no number to compare", value)
		return row
	}
	row.Value = &value
	var wrong, right []string
	judge := func(ok bool, reason string) {
		if ok {
			right = append(right, reason)
		} else {
			wrong = append(wrong, reason)
		}
	}
	if c.Min != nil {
		ok := value >= *c.Min
		judge(ok, fmt.Sprintf("%s is %s the minimum of %s", text(value), choose(ok, "at least", "below"), text(*c.Min)))
	}
	if c.Max != nil {
		ok := value <= *c.Max
		judge(ok, fmt.Sprintf("%s is %s the maximum of %s", text(value), choose(ok, "at most", "above"), text(*c.Max)))
	}
	switch {
	case c.MaxRegression == nil:
	case !known:
		right = append(right, "there is no value of the live version to compare with")
	default:
		judge(regression(c, value, live))
	}
	if len(wrong) > 0 {
		row.Reason = strings.Join(wrong, "; ")
		return row
	}
	row.Verdict, row.Reason = policy.Pass, strings.Join(right, "; ")
	return row
}

// regression compares a value with the live version's.
func regression(c schemas.MetricCheck, value, live float64) (bool, string) {
	worse := new(big.Rat).Sub(exact(live), exact(value)) // how much lower it is
	direction := "lower is worse"
	switch {
	case c.Min != nil && c.Max == nil:
	case c.Max != nil && c.Min == nil:
		worse.Neg(worse)
		direction = "higher is worse"
	default:
		worse.Abs(worse)
		direction = "a difference either way counts, since not exactly one of min and max says which way is worse"
	}
	ok := worse.Cmp(exact(*c.MaxRegression)) <= 0
	return ok, fmt.Sprintf("from %s live to %s is %s the regression of %s that is allowed (%s)",
		text(live), text(value), choose(ok, "within", "more than"), text(*c.MaxRegression), direction)
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func text(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// exact is the shortest decimal that reads as the number: what a person wrote.
func exact(f float64) *big.Rat {
	r, ok := new(big.Rat).SetString(text(f))
	if !ok {
		return new(big.Rat).SetFloat64(f) // finite, so never nil
	}
	return r
}

func choose(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}

// Findings are the rows that fail, at the checks of a manifest.
func Findings(rows []Row) []policy.Finding {
	var findings []policy.Finding
	for i, r := range rows {
		if r.Verdict != policy.Pass {
			findings = append(findings, policy.Finding{
				Severity: schemas.SeverityError, Code: CodeMetric, Field: fmt.Sprintf("spec.checks.metrics[%d]", i),
				Message: fmt.Sprintf("the metric %s fails: %s", r.Name, r.Reason),
				Remedy:  "register a better version, or change the check and say why in spec.justification",
			})
		}
	}
	return findings
}
