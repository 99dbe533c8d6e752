package metrics

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

func f(v float64) *float64 { return &v }

func TestChecks(t *testing.T) {
	values := func(v float64) map[string]float64 { return map[string]float64{"m": v} }
	for _, tc := range []struct {
		name          string
		check         schemas.MetricCheck
		now, baseline map[string]float64
		want          policy.Verdict
		says          string
	}{
		{"above the minimum", schemas.MetricCheck{Min: f(0.8)}, values(0.9), nil, policy.Pass, "at least the minimum of 0.8"},
		{"exactly the minimum", schemas.MetricCheck{Min: f(0.8)}, values(0.8), nil, policy.Pass, ""},
		{"below the minimum", schemas.MetricCheck{Min: f(0.8)}, values(0.7999), nil, policy.Fail, "0.7999 is below the minimum of 0.8"},
		{"exactly the maximum", schemas.MetricCheck{Max: f(3)}, values(3), nil, policy.Pass, ""},
		{"above the maximum", schemas.MetricCheck{Max: f(3)}, values(3.1), nil, policy.Fail, "above the maximum of 3"},
		{"not logged", schemas.MetricCheck{Min: f(0)}, map[string]float64{"M": 1}, nil, policy.Fail, "did not log"},
		{"nothing logged", schemas.MetricCheck{Min: f(0)}, nil, nil, policy.Fail, "did not log"},
		{"not a number", schemas.MetricCheck{MaxRegression: f(1)}, values(math.NaN()), nil, policy.Fail, "NaN"},
		{"infinite", schemas.MetricCheck{Min: f(0)}, values(math.Inf(1)), nil, policy.Fail, "+Inf"},
		{"no baseline", schemas.MetricCheck{Min: f(0.8), MaxRegression: f(0.01)}, values(0.9), nil, policy.Pass, "no value of the live version"},
		{"a baseline that is no number", schemas.MetricCheck{MaxRegression: f(0.01)}, values(0.9), values(math.NaN()), policy.Pass, "no value of the live version"},
		{"exactly the regression, in decimal", schemas.MetricCheck{Min: f(0.8), MaxRegression: f(0.01)}, values(0.90), values(0.91), policy.Pass, "within"},
		{"more than the regression", schemas.MetricCheck{Min: f(0.8), MaxRegression: f(0.01)}, values(0.899), values(0.91), policy.Fail, "from 0.91 live to 0.899 is more than"},
		{"better, where lower is worse", schemas.MetricCheck{Min: f(0.8), MaxRegression: f(0)}, values(0.99), values(0.91), policy.Pass, "lower is worse"},
		{"better, where higher is worse", schemas.MetricCheck{Max: f(5), MaxRegression: f(0)}, values(1), values(2), policy.Pass, "higher is worse"},
		{"worse, where higher is worse", schemas.MetricCheck{Max: f(5), MaxRegression: f(0.5)}, values(2.6), values(2), policy.Fail, "higher is worse"},
		{"lower, where nobody said what is worse", schemas.MetricCheck{MaxRegression: f(0.1)}, values(0.5), values(0.7), policy.Fail, "either way"},
		{"higher, where nobody said what is worse", schemas.MetricCheck{MaxRegression: f(0.1)}, values(0.9), values(0.7), policy.Fail, "either way"},
		{"off, within a range", schemas.MetricCheck{Min: f(0), Max: f(1), MaxRegression: f(0.1)}, values(0.9), values(0.7), policy.Fail, "either way"},
		{"worse, but a bound is what is said first", schemas.MetricCheck{Min: f(0.8), MaxRegression: f(0)}, values(0.7), values(0.9), policy.Fail, "below the minimum"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.check.Name = "m"
			rows := Check([]schemas.MetricCheck{tc.check}, tc.now, tc.baseline)
			if len(rows) != 1 || rows[0].Verdict != tc.want || !strings.Contains(rows[0].Reason, tc.says) {
				t.Fatalf("%+v", rows)
			}
			if _, err := json.Marshal(rows); err != nil {
				t.Error(err)
			}
			findings := Findings(rows)
			if failed := len(findings) == 1; failed != (tc.want == policy.Fail) {
				t.Errorf("%+v", findings)
			}
		})
	}
}

// Whatever is logged: a row passes only with a finite value within its bounds.
func FuzzNothingPassesOutsideItsBounds(fz *testing.F) {
	fz.Add(0.9, 0.91, 0.8, 1.0, 0.01)
	fz.Add(math.NaN(), math.Inf(-1), 0.0, 0.0, 0.0)
	fz.Add(math.MaxFloat64, -math.MaxFloat64, 0.0, math.MaxFloat64, 1.0)
	fz.Fuzz(func(t *testing.T, value, live, low, high, regression float64) {
		if !finite(low) || !finite(high) || !finite(regression) {
			t.Skip("the loader refuses such a check")
		}
		check := schemas.MetricCheck{Name: "m", Min: &low, Max: &high, MaxRegression: &regression}
		row := Check([]schemas.MetricCheck{check}, map[string]float64{"m": value}, map[string]float64{"m": live})[0]
		if row.Verdict == policy.Pass && (!finite(value) || value < low || value > high) {
			t.Errorf("%v passes %v–%v", value, low, high)
		}
		if _, err := json.Marshal(row); err != nil {
			t.Error(err)
		}
	})
}
