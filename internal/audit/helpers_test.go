package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clock gives times one second apart, from a fixed start.
func clock() func() time.Time {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

func entry(i int) Entry {
	return Entry{
		Key:    fmt.Sprintf("release/churn/%d/outcome", i),
		Phase:  PhaseOutcome,
		Action: ActionApply,
		Subject: Subject{
			Repository: "mlops-platform/models", Team: "data-science", Model: "churn-predictor", Environment: "production",
		},
		Actor:    "mooring",
		Commit:   "2f1e9a4c7b3d5f60718293a4b5c6d7e8f9012345",
		Digest:   "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
		Reason:   "approved by manager and senior data scientist",
		Evidence: map[string]any{"objects": 3, "ready": true, "seconds": 41.5, "attempt": i},
	}
}

func logPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "audit.jsonl")
}

func open(t testing.TB, path string, o Options) *Log {
	t.Helper()
	if o.Now == nil {
		o.Now = clock()
	}
	l, err := Open(path, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a test that cares closes it itself
	return l
}

func mustAppend(t testing.TB, l *Log, e Entry) Record {
	t.Helper()
	rec, err := l.Append(context.Background(), e)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return rec
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// chain builds a log of n records in memory.
func chain(t testing.TB, n int) []byte {
	t.Helper()
	now, tail := clock(), Head{Hash: genesis}
	var b []byte
	for i := range n {
		p, err := prepare(entry(i))
		if err != nil {
			t.Fatal(err)
		}
		rec := Record{Version: Version, Seq: tail.Seq + 1, Time: now(), Entry: p.Entry, Prev: tail.Hash}
		b, rec.Hash = encode(b, &rec, p.evidence)
		tail = rec.Head()
	}
	return b
}

// place writes a log and its head file as they would be after the records were appended.
func place(t testing.TB, log []byte, head Head) string {
	t.Helper()
	path := logPath(t)
	write(t, path, log)
	write(t, headPath(path), headLine(head))
	return path
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines cuts a log into lines with their newlines.
func lines(log []byte) [][]byte {
	all := bytes.SplitAfter(log, []byte{'\n'})
	return all[:len(all)-1]
}

func records(t testing.TB, log []byte) []Record {
	t.Helper()
	var out []Record
	for rec, err := range Read(bytes.NewReader(log)) {
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		out = append(out, rec)
	}
	return out
}
