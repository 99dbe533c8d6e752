package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Options are the choices of Open. The zero value is right for a service.
type Options struct {
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Expect is a head known from elsewhere that the log must contain; none when zero.
	Expect Head
	// AcceptMissingHead opens a log that has records but no head file, and makes a new head file.
	// It gives up the proof that nothing was cut off the end, unless Expect names a head. It
	// changes nothing when the head file is there.
	AcceptMissingHead bool
	// Log is told by Standby what it waits for and with which head it begins; nobody when nil.
	Log *slog.Logger

	// wrap lets tests put a failing file under the log.
	wrap func(file) file
}

// Open opens the log at path for appending, creating it with mode 0600 when it does not exist (its
// directory must), and verifies all of it.
//
// Errors: ErrLocked (with the process that has it), ErrHeadMissing, ErrBroken (with line and
// damage), or that of the file system. One damage is repaired: an unfinished last line that was
// never acknowledged, as a crash leaves it. Its bytes are moved to PATH.torn-N and a record of
// phase PhaseRepair says so.
func Open(path string, o Options) (_ *Log, err error) {
	defer func() { err = remedied(err) }()
	if o.Now == nil {
		o.Now = time.Now
	}
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	l := &Log{path: path, now: o.Now, file: f, turn: make(chan struct{}, 1), index: map[keyID]span{}}
	if o.wrap != nil {
		l.file = o.wrap(f)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.abandon())
		}
	}()
	known, err := l.knownHead(o)
	if err != nil {
		return nil, err
	}
	left, err := l.load(known, o.Expect)
	if err != nil {
		return nil, err
	}
	if err := l.settle(left); err != nil {
		return nil, fmt.Errorf("open audit log %s: %w", path, err)
	}
	return l, nil
}

// openLocked opens or creates the log and locks it against other writers.
func openLocked(path string) (_ *os.File, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	mine, err := tryLock(f, true)
	if err != nil {
		return nil, fmt.Errorf("lock audit log %s: %w", path, err)
	}
	note := path + ".lock"
	if !mine {
		return nil, fmt.Errorf("%w: %s is being written by %s: stop it first", ErrLocked, path, holder(note))
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	text := fmt.Sprintf("process %d (%s) on %s\n", os.Getpid(), filepath.Base(os.Args[0]), host)
	if err := os.WriteFile(note, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("note who writes the audit log: %w", err)
	}
	return f, nil
}

func holder(note string) string {
	if text, err := os.ReadFile(note); err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text))
	}
	return "another process (" + note + " should name it)"
}

// knownHead reads the head file. A new log has none yet; one with records must.
func (l *Log) knownHead(o Options) (Head, error) {
	known, err := readHead(l.path)
	if !errors.Is(err, ErrHeadMissing) {
		return known, err
	}
	info, serr := l.file.Stat()
	if serr != nil {
		return Head{}, fmt.Errorf("stat audit log: %w", serr)
	}
	if info.Size() == 0 || o.AcceptMissingHead {
		return Head{}, nil
	}
	return Head{}, fmt.Errorf("open audit log %s: %w: without it nobody can tell whether records were cut off the end: "+
		"restore it, or verify the log against a head known from elsewhere and accept the missing file", l.path, err)
}

// leftover is what a crash may have left at the end of the log.
type leftover struct {
	unacknowledged int64 // where the whole records begin that no head file vouches for, in bytes
	torn           int64 // bytes of an unfinished last line
}

