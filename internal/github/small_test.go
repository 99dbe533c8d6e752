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
	"github.com/google/go-cmp/cmp/cmpopts"

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
	alice := github.CoAuthor{Name: "Alice", Email: "alice@corp.com"}
	called := func(name string) []github.CoAuthor { return []github.CoAuthor{{Name: name, Email: "alice@corp.com"}} }
	for _, tc := range []struct {
		name, message string
		want          []github.CoAuthor
	}{
		{"GitHub's own address tells the account", "S\n\nCo-authored-by: Ann <12+Ann-A@users.noreply.github.com>\r\n", []github.CoAuthor{
			{Name: "Ann", Email: "12+Ann-A@users.noreply.github.com", Login: "ann-a", ID: 12},
		}},
		{"its older form tells the login", "S\n\nCO-AUTHORED-BY: Ben <ben@users.noreply.github.com>", []github.CoAuthor{
			{Name: "Ben", Email: "ben@users.noreply.github.com", Login: "ben"},
		}},
		{"several, other trailers between", "S\n\nCo-authored-by: Alice <alice@corp.com>\nSigned-off-by: D <d@e.f>\nco-authored-by : Alice <alice@corp.com>", []github.CoAuthor{alice, alice}},
		{"a comma in the name", "S\n\nCo-authored-by: Smith, Alice <alice@corp.com>", called("Smith, Alice")},
		{"brackets in the name", "S\n\nCo-authored-by: Alice [ACME] <alice@corp.com>", called("Alice [ACME]")},
		{"parentheses in the name", "S\n\nCo-authored-by: Alice (she) <alice@corp.com>", called("Alice (she)")},
		{"quotes in the name", "S\n\nCo-authored-by: \"Smith, Alice <alice@corp.com>", called("\"Smith, Alice")},
		{"a stop in the name", "S\n\nCo-authored-by: Alice J. Smith, Ph.D. <alice@corp.com>", called("Alice J. Smith, Ph.D.")},
		{"a folded line", "S\n\nCo-authored-by: Alice\n  <alice@corp.com>\nSigned-off-by: D <d@e.f>", []github.CoAuthor{alice}},
		{"a line after an indented one is not part of it", "S\n\nCo-authored-by: Alice <alice@corp.com>\n\n <x@y>", []github.CoAuthor{alice}},
		{"an indented one", "S\n\n  Co-authored-by: Alice <alice@corp.com>", []github.CoAuthor{alice}},
		{"a bare address", "S\n\nCo-authored-by: alice@corp.com", []github.CoAuthor{{Email: "alice@corp.com"}}},
		{"no address", "S\n\nCo-authored-by: nonsense", []github.CoAuthor{{Name: "nonsense"}}},
		{"nobody", "S\n\nSigned-off-by: D <d@e.f>", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, github.CoAuthors(tc.message), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
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
