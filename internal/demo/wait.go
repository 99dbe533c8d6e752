package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/schemas"
)

// patience is how long a step of the story may take on a busy machine.
const patience = 3 * time.Minute

// glance is the pause between two looks.
const glance = 100 * time.Millisecond

// Until looks again and again until a condition holds. The condition says what
// it saw, which is what the error repeats when time is over. An error ends the
// wait, but for one that says only that the API server is busy.
func (w *World) Until(ctx context.Context, what string, holds func(context.Context) (saw string, ok bool, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took longer than %s", patience))
	defer cancel()
	var last string
	for {
		saw, ok, err := holds(ctx)
		switch {
		case busy(err):
			last = err.Error()
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
		case <-w.ended():
			return fmt.Errorf("wait until %s: the controller ended; its log is %s", what, w.LogFile())
		case <-time.After(glance):
		}
	}
}

// busy reports whether the API server had no answer this time and may have one
// the next.
func busy(err error) bool {
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err)
}

// ended is closed when the controller is not there that a wait counts on.
func (w *World) ended() <-chan struct{} {
	if w.Controller == nil {
		return nil
	}
	return w.Controller.Ended()
}

// Receipt reads a unit's receipt; nil if there is none.
func (w *World) Receipt(ctx context.Context, unit schemas.Unit) (*schemas.ModelRelease, error) {
	var r schemas.ModelRelease
	err := w.Cluster.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: unit.ReceiptName()}, &r)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the receipt %s: %w", unit.ReceiptName(), err)
	}
	return &r, nil
}

// Live waits until a unit serves a version.
func (w *World) Live(ctx context.Context, unit schemas.Unit, version string) error {
	return w.Until(ctx, fmt.Sprintf("%s serves version %s", unit, version), func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, unit)
		if r == nil || err != nil {
			return "no receipt", false, err
		}
		return fmt.Sprintf("version %q, phase %s: %s", r.Status.Version, r.Status.Phase, Summary(r)),
			r.Status.Phase == schemas.PhaseLive && r.Status.Version == version, nil
	})
}

// Summary is a receipt's conditions in one line.
func Summary(r *schemas.ModelRelease) string {
	var parts []string
	for _, c := range r.Status.Conditions {
		parts = append(parts, fmt.Sprintf("%s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(parts, ", ")
}

// Status is one commit status as GitHub tells it.
type Status struct {
	Context     string `json:"context"`
	State       string `json:"state"`
	Description string `json:"description"`
	TargetURL   string `json:"target_url"`
}

// Statuses reads the latest status of each context on a commit.
func (w *World) Statuses(ctx context.Context, commit string) (map[string]Status, error) {
	var all []Status
	if err := w.People[Admin].Call(ctx, "GET", "/repos/"+FullName+"/commits/"+commit+"/statuses?per_page=100", nil, &all); err != nil {
		return nil, fmt.Errorf("read the statuses of %.12s: %w", commit, err)
	}
	latest := map[string]Status{}
	for _, s := range all { // newest first
		if _, seen := latest[s.Context]; !seen {
			latest[s.Context] = s
		}
	}
	return latest, nil
}

// HasStatus waits until a commit bears a status whose description contains a
// text, and returns the description.
func (w *World) HasStatus(ctx context.Context, commit, statusContext, state, text string) (string, error) {
	var description string
	err := w.Until(ctx, fmt.Sprintf("%.12s bears %s: %s %s", commit, statusContext, state, text), func(ctx context.Context) (string, bool, error) {
		latest, err := w.Statuses(ctx, commit)
		if err != nil {
			return "", false, err
		}
		s := latest[statusContext]
		description = s.Description
		return fmt.Sprintf("%s %q", s.State, s.Description), s.State == state && strings.Contains(s.Description, text), nil
	})
	return description, err
}

// Comments lists what Mooring said on a pull request.
func (w *World) Comments(ctx context.Context, number int) ([]string, error) {
	var all []struct {
		Body string                 `json:"body"`
		User struct{ Login string } `json:"user"`
	}
	path := fmt.Sprintf("/repos/%s/issues/%d/comments?per_page=100", FullName, number)
	if err := w.People[Admin].Call(ctx, "GET", path, nil, &all); err != nil {
		return nil, fmt.Errorf("read the comments of #%d: %w", number, err)
	}
	var bodies []string
	for _, c := range all {
		if c.User.Login == Bot {
			bodies = append(bodies, c.Body)
		}
	}
	return bodies, nil
}

// Service reads the InferenceService in a unit's inventory; nil if it is not there.
func (w *World) Service(ctx context.Context, unit schemas.Unit) (*unstructured.Unstructured, error) {
	r, err := w.Receipt(ctx, unit)
	if r == nil || err != nil {
		return nil, err
	}
	for _, entry := range r.Status.Inventory {
		if entry.Kind == InferenceService.Kind {
			return w.ServiceAt(ctx, entry.Namespace, entry.Name)
		}
	}
	return nil, nil
}

// ServiceAt reads an InferenceService; nil if it is not there.
func (w *World) ServiceAt(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	service := &unstructured.Unstructured{}
	service.SetGroupVersionKind(InferenceService)
	err := w.Cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, service)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the InferenceService %s/%s: %w", namespace, name, err)
	}
	return service, nil
}
