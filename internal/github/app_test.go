package github_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// asApp is the adapter as an installed App.
func (w world) asApp(t *testing.T, app *githubtest.App) *github.Client {
	t.Helper()
	return w.client(t, func(o *github.Options) {
		o.Token = ""
		o.App = &github.App{ID: app.ID, InstallationID: app.InstallationID, PrivateKeyPEM: app.PrivateKeyPEM}
	})
}

func TestAnAppWorksFromItsKeyToAMerge(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	app, err := w.CreateApp("mooring", owner, nil)
	ok(t, err)
	c, ctx := w.asApp(t, app), t.Context()
	n, sha := w.open(t, "topic")
	me, err := c.CurrentUser(ctx)
	ok(t, err)
	if me.Login != "mooring[bot]" || !me.Bot() {
		t.Errorf("the App is %+v", me)
	}
	for range 2 { // the second finds the first
		_, err = c.UpsertComment(ctx, owner, name, n, "<!-- mooring -->", "hello")
		ok(t, err)
	}
	if posts := w.Requests("POST", "/issues/1/comments"); len(posts) != 1 || posts[0].Login != "mooring[bot]" {
		t.Errorf("comments were posted by %v", posts)
	}
	members, err := c.TeamMembers(ctx, owner, "ds-leads")
	ok(t, err)
	if len(members) != 1 {
		t.Errorf("members: %v", members)
	}
	token, err := c.Token(ctx)
	ok(t, err)
	url := strings.Replace(w.CloneURL(repo), "://", "://x-access-token:"+token+"@", 1)
	out, err := exec.CommandContext(ctx, "git", "clone", "-q", url, filepath.Join(t.TempDir(), "c")).CombinedOutput()
	if err != nil {
		t.Errorf("a clone with the App's token: %v %s", err, out)
	}
	_, err = c.Merge(ctx, owner, name, n, sha, "merge")
	ok(t, err)
	if asked := w.Requests("POST", "/access_tokens"); len(asked) != 1 {
		t.Errorf("%d tokens were asked for, want 1", len(asked))
	}
}

func TestAnAppRenewsItsTokenBeforeItEnds(t *testing.T) {
	// ghinstallation renews a minute early, so a token of half a minute is renewed every time.
	w := newWorld(t, githubtest.Options{InstallationTokenLifetime: 30 * time.Second})
	app, err := w.CreateApp("mooring", owner, nil)
	ok(t, err)
	c := w.asApp(t, app)
	for range 3 {
		_, err := c.PullRequests(t.Context(), owner, name)
		ok(t, err)
	}
	if asked := w.Requests("POST", "/access_tokens"); len(asked) != 3 {
		t.Errorf("%d tokens were asked for, want 3", len(asked))
	}
}

func TestAppFailuresSayWhatIsWrong(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	app, err := w.CreateApp("mooring", owner, map[string]string{"metadata": "read", "pull_requests": "read"})
	ok(t, err)
	_, sha := w.open(t, "topic")
	if _, err := w.asApp(t, app).SetStatus(t.Context(), owner, name, github.Status{SHA: sha, Context: "mooring", State: "success"}); !errors.Is(err, github.ErrForbidden) {
		t.Errorf("a status without the permission gave %v", err)
	}
	if _, err := w.asApp(t, app).TeamMembers(t.Context(), owner, "ds-leads"); !errors.Is(err, github.ErrForbidden) {
		t.Errorf("a team without the permission gave %v", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	stranger := *app
	stranger.PrivateKeyPEM = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	_, err = w.asApp(t, &stranger).PullRequests(t.Context(), owner, name)
	if !errors.Is(err, github.ErrAuth) {
		t.Errorf("another key gave %v", err)
	}
	elsewhere := *app
	elsewhere.InstallationID++
	_, err = w.asApp(t, &elsewhere).PullRequests(t.Context(), owner, name)
	if !errors.Is(err, github.ErrNotFound) {
		t.Errorf("another installation gave %v", err)
	}
	_, err = github.New(github.Options{App: &github.App{ID: 1, InstallationID: 1, PrivateKeyPEM: []byte("-----BEGIN oops")}})
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("BEGIN")) {
		t.Errorf("a broken key gave %v", err)
	}
}
