package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mlops-platform/mooring/reconciler/release"
)

const (
	// handover is how long Open waits for the writer before: on a network file system the server
	// keeps the lock of a machine that is gone for a minute and a half.
	handover = 3 * time.Minute
	// knock is the pause between two tries.
	knock = 200 * time.Millisecond
)

// Standby is the log of a process that may have to wait for its turn to write it. Record and
// Recorded wait for Open, so that nothing is done before it; the lock on the file keeps a second
// writer out whatever leases say.
type Standby struct {
	path    string
	options Options

	mu     sync.Mutex
	log    *Log
	opened chan struct{} // closed once log is set
}

var (
	_ release.Auditor = (*Standby)(nil)
	_ release.Witness = (*Standby)(nil)
)

// NewStandby opens nothing yet.
func NewStandby(path string, o Options) *Standby {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Standby{path: path, options: o, opened: make(chan struct{})}
}

// Open opens the log, once its writer before has let go of it: one that ends does so when its
// lease is given back already. Errors are those of the function Open.
func (s *Standby) Open(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, handover, fmt.Errorf("waited %s", handover))
	defer cancel()
	tick := time.NewTicker(knock)
	defer tick.Stop()
	for waits := false; ; waits = true {
		log, err := Open(s.path, s.options)
		if err == nil {
			s.begin(log)
			return nil
		}
		if !errors.Is(err, ErrLocked) {
			return err
		}
		if !waits { // said at once: nothing is done meanwhile, and somebody may have started two
			s.options.Log.Warn("nothing is done until the audit log is free", "atMost", handover.String(), "error", err.Error())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}

// begin lets the waiting records in. The head in the process's log is one that whoever can
// write the file cannot change, where such logs are collected.
func (s *Standby) begin(log *Log) {
	s.mu.Lock()
	s.log = log
	s.mu.Unlock()
	head, message := log.Head(), "the audit log is open"
	if head.Seq == 0 {
		message = "a new audit log begins; if there was one before, stop and restore it"
	}
	s.options.Log.Info(message, "file", s.path, "records", head.Seq, "head", head.String())
	close(s.opened)
}

// Err is why the log takes no more records; nil while it does, and before it is open.
func (s *Standby) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return nil
	}
	return s.log.Err()
}

// Record appends an event as Recorder does.
func (s *Standby) Record(ctx context.Context, e release.Event) error {
	log, err := s.await(ctx)
	if err != nil {
		return err
	}
	return Recorder{Log: log}.Record(ctx, e)
}

// Recorded answers as Witness does.
func (s *Standby) Recorded(ctx context.Context, key string) (bool, error) {
	log, err := s.await(ctx)
	if err != nil {
		return false, err
	}
	return Witness{Log: log}.Recorded(ctx, key)
}

func (s *Standby) await(ctx context.Context) (*Log, error) {
	select {
	case <-s.opened:
		return s.log, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the audit log to be opened: %w", context.Cause(ctx))
	}
}

// Close releases the log if it was opened.
func (s *Standby) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return nil
	}
	return s.log.Close()
}
