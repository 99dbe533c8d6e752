package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Log is the audit log in a file. All methods may be called concurrently. Make one with Open.
type Log struct {
	path string
	now  func() time.Time
	file file
	head *headFile

	// turn has one place: who holds it writes what is pending, for all who wait.
	turn chan struct{}

	mu      sync.Mutex
	tail    Head           // of the last record staged
	size    int64          // of the file once everything staged is written, in bytes
	durable int64          // bytes of the file that are synced and acknowledged
	synced  Head           // of the last record in them
	index   map[keyID]span // of all records staged
	pending *batch         // staged, not yet being written; nil when empty
	flight  *batch         // being written; nil when none is
	failed  error          // set once a write failed, for good
	closed  bool
}

// file is the part of *os.File that the log uses, so that tests can make it fail.
type file interface {
	io.ReaderAt
	io.WriterAt
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// keyID stands for a key in the index: half a SHA-256 sum, so that the index costs the same for
// long keys as for short ones. A lookup compares the whole key in the file.
type keyID [16]byte

func idOf(key string) keyID {
	sum := sha256.Sum256([]byte(key))
	return keyID(sum[:16])
}

// batch is a run of lines that share one write and one fsync.
type batch struct {
	buf   []byte
	start int64 // where in the file it goes
	last  Head
	done  chan struct{} // closed when written or failed
	err   error         // to be read after done
}

var _ Appender = (*Log)(nil)

// Append puts e on record and returns when the record is on disk. Concurrent calls share one fsync.
//
// When e.Key is on record already, with the same content after redaction, that record is returned
// and nothing is written; with other content the error is ErrConflict. ErrInvalid and ErrTooLarge
// leave the log as it was. After a failed write or fsync this and every later call fails with
// ErrFailed until the log is opened again, because nobody can say what reached the disk. When ctx
// ends during the write the error is ErrUncertain with that of ctx.
func (l *Log) Append(ctx context.Context, e Entry) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, fmt.Errorf("append %q to audit log: %w", e.Key, err)
	}
	if e.Phase == PhaseRepair || len(e.Key) >= len(ReservedPrefix) && e.Key[:len(ReservedPrefix)] == ReservedPrefix {
		return Record{}, fmt.Errorf("%w: phase %q and keys that begin with %q are reserved for the log itself", ErrInvalid, PhaseRepair, ReservedPrefix)
	}
	return l.append(ctx, e)
}

func (l *Log) append(ctx context.Context, e Entry) (Record, error) {
	p, err := prepare(e)
	if err != nil {
		return Record{}, fmt.Errorf("append %q to audit log: %w", e.Key, err)
	}
	rec, b, known, err := l.stage(p)
	if err != nil {
		return Record{}, fmt.Errorf("append %q to audit log: %w", e.Key, err)
	}
	if err := l.await(ctx, b); err != nil {
		return Record{}, fmt.Errorf("append %q to audit log: %w", e.Key, err)
	}
	if known == nil {
		return rec, nil
	}
	return l.existing(p, *known)
}

// stage gives the entry its place in the chain and in the pending batch. For a key that has a
// place already it returns that, and the batch to wait for if it is not durable yet, else nil.
func (l *Log) stage(p prepared) (Record, *batch, *span, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return Record{}, nil, nil, err
	}
	id := idOf(p.Key)
	if known, ok := l.index[id]; ok {
		return Record{}, l.batchOf(known), &known, nil
	}
	rec := Record{
		Version: Version, Seq: l.tail.Seq + 1, Time: l.now().UTC().Round(0), Entry: p.Entry, Prev: l.tail.Hash,
	}
	if y := rec.Time.Year(); y < 0 || y > 9999 {
		return Record{}, nil, nil, fmt.Errorf("%w: the clock gives the year %d", ErrInvalid, y)
	}
	if l.pending == nil {
		l.pending = &batch{start: l.size, done: make(chan struct{})}
	}
	before := len(l.pending.buf)
	l.pending.buf, rec.Hash = encode(l.pending.buf, &rec, p.evidence)
	n := len(l.pending.buf) - before
	l.index[id] = span{off: l.size, n: uint32(n)}
	l.size += int64(n)
	l.tail = rec.Head()
	l.pending.last = l.tail
	return rec, l.pending, nil, nil
}

