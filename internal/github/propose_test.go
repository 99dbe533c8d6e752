package github_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

func TestAProposalIsMadeOnceAndSurvivesBeingCutShort(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	_, err := w.root.Push(ctx, repo, githubtest.Push{Branch: "main", Files: map[string][]byte{"gone.txt": []byte("x")}})
	ok(t, err)
	p := github.Proposal{
		Base: "main", Branch: "mooring/revert-1", Title: "Revert", Body: "Why", Message: "Revert a",
		Files: map[string][]byte{"a.txt": []byte("before\n"), "models/new.yaml": []byte("n: 1\n"), "gone.txt": nil, "absent.txt": nil},
	}
	for _, path := range []string{"/contents/models/new.yaml", "/pulls"} { // cut short twice, at different steps
		method := map[string]string{"/pulls": http.MethodPost}[path]
		if method == "" {
			method = http.MethodPut
		}
		w.Inject(githubtest.Fault{Method: method, Path: path, Status: 502})
		if _, err := c.Propose(ctx, owner, name, p); !errors.Is(err, github.ErrUnreachable) {
			t.Fatalf("with %s failing: %v", path, err)
		}
	}
	first, err := c.Propose(ctx, owner, name, p)
	ok(t, err)
	again, err := c.Propose(ctx, owner, name, p)
	ok(t, err)
	if first.Number != again.Number || first.Head.Ref != p.Branch || first.Author.Login != "mooring-bot" {
		t.Errorf("first %+v, again %+v", first, again)
	}
	files, err := c.Files(ctx, owner, name, first.Number)
	ok(t, err)
	status := map[string]string{}
	for _, f := range files.Files {
		status[f.Path] = f.Status
	}
	if len(status) != 3 || status["a.txt"] != "modified" || status["models/new.yaml"] != "added" || status["gone.txt"] != "removed" {
		t.Errorf("the proposal changes %v", status)
	}
	if writes := w.Requests(http.MethodPut, "/contents/"); len(writes) != 2 {
		t.Errorf("%d files were written, want 2", len(writes))
	}
	ok(t, w.lead.Close(ctx, repo, first.Number))
	closed, err := c.Propose(ctx, owner, name, p)
	ok(t, err)
	if closed.Number != first.Number || closed.State != "closed" {
		t.Errorf("a proposal that somebody closed was made again: %+v", closed)
	}
}
