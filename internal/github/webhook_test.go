package github_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

const hookSecret = "correct horse"

func newWebhook(t *testing.T, hints *[]github.Hint, err error) *github.Webhook {
	t.Helper()
	h, herr := github.NewWebhook(github.WebhookOptions{
		Secret: []byte(hookSecret), MaxBody: 4096, Remember: 2,
		Enqueue: func(hint github.Hint) error {
			if err == nil {
				*hints = append(*hints, hint)
			}
			return err
		},
	})
	ok(t, herr)
	return h
}

func TestAWebhookWithoutASecretIsNotBuilt(t *testing.T) {
	if _, err := github.NewWebhook(github.WebhookOptions{Enqueue: func(github.Hint) error { return nil }}); err == nil {
		t.Error("it was built")
	}
}

func TestWebhookAnswers(t *testing.T) {
	const good = `{"action":"opened","pull_request":{"number":7},"repository":{"full_name":"acme/models"}}`
	post := func(body string, change ...func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-GitHub-Event", "pull_request")
		r.Header.Set("X-GitHub-Delivery", "d1")
		r.Header.Set("X-Hub-Signature-256", githubtest.Sign(hookSecret, []byte(body)))
		for _, f := range change {
			f(r)
		}
		return r
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, tc := range []struct {
		name   string
		req    *http.Request
		status int
		says   string
		hints  int
	}{
		{"a signed event is taken", post(good), 202, "taken", 1},
		{"a signature is missing", post(good, func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }), 401, "missing", 0},
		{"a signature is by another secret", post(good, header("X-Hub-Signature-256", githubtest.Sign("x", []byte(good)))), 401, "differ", 0},
		{"a signature is of another body", post(good, header("X-Hub-Signature-256", githubtest.Sign(hookSecret, nil))), 401, "differ", 0},
		{"a signature is no hex", post(good, header("X-Hub-Signature-256", "sha256=zz")), 401, "differ", 0},
		{"a signature is SHA-1", post(good, header("X-Hub-Signature-256", "sha1=00")), 401, "differ", 0},
		{"a GET", httptest.NewRequest(http.MethodGet, "/", nil), 405, "POST", 0},
		{"a form", post(good, header("Content-Type", "application/x-www-form-urlencoded")), 415, "application/json", 0},
		{"a body over the cap", post(`{"x":"` + strings.Repeat("x", 5000) + `"}`), 413, "4096", 0},
		{"no event", post(good, header("X-GitHub-Event", "")), 400, "X-GitHub-Event", 0},
		{"no JSON", post(`{`), 400, "names neither", 0},
		{"no repository", post(`{}`), 400, "repository", 0},
		{"a ping", post(`{}`, header("X-GitHub-Event", "ping")), 202, "pong", 0},
		{"an event that decides nothing", post(good, header("X-GitHub-Event", "star")), 202, "ignored", 0},
		{"an organisation's event", post(`{"organization":{"login":"acme"}}`, header("X-GitHub-Event", "membership")), 202, "taken", 1},
		{"a team is changed", post(`{"action":"edited","organization":{"login":"acme"}}`, header("X-GitHub-Event", "team")), 202, "taken", 1},
		{"somebody leaves the organisation", post(`{"action":"member_removed","organization":{"login":"acme"}}`, header("X-GitHub-Event", "organization")), 202, "taken", 1},
		{"a review is dismissed", post(strings.Replace(good, "opened", "dismissed", 1), header("X-GitHub-Event", "pull_request_review")), 202, "taken", 1},
		{"a pull request is retargeted", post(strings.Replace(good, "opened", "edited", 1)), 202, "taken", 1},
		{"a merge queue asks", post(`{"action":"checks_requested","repository":{"full_name":"acme/models"}}`, header("X-GitHub-Event", "merge_group")), 202, "taken", 1},
		{"a status, which Mooring writes itself", post(`{"repository":{"full_name":"acme/models"}}`, header("X-GitHub-Event", "status")), 202, "ignored", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var hints []github.Hint
			rec := httptest.NewRecorder()
			newWebhook(t, &hints, nil).ServeHTTP(rec, tc.req)
			if rec.Code != tc.status || !strings.Contains(rec.Body.String(), tc.says) || len(hints) != tc.hints {
				t.Errorf("%d %q with %d hints", rec.Code, rec.Body, len(hints))
			}
		})
	}
}

func TestWebhookTakesADeliveryOnceAndAgainAfterItWasBusy(t *testing.T) {
	body := `{"repository":{"full_name":"acme/models"}}`
	send := func(h http.Handler, id string) int {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-GitHub-Event", "push")
		r.Header.Set("X-GitHub-Delivery", id)
		r.Header.Set("X-Hub-Signature-256", githubtest.Sign(hookSecret, []byte(body)))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code
	}
	var hints []github.Hint
	h := newWebhook(t, &hints, nil)
	for _, id := range []string{"a", "a", "b", "a", "c", "b"} { // two are remembered, so b is forgotten by the time it repeats
		if code := send(h, id); code != 202 {
			t.Errorf("%s: %d", id, code)
		}
	}
	var ids []string
	for _, hint := range hints {
		ids = append(ids, hint.Delivery)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "b"}, ids); diff != "" {
		t.Error(diff)
	}
	busy := newWebhook(t, &hints, errors.New("full"))
	for range 2 {
		if code := send(busy, "z"); code != 503 {
			t.Errorf("while busy: %d", code)
		}
	}
}

func TestWebhooksOfTheServerBecomeHints(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	hints := make(chan github.Hint, 100)
	h, err := github.NewWebhook(github.WebhookOptions{Secret: []byte(hookSecret), Enqueue: func(hint github.Hint) error {
		hints <- hint
		return nil
	}})
	ok(t, err)
	receiver := httptest.NewServer(h)
	defer receiver.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ok(t, w.root.AddWebhook(ctx, repo, receiver.URL, hookSecret))
	n, sha := w.open(t, "topic")
	_, err = w.lead.Review(ctx, repo, n, githubtest.Approve, "")
	ok(t, err)
	_, err = w.client(t).Merge(ctx, owner, name, n, sha, "squash")
	ok(t, err)
	ok(t, w.WaitDelivered(ctx))
	close(hints)
	var got []string
	for hint := range hints {
		if hint.Owner != owner || hint.Repo != name || (hint.Event == "pull_request" && hint.PullRequest != n) {
			t.Errorf("hint %+v", hint)
		}
		got = append(got, hint.Event)
	}
	if diff := cmp.Diff([]string{"push", "pull_request", "pull_request_review", "pull_request", "push"}, got); diff != "" {
		t.Error(diff)
	}
	for _, d := range w.Deliveries() {
		if d.Status != 202 {
			t.Errorf("the delivery %s of %s was answered %d %s", d.ID, d.Event, d.Status, d.Error)
		}
	}
}
