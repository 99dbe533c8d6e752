package audit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// faulty is a file whose writes and syncs fail when told to.
type faulty struct {
	file
	mu       sync.Mutex
	writeErr error // after half of the bytes are written
	syncErr  error
	writes   [][]byte
	syncs    int
	entered  chan struct{} // when set: told of each sync, which then waits for release
	release  chan struct{}
}

func (f *faulty) WriteAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, bytes.Clone(b))
	if f.writeErr != nil {
		n, err := f.file.WriteAt(b[:len(b)/2], off)
		return n, errors.Join(f.writeErr, err)
	}
	return f.file.WriteAt(b, off)
}

func (f *faulty) Sync() error {
	f.mu.Lock()
	f.syncs++
	entered, err := f.entered, f.syncErr
	f.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
		<-f.release
	}
	if err != nil {
		return err
	}
	return f.file.Sync()
}

func openFaulty(t *testing.T, path string) (*Log, *faulty) {
	t.Helper()
	f := &faulty{}
	l := open(t, path, Options{wrap: func(under file) file {
		f.file = under
		return f
	}})
	return l, f
}

func TestAFailedWriteStopsTheLogUntilItIsReopened(t *testing.T) {
	for name, fail := range map[string]func(*faulty){
		"the disk is full halfway": func(f *faulty) { f.writeErr = syscall.ENOSPC },
		"the sync fails":           func(f *faulty) { f.syncErr = syscall.EIO },
	} {
		t.Run(name, func(t *testing.T) {
			path := logPath(t)
			l, f := openFaulty(t, path)
			first := mustAppend(t, l, entry(1))
			fail(f)
			_, err := l.Append(context.Background(), entry(2))
			if full := errors.Is(err, syscall.ENOSPC); full != strings.Contains(err.Error(), "enlarge the volume") {
				t.Errorf("what to do does not fit: %v", err)
			}
			if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) {
				t.Errorf("the append that failed: %v", err)
			}
			f.writeErr, f.syncErr = nil, nil
			for _, i := range []int{1, 2, 3} {
				if _, err := l.Append(context.Background(), entry(i)); !errors.Is(err, ErrFailed) {
					t.Errorf("append %d after the failure: %v", i, err)
				}
			}
			if _, ok, err := l.Find(entry(2).Key); ok || err != nil {
				t.Errorf("a record that failed is found: %v, %v", ok, err)
			}
			if got, err := readHead(path); err != nil || got != first.Head() || l.Head() != got {
				t.Errorf("head %v, %v", got, err)
			}
			if err := l.Close(); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) {
				t.Errorf("Close: %v", err)
			}
			l = open(t, path, Options{})
			mustAppend(t, l, entry(2))
			mustClose(t, l)
			if _, err := VerifyFile(path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRecordsThatWereNeverAcknowledgedAreWrittenAgainOnOpen(t *testing.T) {
	log := chain(t, 4)
	l := lines(log)
	path := place(t, log, records(t, log)[1].Head())
	_, f := openFaulty(t, path)
	if want := bytes.Join(l[2:], nil); len(f.writes) != 1 || !bytes.Equal(f.writes[0], want) || f.syncs == 0 {
		t.Errorf("%d writes, %d syncs", len(f.writes), f.syncs)
	}
	if !bytes.Equal(read(t, path), log) {
		t.Error("the log changed")
	}
}

// full sends writes to /dev/full, which refuses them as a full disk does.
type full struct {
	file
	dev *os.File
}

func (f full) WriteAt(b []byte, _ int64) (int, error) { return f.dev.Write(b) }

func TestAFullDiskRefusesTheAppend(t *testing.T) {
	dev, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		dev, err = os.Open(os.DevNull) // elsewhere than on Linux: a file that cannot be written
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dev.Close() }()
	path := logPath(t)
	l := open(t, path, Options{wrap: func(under file) file { return full{under, dev} }})
	if _, err := l.Append(context.Background(), entry(1)); !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
	if len(read(t, path)) != 0 {
		t.Error("something was written")
	}
}

func TestALogThatCannotBeOpenedSaysWhy(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"a directory":         {dir, syscall.EISDIR},
		"no parent directory": {filepath.Join(dir, "no", "audit.jsonl"), fs.ErrNotExist},
	} {
		if _, err := Open(c.path, Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The side files have to be writable too.
	path := logPath(t)
	if err := os.Mkdir(path+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("lock note: %v", err)
	}
	path = logPath(t)
	if err := os.Mkdir(headPath(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("head file: %v", err)
	}
	if err := os.Remove(headPath(path)); err != nil {
		t.Fatal(err)
	}
	open(t, path, Options{}) // the failed Open released its lock
}

func TestADisturbedLogFileStopsTheLog(t *testing.T) {
	for name, disturb := range map[string]func(path string) error{
		"moved away": func(path string) error { return os.Rename(path, path+".1") },
		"cut":        func(path string) error { return os.Truncate(path, 10) },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
		},
		"written to": func(path string) error { return appendTo(path, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			path := logPath(t)
			l := open(t, path, Options{})
			mustAppend(t, l, entry(1))
			if err := disturb(path); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Append(context.Background(), entry(2)); !errors.Is(err, ErrFailed) {
				t.Errorf("%v", err)
			}
		})
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// While one sync runs, everyone else gathers in one batch and shares the next.
func TestAppendersThatWaitShareOneSync(t *testing.T) {
	l, f := openFaulty(t, logPath(t))
	f.entered, f.release = make(chan struct{}), make(chan struct{})
	before := f.syncs
	var wg sync.WaitGroup
	run := func(i int) {
		wg.Go(func() {
			if _, err := l.Append(context.Background(), entry(i)); err != nil {
				t.Errorf("Append: %v", err)
			}
		})
	}
	run(0)
	<-f.entered // the first is being synced
	const others = 20
	for i := range others {
		run(i + 1)
	}
	await(l, others+1)
	f.release <- struct{}{}
	<-f.entered
	f.release <- struct{}{}
	wg.Wait()
	if n := f.syncs - before; n != 2 {
		t.Errorf("%d syncs for %d appends", n, others+1)
	}
	f.entered = nil
}

// await returns when n records are staged.
func await(l *Log, n uint64) {
	for {
		l.mu.Lock()
		staged := l.tail.Seq
		l.mu.Unlock()
		if staged >= n {
			return
		}
		runtime.Gosched()
	}
}

func TestACallerThatStopsWaitingIsToldThatItMayBeOnRecord(t *testing.T) {
	path := logPath(t)
	l, f := openFaulty(t, path)
	f.entered, f.release = make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		_, err := l.Append(context.Background(), entry(1))
		first <- err
	}()
	<-f.entered
	ctx, cancel := context.WithCancel(context.Background())
	second := make(chan error)
	go func() {
		_, err := l.Append(ctx, entry(2))
		second <- err
	}()
	await(l, 2)
	cancel()
	if err := <-second; !errors.Is(err, ErrUncertain) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	f.mu.Lock()
	f.entered = nil
	f.mu.Unlock()
	f.release <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if rec := mustAppend(t, l, entry(2)); rec.Seq != 2 {
		t.Errorf("record %d", rec.Seq)
	}
	mustClose(t, l)
	if n := len(lines(read(t, path))); n != 2 {
		t.Errorf("%d lines", n)
	}
}
