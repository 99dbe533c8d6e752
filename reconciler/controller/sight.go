package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/reconciler/drift"
)

// sight says of which kinds the watches have delivered what there is. Before
// that, an object that is not in memory may be in the cluster all the same.
type sight struct {
	*drift.Watcher
	// arrived is called when a kind has come into sight.
	arrived func()

	mu      sync.Mutex
	seen    map[schema.GroupVersionKind]bool
	ctx     context.Context // of the running watches; nil before
	since   time.Time
	waiting sync.WaitGroup
}

func newSight(w *drift.Watcher, kinds []schema.GroupVersionKind, arrived func()) *sight {
	s := &sight{Watcher: w, arrived: arrived, seen: map[schema.GroupVersionKind]bool{}}
	for _, gvk := range kinds {
		s.seen[gvk] = false
	}
	return s
}

// Run watches until the context ends.
func (s *sight) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx, s.since = ctx, time.Now()
	for gvk := range s.seen {
		s.await(gvk)
	}
	s.mu.Unlock()
	err := s.Watcher.Run(ctx)
	s.waiting.Wait()
	return err
}

// Since is when the watches began.
func (s *sight) Since() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since
}

// Sees reports whether a kind's objects are in memory; one that was not watched
// is from now on.
func (s *sight) Sees(gvk schema.GroupVersionKind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.seen[gvk]
	if !known {
		s.seen[gvk] = false
		s.Watch(gvk)
		if s.ctx != nil && s.ctx.Err() == nil {
			s.await(gvk)
		}
	}
	return seen
}

// missing names those of some kinds whose objects are not in memory yet.
func (s *sight) missing(kinds []schema.GroupVersionKind) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, gvk := range kinds {
		if !s.seen[gvk] {
			names = append(names, gvk.Kind)
		}
	}
	return names
}

// await waits for a kind in the background. The caller holds the lock.
func (s *sight) await(gvk schema.GroupVersionKind) {
	ctx := s.ctx
	s.waiting.Go(func() {
		if s.Synced(ctx, gvk) != nil {
			return // the end
		}
		s.mu.Lock()
		s.seen[gvk] = true
		s.mu.Unlock()
		s.arrived()
	})
}
