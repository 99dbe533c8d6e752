package controller

import (
	"maps"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Hint says what of a repository may have changed. The zero value says nothing:
// anything may have.
type Hint struct {
	// PullRequest is the one that may have; 0 where none is named.
	PullRequest int
	// Push: it may be branches alone, and Git knows which.
	Push bool
}

// attention is what hints name until the next look, by repository. With many
// open pull requests a look at all of them for each webhook would use up the
// forge's limits.
type attention struct {
	mu sync.Mutex
	// hinted are the hints since the last look, taken those that it is about. They
	// are kept until it was done: one that fails is tried again.
	hinted, taken map[client.ObjectKey]map[Hint]bool
	// all is when all pull requests of a repository were looked at last.
	all map[client.ObjectKey]time.Time
}

// note takes a hint up.
func (a *attention) note(name client.ObjectKey, hint Hint) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hinted == nil {
		a.hinted, a.taken = map[client.ObjectKey]map[Hint]bool{}, map[client.ObjectKey]map[Hint]bool{}
	}
	if a.hinted[name] == nil {
		a.hinted[name] = map[Hint]bool{}
	}
	a.hinted[name][hint] = true
}

// take yields the pull requests that a look is about beside those that are seen
// to have changed; nil means all. It is all where a hint says so, and once an
// interval whatever hints say: webhooks get lost. In between, a look without a
// hint is about something else, such as a merge that is asked about again.
func (a *attention) take(name client.ObjectKey, now time.Time, interval time.Duration) map[int]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if hints := a.hinted[name]; hints != nil {
		maps.Copy(hints, a.taken[name])
		a.taken[name] = hints
		delete(a.hinted, name)
	}
	hints := a.taken[name]
	if hints[Hint{}] || !now.Before(a.all[name].Add(interval)) {
		return nil
	}
	pulls := map[int]bool{}
	for hint := range hints {
		pulls[hint.PullRequest] = true
	}
	return pulls
}

// looked notes that what was taken last was looked at, and whether that was all.
func (a *attention) looked(name client.ObjectKey, at time.Time, all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, name)
	if !all {
		return
	}
	if a.all == nil {
		a.all = map[client.ObjectKey]time.Time{}
	}
	a.all[name] = at
}

// forget a repository.
func (a *attention) forget(name client.ObjectKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.hinted, name)
	delete(a.taken, name)
	delete(a.all, name)
}
