package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/internal/loopback"
	"github.com/mlops-platform/mooring/reconciler/release"
)

// A shared volume is, to two controllers on one machine, one folder: the replicas
// of deploy/overlays/ha differ from these in their kernels alone.

// member is one of several controllers over one audit log.
type member struct {
	flags []string
	ready string // the URL of its readiness
}

// replica gives what one replica has for itself: mirrors, and a port for probes.
func (w *world) replica(more ...string) member {
	w.t.Helper()
	address, err := loopback.Address()
	w.must(err)
	mirrors, err := os.MkdirTemp(w.Dir, "mirrors-")
	w.must(err)
	flags := append([]string{"--leader-elect", "--mirror-dir", mirrors, "--probe-address", address}, more...)
	return member{flags: flags, ready: "http://" + address + "/readyz?verbose"}
}

// standby starts another replica, which is the world's controller from now on,
// and waits until it is ready to take over.
func (w *world) standby(m member) {
	w.t.Helper()
	first := w.Controller
	w.t.Cleanup(func() { // Before the world's own end, which knows of the last one only.
		if err := first.Kill(); err != nil {
			w.t.Error(err)
		}
	})
	w.ControllerFlags = m.flags
	w.must(w.StartController(w.t.Context()))
	w.probes(m, "is ready", http.StatusOK, "")
}

// probes waits until a replica answers its readiness probe in a way.
func (w *world) probes(m member, what string, code int, text string) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), "a replica "+what, func(ctx context.Context) (string, bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.ready, nil)
		if err != nil {
			return "", false, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err.Error(), false, nil // it does not listen yet
		}
		body, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return err.Error(), false, nil
		}
		return fmt.Sprintf("%d %s", answer.StatusCode, body), answer.StatusCode == code && strings.Contains(string(body), text), nil
	}))
}

// A leader that hangs loses its lease, and not the lock on the audit log: who
// leads now waits for the lock and does nothing. When the one that hung goes on,
// it sees that its lease is gone, and ends.
func TestALeaderThatLostItsLeaseKeepsTheNextOneWaiting(t *testing.T) {
	t.Parallel()
	w := prepare(t, small, withoutWebhooks)
	w.ControllerFlags = w.replica("--webhook-address", "0").flags
	w.must(w.StartController(t.Context()))
	w.allLive(3)
	hanging, next := w.Controller, w.replica("--webhook-address", "0")
	w.standby(next)
	w.must(hanging.Signal(syscall.SIGSTOP))
	w.probes(next, "leads and waits for the audit log", http.StatusInternalServerError, "[-]work failed")
	before := len(w.records())
	w.drift(demo.Churn)
	w.probes(next, "still waits", http.StatusInternalServerError, "[-]work failed")
	if now := len(w.records()); now != before {
		t.Errorf("%d records were written while two believe that they lead", now-before)
	}
	w.must(hanging.Signal(syscall.SIGCONT))
	w.ends(hanging)
	w.mended(demo.Churn)
	w.probes(next, "works", http.StatusOK, "")
	w.hasRecords(1, audit.PhaseIntent, release.ActionHeal, demo.Churn)
	w.nothingOrphaned()
}

// A rollout ends the leader in order: the lease is given back, the next one works
// at once, and listens for webhooks in its place.
func TestAStandbyTakesOverAtARollout(t *testing.T) {
	t.Parallel()
	w := prepare(t, small, func(o *demo.Options) { o.Interval = time.Hour })
	w.ControllerFlags = w.replica().flags
	w.must(w.StartController(t.Context()))
	w.allLive(3)
	leader := w.Controller
	w.standby(w.replica()) // With the same address for webhooks, which is taken.
	began := time.Now()
	w.must(leader.Stop())
	w.must(w.Until(t.Context(), "the next one is named as the writer", func(context.Context) (string, bool, error) {
		note, err := os.ReadFile(w.AuditFile() + ".lock")
		return string(note), strings.Contains(string(note), fmt.Sprintf("process %d ", w.Controller.ID())), err
	}))
	t.Logf("handed over in %s", time.Since(began).Round(time.Millisecond))
	number, head, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	_, err = w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
	w.nothingOrphaned()
}
