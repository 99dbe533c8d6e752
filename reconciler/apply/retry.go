package apply

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Retry bounds how often a request is repeated that failed for a passing reason.
type Retry struct {
	// Attempts in all, the first included.
	Attempts int
	// First pause; each further one is twice as long, up to Longest, which
	// also bounds what a server may ask for with Retry-After.
	First, Longest time.Duration
}

func (r Retry) orDefault() Retry {
	if r.Attempts <= 0 {
		r.Attempts = 5
	}
	if r.First <= 0 {
		r.First = 100 * time.Millisecond
	}
	if r.Longest <= 0 {
		r.Longest = 5 * time.Second
	}
	return r
}

// do repeats call while it fails for a passing reason. It stops with the last
// error when attempts or context end.
func (r Retry) do(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil || attempt == r.Attempts || !transient(err) {
			return err
		}
		timer := time.NewTimer(r.pause(attempt, err))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// pause honours the server's wish; else it doubles, with jitter so that many
// sets that were refused together do not come back together.
func (r Retry) pause(attempt int, err error) time.Duration {
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok && seconds > 0 {
		return min(time.Duration(seconds)*time.Second, r.Longest)
	}
	pause := min(r.First<<(attempt-1), r.Longest)
	return pause/2 + rand.N(pause/2+1)
}

// transient reports whether the same request may pass a moment later. A
// conflict is: force leaves only races on the resource version.
func transient(err error) bool {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsUnexpectedServerError(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return true
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return status.Status().Code >= 500 && !mistyped(status.Status())
	}
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) ||
		utilnet.IsProbableEOF(err) || utilnet.IsTimeout(err) || utilnet.IsHTTP2ConnectionLost(err)
}
