package controller

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/review"
)

func TestATeamIsListedOnceForAllWhoAskAtTheSameTime(t *testing.T) {
	var s rosters
	now := time.Now()
	clock := func() time.Time { return now }
	key := rosterKey{client.ObjectKey{Namespace: "a", Name: "models"}, "acme/managers"}
	var asked atomic.Int32
	answer, broken := make(chan struct{}), errors.New("502")
	list := func(context.Context) ([]review.Account, error) {
		asked.Add(1)
		<-answer
		return []review.Account{{Login: "mia"}}, broken
	}
	// Nobody waits for a forge that is slow: there are other units to look after.
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.ask(soon, key, clock, list); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(answer)
	for range 5 {
		members, err := s.ask(t.Context(), key, clock, list)
		if len(members) != 1 || !errors.Is(err, broken) {
			t.Errorf("got %v, %v", members, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was listed %d times", n)
	}
	now = now.Add(rosterLasts)
	broken = nil
	if _, err := s.ask(t.Context(), key, clock, list); err != nil || asked.Load() != 2 {
		t.Errorf("%v after %d listings", err, asked.Load())
	}
	if _, err := s.ask(t.Context(), rosterKey{key.repository, "acme/seniors"}, clock, list); err != nil || asked.Load() != 3 {
		t.Errorf("another team: %v after %d listings", err, asked.Load())
	}
	s.forget(key.repository)
	if len(s.known) != 0 {
		t.Errorf("it keeps %v", s.known)
	}
}
