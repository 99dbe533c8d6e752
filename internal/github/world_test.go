package github_test

import (
	"context"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

const (
	owner = "acme"
	name  = "models"
	repo  = owner + "/" + name
)

// world is an organisation with a repository, people, and Mooring's own account.
type world struct {
	*githubtest.Server
	root, dev, lead, bot *githubtest.Person
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newWorld(t testing.TB, opts githubtest.Options) world {
	t.Helper()
	s, err := githubtest.New(opts)
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	w := world{s, must(s.CreateUser("root")), must(s.CreateUser("dev")), must(s.CreateUser("lead")), must(s.CreateUser("mooring-bot"))}
	ok(t, s.CreateOrg(owner, "root"))
	ok(t, s.AddMember(owner, "dev", "mooring-bot"))
	ok(t, s.CreateTeam(owner, githubtest.Team{Slug: "ds-leads", Members: []string{"lead"}}))
	ok(t, s.CreateRepo(repo, githubtest.Repo{Files: map[string][]byte{"a.txt": []byte("a\n")}}))
	for _, login := range []string{"dev", "lead", "mooring-bot"} {
		ok(t, s.Grant(repo, login, githubtest.Write))
	}
	return w
}

// client is the adapter with Mooring's token; waiting is instant and counted.
func (w world) client(t testing.TB, change ...func(*github.Options)) *github.Client {
	t.Helper()
	opts := github.Options{BaseURL: w.APIURL(), Token: w.bot.Token, Wait: noWait}
	for _, f := range change {
		f(&opts)
	}
	c, err := github.New(opts)
	ok(t, err)
	return c
}

func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// open pushes one file to a branch and opens a pull request for it.
func (w world) open(t *testing.T, branch string) (number int, sha string) {
	t.Helper()
	sha, err := w.dev.Push(t.Context(), repo, githubtest.Push{
		Branch: branch, Message: "Change " + branch, Files: map[string][]byte{branch + ".txt": []byte(branch)},
	})
	ok(t, err)
	number, err = w.dev.OpenPullRequest(t.Context(), repo, githubtest.Pull{Title: "Change " + branch, Head: branch})
	ok(t, err)
	return number, sha
}
