package freeze_test

import (
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy/freeze"
	"github.com/mlops-platform/mooring/schemas"
)

func day(d int) time.Time { return time.Date(2026, 12, d, 0, 0, 0, 0, time.UTC) }

func TestAtAndUntil(t *testing.T) {
	freezes := []schemas.Freeze{
		{Environments: []string{"production"}, From: day(24), To: day(28), Reason: "holidays"},
		{Environments: []string{"staging", "production"}, From: day(27), To: day(30), Reason: "audit"},
		{Environments: []string{"production"}, From: day(30), To: day(31), Reason: "year end"},
	}
	tests := map[string]struct {
		environment string
		at          time.Time
		want        int
		until       time.Time
	}{
		"before it begins":                          {"production", day(24).Add(-1), 0, day(24).Add(-1)},
		"the moment it begins, and all that follow": {"production", day(24), 1, day(31)},
		"where two overlap":                         {"production", day(27), 2, day(31)},
		"the moment it ends":                        {"production", day(31), 0, day(31)},
		"another environment":                       {"staging", day(25), 0, day(25)},
		"an environment of two":                     {"staging", day(28), 1, day(30)},
		"another time zone is the same moment":      {"staging", day(27).In(time.FixedZone("", -3600)), 1, day(30)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := freeze.At(freezes, tc.environment, tc.at); len(got) != tc.want {
				t.Errorf("%d freezes, want %d", len(got), tc.want)
			}
			if got := freeze.Until(freezes, tc.environment, tc.at); !got.Equal(tc.until) {
				t.Errorf("until %v, want %v", got, tc.until)
			}
		})
	}
}
