package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// lead opens the audit log. The loops begin beside it: their first record waits
// for the log, and without its record nothing is done.
func (p *parts) lead(ctx context.Context, trail Trail) error {
	if trail != nil {
		if err := trail.Open(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // the end came first
			}
			return fmt.Errorf("open the audit log: %w", err)
		}
	}
	close(p.led)
	return nil
}

// probe adds the two probes.
func (p *parts) probe(o Options, m manager.Manager) error {
	healthy := tellChanges(o.Log, "healthz", func() error { return p.healthy(o.Trail) })
	ready := tellChanges(o.Log, "readyz", func() error { return errors.Join(p.healthy(o.Trail), p.ready(m.Elected())) })
	if err := errors.Join(m.AddHealthzCheck("audit", healthy), m.AddReadyzCheck("work", ready)); err != nil {
		return fmt.Errorf("add the probes: %w", err)
	}
	return nil
}

// tellChanges logs why a probe fails whenever that changes: what asks is answered
// no reason, and asks every few seconds.
func tellChanges(log *slog.Logger, probe string, check func() error) healthz.Checker {
	var mu sync.Mutex
	before := ""
	return func(*http.Request) error {
		err := check()
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case reason == before:
		case err != nil:
			log.Warn("a probe fails", "probe", probe, "reason", reason)
		default:
			log.Info("a probe passes again", "probe", probe)
		}
		before = reason
		return err
	}
}

// healthy fails where a restart helps: a log that failed a write takes no more
// until it is opened again.
func (p *parts) healthy(trail Trail) error {
	if trail == nil {
		return nil
	}
	return trail.Err()
}

// ready says whether this replica does what is its own to do. One that waits is
// ready to take over: if it were not, a rollout would never end, and a
// PodDisruptionBudget would forbid for ever to move the one that leads.
func (p *parts) ready(elected <-chan struct{}) error {
	select {
	case <-elected:
	default:
		return nil
	}
	select {
	case <-p.led:
	default:
		return errors.New("the audit log is not open yet")
	}
	if missing := p.sight.missing(release.WatchedKinds); len(missing) > 0 {
		return fmt.Errorf("not in sight yet: %s", strings.Join(missing, ", "))
	}
	return nil
}
