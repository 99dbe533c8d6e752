package githubtest_test

import (
	"errors"
	"testing"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// TestGoGitFetches: the engine reads repositories with go-git, whose protocol is not quite git's own.
func TestGoGitFetches(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first := must[string](t)(w.Head(repo, "main"))
	head := must[string](t)(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))

	clone := func(token string) (*git.Repository, error) {
		return git.CloneContext(ctx, memory.NewStorage(), nil, &git.CloneOptions{
			URL: w.CloneURL(repo), Auth: &githttp.BasicAuth{Username: "x-access-token", Password: token},
		})
	}
	r := must[*git.Repository](t)(clone(w.dev.Token))
	ref := must[*plumbing.Reference](t)(r.Head())
	if ref.Hash().String() != first {
		t.Errorf("cloned %s, want %s", ref.Hash(), first)
	}
	ok(t, r.FetchContext(ctx, &git.FetchOptions{
		Auth:     &githttp.BasicAuth{Username: "x", Password: w.dev.Token},
		RefSpecs: []config.RefSpec{"+refs/heads/*:refs/heads/*", "+refs/pull/*/head:refs/pull/*/head"},
	}))
	pull := must[*plumbing.Reference](t)(r.Reference("refs/pull/1/head", true))
	if pull.Hash().String() != head {
		t.Errorf("refs/pull/1/head is %s, want %s", pull.Hash(), head)
	}
	for token, want := range map[string]error{"": transport.ErrAuthenticationRequired, "ghp_wrong": transport.ErrAuthenticationRequired} {
		if _, err := clone(token); !errors.Is(err, want) {
			t.Errorf("a clone with the token %q gave %v", token, err)
		}
	}
	outsider := must[*githubtest.Person](t)(w.CreateUser("outsider"))
	if _, err := clone(outsider.Token); !errors.Is(err, transport.ErrRepositoryNotFound) {
		t.Errorf("an outsider's clone gave %v", err)
	}
}
