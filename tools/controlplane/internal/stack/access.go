package stack

import (
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	contextName = "controlplane"
	marker      = "# Written by controlplane; it is removed when the control plane stops.\n"
	adminUser   = "admin"
)

// users are who talks to the API server, and their groups. The scheduler has only the rights of
// its built-in role; the others act for components whose roles are not installed.
var users = []struct {
	name   string
	groups []string
}{
	{adminUser, []string{"system:masters"}},
	{"system:kube-controller-manager", []string{"system:masters"}},
	{"system:kube-scheduler", nil},
	{"system:kwok", []string{"system:masters"}},
	{"system:serviceaccount:kserve:kserve-controller-manager", []string{"system:masters"}},
}

// access is the API server's address and a token per user.
type access struct {
	server string
	ca     []byte
	tokens map[string]string
}

func newAccess(server string, ca []byte) *access {
	a := &access{server: server, ca: ca, tokens: map[string]string{}}
	for _, user := range users {
		a.tokens[user.name] = rand.Text()
	}
	return a
}

// writeTokens writes the file from which the API server knows its users.
func (a *access) writeTokens(path string) error {
	var content bytes.Buffer
	table := csv.NewWriter(&content)
	for _, user := range users {
		record := []string{a.tokens[user.name], user.name, user.name}
		if len(user.groups) > 0 {
			record = append(record, strings.Join(user.groups, ","))
		}
		if err := table.Write(record); err != nil {
			return fmt.Errorf("writing tokens: %w", err)
		}
	}
	table.Flush()
	if err := table.Error(); err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	return nil
}

// writeKubeconfig writes a user's kubeconfig. A file that is there and was not written by this
// program is left alone: it may hold the user's access to real clusters.
func (a *access) writeKubeconfig(path, user string) error {
	if err := overwritable(path); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{Server: a.server, CertificateAuthorityData: a.ca}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: a.tokens[user]}
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: user}
	config.CurrentContext = contextName
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encoding a kubeconfig: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	if err := os.WriteFile(path, append([]byte(marker), content...), 0o600); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}

func overwritable(path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the kubeconfig that is to be replaced: %w", err)
	}
	if !bytes.HasPrefix(content, []byte(marker)) {
		return fmt.Errorf("%s exists and is not a kubeconfig of controlplane; name another path", path)
	}
	return nil
}
