package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/schemas"
)

// patience is how long a step of the story may take on a busy machine.
const patience = 3 * time.Minute

// glance is the pause between two looks.
const glance = 100 * time.Millisecond

// until looks again and again until a condition holds. The condition says what
// it saw, which is what the error repeats when time is over.
func (w *World) until(ctx context.Context, what string, holds func(context.Context) (saw string, ok bool, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took longer than %s", patience))
	defer cancel()
	var last string
	for {
		saw, ok, err := holds(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("wait until %s: %w", what, err)
		case ok:
			return nil
		case saw != "":
			last = saw
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w; last seen: %s", what, context.Cause(ctx), last)
		case <-w.Controller.Ended():
			return fmt.Errorf("wait until %s: the controller ended; its log is %s", what, w.LogFile())
		case <-time.After(glance):
		}
	}
}

// receipt reads a unit's receipt; nil if there is none.
func (w *World) receipt(ctx context.Context, unit schemas.Unit) (*schemas.ModelRelease, error) {
	var r schemas.ModelRelease
	err := w.Cluster.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: unit.ReceiptName()}, &r)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the receipt %s: %w", unit.ReceiptName(), err)
	}
	return &r, nil
}

// live waits until a unit serves a version.
func (w *World) live(ctx context.Context, unit schemas.Unit, version string) error {
	return w.until(ctx, fmt.Sprintf("%s serves version %s", unit, version), func(ctx context.Context) (string, bool, error) {
		r, err := w.receipt(ctx, unit)
		if r == nil || err != nil {
			return "no receipt", false, err
		}
		return fmt.Sprintf("version %q, phase %s: %s", r.Status.Version, r.Status.Phase, summary(r)),
			r.Status.Phase == schemas.PhaseLive && r.Status.Version == version, nil
	})
}

func summary(r *schemas.ModelRelease) string {
	var parts []string
	for _, c := range r.Status.Conditions {
		parts = append(parts, fmt.Sprintf("%s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(parts, ", ")
}

// status is one commit status as GitHub tells it.
type status struct {
	Context     string `json:"context"`
	State       string `json:"state"`
	Description string `json:"description"`
	TargetURL   string `json:"target_url"`
}

// statuses reads the latest status of each context on a commit.
func (w *World) statuses(ctx context.Context, commit string) (map[string]status, error) {
	var all []status
	if err := w.People[admin].Call(ctx, "GET", "/repos/"+FullName+"/commits/"+commit+"/statuses?per_page=100", nil, &all); err != nil {
		return nil, fmt.Errorf("read the statuses of %.12s: %w", commit, err)
	}
	latest := map[string]status{}
	for _, s := range all { // newest first
		if _, seen := latest[s.Context]; !seen {
			latest[s.Context] = s
		}
	}
	return latest, nil
}

// hasStatus waits until a commit bears a status, and returns its description.
func (w *World) hasStatus(ctx context.Context, commit, statusContext, state string) (string, error) {
	return w.hasStatusLike(ctx, commit, statusContext, state, "")
}

// hasStatusLike waits for a status whose description contains a text.
func (w *World) hasStatusLike(ctx context.Context, commit, statusContext, state, text string) (string, error) {
	var description string
	err := w.until(ctx, fmt.Sprintf("%.12s bears %s: %s %s", commit, statusContext, state, text), func(ctx context.Context) (string, bool, error) {
		latest, err := w.statuses(ctx, commit)
		if err != nil {
			return "", false, err
		}
		s := latest[statusContext]
		description = s.Description
		return fmt.Sprintf("%s %q", s.State, s.Description), s.State == state && strings.Contains(s.Description, text), nil
	})
	return description, err
}
