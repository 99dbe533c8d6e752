package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// binary is the mlops program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "mlops-cli-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) // a temporary folder
	binary = filepath.Join(dir, "mlops")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/mlops")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build mlops: %w\n%s", err, out)
	}
	if template, err = newTemplate(filepath.Join(dir, "template")); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// outcome is what a run of the program gave.
type outcome struct {
	code           int
	stdout, stderr string
	// worked is the processor time of all its threads.
	worked time.Duration
	// maxRSS in bytes, where the system tells.
	maxRSS int64
}

func (o outcome) all() string { return o.stdout + o.stderr }

// mlops runs the program in a folder.
func mlops(t *testing.T, dir, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	o := outcome{stdout: stdout.String(), stderr: stderr.String(), maxRSS: maxRSS(cmd.ProcessState)}
	if p := cmd.ProcessState; p != nil {
		o.worked = p.UserTime() + p.SystemTime()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		o.code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("run mlops: %v", err)
	}
	if strings.Contains(o.stderr, "goroutine ") {
		t.Fatalf("mlops %s panicked:\n%s", strings.Join(args, " "), o.stderr)
	}
	return o
}
