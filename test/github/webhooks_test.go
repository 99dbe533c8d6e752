package githubtest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// receiver keeps the webhooks that it gets.
type receiver struct {
	mu  sync.Mutex
	got []received
}

type received struct{ event, id, signature, body string }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := req.Header
	r.got = append(r.got, received{h.Get("X-GitHub-Event"), h.Get("X-GitHub-Delivery"), h.Get("X-Hub-Signature-256"), string(body)})
}

func (r *receiver) events() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.got {
		list = append(list, one.event)
	}
	return list
}

func TestWebhooksAreSignedLostAndRepeated(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	r := &receiver{}
	target := httptest.NewServer(r)
	defer target.Close()
	ok(t, w.owner.AddWebhook(ctx, repo, target.URL, "s3", "push", "pull_request", "status"))
	push := must[string](t)
	sha := push(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))
	ok(t, w.dev.Comment(ctx, repo, n, "not subscribed"))
	ok(t, w.WaitDelivered(ctx))
	if got := r.events(); !slices.Equal(got, []string{"ping", "push", "pull_request"}) {
		t.Fatalf("events %v", got)
	}
	last := r.got[2]
	if last.signature != githubtest.Sign("s3", []byte(last.body)) || !strings.Contains(last.body, sha) {
		t.Errorf("delivery %+v", last)
	}
	w.DropWebhooks(true)
	push(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "B\n")}))
	w.DropWebhooks(false)
	ok(t, w.Redeliver(last.id))
	ok(t, w.WaitDelivered(ctx))
	if got := r.events(); len(got) != 4 || r.got[3].id != last.id || r.got[3].body != last.body {
		t.Errorf("after a lost push and a redelivery: %v", got)
	}
}

func TestPagesShowWhatPeopleWroteAsText(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	sha := must[string](t)(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "<b>Bold</b>", Head: "topic"}))
	ok(t, w.lead.Comment(ctx, repo, n, "**verdict** <script>alert(1)</script>"))
	ok(t, w.dev.Call(ctx, "POST", "/repos/"+repo+"/statuses/"+sha, map[string]string{"state": "pending", "context": "mooring", "description": "waits", "target_url": "https://example.com/x"}, nil))
	for path, want := range map[string][]string{
		"/acme/models/pull/1": {"&lt;b&gt;Bold", "**verdict** &lt;script&gt;", "mooring", "waits", "https://example.com/x", "lead"},
		"/acme/models":        {"/acme/models/pull/1"},
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+path, nil)
		ok(t, err)
		resp, err := http.DefaultClient.Do(req)
		ok(t, err)
		body, err := io.ReadAll(resp.Body)
		ok(t, err)
		ok(t, resp.Body.Close())
		for _, text := range want {
			if !strings.Contains(string(body), text) {
				t.Errorf("%s lacks %q:\n%s", path, text, body)
			}
		}
		if strings.Contains(string(body), "<script") {
			t.Errorf("%s has a script", path)
		}
	}
}

func TestPullRequestsFollowTheirBranches(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	push := must[string](t)
	push(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))
	type pull struct {
		State  string
		Merged bool
		Head   struct{ SHA string }
		Base   struct{ SHA string }
	}
	read := func() (p pull) {
		ok(t, w.dev.Call(ctx, "GET", "/repos/"+repo+"/pulls/1", nil, &p))
		return p
	}
	base := read().Base.SHA
	push(w.owner.Push(ctx, repo, githubtest.Push{Branch: "main", Files: change("b.txt", "B\n")}))
	if p := read(); p.Base.SHA != base {
		t.Errorf("base.sha moved with the base branch to %s; GitHub moves it with the head", p.Base.SHA)
	}
	second := push(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "AA\n")}))
	if p := read(); p.Head.SHA != second || p.Base.SHA == base {
		t.Errorf("after a push to the head: %+v", p)
	}
	ok(t, w.dev.DeleteBranch(ctx, repo, "topic"))
	if p := read(); p.State != "closed" || p.Merged {
		t.Errorf("after its branch was deleted: %+v", p)
	}
	refused(t, w.dev.Reopen(ctx, repo, n), 422, "deleted")
}
