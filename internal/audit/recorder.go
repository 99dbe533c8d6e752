package audit

import (
	"context"
	"fmt"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// self is the actor of what no person asked for.
const self = "mooring"

// Recorder lets the release engine write to any backend.
type Recorder struct{ Log Appender }

var _ release.Auditor = Recorder{}

// Finder looks records up by their key; *Log is one.
type Finder interface {
	Find(key string) (Record, bool, error)
}

// Witness answers the release engine from any backend that finds records.
type Witness struct{ Log Finder }

var _ release.Witness = Witness{}

// Recorded reports whether a record with this key is durable.
func (w Witness) Recorded(_ context.Context, key string) (bool, error) {
	_, found, err := w.Log.Find(key)
	if err != nil {
		return false, fmt.Errorf("find %q in the audit log: %w", key, err)
	}
	return found, nil
}

// Record appends an event; it returns when the event is durable.
func (r Recorder) Record(ctx context.Context, e release.Event) error {
	actor := e.Actor
	if actor == "" {
		actor = self
	}
	evidence := e.Evidence
	if e.Path != "" {
		evidence = map[string]any{"path": e.Path}
		for k, v := range e.Evidence {
			evidence[k] = v
		}
	}
	_, err := r.Log.Append(ctx, Entry{
		Key: e.Key, Phase: Phase(e.Phase), Action: Action(e.Action),
		Subject: Subject{Repository: e.Repository, Team: e.Team, Model: e.Model, Environment: e.Environment},
		Actor:   actor, Commit: e.Commit, Digest: e.Digest, Reason: e.Reason, Evidence: evidence,
	})
	if err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}