// batchOf returns the batch that a staged line belongs to, nil when it is durable.
func (l *Log) batchOf(s span) *batch {
	switch {
	case s.off < l.durable:
		return nil
	case l.pending != nil && s.off >= l.pending.start:
		return l.pending
	}
	return l.flight
}

func (l *Log) usable() error {
	switch {
	case l.closed:
		return ErrClosed
	case l.failed != nil:
		return fmt.Errorf("%w: %w", ErrFailed, l.failed)
	}
	return nil
}

// Err is why no more records are taken: ErrFailed or ErrClosed. It is nil while they are.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usable()
}

// await returns when b is durable or failed, writing it if nobody else does.
func (l *Log) await(ctx context.Context, b *batch) error {
	if b == nil {
		return nil
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		// The batch stays pending; the next Append or Close writes it.
		return fmt.Errorf("%w: %w", ErrUncertain, context.Cause(ctx))
	case l.turn <- struct{}{}:
		l.flush()
		<-l.turn
		<-b.done
	}
	return b.err
}

// flush writes what is pending. The caller holds the turn.
func (l *Log) flush() {
	l.mu.Lock()
	b := l.pending
	l.pending, l.flight = nil, b
	l.mu.Unlock()
	if b == nil {
		return
	}
	err := l.write(b)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.flight = nil
	if err == nil {
		l.durable, l.synced = b.start+int64(len(b.buf)), b.last
		close(b.done)
		return
	}
	l.failed = err
	for _, lost := range []*batch{b, l.pending} {
		if lost != nil {
			lost.err = fmt.Errorf("%w: %w", ErrFailed, err)
			close(lost.done)
		}
	}
	l.pending = nil
}

func (l *Log) write(b *batch) (err error) {
	defer func() { err = remedied(err) }()
	if err := l.undisturbed(b.start); err != nil {
		return err
	}
	if _, err := l.file.WriteAt(b.buf, b.start); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return l.head.set(b.last)
}

// undisturbed makes sure that the file at the log's path is still the one that is open and that
// nobody has written to or cut it.
func (l *Log) undisturbed(size int64) error {
	mine, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	there, err := os.Stat(l.path)
	if err != nil {
		return fmt.Errorf("the log was moved away: %w", err)
	}
	if !os.SameFile(mine, there) {
		return fmt.Errorf("%s was replaced by another file while it was open", l.path)
	}
	if mine.Size() != size {
		return fmt.Errorf("%s has %d bytes, this process wrote %d: another program changed it", l.path, mine.Size(), size)
	}
	return nil
}

// existing returns the durable record at where if its content is p's.
func (l *Log) existing(p prepared, where span) (Record, error) {
	rec, evidence, err := l.readAt(p.Key, where)
	if err != nil {
		return Record{}, err
	}
	if !sameEvidence(evidence, p.evidence) || !sameText(rec.Entry, p.Entry) {
		return Record{}, fmt.Errorf("append %q to audit log: %w: see record %d", p.Key, ErrConflict, rec.Seq)
	}
	return rec, nil
}

// readAt reads one line again, checks it against its own hash and returns it with its evidence as
// it stands.
func (l *Log) readAt(key string, where span) (Record, []byte, error) {
	text := make([]byte, where.n)
	if _, err := l.file.ReadAt(text, where.off); err != nil {
		return Record{}, nil, fmt.Errorf("read audit record of %q: %w", key, err)
	}
	var parsed line
	if err := parseLine(bytes.TrimSuffix(text, []byte{'\n'}), &parsed); err != nil {
		return Record{}, nil, fmt.Errorf("%w: record of %q at byte %d: %w", ErrBroken, key, where.off, err)
	}
	if !parsed.sealed() {
		return Record{}, nil, fmt.Errorf("%w: record of %q at byte %d does not match its hash", ErrBroken, key, where.off)
	}
	rec, err := parsed.record()
	return rec, parsed.evidence, err
}

// sameText compares everything but the evidence.
func sameText(a, b Entry) bool {
	return a.Key == b.Key && a.Phase == b.Phase && a.Action == b.Action && a.Subject == b.Subject &&
		a.Actor == b.Actor && a.Commit == b.Commit && a.Digest == b.Digest && a.Reason == b.Reason
}

// Head returns the head of what is durable. Publish it where the writer of the log cannot change
// it, and the log can be proven complete up to there.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced
}

// Close writes what is pending and releases the log. Closing again does nothing.
func (l *Log) Close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return nil
	}
	l.flush()
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	return errors.Join(failed, l.head.close(), l.file.Close())
}
