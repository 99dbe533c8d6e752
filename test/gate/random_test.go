package gate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

var schedules = flag.Int("schedules", 300, "how many random schedules are tried")

// seed of the random schedules: MOORING_GATE_SEED, or another each time.
func seed(t testing.TB) uint64 {
	t.Helper()
	s := rand.Uint64N(1 << 32)
	if text := os.Getenv("MOORING_GATE_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MOORING_GATE_SEED: %v", err)
		}
	}
	t.Logf("MOORING_GATE_SEED=%d repeats this run", s)
	return s
}

// TestNoLongScheduleRunsWhatNobodyApproved follows schedules of twenty steps of
// all actions, rare ones too, and after each compares what a controller that
// looked all along has come to with one that only looks at the end: when and
// how often it looked must not matter.
func TestNoLongScheduleRunsWhatNobodyApproved(t *testing.T) {
	const steps = 20
	rng := rand.New(rand.NewPCG(seed(t), 0))
	w, root := newWorld(t)
	x := &explorer{looker: newLooker(w, root)}
	x.actions = x.all(t.Context())
	for range *schedules {
		s, err := x.start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		late := s.clone()
		var how schedule
		for len(how) < steps {
			i := rng.IntN(len(x.actions))
			next := s.clone()
			if !x.actions[i].do(w, next) {
				continue
			}
			s, how = next, how+schedule(rune(i))
			if why := x.check(t.Context(), s); why != "" {
				t.Fatalf("%s, after\n%s", why, how.words(x.actions))
			}
		}
		if why := x.late(t, s, late); why != "" {
			t.Fatalf("%s, after\n%s", why, how.words(x.actions))
		}
	}
	t.Logf("%d schedules of %d steps: %d commits, %d looks at a branch, %d judgements of an open pull request",
		*schedules, steps, len(w.commits), len(x.looks), len(x.states))
}

// late lets a controller look for the first time when all is over. What stands
// approved with it stands approved with the one that looked all along, unless the
// branch was forced back: then what was merged in between is seen by one alone.
func (x *explorer) late(t *testing.T, s, first *state) string {
	t.Helper()
	if s.forced || s.withdrawn() {
		return ""
	}
	last := first.clone()
	last.tip, last.pulls, last.foul = s.tip, s.clone().pulls, s.foul
	for _, each := range []*state{s, last} {
		if err := x.look(t.Context(), each, false); err != nil {
			return err.Error()
		}
	}
	one, other := s.ledger.Approved[manifestPath], last.ledger.Approved[manifestPath]
	if fmt.Sprint(one) != fmt.Sprint(other) {
		return fmt.Sprintf("who looked all along approves %+v, who looked once %+v", one, other)
	}
	if a, b := s.ledger.Quarantined[manifestPath].Blob, last.ledger.Quarantined[manifestPath].Blob; a != b {
		return fmt.Sprintf("who looked all along holds %q back, who looked once %q", a, b)
	}
	return ""
}

func (s *state) withdrawn() bool {
	for _, p := range s.pulls {
		if p.withdrawn() {
			return true
		}
	}
	return false
}
