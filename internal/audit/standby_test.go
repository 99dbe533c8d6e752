package audit

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/release"
)

var handedOver = release.Event{Key: "first", Phase: release.Decided, Action: release.ActionTrust, Repository: "models"}

func TestAStandbyWaitsUntilTheWriterBeforeIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	before, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := (Recorder{Log: before}).Record(t.Context(), handedOver); err != nil {
		t.Fatal(err)
	}
	s := NewStandby(path, Options{})
	opened, found := make(chan error, 1), make(chan error, 1)
	go func() { opened <- s.Open(t.Context()) }()
	go func() {
		known, err := s.Recorded(t.Context(), handedOver.Key)
		if err == nil && !known {
			err = errors.New("the record of the writer before is not found")
		}
		found <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("it is open beside its writer: %v", err)
	case err := <-found:
		t.Fatalf("it answers before it is open: %v", err)
	case <-time.After(3 * knock):
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if err := <-found; err != nil {
		t.Error(err)
	}
	second := handedOver
	second.Key = "second"
	if err := s.Record(t.Context(), second); err != nil {
		t.Error(err)
	}
	if head := s.log.Head(); head.Seq != 2 {
		t.Errorf("the chain goes on at %d", head.Seq)
	}
	if err := errors.Join(s.Err(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed, it says %v", err)
	}
}

func TestAStandbyThatIsNeverItsTurnRecordsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	before, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := before.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := NewStandby(path, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Open(ctx); !errors.Is(err, ErrLocked) || !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	if err := s.Record(ctx, handedOver); !errors.Is(err, context.Canceled) {
		t.Errorf("record: %v", err)
	}
	if err := errors.Join(s.Err(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestAStandbySaysWhatItWaitsForAndWithWhichHeadItBegins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	before, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	options := Options{Log: slog.New(slog.NewTextHandler(&said, nil))}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewStandby(path, options).Open(ctx); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	says := func(what string) {
		t.Helper()
		if !strings.Contains(said.String(), what) {
			t.Errorf("it does not say %q:\n%s", what, said.String())
		}
		said.Reset()
	}
	says("audit log is in use")
	for _, message := range []string{"a new audit log begins", "the audit log is open"} {
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		s := NewStandby(path, options)
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		says(message)
		if err := s.Record(t.Context(), handedOver); err != nil {
			t.Fatal(err)
		}
		before = s.log
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	s := NewStandby(path, options)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	says("head=" + s.log.Head().String())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStandbyDoesNotWaitForALogThatIsBroken(t *testing.T) {
	if err := NewStandby(filepath.Join(t.TempDir(), "none", "audit.jsonl"), Options{}).Open(t.Context()); err == nil {
		t.Error("a log without a folder was opened")
	}
}
