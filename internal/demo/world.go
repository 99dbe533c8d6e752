package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// Names in the demo's world.
const (
	Namespace      = "mooring-system"
	RepositoryName = "models"
	FullName       = "acme/models"
	webhookSecret  = "demo-webhook-secret"
)

// Options say where the demo finds what it starts.
type Options struct {
	// Example is the folder of the model repository to start from.
	Example string
	// Controller is the path of the mooring-controller program.
	Controller string
	// Kubeconfig of a control plane that runs already; empty starts one.
	Kubeconfig string
	// Interval between polls; zero is 2 s.
	Interval time.Duration
	// WithoutWebhooks leaves polling alone.
	WithoutWebhooks bool
	Out             io.Writer
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

	plane   *controlplane.Cluster
	webhook string
}

// Start brings the world up: control plane, GitHub and controller. On an error
// nothing is left running.
func Start(ctx context.Context, o Options) (w *World, err error) {
	if o.Interval == 0 {
		o.Interval = 2 * time.Second
	}
	dir, err := os.MkdirTemp("", "mooring-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	w = &World{Options: o, Dir: dir, Kubeconfig: o.Kubeconfig, People: map[string]*githubtest.Person{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Stop())
			w = nil
		}
	}()
	for _, step := range []func(context.Context) error{w.startCluster, w.startGitHub, w.configure, w.StartController} {
		if err = step(ctx); err != nil {
			return w, err
		}
	}
	return w, nil
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
		w.plane, w.Kubeconfig = plane, plane.Kubeconfig
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

// configure writes the Secret and the configuration file of the controller.
func (w *World) configure(ctx context.Context) error {
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: RepositoryName, Namespace: Namespace},
			StringData: map[string]string{
				remote.KeyToken: w.People[bot].Token, remote.KeyWebhookSecret: webhookSecret,
			},
		},
	} {
		if err := w.Cluster.Create(ctx, obj); err != nil {
			return fmt.Errorf("create the %T %s: %w", obj, obj.GetName(), err)
		}
	}
	config := fmt.Sprintf(`apiVersion: %s
kind: %s
metadata:
  name: %s
spec:
  url: %s
  branch: main
  interval: %s
  environments: [development, staging, production]
  trustFrom: %s
  github: {owner: acme, repository: models, baseURL: %q}
  secretRef: {name: %s}
`, schemas.APIVersion, schemas.KindModelRepository, RepositoryName, w.GitHub.CloneURL(FullName), w.Interval, w.Trusted,
		w.GitHub.APIURL(), RepositoryName)
	if err := os.WriteFile(w.configFile(), []byte(config), 0o600); err != nil {
		return fmt.Errorf("write the controller's configuration: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	w.webhook = address
	if w.WithoutWebhooks {
		return nil
	}
	url := "http://" + address + controller.WebhookPath(client.ObjectKey{Namespace: Namespace, Name: RepositoryName})
	return w.People[admin].AddWebhook(ctx, FullName, url, webhookSecret, "push", "pull_request", "pull_request_review")
}

func (w *World) configFile() string { return filepath.Join(w.Dir, "config.yaml") }

// AuditFile is where the controller keeps its audit log.
func (w *World) AuditFile() string { return filepath.Join(w.Dir, "audit.jsonl") }

// LogFile is where the controller's log goes.
func (w *World) LogFile() string { return filepath.Join(w.Dir, "controller.log") }

// StartController runs the controller as a process of its own.
func (w *World) StartController(context.Context) error {
	p, err := startProcess(w.LogFile(), append(os.Environ(), "KUBECONFIG="+w.Kubeconfig), w.Options.Controller,
		"--config", w.configFile(), "--namespace", Namespace, "--mirror-dir", filepath.Join(w.Dir, "mirrors"),
		"--audit-file", w.AuditFile(), "--metrics-address", "0", "--probe-address", "0", "--webhook-address", w.webhook)
	if err != nil {
		return err
	}
	w.Controller = p
	return nil
}

// freeAddress is a loopback address that nobody listens on. It stays the same
// for a controller that is started again, so that webhooks find it.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// logTail is how much of the controller's log is shown when a step does not hold.
const logTail = 8 << 10

// ShowLog writes the end of the controller's log, since the folder it lies in
// is removed with the world.
func (w *World) ShowLog(out io.Writer) {
	content, err := os.ReadFile(w.LogFile())
	if err != nil {
		fmt.Fprintf(out, "the controller's log cannot be read: %v\n", err) //nolint:errcheck // a last word
		return
	}
	fmt.Fprintf(out, "the end of the controller's log:\n%s\n", content[max(0, len(content)-logTail):]) //nolint:errcheck // a last word
}
