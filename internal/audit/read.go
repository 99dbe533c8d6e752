package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

var errStop = errors.New("stop")

// Read yields the records of a log in order, verifying the chain as it goes. The last pair carries
// the error, if any, as Verify returns it; the records before it are good.
func Read(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		_, err := walk(r, nil, func(l *line, _ span) error {
			rec, err := l.record()
			if err != nil {
				return fmt.Errorf("record %d: %w", l.seq, err)
			}
			if !yield(rec, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Record{}, err)
		}
	}
}

// Records yields what is durable at the time of the call, as Read does. Appending goes on meanwhile.
func (l *Log) Records() iter.Seq2[Record, error] {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Read(io.NewSectionReader(l.file, 0, l.durable))
}

// Find returns the durable record that has this key, and whether there is one.
func (l *Log) Find(key string) (Record, bool, error) {
	l.mu.Lock()
	where, ok := l.index[idOf(key)]
	ok = ok && where.off < l.durable
	l.mu.Unlock()
	if !ok {
		return Record{}, false, nil
	}
	rec, _, err := l.readAt(key, where)
	if err != nil || rec.Key != key {
		return Record{}, false, err
	}
	return rec, true, nil
}

// LastHead reads the head file of the log at path: what the log has to contain.
// Read it before Snapshot, since a writer may go on. The error is ErrHeadMissing
// when there is none.
func LastHead(path string) (Head, error) { return readHead(path) }

// Snapshot opens the whole lines of the log at path as they stand now: safe beside a running
// writer, which may be in the middle of a line. Close it when done.
func Snapshot(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	end, err := afterLastNewline(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read audit log %s: %w", path, err), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, end), f}, nil
}

// afterLastNewline returns the offset after the last newline of f, 0 without one.
func afterLastNewline(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// VerifyFile verifies the log at path against its head file and every head given. It may run beside
// the writer; a line that the writer has not finished is counted in Report.Unfinished.
//
// Errors are those of Verify and VerifyHead, and ErrHeadMissing, with the full report, when the
// chain is unbroken but there is neither a head file nor a head given, so that its end is unproven.
func VerifyFile(path string, heads ...Head) (Report, error) {
	// The head first: the writer advances it after the log, so the log is never behind what is read here.
	known, headErr := readHead(path)
	switch {
	case headErr == nil:
		heads = append([]Head{known}, heads...)
	case !errors.Is(headErr, ErrHeadMissing):
		return Report{}, headErr
	case len(heads) > 0:
		headErr = nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("open audit log: %w", err)
	}
	report, err := verifyOpen(f, heads)
	if err == nil {
		err = headErr
	}
	return report, errors.Join(err, f.Close())
}

func verifyOpen(f *os.File, heads []Head) (Report, error) {
	info, err := f.Stat()
	if err != nil {
		return Report{}, fmt.Errorf("stat audit log: %w", err)
	}
	report, err := walk(io.NewSectionReader(f, 0, info.Size()), heads, ignore)
	var damage *BrokenError
	if !errors.As(err, &damage) || damage.Damage != DamageTorn {
		return report, err
	}
	if short := shortOf(report, heads); short != nil {
		return report, short
	}
	if free, lockErr := tryLock(f, false); lockErr != nil || free {
		return report, errors.Join(err, lockErr) // nobody is writing: a crash left it
	}
	report.Unfinished = info.Size() - report.Bytes
	return report, nil
}
