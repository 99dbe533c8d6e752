package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/review"
)

const (
	// rosterLasts is how long an answer serves those who ask after it, a failure too.
	rosterLasts = 30 * time.Second
	// rosterTimeout bounds a listing, and rosterWait how long a unit waits for it:
	// other units have to be healed meanwhile.
	rosterTimeout = 20 * time.Second
	rosterWait    = 5 * time.Second
)

var errRosterSlow = errors.New("the forge has not answered yet")

// rosters are the members of teams for many units that ask at the same time, as
// when a window opens: each team is listed once.
type rosters struct {
	mu    sync.Mutex
	known map[rosterKey]*roster
}

type rosterKey struct {
	repository client.ObjectKey
	team       string
}

// roster is one listing. What it says may be read once done is closed.
type roster struct {
	done    chan struct{}
	members []review.Account
	err     error
	at      time.Time
}

func (r *roster) fill(ctx context.Context, now func() time.Time, list func(context.Context) ([]review.Account, error)) {
	defer close(r.done)
	ctx, cancel := context.WithTimeout(ctx, rosterTimeout)
	defer cancel()
	r.members, r.err = list(ctx)
	r.at = now()
}

func (r *roster) stale(now time.Time) bool {
	select {
	case <-r.done:
		return now.Sub(r.at) >= rosterLasts
	default:
		return false // it is under way
	}
}

// ask gives a team's members, by a listing that began for another unit if it can.
func (s *rosters) ask(ctx context.Context, key rosterKey, now func() time.Time, list func(context.Context) ([]review.Account, error)) ([]review.Account, error) {
	s.mu.Lock()
	one := s.known[key]
	if one == nil || one.stale(now()) {
		if s.known == nil {
			s.known = map[rosterKey]*roster{}
		}
		one = &roster{done: make(chan struct{})}
		s.known[key] = one
		go one.fill(context.WithoutCancel(ctx), now, list) // others may wait for it longer
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, rosterWait, errRosterSlow)
	defer cancel()
	select {
	case <-one.done:
		return one.members, one.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// forget ends a repository's.
func (s *rosters) forget(repository client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.known {
		if key.repository == repository {
			delete(s.known, key)
		}
	}
}

// members lists who belongs to a team now, for what was merged and waits.
func (r *Repositories) members(ctx context.Context, repository client.ObjectKey, team string) ([]review.Account, error) {
	conn := r.connection(repository)
	if conn == nil || conn.Forge == nil {
		return nil, fmt.Errorf("%s has no connection to its forge", repository)
	}
	return r.rosters.ask(review.WithPriority(ctx, review.PriorityMerge), rosterKey{repository, team}, r.Now,
		func(ctx context.Context) ([]review.Account, error) { return conn.Forge.TeamMembers(ctx, team) })
}
