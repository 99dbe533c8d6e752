package controlplane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// readyMark begins, after the time, the line by which the program says that it is done.
	readyMark = "ready: KUBECONFIG="

	// stopLimit is how long a stop may take. The program itself allows its children less.
	stopLimit = 20 * time.Second
)

// ErrNotBuilt says that bin/controlplane does not exist.
var ErrNotBuilt = errors.New("the control plane is not built; run: make tools")

// Options say what to start.
type Options struct {
	Program       string    // Path of bin/controlplane; empty: found by Find.
	Dir           string    // For data and logs; empty: a temporary one that the program removes.
	NodesFile     string    // YAML file with Node objects; empty: the built-in node pools.
	WithoutKServe bool      // Starts a few seconds sooner.
	Progress      io.Writer // Gets the program's progress, line by line; nil: nobody.
}

// Cluster is a running control plane.
type Cluster struct {
	Kubeconfig string // Path of an administrator's kubeconfig.

	command  *exec.Cmd
	alive    io.Closer     // Closing it ends the program, as the end of this process does.
	ended    chan struct{} // Closed when the program has ended and its output has been read.
	endError error         // Set before ended is closed.
}

// Find returns the path of bin/controlplane: the file CONTROLPLANE names, the one beside this
// program, or the one in the bin directory of the module that the working directory is in. The
// error is ErrNotBuilt when there is none.
func Find() (string, error) {
	if path := os.Getenv("CONTROLPLANE"); path != "" {
		return path, nil
	}
	var candidates []string
	if self, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(self), "controlplane"))
	}
	if root, err := ModuleRoot(); err == nil {
		candidates = append(candidates, filepath.Join(root, "bin", "controlplane"))
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("looking for the control plane: %w", err)
		}
	}
	return "", fmt.Errorf("there is none of %s: %w", strings.Join(candidates, ", "), ErrNotBuilt)
}

// ModuleRoot returns the nearest directory at or above the working directory with a go.mod.
func ModuleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module root: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above; run this inside the repository", start)
		}
	}
}

// Start runs a control plane and returns when it can be used. The context bounds the start only;
// the cluster then runs until Stop.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	program := options.Program
	if program == "" {
		var err error
		if program, err = Find(); err != nil {
			return nil, err
		}
	}
	c := &Cluster{ended: make(chan struct{})}
	ready, err := c.launch(program, options)
	if err != nil {
		return nil, err
	}
	select {
	case c.Kubeconfig = <-ready:
		return c, nil
	case <-c.ended:
		return nil, fmt.Errorf("starting the control plane: %w", c.endError)
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w", context.Cause(ctx)), c.Stop())
	}
}

// launch starts the program. The channel gets the kubeconfig's path when the program is ready.
func (c *Cluster) launch(program string, options Options) (<-chan string, error) {
	arguments := []string{"up", "--until-eof"}
	if options.Dir != "" {
		arguments = append(arguments, "--dir", options.Dir)
	} else {
		arguments = append(arguments, "--temporary")
	}
	if options.NodesFile != "" {
		arguments = append(arguments, "--nodes", options.NodesFile)
	}
	if options.WithoutKServe {
		arguments = append(arguments, "--without-kserve")
	}
	c.command = exec.Command(program, arguments...)
	// Out of the terminal's process group: Ctrl-C is for this process, which may still
	// need the cluster while it winds down.
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	complaint := &lastWords{}
	c.command.Stderr = complaint
	alive, err := c.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting to the control plane: %w", err)
	}
	output, err := c.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting to the control plane: %w", err)
	}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	c.alive = alive
	ready := make(chan string, 1)
	go func() {
		defer close(c.ended)
		readErr := follow(output, options.Progress, ready)
		c.endError = complaint.explain(errors.Join(readErr, c.command.Wait()))
	}()
	return ready, nil
}

// follow reads the program's output to its end, passes it on, and reports readiness.
func follow(output io.Reader, progress io.Writer, ready chan<- string) error {
	lines := bufio.NewScanner(output)
	var failed error
	for lines.Scan() {
		if progress != nil && failed == nil {
			// A reader that is gone must not stop the cluster; it is reported at the end.
			_, failed = fmt.Fprintln(progress, lines.Text())
		}
		if _, path, found := strings.Cut(lines.Text(), readyMark); found {
			ready <- path
		}
	}
	// A line too long to scan must not block the program on a full pipe.
	_, drainErr := io.Copy(io.Discard, output)
	return errors.Join(failed, lines.Err(), drainErr)
}

// Config is an administrator's access to the cluster.
func (c *Cluster) Config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the control plane's kubeconfig: %w", err)
	}
	return config, nil
}

// Ended is closed when the control plane has ended, by Stop or by itself. Err then tells why.
func (c *Cluster) Ended() <-chan struct{} { return c.ended }

// Err is why the control plane ended, nil if it was stopped or still runs.
func (c *Cluster) Err() error {
	select {
	case <-c.ended:
		return c.endError
	default:
		return nil
	}
}

// Stop ends the control plane and returns when nothing of it is left. The error is what it ended
// with if it had ended by itself before.
func (c *Cluster) Stop() error {
	var failed []error
	if err := c.alive.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		failed = append(failed, fmt.Errorf("asking the control plane to stop: %w", err))
	}
	select {
	case <-c.ended:
	case <-time.After(stopLimit):
		// Its children are killed by the kernel with it.
		failed = append(failed, fmt.Errorf("the control plane has not stopped within %s and was killed", stopLimit), c.command.Process.Kill())
		<-c.ended
	}
	return errors.Join(append(failed, c.endError)...)
}
