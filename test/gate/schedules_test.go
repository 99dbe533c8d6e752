package gate

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// schedule is which actions led to a state, by their place in the list.
type schedule string

func (h schedule) words(actions []action) string {
	var b strings.Builder
	for i, c := range []byte(h) {
		fmt.Fprintf(&b, "  %d. %s\n", i+1, actions[c].words)
	}
	return b.String()
}

// all are the actions of people and the controller's own.
func (l *looker) all(ctx context.Context) []action {
	look := func(behind bool) func(*world, *state) bool {
		return func(_ *world, s *state) bool {
			if err := l.look(ctx, s, behind); err != nil {
				panic(fmt.Errorf("look: %w", err)) // this forge always answers, and alike
			}
			return true
		}
	}
	return append(people(),
		action{"the controller looks", look(false), false},
		action{"the controller looks, and the forge does not know of any merge yet", look(true), false},
		action{"the controller restarts", func(_ *world, s *state) bool {
			if err := s.restart(); err != nil {
				panic(err)
			}
			return true
		}, false},
	)
}

// explorer tries every schedule, each state once.
type explorer struct {
	*looker
	actions []action
	mu      sync.Mutex
	seen    map[likeness]bool
	broken  *broken
}

// broken is the first schedule that breaks a rule; the shortest there is.
type broken struct {
	schedule schedule
	why      string
}

type node struct {
	*state
	how schedule
}

// explore tries every schedule of the actions that are not rare, up to a depth,
// but for those that are left out, and stops at the first level on which a rule is broken.
func explore(t testing.TB, depth int, lies mutation, leaveOut ...string) (*explorer, int) {
	t.Helper()
	x := newExplorer(t)
	x.lies = lies
	return x, x.explore(t, depth, leaveOut...)
}

func newExplorer(t testing.TB) *explorer {
	t.Helper()
	w, root := newWorld(t)
	return &explorer{looker: newLooker(w, root), seen: map[likeness]bool{}}
}

// explore reports how many states it found.
func (x *explorer) explore(t testing.TB, depth int, leaveOut ...string) int {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // what is found is kept anyway
	x.actions = slices.DeleteFunc(x.all(t.Context()), func(a action) bool { return a.rare || slices.Contains(leaveOut, a.words) })
	first, err := x.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	level := []node{{first, ""}}
	for i := range depth {
		// The states of the last level are checked and not kept.
		level = x.expand(t.Context(), level, i == depth-1)
		if x.broken != nil {
			break
		}
	}
	return len(x.seen)
}

// expand takes every possible step from every state of a level.
func (x *explorer) expand(ctx context.Context, level []node, last bool) []node {
	var next []node
	var workers sync.WaitGroup
	work := make(chan node)
	for range 2 {
		workers.Go(func() {
			for n := range work {
				found := x.follow(ctx, n)
				if last {
					continue
				}
				x.mu.Lock()
				next = append(next, found...)
				x.mu.Unlock()
			}
		})
	}
	for _, n := range level {
		work <- n
	}
	close(work)
	workers.Wait()
	return next
}

func (x *explorer) follow(ctx context.Context, n node) []node {
	var found []node
	for i, a := range x.actions {
		s := n.state.clone()
		if !a.do(x.w, s) {
			continue
		}
		key := s.key()
		x.mu.Lock()
		old := x.seen[key]
		x.seen[key] = true
		x.mu.Unlock()
		if old {
			continue
		}
		how := n.how + schedule(rune(i))
		if why := x.check(ctx, s); why != "" {
			x.mu.Lock()
			if x.broken == nil {
				x.broken = &broken{how, why}
			}
			x.mu.Unlock()
		}
		found = append(found, node{s, how})
	}
	return found
}

// depth to which every schedule is tried, after the pull request was opened;
// each further step takes seven times as long.
func depth(t testing.TB) int {
	t.Helper()
	text := os.Getenv("MOORING_GATE_DEPTH")
	if text == "" {
		return 6
	}
	d, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MOORING_GATE_DEPTH: %v", err)
	}
	return d
}

// Every schedule begins with the pull request #1 open, which brings B. A broken
// rule is shown as the shortest schedule that breaks it.
func TestNoScheduleRunsWhatNobodyApproved(t *testing.T) {
	t.Parallel() // beside the soak
	start := time.Now()
	x, states := explore(t, depth(t), nothing)
	if x.broken != nil {
		t.Fatalf("%s, after\n%s", x.broken.why, x.broken.schedule.words(x.actions))
	}
	t.Logf("%d states, %d commits, %d looks at a branch, %d judgements of a merged pull request and %d of an open one in %s",
		states, len(x.w.commits), len(x.looks), len(x.merged), len(x.states), time.Since(start).Round(time.Second))
}

// Questions that are alike are asked once above. Here each is asked, whether or
// not one like it was asked before, and has to get the same answer.
func TestWhatIsAlikeIsToldAlike(t *testing.T) {
	x := newExplorer(t)
	x.doubting = true
	states := x.explore(t, min(4, depth(t)))
	if x.broken != nil {
		t.Fatalf("%s, after\n%s", x.broken.why, x.broken.schedule.words(x.actions))
	}
	t.Logf("%d states", states)
}
