package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const patience = 2 * time.Minute

func shell(name, script string) Spec {
	return Spec{Name: name, Program: "/bin/sh", Args: []string{name, "-c", script}}
}

func newGroup(t *testing.T) (*Group, chan error) {
	t.Helper()
	exits := make(chan error, 10)
	group, err := NewGroup(t.TempDir(), func(err error) { exits <- err })
	if err != nil {
		t.Fatal(err)
	}
	return group, exits
}

func TestUnexpectedEndIsReportedWithTheEndOfTheLog(t *testing.T) {
	group, exits := newGroup(t)
	if err := group.Start(shell("worker", "seq 1 100; echo last words >&2; exit 7")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-exits:
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Name != "worker" {
			t.Fatalf("got %v, want an ExitError of worker", err)
		}
		for _, want := range []string{"worker", "exit status 7", "worker.log", "last words"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the message lacks %q:\n%v", want, err)
			}
		}
		if got := strings.Count(exit.Tail, "\n") + 1; got != tailLines {
			t.Errorf("the tail has %d lines, want %d", got, tailLines)
		}
	case <-time.After(patience):
		t.Fatal("the end of the child was not reported")
	}
}

func TestStopEndsWillingAndUnwillingChildrenWithoutReportingThem(t *testing.T) {
	group, exits := newGroup(t)
	ready := t.TempDir()
	for name, script := range map[string]string{
		"willing":   "trap 'exit 0' TERM; touch %s; while :; do sleep 0.01; done",
		"unwilling": "trap '' TERM; touch %s; while :; do sleep 0.01; done",
	} {
		if err := group.Start(shell(name, fmt.Sprintf(script, filepath.Join(ready, name)))); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { _, err := os.Stat(filepath.Join(ready, name)); return err == nil })
	}
	if err := group.Stop(200*time.Millisecond, "willing", "unwilling", "never-started"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-exits:
		t.Fatalf("a wanted end was reported: %v", err)
	default:
	}
}

func TestStartOfMissingProgramNamesTheChild(t *testing.T) {
	group, _ := newGroup(t)
	err := group.Start(Spec{Name: "ghost", Program: "/no/such/program", Args: []string{"ghost"}})
	if err == nil || !strings.Contains(err.Error(), "ghost") {
		t.Fatalf("got %v, want an error that names the child", err)
	}
}

func TestTailOfEmptyFileIsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Tail(path, 5); err != nil || got != "" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// await polls until the condition holds.
func await(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
