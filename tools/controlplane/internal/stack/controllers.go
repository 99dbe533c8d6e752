package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/kserve"
	"github.com/mlops-platform/mooring/tools/controlplane/internal/supervise"
)

// startControllers starts everything that works on the API server, side by side.
func (s *Stack) startControllers(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.startScheduler(ctx) })
	group.Go(func() error { return s.startNodes(ctx) })
	if s.options.WithoutKServe {
		group.Go(func() error { return s.startControllerManager(ctx) })
		return group.Wait()
	}
	group.Go(func() error {
		installation, webhookPort, err := s.defineKServe(ctx)
		if err != nil {
			return err
		}
		// The garbage collector looks for new resources every 30 seconds. Started after
		// KServe's are there, it cleans up behind InferenceServices from the first one on.
		group.Go(func() error { return s.startControllerManager(ctx) })
		return s.startKServe(ctx, installation, webhookPort)
	})
	return group.Wait()
}

func (s *Stack) startControllerManager(ctx context.Context) error {
	return s.startSecured(ctx, controllerManager, "system:kube-controller-manager",
		"--service-account-private-key-file="+s.files.AccountsPrivate,
		"--root-ca-file="+s.files.CAFile,
	)
}

func (s *Stack) startScheduler(ctx context.Context) error {
	return s.startSecured(ctx, scheduler, "system:kube-scheduler")
}

// startSecured starts one of the two components that take the usual flags of a Kubernetes
// server and report their health over TLS.
func (s *Stack) startSecured(ctx context.Context, name, user string, flags ...string) error {
	kubeconfig, err := s.userKubeconfig(name, user)
	if err != nil {
		return err
	}
	port, err := s.ports.Next()
	if err != nil {
		return err
	}
	flags = append(flags,
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file="+s.files.ServingCert,
		"--tls-private-key-file="+s.files.ServingKey,
		"--leader-elect=false",
		"--profiling=false",
	)
	if err := s.group.Start(s.component(name, flags...)); err != nil {
		return err
	}
	probe, err := newProbe(s.files.CA, "")
	if err != nil {
		return err
	}
	if err := probe.await(ctx, name, fmt.Sprintf("https://127.0.0.1:%d/healthz", port)); err != nil {
		return err
	}
	s.progress("%s works", name)
	return nil
}

// defineKServe makes the API server serve KServe's resources.
func (s *Stack) defineKServe(ctx context.Context) (*kserve.Installation, int, error) {
	port, err := s.ports.Next()
	if err != nil {
		return nil, 0, err
	}
	finder, err := discovery.NewDiscoveryClientForConfig(s.adminConfig())
	if err != nil {
		return nil, 0, fmt.Errorf("making a discovery client: %w", err)
	}
	installation := &kserve.Installation{
		Client:     s.client,
		Discovery:  finder,
		Share:      s.programs.kserveShare,
		WebhookURL: fmt.Sprintf("https://127.0.0.1:%d", port),
		CA:         s.files.CA,
	}
	if err := errors.Join(installation.Define(ctx), installation.Configure(ctx)); err != nil {
		return nil, 0, err
	}
	s.progress("KServe's resources are defined")
	return installation, port, nil
}

// startKServe runs KServe's manager and connects it to the API server.
func (s *Stack) startKServe(ctx context.Context, installation *kserve.Installation, webhookPort int) error {
	kubeconfig, err := s.userKubeconfig(kserveManager, "system:serviceaccount:kserve:kserve-controller-manager")
	if err != nil {
		return err
	}
	metrics, err := s.ports.Next()
	if err != nil {
		return err
	}
	health, err := s.ports.Next()
	if err != nil {
		return err
	}
	temporary := s.dir.join("kserve")
	if err := s.copyServingCertificate(filepath.Join(temporary, "k8s-webhook-server", "serving-certs")); err != nil {
		return err
	}
	err = s.group.Start(supervise.Spec{
		Name:    kserveManager,
		Program: s.programs.kserve,
		Args: []string{
			"manager", // Its name in KServe's own image, and so the name it writes under.
			fmt.Sprintf("--metrics-addr=127.0.0.1:%d", metrics),
			fmt.Sprintf("--health-probe-addr=127.0.0.1:%d", health),
			fmt.Sprintf("--webhook-port=%d", webhookPort),
		},
		// It looks for its serving certificate below the directory for temporary files.
		Env: []string{"KUBECONFIG=" + kubeconfig, "POD_NAMESPACE=kserve", "TMPDIR=" + temporary},
	})
	if err != nil {
		return err
	}
	probe, err := newProbe(nil, "")
	if err != nil {
		return err
	}
	if err := probe.await(ctx, kserveManager, fmt.Sprintf("http://127.0.0.1:%d/readyz", health)); err != nil {
		return err
	}
	if err := installation.Connect(ctx); err != nil {
		return err
	}
	s.progress("KServe works")
	return nil
}

func (s *Stack) copyServingCertificate(to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("making the directory of KServe's certificate: %w", err)
	}
	return errors.Join(
		copyFile(s.files.ServingCert, filepath.Join(to, "tls.crt")),
		copyFile(s.files.ServingKey, filepath.Join(to, "tls.key")),
	)
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copying a file: %w", err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("copying a file: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}