// load verifies the log and builds the index.
func (l *Log) load(known, expect Head) (left leftover, err error) {
	info, err := l.file.Stat()
	if err != nil {
		return left, fmt.Errorf("stat audit log: %w", err)
	}
	anchors := []Head{known, expect}
	report, err := walk(io.NewSectionReader(l.file, 0, info.Size()), anchors, func(rec *line, s span) error {
		id := idOf(unquote(rec.key))
		if _, twice := l.index[id]; twice {
			return broken(rec.seq, DamageInserted, "key %s is on record twice", rec.key)
		}
		l.index[id] = s
		if rec.seq == known.Seq {
			left.unacknowledged = s.off + int64(s.n)
		}
		return nil
	})
	var damage *BrokenError
	if errors.As(err, &damage) && damage.Damage == DamageTorn {
		// Whole records before it reach every known head: the torn line was never acknowledged.
		if err = shortOf(report, anchors); err == nil {
			left.torn = info.Size() - report.Bytes
		}
	}
	if errors.As(err, &damage) {
		return left, fmt.Errorf("open audit log %s: %w: the log is left as it is; find out who changed it and restore it "+
			"from a copy, or move it and its head file aside as evidence to begin a new one", l.path, err)
	}
	if err != nil {
		return left, fmt.Errorf("open audit log %s: %w", l.path, err)
	}
	l.tail, l.size = report.Head, report.Bytes
	l.synced, l.durable = report.Head, report.Bytes
	return left, nil
}

// settle makes durable what was found, moves a torn line away and puts it on record.
func (l *Log) settle(left leftover) error {
	if left.torn > 0 {
		if err := l.moveTorn(left.torn); err != nil {
			return err
		}
	}
	if err := l.rewriteFrom(left.unacknowledged); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(l.path)); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	var err error
	if l.head, err = createHead(l.path, l.tail); err != nil {
		return err
	}
	return l.recordRepairs()
}

// rewriteFrom writes the records from this offset on again, byte for byte, and syncs. They may not
// have been acknowledged; if an earlier fsync failed, the kernel holds them in memory, marked clean,
// and a sync alone would not bring them to disk (https://wiki.postgresql.org/wiki/Fsync_Errors).
func (l *Log) rewriteFrom(off int64) error {
	buf := make([]byte, min(l.size-off, 1<<20))
	for off < l.size {
		n := min(l.size-off, int64(len(buf)))
		if _, err := l.file.ReadAt(buf[:n], off); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if _, err := l.file.WriteAt(buf[:n], off); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		off += n
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// moveTorn copies the bytes after the last whole record to a file of their own, then cuts them off.
// A crash in between leaves them in both places, and the next Open does it again.
func (l *Log) moveTorn(n int64) error {
	tornBytes := make([]byte, n)
	if _, err := l.file.ReadAt(tornBytes, l.size); err != nil {
		return fmt.Errorf("read torn line: %w", err)
	}
	for i := 1; ; i++ {
		name := l.path + ".torn-" + strconv.Itoa(i)
		there, err := os.ReadFile(name)
		if err == nil && !bytes.Equal(there, tornBytes) {
			continue
		}
		if errors.Is(err, os.ErrNotExist) {
			err = writeDurably(name, tornBytes)
		}
		if err != nil {
			return fmt.Errorf("move torn line to %s: %w", name, err)
		}
		break
	}
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("cut torn line: %w", err)
	}
	return nil
}

// recordRepairs makes sure that every torn file is on record. It goes by the files there are, so a
// crash after moveTorn is made up for by the next Open.
func (l *Log) recordRepairs() error {
	for i := 1; ; i++ {
		name := l.path + ".torn-" + strconv.Itoa(i)
		content, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read torn line: %w", err)
		}
		sum := sha256.Sum256(content)
		digest := hex.EncodeToString(sum[:])
		_, err = l.append(context.Background(), Entry{
			Key:    ReservedPrefix + "repair:torn-" + strconv.Itoa(i) + ":" + digest,
			Phase:  PhaseRepair,
			Action: ActionRepair,
			Actor:  "mooring",
			Reason: "an unfinished last line, never acknowledged, was moved out of the log",
			Evidence: map[string]any{
				"file": filepath.Base(name), "bytes": len(content), "sha256": digest,
			},
		})
		if err != nil {
			return err
		}
	}
}

// abandon releases what Open took.
func (l *Log) abandon() error {
	err := l.file.Close()
	if l.head != nil {
		err = errors.Join(err, l.head.close())
	}
	return err
}
