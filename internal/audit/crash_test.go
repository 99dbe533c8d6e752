package audit

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

const crashPath = "MOORING_AUDIT_CRASH_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		appendForever(path, os.Getenv(crashPath+"_FROM"))
	}
	os.Exit(m.Run())
}

// appendForever is the process to be killed. It says each number on stdout once it is acknowledged.
func appendForever(path, first string) {
	from, err := strconv.Atoi(first)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	l, err := Open(path, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := from + w; ; i += 4 {
				if _, err := l.Append(context.Background(), entry(i)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(3)
				}
				fmt.Println(i)
			}
		})
	}
	wg.Wait()
}

// A process killed at any point leaves an unbroken chain with every acknowledged record in it once;
// what it repeats after a restart makes no second record.
func TestKilledAtAnyPointTheLogHoldsWhatItAcknowledged(t *testing.T) {
	path := logPath(t)
	acknowledged := map[int]bool{}
	next := 0
	for range 20 {
		from := max(0, next-10) // some again
		for _, i := range runAndKill(t, path, from, rand.IntN(60)) {
			acknowledged[i] = true
			next = max(next, i+1)
		}
		l := open(t, path, Options{})
		for i := range acknowledged {
			if _, ok, err := l.Find(entry(i).Key); !ok || err != nil {
				t.Fatalf("acknowledged record %d: found %v, %v", i, ok, err)
			}
		}
		mustClose(t, l)
	}
	if _, err := VerifyFile(path); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, rec := range records(t, read(t, path)) {
		if seen[rec.Key] {
			t.Errorf("%s stands twice", rec.Key)
		}
		seen[rec.Key] = true
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// runAndKill kills the child once it has acknowledged n records, in the middle of whatever it does
// then, and returns all it acknowledged.
func runAndKill(t *testing.T, path string, from, n int) []int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), crashPath+"="+path, crashPath+"_FROM="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if i, err := strconv.Atoi(lines.Text()); err == nil {
			got = append(got, i)
		}
		if len(got) == n+1 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child was not killed: %v", err)
	}
	return got
}
