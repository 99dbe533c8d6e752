package audit

import (
	"context"
	"errors"
	"path/filepath"
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

func TestAStandbyDoesNotWaitForALogThatIsBroken(t *testing.T) {
	if err := NewStandby(filepath.Join(t.TempDir(), "none", "audit.jsonl"), Options{}).Open(t.Context()); err == nil {
		t.Error("a log without a folder was opened")
	}
}
