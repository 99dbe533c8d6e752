// Package remote turns a ModelRepository's spec and its Secret into what the
// controller works with: the forge, the credentials for Git and the webhook.
// It asks nothing of the network, and no error of it holds a secret.
package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// The keys of the Secret that spec.secretRef names.
const (
	KeyToken          = "token"
	KeyUsername       = "username"
	KeyPassword       = "password"
	KeyIdentity       = "identity"
	KeyPassphrase     = "passphrase"
	KeyKnownHosts     = "known_hosts"
	KeyAppID          = "appID"
	KeyInstallationID = "installationID"
	KeyPrivateKey     = "privateKey"
	KeyCA             = "ca.crt"
	KeyWebhookSecret  = "webhookSecret"
)

// Dialer makes Remotes that keep within GitHub's limits together.
type Dialer struct {
	budgets  github.Budgets
	payloads github.Payloads
}

// Dial makes a Remote by itself; it is a controller.Dialer.
func Dial(repo *schemas.ModelRepository, secret map[string][]byte, hint func(controller.Hint)) (controller.Remote, error) {
	return new(Dialer).Dial(repo, secret, hint)
}

// Dial makes a Remote; it is a controller.Dialer.
func (d *Dialer) Dial(repo *schemas.ModelRepository, secret map[string][]byte, hint func(controller.Hint)) (controller.Remote, error) {
	secret = trimmed(secret)
	remote := controller.Remote{CABundle: secret[KeyCA], Credentials: static(secret)}
	if hook := secret[KeyWebhookSecret]; len(hook) > 0 {
		handler, err := github.NewWebhook(github.WebhookOptions{
			Secret: hook, Payloads: &d.payloads, Enqueue: func(h github.Hint) error {
				hint(controller.Hint{PullRequest: h.PullRequest, Push: h.Event == "push"})
				return nil
			},
		})
		if err != nil {
			return remote, fmt.Errorf("prepare the webhook: %w", err)
		}
		remote.Webhook = handler
	}
	if repo.Spec.GitHub == nil {
		return remote, nil
	}
	client, err := d.githubClient(repo.Spec.GitHub, secret)
	if err != nil {
		return remote, err
	}
	remote.Forge = client.Forge(repo.Spec.GitHub.Owner, repo.Spec.GitHub.Repository)
	if len(secret[KeyIdentity]) == 0 && len(secret[KeyPassword]) == 0 {
		remote.Credentials = source.CredentialsFunc(func(ctx context.Context, _ string) (source.Credential, error) {
			token, err := client.Token(ctx)
			return source.Credential{Password: token}, err
		})
	}
	return remote, nil
}

// trimmed is the Secret without the line ends that files and editors put behind
// values of one line.
func trimmed(secret map[string][]byte) map[string][]byte {
	out := maps.Clone(secret)
	for _, key := range []string{KeyToken, KeyUsername, KeyPassword, KeyPassphrase, KeyAppID, KeyInstallationID, KeyWebhookSecret} {
		if value, ok := out[key]; ok {
			out[key] = bytes.TrimRight(value, "\r\n")
		}
	}
	return out
}

func (d *Dialer) githubClient(spec *schemas.GitHubSpec, secret map[string][]byte) (*github.Client, error) {
	options := github.Options{BaseURL: spec.BaseURL, Token: string(secret[KeyToken]), Budgets: &d.budgets}
	if len(secret[KeyAppID]) > 0 {
		app, err := githubApp(secret)
		if err != nil {
			return nil, err
		}
		options.App, options.Token = app, ""
	}
	if options.App == nil && options.Token == "" {
		return nil, fmt.Errorf("the Secret has neither %q nor %q, %q and %q for GitHub", KeyToken, KeyAppID, KeyInstallationID, KeyPrivateKey)
	}
	if ca := secret[KeyCA]; len(ca) > 0 {
		client, err := trusting(ca)
		if err != nil {
			return nil, err
		}
		options.HTTPClient = client
	}
	client, err := github.New(options)
	if err != nil {
		return nil, fmt.Errorf("connect to GitHub: %w", err)
	}
	return client, nil
}

func githubApp(secret map[string][]byte) (*github.App, error) {
	var app github.App
	for key, target := range map[string]*int64{KeyAppID: &app.ID, KeyInstallationID: &app.InstallationID} {
		id, err := strconv.ParseInt(string(secret[key]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the Secret's %q is no number", key)
		}
		*target = id
	}
	app.PrivateKeyPEM = secret[KeyPrivateKey]
	return &app, nil
}

// trusting is a client that trusts further certificates.
func trusting(ca []byte) (*http.Client, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the Secret's \"" + KeyCA + "\" holds no certificate")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}, nil
}

// static are credentials that stand in the Secret; nil where there are none.
func static(secret map[string][]byte) source.Credentials {
	c := source.Credential{
		Username: string(secret[KeyUsername]), Password: string(secret[KeyPassword]),
		PrivateKey: secret[KeyIdentity], Passphrase: secret[KeyPassphrase], KnownHosts: secret[KeyKnownHosts],
	}
	if c.Password == "" {
		c.Password = string(secret[KeyToken])
	}
	if c.Password == "" && len(c.PrivateKey) == 0 {
		return nil
	}
	return source.CredentialsFunc(func(context.Context, string) (source.Credential, error) { return c, nil })
}
