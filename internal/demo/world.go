package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// Names in the demo's world.
const (
	DefaultNamespace = "mooring-system"
	RepositoryName   = "models"
	FullName         = "acme/models"
	webhookSecret    = "demo-webhook-secret"
)

// Options say where the demo finds what it starts.
type Options struct {
	// Example is the folder of the model repository to start from.
	Example string
	// Controller is the path of the mooring-controller program.
	Controller string
	// Kubeconfig of a control plane that runs already; empty starts one.
	Kubeconfig string
	// Namespace of the controller; empty is DefaultNamespace.
	Namespace string
	// Interval between polls; zero is 2 s.
	Interval time.Duration
	// WithoutWebhooks leaves polling alone.
	WithoutWebhooks bool
	// Out gets the progress; nil: nobody.
	Out io.Writer

	// The rest is for tests.

	// FrontCluster and FrontGitHub put something between the controller and the
	// two servers; they take what the controller would be given, a kubeconfig
	// and a root URL, and give what it is given instead.
	FrontCluster func(kubeconfig string) (string, error)
	FrontGitHub  func(root string) (string, error)
	// Configure edits the ModelRepository before the controller gets it.
	Configure func(*schemas.ModelRepository)
	// Clock is GitHub's; nil is the machine's.
	Clock func() time.Time
	// ControllerFlags are added to those that the world sets.
	ControllerFlags []string
}

// World is everything that the story runs on.
type World struct {
	Options
	// Dir holds the mirrors, the audit log and the controller's log.
	Dir        string
	Kubeconfig string
	GitHub     *githubtest.Server
	Cluster    client.WithWatch
	Controller *Process
	// People by login, and Mooring's own account.
	People map[string]*githubtest.Person
	// Trusted is the commit that the story starts from.
	Trusted string

	plane             *controlplane.Cluster
	started           time.Time
	webhook           string
	controllersConfig string // the kubeconfig that the controller is given
	board             int    // the pull request that the board decided on
	repository        *schemas.ModelRepository
}

// Start brings the world up: control plane, GitHub and controller. On an error
// nothing is left running.
func Start(ctx context.Context, o Options) (w *World, err error) {
	w, err = Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := w.StartController(ctx); err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	w.progress("the controller runs, namespace %s", w.Namespace)
	return w, nil
}

// Prepare brings up everything but the controller.
func Prepare(ctx context.Context, o Options) (w *World, err error) {
	if o.Interval == 0 {
		o.Interval = 2 * time.Second
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	dir, err := os.MkdirTemp("", "mooring-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	w = &World{
		Options: o, Dir: dir, Kubeconfig: o.Kubeconfig, People: map[string]*githubtest.Person{},
		started: time.Now(), controllersConfig: o.Kubeconfig,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Stop())
			w = nil
		}
	}()
	for _, step := range []func(context.Context) error{w.startCluster, w.startGitHub, w.configure} {
		if err = step(ctx); err != nil {
			return w, err
		}
	}
	return w, nil
}

// progress says what works by now, in the form of the control plane's own lines.
func (w *World) progress(format string, args ...any) {
	fmt.Fprintf(w.Out, "[%5.1fs] %s\n", time.Since(w.started).Seconds(), fmt.Sprintf(format, args...)) // a reader that is gone stops nothing
}

// Stop ends everything that Start started and removes what it wrote.
func (w *World) Stop() error {
	var errs []error
	if w.Controller != nil {
		errs = append(errs, w.Controller.Stop())
	}
	if w.GitHub != nil {
		errs = append(errs, w.GitHub.Close())
	}
	if w.plane != nil {
		errs = append(errs, w.plane.Stop())
	}
	errs = append(errs, os.RemoveAll(w.Dir))
	return errors.Join(errs...)
}

func (w *World) startCluster(ctx context.Context) error {
	if w.Kubeconfig == "" {
		plane, err := controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(w.Dir, "controlplane"), Progress: w.Out})
		if err != nil {
			return fmt.Errorf("start the control plane: %w", err)
		}
		w.plane, w.Kubeconfig, w.controllersConfig = plane, plane.Kubeconfig, plane.Kubeconfig
	}
	if w.FrontCluster != nil {
		var err error
		if w.controllersConfig, err = w.FrontCluster(w.Kubeconfig); err != nil {
			return fmt.Errorf("put something in front of the cluster: %w", err)
		}
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", w.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig %s: %w", w.Kubeconfig, err)
	}
	root, err := controlplane.ModuleRoot()
	if err != nil {
		return err
	}
	if err := controlplane.InstallCRDs(ctx, cfg, filepath.Join(root, "deploy", "crds")); err != nil {
		return fmt.Errorf("install Mooring's CRDs: %w", err)
	}
	scheme, err := controller.Scheme()
	if err != nil {
		return err
	}
	if w.Cluster, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	return nil
}

// AuditFile is where the controller keeps its audit log.
func (w *World) AuditFile() string { return filepath.Join(w.Dir, "audit.jsonl") }

// LogFile is where the controller's log goes.
func (w *World) LogFile() string { return filepath.Join(w.Dir, "controller.log") }

// StartController runs the controller as a process of its own.
func (w *World) StartController(context.Context) error {
	arguments := append([]string{
		"--config", w.configFile(), "--namespace", w.Namespace, "--mirror-dir", filepath.Join(w.Dir, "mirrors"),
		"--audit-file", w.AuditFile(), "--metrics-address", "0", "--probe-address", "0", "--webhook-address", w.webhook,
	}, w.ControllerFlags...)
	p, err := StartProcess(w.LogFile(), append(os.Environ(), "KUBECONFIG="+w.controllersConfig), w.Options.Controller, arguments...)
	if err != nil {
		return err
	}
	w.Controller = p
	return nil
}

// logTail is how much of the controller's log is shown when a step does not hold.
const logTail = 8 << 10

// ShowLog writes the end of the controller's log, since the folder it lies in
// is removed with the world.
func (w *World) ShowLog(out io.Writer) {
	content, err := os.ReadFile(w.LogFile())
	if err != nil {
		fmt.Fprintf(out, "the controller's log cannot be read: %v\n", err) // a last word
		return
	}
	fmt.Fprintf(out, "the end of the controller's log:\n%s\n", content[max(0, len(content)-logTail):]) // a last word
}
