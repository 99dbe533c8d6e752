package sla_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/sla"
)

var asked = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

func clock(d time.Duration) sla.Clock { return sla.Clock{Due: asked.Add(d), Time: d} }

func TestStages(t *testing.T) {
	for name, tc := range map[string]struct {
		clock sla.Clock
		after time.Duration
		stage sla.Stage
		next  time.Duration // after asked; 0: none
	}{
		"just asked":                                {clock(48 * time.Hour), 0, sla.Running, 36 * time.Hour},
		"a nanosecond before three quarters":        {clock(48 * time.Hour), 36*time.Hour - 1, sla.Running, 36 * time.Hour},
		"three quarters are over":                   {clock(48 * time.Hour), 36 * time.Hour, sla.Reminder, 48 * time.Hour},
		"a nanosecond before the end":               {clock(48 * time.Hour), 48*time.Hour - 1, sla.Reminder, 48 * time.Hour},
		"the moment it is due":                      {clock(48 * time.Hour), 48 * time.Hour, sla.Overdue, 0},
		"long overdue":                              {clock(48 * time.Hour), 480 * time.Hour, sla.Overdue, 0},
		"asked later than now, as by a wrong clock": {clock(time.Hour), -time.Hour, sla.Running, 45 * time.Minute},
		"nobody was asked":                          {sla.Clock{Time: time.Hour}, 0, sla.Running, 0},
		"no time is given":                          {sla.Clock{Due: asked}, time.Hour, sla.Running, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := asked.Add(tc.after)
			if got := tc.clock.At(now); got != tc.stage {
				t.Errorf("stage %s, want %s", got, tc.stage)
			}
			want := time.Time{}
			if tc.next != 0 {
				want = asked.Add(tc.next)
			}
			if got := tc.clock.Next(now); !got.Equal(want) {
				t.Errorf("next %v, want %v", got, want)
			}
		})
	}
}

func TestWhoeverSleepsUntilNextSeesEveryStageOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := clock(time.Duration(rapid.Int64Range(1, int64(2000*time.Hour)).Draw(t, "time")))
		now := asked.Add(-time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "early")))
		var seen []sla.Stage
		for {
			seen = append(seen, c.At(now))
			next := c.Next(now)
			if next.IsZero() {
				break
			}
			if !next.After(now) || next.After(c.Due) {
				t.Fatalf("at %v the next is %v, due %v", now, next, c.Due)
			}
			if before := c.At(next.Add(-1)); before != c.At(now) {
				t.Fatalf("the stage is %s before it changes, %s at %v", before, c.At(now), now)
			}
			now = next
		}
		if n := len(seen); n > 3 || seen[n-1] != sla.Overdue {
			t.Fatalf("stages %v", seen)
		}
		for i := 1; i < len(seen); i++ {
			if seen[i] == seen[i-1] {
				t.Fatalf("stages %v", seen)
			}
		}
	})
}
