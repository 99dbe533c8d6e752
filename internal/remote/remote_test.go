package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/schemas"
)

func repository(onGitHub bool) *schemas.ModelRepository {
	repo := &schemas.ModelRepository{}
	if onGitHub {
		repo.Spec.GitHub = &schemas.GitHubSpec{Owner: "acme", Repository: "models"}
		repo.Namespace, repo.Spec.SecretRef = "mooring-system", &schemas.LocalSecret{Name: "models"}
	}
	return repo
}

func data(pairs ...string) map[string][]byte {
	out := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []byte(pairs[i+1])
	}
	return out
}

func rsaKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// rsaKey8 is one in PKCS #8.
func rsaKey8(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

func TestDialTakesWhatTheSecretOffers(t *testing.T) {
	for _, test := range []struct {
		name     string
		onGitHub bool
		secret   map[string][]byte
		forge    bool
		git      bool
		password string
		key      string
	}{
		{"nothing at all", false, nil, false, false, "", ""},
		{"a token for GitHub and Git", true, data(KeyToken, "t0ken\n"), true, true, "t0ken", ""},
		{"a token for Git alone", false, data(KeyToken, "t0ken"), false, true, "t0ken", ""},
		{"a user and a password for Git", false, data(KeyUsername, "u", KeyPassword, "p"), false, true, "p", ""},
		{"a password for Git and a token for GitHub", true, data(KeyPassword, "p", KeyToken, "t0ken"), true, true, "p", ""},
		{"a key for Git and a token for GitHub", true, data(KeyIdentity, "id", KeyKnownHosts, "hosts", KeyToken, "t0ken"), true, true, "t0ken", "id"},
		{"an app whose key is of the other form, and a token beside it", true, data(KeyAppID, "1", KeyInstallationID, "2", KeyPrivateKey, rsaKey8(t), KeyToken, "t0ken", KeyIdentity, "id"), true, true, "t0ken", "id"},
		{"an app with a key for Git", true, data(KeyAppID, "1", KeyInstallationID, "2\n", KeyPrivateKey, rsaKey(t), KeyIdentity, "id"), true, true, "", "id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			remote, err := Dial(repository(test.onGitHub), test.secret, func(controller.Hint) {})
			if err != nil {
				t.Fatal(err)
			}
			if (remote.Forge != nil) != test.forge || (remote.Credentials != nil) != test.git || remote.Webhook != nil {
				t.Fatalf("got %+v", remote)
			}
			if !test.git {
				return
			}
			c, err := remote.Credentials.Credential(t.Context(), "https://example.com")
			if err != nil || c.Password != test.password || string(c.PrivateKey) != test.key {
				t.Errorf("the credential is %q and %q: %v", c.Password, c.PrivateKey, err)
			}
		})
	}
}

func TestDialRefusesWithoutShowingSecrets(t *testing.T) {
	const hidden = "hunter2hunter2"
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	const (
		theirs = `the Secret "mooring-system/models" has `
		app    = `"appID", "installationID" and "privateKey"`
		pemRed = "; put the file that GitHub made for the App there as it is, line ends included"
	)
	for _, test := range []struct {
		name   string
		secret map[string][]byte
		want   string
	}{
		{"nothing for GitHub", data(KeyPassword, hidden), theirs + `neither "token" nor ` + app + ` (its keys are "password"); put a token or a GitHub App's three there`},
		{"nothing at all", data(), theirs + `neither "token" nor ` + app + ` (it is empty); put a token or a GitHub App's three there`},
		{"an empty token", data(KeyToken, "\n"), theirs + `neither "token" nor ` + app + ` (its keys are "token" without a value); put a token or a GitHub App's three there`},
		{"an app without a key", data(KeyAppID, "1", KeyInstallationID, "2"), theirs + `no "privateKey" (its keys are "appID", "installationID"); a GitHub App needs ` + app},
		{"an app with a key by another name", data(KeyAppID, "1", "private_key", hidden), theirs + `no "installationID" and no "privateKey" (its keys are "appID", "private_key"); a GitHub App needs ` + app},
		{"an app without its id", data(KeyInstallationID, "2", KeyPrivateKey, hidden), theirs + `no "appID" (its keys are "installationID", "privateKey"); a GitHub App needs ` + app},
		{"an app's id that is no number", data(KeyAppID, hidden, KeyInstallationID, "2", KeyPrivateKey, hidden), theirs + `an "appID" that is no number (its keys are "appID", "installationID", "privateKey"); it is the App ID on the App's page of settings`},
		{"an app's key that is none", data(KeyAppID, "1", KeyInstallationID, "2", KeyPrivateKey, hidden), theirs + `a "privateKey" that is not in PEM form (its keys are "appID", "installationID", "privateKey")` + pemRed},
		{"an app's key of another kind", data(KeyAppID, "1", KeyInstallationID, "2", KeyPrivateKey, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: other}))),
			theirs + `a "privateKey" that is in PEM form and no RSA private key (its keys are "appID", "installationID", "privateKey")` + pemRed},
		{"certificates that are none", data(KeyToken, hidden, KeyCA, hidden), theirs + `a "ca.crt" that holds no certificate (its keys are "ca.crt", "token"); put certificates in PEM form there`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Dial(repository(true), test.secret, func(controller.Hint) {})
			if err == nil || err.Error() != test.want || strings.Contains(err.Error(), hidden) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestDialOfGitHubWithoutASecret(t *testing.T) {
	repo := repository(true)
	repo.Spec.SecretRef = nil
	const want = `spec.secretRef names no Secret, and GitHub needs a credential; make one with "token", or with "appID", "installationID" and "privateKey", and name it there`
	if _, err := Dial(repo, nil, func(controller.Hint) {}); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestDialTrustsFurtherCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client, err := trusting(ca)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestWebhookHints(t *testing.T) {
	var hints []controller.Hint
	remote, err := Dial(repository(false), data(KeyWebhookSecret, "s3cret"), func(h controller.Hint) { hints = append(hints, h) })
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		secret, event, body string
		want                int
	}{
		{"s3cret", "push", `{"repository":{"full_name":"acme/models"}}`, http.StatusAccepted},
		{"s3cret", "pull_request_review", `{"repository":{"full_name":"acme/models"},"pull_request":{"number":7}}`, http.StatusAccepted},
		{"s3cret", "membership", `{"organization":{"login":"acme"}}`, http.StatusAccepted},
		{"other", "push", `{"repository":{"full_name":"acme/models"}}`, http.StatusUnauthorized},
	} {
		mac := hmac.New(sha256.New, []byte(test.secret))
		mac.Write([]byte(test.body))
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-GitHub-Event", test.event)
		request.Header.Set("X-GitHub-Delivery", strconv.Itoa(i))
		request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		answer := httptest.NewRecorder()
		remote.Webhook.ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("%s signed with %q: %d %s", test.event, test.secret, answer.Code, answer.Body)
		}
	}
	if want := []controller.Hint{{Push: true}, {PullRequest: 7}, {}}; !slices.Equal(hints, want) {
		t.Errorf("the hints are %+v, want %+v", hints, want)
	}
}
