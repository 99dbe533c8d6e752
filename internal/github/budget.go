package github

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
)

// Budgets holds one budget for each identity at each GitHub, for all clients that share it. The zero value
// is ready to use.
type Budgets struct {
	mu   sync.Mutex
	kept map[string]*budget
}

// of finds the budget of a client: GitHub counts by token, and by installation.
func (b *Budgets) of(base *url.URL, opts Options) *budget {
	identity := fmt.Sprintf("%x", sha256.Sum256([]byte(opts.Token)))
	if opts.App != nil {
		identity = fmt.Sprintf("installation %d of App %d", opts.App.InstallationID, opts.App.ID)
	}
	key := base.String() + " " + identity
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil {
		b.kept = map[string]*budget{}
	}
	if b.kept[key] == nil {
		b.kept[key] = newBudget(base, opts.Clock)
	}
	return b.kept[key]
}

// GitHub's secondary limits, each with room left for others who use the same token.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
const (
	maxConcurrent  = 50  // of 100
	pointsAMinute  = 800 // of 900; a read costs 1, a write 5
	contentAMinute = 70  // of 80: comments and pull requests, which notify people
	writePoints    = 5
)

// shares are the parts of a limit, in percent, that the requests of a priority may use up: what is left is for
// those above it.
var shares = map[review.Priority]int{review.PriorityPoll: 60, review.PriorityPullRequest: 85, review.PriorityMerge: 100}

// reserves are the parts of the hourly limit, in percent, that a priority leaves to those above it.
var reserves = map[review.Priority]int{review.PriorityPoll: 20, review.PriorityPullRequest: 5, review.PriorityMerge: 0}

// budget is what one identity may ask. Requests wait for a slot by priority; those that GitHub's limits leave
// no room for are held back, the lowest priority first.
type budget struct {
	clock func() time.Time
	// paced: the limits of a minute hold. Enterprise Server has none unless its administrator sets some,
	// and tells by Retry-After then.
	paced bool

	mu      sync.Mutex
	active  int
	waiting waiters
	arrived int
	points  window
	content window
	rates   map[string]Rate // by resource
	blocked time.Time       // until when GitHub wants to be left alone
}

func newBudget(base *url.URL, clock func() time.Time) *budget {
	return &budget{clock: clock, paced: !strings.HasSuffix(base.Path, "/api/v3/"), rates: map[string]Rate{}}
}

// window counts what was spent in each second of the latest minute.
type window struct{ spent []spending }

type spending struct {
	second int64
	amount int
}

const windowSeconds = 60

// room is how long to wait until the amount fits under the limit; zero where it fits now.
func (w *window) room(now time.Time, amount, limit int) time.Duration {
	w.spent = slices.DeleteFunc(w.spent, func(s spending) bool { return s.second <= now.Unix()-windowSeconds })
	total := amount
	for _, s := range w.spent {
		total += s.amount
	}
	for _, s := range w.spent {
		if total <= limit {
			break
		}
		if total -= s.amount; total <= limit {
			return time.Unix(s.second+windowSeconds, 0).Sub(now)
		}
	}
	return 0
}

func (w *window) spend(now time.Time, amount int) {
	if n := len(w.spent); n > 0 && w.spent[n-1].second == now.Unix() {
		w.spent[n-1].amount += amount
		return
	}
	w.spent = append(w.spent, spending{now.Unix(), amount})
}

// resourceOf names the limit that GitHub counts a request under.
func resourceOf(req *http.Request) string {
	path := req.URL.Path
	switch {
	case strings.HasSuffix(path, "/graphql"):
		return "graphql"
	case strings.HasSuffix(path, "/app"), strings.Contains(path, "/app/"), strings.HasSuffix(path, "/installation"):
		return "app" // the App itself and not its installation
	}
	return "core"
}

// delay is how long a request has to be held back. What fits is counted as spent. One that has waited for a
// limit's end does not wait for it again: the minute's alone may have been used up by others meanwhile.
func (b *budget) delay(req *http.Request, waited bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, priority := b.clock(), review.PriorityOf(req.Context())
	if left := b.blocked.Sub(now); left > 0 && !waited {
		return left
	}
	r := b.rates[resourceOf(req)]
	if left := r.Reset.Sub(now); left > 0 && !waited && r.Remaining < r.Limit*reserves[priority]/100 {
		return left
	}
	if !b.paced {
		return 0
	}
	points, content := 1, 0
	if !reads(req) {
		points = writePoints
		if !strings.Contains(req.URL.Path, "/statuses/") {
			content = 1
		}
	}
	share := shares[priority]
	wait := max(b.points.room(now, points, pointsAMinute*share/100), b.content.room(now, content, contentAMinute*share/100))
	if wait == 0 {
		b.points.spend(now, points)
		b.content.spend(now, content)
	}
	return wait
}

// block notes until when GitHub wants to be left alone. An answer that asks for less takes nothing back.
func (b *budget) block(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.clock().Add(d); until.After(b.blocked) {
		b.blocked = until
	}
}

func (b *budget) note(resource string, r Rate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rates[resource] = r
}

func (b *budget) rate(resource string) Rate {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rates[resource]
}

// waiter is a request that waits for a slot.
type waiter struct {
	priority review.Priority
	arrived  int
	at       int // in the heap, -1 once it is out
	ready    chan struct{}
}

// waiters is a heap with the most urgent, and of those the earliest, first.
type waiters []*waiter

func (w waiters) Len() int { return len(w) }
func (w waiters) Less(i, j int) bool {
	if w[i].priority != w[j].priority {
		return w[i].priority > w[j].priority
	}
	return w[i].arrived < w[j].arrived
}

func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}

func (w *waiters) Push(x any) {
	one := x.(*waiter)
	one.at = len(*w)
	*w = append(*w, one)
}

func (w *waiters) Pop() any {
	last := len(*w) - 1
	one := (*w)[last]
	(*w)[last] = nil
	*w, one.at = (*w)[:last], -1
	return one
}

// enter waits for a slot; leave gives it back.
func (b *budget) enter(ctx context.Context) error {
	b.mu.Lock()
	b.arrived++
	w := &waiter{priority: review.PriorityOf(ctx), arrived: b.arrived, ready: make(chan struct{})}
	heap.Push(&b.waiting, w)
	b.admit()
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.at >= 0 {
		heap.Remove(&b.waiting, w.at)
	} else { // it was let in at the same moment
		b.active--
		b.admit()
	}
	return ctx.Err()
}

func (b *budget) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active--
	b.admit()
}

func (b *budget) admit() {
	for b.active < maxConcurrent && b.waiting.Len() > 0 {
		b.active++
		close(heap.Pop(&b.waiting).(*waiter).ready)
	}
}
