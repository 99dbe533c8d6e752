package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// fakeTrail opens when it is told to.
type fakeTrail struct {
	open   chan error
	failed error
}

func (f *fakeTrail) Open(context.Context) error { return <-f.open }
func (f *fakeTrail) Err() error                 { return f.failed }

func TestReadyMeansDoingWhatIsItsOwnToDo(t *testing.T) {
	p := &parts{led: make(chan struct{}), sight: newSight(nil, release.WatchedKinds, func() {})}
	elected := make(chan struct{})
	says := func(want string) {
		t.Helper()
		switch err := p.ready(elected); {
		case want == "" && err != nil:
			t.Errorf("it is not ready: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("it says %v, want %q", err, want)
		}
	}
	says("") // It waits for its turn.
	close(elected)
	says("audit log")
	trail := &fakeTrail{open: make(chan error, 1)}
	trail.open <- nil
	if err := p.lead(t.Context(), trail); err != nil {
		t.Fatal(err)
	}
	says("InferenceService")
	for _, gvk := range release.WatchedKinds {
		p.sight.seen[gvk] = true
	}
	says("")
	// A kind that an overlay brought, and that the cluster does not know, is that unit's trouble.
	p.sight.seen[release.DeploymentKind.GroupVersion().WithKind("Unknown")] = false
	says("")
}

func TestALogThatCannotBeOpenedEndsTheController(t *testing.T) {
	broken := errors.New("broken")
	trail := &fakeTrail{open: make(chan error, 2)}
	trail.open <- broken
	p := &parts{led: make(chan struct{})}
	if err := p.lead(t.Context(), trail); !errors.Is(err, broken) {
		t.Errorf("it says %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	trail.open <- broken
	if err := p.lead(ended, trail); err != nil {
		t.Errorf("at the end it says %v", err)
	}
	select {
	case <-p.led:
		t.Error("it leads without a log")
	default:
	}
}

func TestAFailedLogIsCuredByARestart(t *testing.T) {
	p := &parts{}
	trail := &fakeTrail{}
	if err := errors.Join(p.healthy(nil), p.healthy(trail)); err != nil {
		t.Error(err)
	}
	trail.failed = errors.New("no space left on device")
	if err := p.healthy(trail); !errors.Is(err, trail.failed) {
		t.Errorf("it says %v", err)
	}
}

func TestAProbeSaysWhyItFailsOnceItChanges(t *testing.T) {
	var out bytes.Buffer
	var failed error
	probe := tellChanges(slog.New(slog.NewJSONHandler(&out, nil)), "healthz", func() error { return failed })
	full, gone := errors.New("no space left on device"), errors.New("the volume is gone")
	for _, step := range []struct {
		err  error
		want string // empty: nothing
	}{{nil, ""}, {full, full.Error()}, {full, ""}, {fmt.Errorf("%w", full), ""}, {gone, gone.Error()}, {nil, "passes again"}, {nil, ""}, {full, full.Error()}} {
		failed = step.err
		if err := probe(nil); !errors.Is(err, step.err) {
			t.Errorf("it answers %v, want %v", err, step.err)
		}
		lines := logged(t, &out)
		if step.want == "" && len(lines) > 0 || step.want != "" && (len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]), step.want) || lines[0]["probe"] != "healthz") {
			t.Errorf("at %v it says %v, want %q", step.err, lines, step.want)
		}
	}
}

func TestEveryWatchedKindIsMissedByName(t *testing.T) {
	s := newSight(nil, release.WatchedKinds, func() {})
	var want []string
	for _, gvk := range release.WatchedKinds {
		want = append(want, gvk.Kind)
	}
	if got := s.missing(release.WatchedKinds); !slices.Equal(got, want) {
		t.Errorf("missing are %v", got)
	}
}
