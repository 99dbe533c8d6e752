package github_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

func TestShorten(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"a short text stays", "ok", "ok"},
		{"exactly the limit stays", "1234567890", "1234567890"},
		{"one over ends in an ellipsis", "12345678901", "123456789…"},
		{"characters count, not bytes", "ääääääääää", "ääääääääää"},
		{"no space before the ellipsis", "12345678  12345", "12345678…"},
		{"lines become one", "a\n\tb", "a b"},
		{"broken UTF-8 is mended", "a\xffb", "a\uFFFDb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := github.Shorten(tc.in, 10); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCoAuthors(t *testing.T) {
	got := github.CoAuthors("Subject\n\nCo-authored-by: Ann <12+Ann-A@users.noreply.github.com>\r\n" +
		"CO-AUTHORED-BY: Ben <ben@users.noreply.github.com>\nCo-authored-by: Cy <cy@example.com>\nCo-authored-by: nonsense\nSigned-off-by: D <d@e.f>\n")
	want := []github.CoAuthor{
		{Name: "Ann", Email: "12+Ann-A@users.noreply.github.com", Login: "ann-a", ID: 12},
		{Name: "Ben", Email: "ben@users.noreply.github.com", Login: "ben"},
		{Name: "Cy", Email: "cy@example.com"},
		{Name: "nonsense"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	app := &github.App{ID: 1, InstallationID: 1, PrivateKeyPEM: []byte("x")}
	for name, opts := range map[string]github.Options{
		"nothing":              {},
		"a token and an App":   {Token: "t", App: app},
		"a key that is none":   {App: app},
		"a base URL of no web": {Token: "t", BaseURL: "ftp://example.com"},
		"credentials in a URL": {Token: "t", BaseURL: "https://u:hunter2@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := github.New(opts)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEnterpriseBaseURLs(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	for _, base := range []string{w.URL(), w.URL() + "/", w.URL() + "/api/v3", w.URL() + "/api/v3/"} {
		c := w.client(t, func(o *github.Options) { o.BaseURL = base })
		if me, err := c.CurrentUser(t.Context()); err != nil || me.Login != "mooring-bot" {
			t.Errorf("%s: %+v, %v", base, me, err)
		}
	}
}

func TestTheTokenDoesNotFollowARedirectToAnotherHost(t *testing.T) {
	var leaked string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }))
	defer thief.Close()
	moved := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, thief.URL, http.StatusMovedPermanently)
	}))
	defer moved.Close()
	c, err := github.New(github.Options{BaseURL: moved.URL, Token: "ghp_secretsecretsecret"})
	ok(t, err)
	_, err = c.PullRequests(t.Context(), owner, name)
	if err == nil || leaked != "" {
		t.Errorf("error %v, leaked %q", err, leaked)
	}
}

func TestASlowAnswerEndsWithTheContext(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	never := make(chan struct{})
	defer close(never)
	w.Inject(githubtest.Fault{Path: "/pulls", Until: never})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.client(t).PullRequests(ctx, owner, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func FuzzShorten(f *testing.F) {
	f.Add("text", 140)
	f.Add("ä\xff\n", 2)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 1 || limit > 1000 {
			t.Skip()
		}
		got := github.Shorten(text, limit)
		if utf8.RuneCountInString(got) > limit || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r") {
			t.Errorf("%q at %d gave %q", text, limit, got)
		}
	})
}

func FuzzWebhook(f *testing.F) {
	f.Add("push", `{"repository":{"full_name":"a/b"}}`)
	f.Add("pull_request", `{"pull_request":{"number":-1},"repository":{"full_name":"/"}}`)
	f.Add("membership", `{"organization":null}`)
	f.Fuzz(func(t *testing.T, event, body string) {
		var hints []github.Hint
		h := newWebhook(t, &hints, nil)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header = http.Header{
			"Content-Type": {"application/json"}, "X-Github-Event": {event}, "X-Github-Delivery": {"d"},
			"X-Hub-Signature-256": {githubtest.Sign(hookSecret, []byte(body))},
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code >= 500 || len(hints) > 1 || (len(hints) == 1 && (hints[0].Owner == "" || hints[0].PullRequest < 0)) {
			t.Errorf("%d with %+v", rec.Code, hints)
		}
	})
}
