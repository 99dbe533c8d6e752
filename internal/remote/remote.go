// Package remote turns a ModelRepository's spec and its Secret into what the
// controller works with: the forge, the credentials for Git and the webhook.
// It asks nothing of the network, and no error of it holds a secret.
package remote

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
	from := secretOf(repo, secret)
	remote := controller.Remote{CABundle: secret[KeyCA], Credentials: static(secret)}
	if ca := secret[KeyCA]; len(ca) > 0 && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return remote, from.wrong("put certificates in PEM form there", "a %q that holds no certificate", KeyCA)
	}
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
	client, err := d.githubClient(repo.Spec.GitHub, from)
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

func (d *Dialer) githubClient(spec *schemas.GitHubSpec, from secret) (*github.Client, error) {
	options := github.Options{BaseURL: spec.BaseURL, Token: string(from.data[KeyToken]), Budgets: &d.budgets}
	if from.has(KeyAppID) || options.Token == "" {
		app, err := githubApp(from)
		if err != nil {
			return nil, err
		}
		options.App, options.Token = app, ""
	}
	if ca := from.data[KeyCA]; len(ca) > 0 {
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

func githubApp(from secret) (*github.App, error) {
	keys := []string{KeyAppID, KeyInstallationID, KeyPrivateKey}
	switch missing := slices.DeleteFunc(slices.Clone(keys), from.has); {
	case len(missing) == len(keys):
		return nil, from.wrong("put a token or a GitHub App's three there", "neither %q nor %s", KeyToken, quoted(keys, " and "))
	case len(missing) > 0:
		return nil, from.wrong("a GitHub App needs "+quoted(keys, " and "), "no %s", quoted(missing, " and no "))
	}
	var app github.App
	for i, target := range []*int64{&app.ID, &app.InstallationID} {
		id, err := strconv.ParseInt(string(from.data[keys[i]]), 10, 64)
		if err != nil {
			return nil, from.wrong(whereNumbers[keys[i]], "an %q that is no number", keys[i])
		}
		*target = id
	}
	app.PrivateKeyPEM = from.data[KeyPrivateKey]
	if wrong := wrongKey(app.PrivateKeyPEM); wrong != "" {
		return nil, from.wrong("put the file that GitHub made for the App there as it is, line ends included", "a %q that is %s", KeyPrivateKey, wrong)
	}
	return &app, nil
}

// whereNumbers says where GitHub shows them.
var whereNumbers = map[string]string{
	KeyAppID:          "it is the App ID on the App's page of settings",
	KeyInstallationID: "it is at the end of the address of the installation's page",
}

// wrongKey says why something is no key of an App; empty where it is one.
func wrongKey(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil {
		return "not in PEM form"
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return ""
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if _, ok := key.(*rsa.PrivateKey); ok {
			return ""
		}
	}
	return "in PEM form and no RSA private key"
}

// trusting is a client that trusts further certificates.
func trusting(ca []byte) (*http.Client, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	pool.AppendCertsFromPEM(ca) // that there are some is checked
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
