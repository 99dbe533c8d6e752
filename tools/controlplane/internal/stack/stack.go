// Package stack starts and stops a whole control plane: etcd, API server, controller manager,
// scheduler, KWOK with a set of nodes, and KServe. All of it listens on 127.0.0.1, on ports
// chosen at start (KServe's webhook server excepted, which listens on all addresses and cannot
// be told otherwise).
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/nodes"
	"github.com/mlops-platform/mooring/tools/controlplane/internal/pki"
	"github.com/mlops-platform/mooring/tools/controlplane/internal/ports"
	"github.com/mlops-platform/mooring/tools/controlplane/internal/supervise"
)

// startLimit bounds the start. It takes about ten seconds on two cores; a machine that is busy
// with builds may need much more.
const startLimit = 3 * time.Minute

// Options say what to start and where.
type Options struct {
	Dir           string // Ignored when Disposable.
	NodesFile     string // Empty: the built-in nodes.
	WithoutKServe bool
	Kubeconfig    string    // Where the admin's kubeconfig goes; empty: DIR/kubeconfig.
	Progress      io.Writer // One line per step.
	// Disposable means a temporary directory that is removed after the stop, so that nothing
	// has to be brought to disk in order.
	Disposable bool
}

// Stack is a control plane of this process.
type Stack struct {
	options    Options
	started    time.Time
	dir        *Directory
	group      *supervise.Group
	ports      ports.Set
	files      *pki.Files
	access     *access
	nodes      []corev1.Node
	kubeconfig string
	programs   programs
	client     dynamic.Interface

	printing sync.Mutex
}

// Run starts a control plane, calls use with the path of the admin's kubeconfig, and stops
// everything when use returns. The context of use ends when the given one does, or when a
// component ends unexpectedly; the latter is then Run's error, a *supervise.ExitError.
func Run(ctx context.Context, options Options, use func(ctx context.Context, kubeconfig string) error) (err error) {
	if options.Disposable {
		if options.Dir, err = os.MkdirTemp("", "controlplane-"); err != nil {
			return fmt.Errorf("making a temporary directory: %w", err)
		}
		defer func() { err = errors.Join(err, removeUnlessFailed(options.Dir, err)) }()
	}
	s, err := prepare(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.dir.Close()) }()

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s.group, err = s.dir.newGroup(fail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	err = s.start(ctx)
	if err == nil {
		err = use(ctx, s.kubeconfig)
	}
	var exit *supervise.ExitError
	if errors.As(context.Cause(ctx), &exit) {
		return exit // What failed besides is a consequence.
	}
	return err
}

// removeUnlessFailed removes the directory, but leaves it where a component has failed: its logs
// are in there.
func removeUnlessFailed(dir string, err error) error {
	var exit *supervise.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("the logs are kept in %s", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the temporary directory: %w", err)
	}
	return nil
}

// prepare takes the directory and checks what can be checked before anything runs.
func prepare(options Options) (*Stack, error) {
	s := &Stack{options: options, started: time.Now(), nodes: nodes.Default()}
	var err error
	if options.NodesFile != "" {
		if s.nodes, err = nodes.Load(options.NodesFile); err != nil {
			return nil, err
		}
	}
	if s.programs, err = findPrograms(options.WithoutKServe); err != nil {
		return nil, err
	}
	if s.dir, err = OpenDirectory(options.Dir); err != nil {
		return nil, err
	}
	s.kubeconfig = s.dir.join("kubeconfig")
	if options.Kubeconfig != "" {
		s.kubeconfig, err = filepath.Abs(options.Kubeconfig)
	}
	if err == nil {
		err = overwritable(s.kubeconfig)
	}
	if err != nil {
		return nil, errors.Join(err, s.dir.Close())
	}
	return s, nil
}

// start brings everything up; it returns when the cluster can be used.
func (s *Stack) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("the start took longer than %s", startLimit))
	defer cancel()
	if err := s.startAPIServer(ctx); err != nil {
		return err
	}
	if err := s.startControllers(ctx); err != nil {
		return err
	}
	if err := s.access.writeKubeconfig(s.kubeconfig, adminUser); err != nil {
		return err
	}
	s.progress("ready: KUBECONFIG=%s", s.kubeconfig)
	return nil
}

// Children in the order in which they stop: what writes to the API server, the API server, its
// store. Each step gets the time that the step needs at most when all is well.
var stopOrder = []struct {
	names []string
	grace time.Duration
}{
	{[]string{kserveManager, kwok, controllerManager, scheduler}, 2 * time.Second},
	{[]string{apiServer}, 3 * time.Second},
	{[]string{etcd}, 3 * time.Second},
}

// stop ends all children, including those of a start that failed half way.
func (s *Stack) stop() error {
	began := time.Now()
	var failed []error
	for _, step := range stopOrder {
		grace := step.grace
		if s.options.Disposable {
			grace = 0
		}
		failed = append(failed, s.group.Stop(grace, step.names...))
	}
	failed = append(failed, s.ports.Close())
	if err := os.Remove(s.kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) {
		failed = append(failed, fmt.Errorf("removing the kubeconfig: %w", err))
	}
	s.progress("stopped in %.1fs", time.Since(began).Seconds())
	return errors.Join(failed...)
}

// progress prints a line with the time since the start.
func (s *Stack) progress(format string, arguments ...any) {
	s.printing.Lock()
	defer s.printing.Unlock()
	fmt.Fprintf(s.options.Progress, "[%5.1fs] %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, arguments...))
}

// adminConfig is the access of this program itself, without the rate limit of client-go: the API
// server has its own.
func (s *Stack) adminConfig() *rest.Config {
	return &rest.Config{
		Host:            s.access.server,
		BearerToken:     s.access.tokens[adminUser],
		TLSClientConfig: rest.TLSClientConfig{CAData: s.access.ca},
		QPS:             -1,
	}
}
