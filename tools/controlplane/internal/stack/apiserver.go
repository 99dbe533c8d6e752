package stack

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/pki"
)

// startAPIServer starts etcd and the API server and returns when both serve.
func (s *Stack) startAPIServer(ctx context.Context) (err error) {
	if s.files, err = pki.Write(s.dir.join("certs")); err != nil {
		return err
	}
	storeURL, err := s.startEtcd(ctx)
	if err != nil {
		return err
	}
	port, err := s.ports.Next()
	if err != nil {
		return err
	}
	s.access = newAccess(fmt.Sprintf("https://127.0.0.1:%d", port), s.files.CA)
	tokens := s.dir.join("tokens.csv")
	if err := s.access.writeTokens(tokens); err != nil {
		return err
	}
	server := s.component(apiServer,
		"--etcd-servers="+storeURL,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // It would want an address that pods can reach.
		"--tls-cert-file="+s.files.ServingCert,
		"--tls-private-key-file="+s.files.ServingKey,
		"--token-auth-file="+tokens,
		"--anonymous-auth=false",
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+s.files.AccountsPublic,
		"--service-account-signing-key-file="+s.files.AccountsPrivate,
		"--service-cluster-ip-range=10.96.0.0/12", // Room for many more than 500 Services.
	)
	// Half of the start is the API server digesting KServe's definitions, and a third of that
	// was collecting garbage. The limit keeps it from trading too much memory for it.
	server.Env = []string{"GOGC=200", "GOMEMLIMIT=1GiB"}
	if err := s.group.Start(server); err != nil {
		return err
	}
	if s.client, err = dynamic.NewForConfig(s.adminConfig()); err != nil {
		return fmt.Errorf("making a client for the API server: %w", err)
	}
	probe, err := newProbe(s.files.CA, s.access.tokens[adminUser])
	if err != nil {
		return err
	}
	if err := probe.await(ctx, apiServer, s.access.server+"/readyz"); err != nil {
		return err
	}
	s.progress("the API server serves on %s", s.access.server)
	return nil
}

// startEtcd starts the store and returns its address when it serves.
func (s *Stack) startEtcd(ctx context.Context) (string, error) {
	clients, err := s.ports.Next()
	if err != nil {
		return "", err
	}
	peers, err := s.ports.Next()
	if err != nil {
		return "", err
	}
	clientURL := fmt.Sprintf("http://127.0.0.1:%d", clients)
	peerURL := fmt.Sprintf("http://127.0.0.1:%d", peers)
	err = s.group.Start(s.component(etcd,
		"--name=default",
		"--data-dir="+s.dir.join("etcd"),
		"--listen-client-urls="+clientURL,
		"--advertise-client-urls="+clientURL,
		"--listen-peer-urls="+peerURL,
		"--initial-advertise-peer-urls="+peerURL,
		"--initial-cluster=default="+peerURL,
		"--unsafe-no-fsync", // Only a crash of the machine could lose data.
		"--log-level=warn",
	))
	if err != nil {
		return "", err
	}
	probe, err := newProbe(nil, "")
	if err != nil {
		return "", err
	}
	if err := probe.await(ctx, etcd, clientURL+"/health"); err != nil {
		return "", err
	}
	s.progress("etcd serves on %s", clientURL)
	return clientURL, nil
}
