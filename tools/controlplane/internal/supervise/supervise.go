// Package supervise runs a few long-lived child processes as one: each with its own log file,
// none of them outliving this program, and the unexpected end of any of them reported with the
// last lines of its log.
package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// tailLines is how much of a log an ExitError carries: enough for a stack's first frames.
const tailLines = 20

// Spec says how to run one child.
type Spec struct {
	Name    string   // In messages, and of the log file.
	Program string   // Path of the executable.
	Args    []string // Including the name it is called by, Args[0].
	Env     []string // Added to this program's environment.
}

// ExitError says that a child ended although nobody asked it to.
type ExitError struct {
	Name string
	Err  error  // Exit status or signal; nil for status 0.
	Log  string // Path of the log.
	Tail string // The log's last lines.
}

func (e *ExitError) Error() string {
	how := "exit status 0"
	if e.Err != nil {
		how = e.Err.Error()
	}
	return fmt.Sprintf("%s ended unexpectedly (%s); the end of %s:\n%s", e.Name, how, e.Log, e.Tail)
}

func (e *ExitError) Unwrap() error { return e.Err }

// Group is a set of running children.
type Group struct {
	logDir string
	onExit func(error)
	parent *thread

	mu       sync.Mutex
	children map[string]*child
}

type child struct {
	process  *os.Process
	done     chan struct{} // Closed once the child has been waited for.
	stopping bool          // Guarded by the group's mu.
}

// NewGroup makes an empty group whose logs go to logDir. onExit is called, from another
// goroutine, with an *ExitError for every child that ends before Stop was called for it.
func NewGroup(logDir string, onExit func(error)) (*Group, error) {
	if err := os.MkdirAll(logDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the log directory: %w", err)
	}
	return &Group{logDir: logDir, onExit: onExit, parent: newThread(), children: map[string]*child{}}, nil
}

// Start runs a child. It is in a process group of its own, so that Ctrl-C in a terminal reaches
// only this program, which then stops the children in order; and it is killed by the kernel
// when this program dies in whatever way.
func (g *Group) Start(spec Spec) error {
	logPath := filepath.Join(g.logDir, spec.Name+".log")
	logFile, err := os.Create(logPath)
	if err != nil {
		return fmt.Errorf("making the log of %s: %w", spec.Name, err)
	}
	defer logFile.Close() // The child has its own descriptor.

	cmd := &exec.Cmd{
		Path:        spec.Program,
		Args:        spec.Args,
		Env:         append(os.Environ(), spec.Env...),
		Stdout:      logFile,
		Stderr:      logFile,
		SysProcAttr: childAttributes(),
	}
	g.parent.do(func() { err = cmd.Start() })
	if err != nil {
		return fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	running := &child{process: cmd.Process, done: make(chan struct{})}
	g.mu.Lock()
	g.children[spec.Name] = running
	g.mu.Unlock()
	go g.wait(spec.Name, logPath, cmd, running)
	return nil
}

func (g *Group) wait(name, logPath string, cmd *exec.Cmd, running *child) {
	err := cmd.Wait()
	g.mu.Lock()
	expected := running.stopping
	g.mu.Unlock()
	close(running.done)
	if expected {
		return
	}
	tail, tailErr := Tail(logPath, tailLines)
	if tailErr != nil {
		tail = tailErr.Error()
	}
	g.onExit(&ExitError{Name: name, Err: err, Log: logPath, Tail: tail})
}

// Stop asks the named children to end, waits for all of them up to grace, and kills those that
// are left. Names that do not run are no error. A zero grace kills at once.
func (g *Group) Stop(grace time.Duration, names ...string) error {
	stopping := g.mark(names)
	var failed []error
	if grace > 0 {
		failed = append(failed, signalAll(stopping, syscall.SIGTERM))
		awaitAll(stopping, grace)
	}
	failed = append(failed, signalAll(stopping, syscall.SIGKILL))
	for _, running := range stopping {
		<-running.done
	}
	return errors.Join(failed...)
}

// mark notes that the end of these children is wanted.
func (g *Group) mark(names []string) map[string]*child {
	g.mu.Lock()
	defer g.mu.Unlock()
	marked := map[string]*child{}
	for _, name := range names {
		if running, ok := g.children[name]; ok {
			running.stopping = true
			marked[name] = running
		}
	}
	return marked
}

func signalAll(children map[string]*child, signal syscall.Signal) error {
	var failed []error
	for name, running := range children {
		if err := running.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			failed = append(failed, fmt.Errorf("sending %s to %s: %w", signal, name, err))
		}
	}
	return errors.Join(failed...)
}

// awaitAll returns when all children have ended or the time is over.
func awaitAll(children map[string]*child, limit time.Duration) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for _, running := range children {
		select {
		case <-running.done:
		case <-timeout.C:
			return
		}
	}
}
