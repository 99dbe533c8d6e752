package contract

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

const (
	owner = "acme"
	name  = "models"
	repo  = owner + "/" + name
)

// story is the world in which the adapter is used.
type story struct {
	*githubtest.Server
	*checker
	root, dev, lead, bot *githubtest.Person
	app                  *githubtest.App
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStory(t *testing.T) *story {
	t.Helper()
	c := newChecker(t)
	s, err := githubtest.New(githubtest.Options{})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	w := &story{Server: s, checker: c}
	for login, into := range map[string]**githubtest.Person{"root": &w.root, "dev": &w.dev, "lead": &w.lead, "mooring-bot": &w.bot} {
		*into, err = s.CreateUser(login)
		ok(t, err)
		(*into).Transport = c
	}
	ok(t, s.CreateOrg(owner, "root"))
	ok(t, s.AddMember(owner, "dev", "mooring-bot"))
	ok(t, s.CreateTeam(owner, githubtest.Team{Slug: "leads", Members: []string{"lead"}}))
	ok(t, s.CreateTeam(owner, githubtest.Team{Slug: "ds-leads", Parent: "leads", Members: []string{"dev"}}))
	ok(t, s.CreateRepo(repo, githubtest.Repo{Files: map[string][]byte{"a.txt": []byte("a\n"), "d/b.txt": []byte("b\n")}}))
	for _, login := range []string{"dev", "lead", "mooring-bot"} {
		ok(t, s.Grant(repo, login, githubtest.Write))
	}
	w.app, err = s.CreateApp("mooring", owner, nil)
	ok(t, err)
	return w
}

func (w *story) client(t *testing.T, change func(*github.Options)) *github.Client {
	t.Helper()
	opts := github.Options{BaseURL: w.APIURL(), Token: w.bot.Token, HTTPClient: &http.Client{Transport: w.checker}}
	if change != nil {
		change(&opts)
	}
	c, err := github.New(opts)
	ok(t, err)
	return c
}

func (w *story) appClient(t *testing.T) *github.Client {
	return w.client(t, func(o *github.Options) {
		o.Token = ""
		o.App = &github.App{ID: w.app.ID, InstallationID: w.app.InstallationID, PrivateKeyPEM: w.app.PrivateKeyPEM}
	})
}

// open pushes a branch and opens a pull request for it.
func (w *story) open(t *testing.T, branch string) (int, string) {
	t.Helper()
	sha, err := w.dev.Push(t.Context(), repo, githubtest.Push{Branch: branch, Files: map[string][]byte{branch: []byte(branch)}})
	ok(t, err)
	n, err := w.dev.OpenPullRequest(t.Context(), repo, githubtest.Pull{Title: "Change " + branch, Body: "Why", Head: branch})
	ok(t, err)
	return n, sha
}

func TestTheWholeAdapterIsWhatGitHubDescribes(t *testing.T) {
	for kind, connect := range map[string]func(*story, *testing.T) *github.Client{
		"with a token": func(w *story, t *testing.T) *github.Client { return w.client(t, nil) },
		"as an App":    (*story).appClient,
	} {
		t.Run(kind, func(t *testing.T) {
			w := newStory(t)
			useEverything(t, w, connect(w, t))
		})
	}
}

// useEverything calls every function of the adapter in the order of a pull request's life.
func useEverything(t *testing.T, w *story, c *github.Client) {
	t.Helper()
	ctx := t.Context()
	n, sha := w.open(t, "topic")
	_, err := c.CurrentUser(ctx)
	ok(t, err)
	_, err = c.Token(ctx)
	ok(t, err)
	for range 2 { // the second time from the cache, by 304
		_, err = c.PullRequests(ctx, owner, name)
		ok(t, err)
		_, err = c.PullRequest(ctx, owner, name, n)
		ok(t, err)
	}
	id, err := w.lead.Review(ctx, repo, n, githubtest.Approve, "")
	ok(t, err)
	reviews, err := c.Reviews(ctx, owner, name, n)
	ok(t, err)
	_, err = c.EditedBy(ctx, owner, name, n, reviews)
	ok(t, err)
	ok(t, w.root.EditReview(ctx, repo, n, id, "Good"))
	_, err = c.EditedBy(ctx, owner, name, n, reviews)
	ok(t, err)
	_, err = c.Files(ctx, owner, name, n)
	ok(t, err)
	_, err = c.Commits(ctx, owner, name, n)
	ok(t, err)
	_, err = c.Forge(owner, name).ReadySince(ctx, review.PullRequest{Number: n})
	ok(t, err)
	_, err = c.Authors(ctx, owner, name, []string{sha})
	ok(t, err)
	_, err = c.TeamMembers(ctx, owner, "leads")
	ok(t, err)
	_, err = c.PullRequestsForCommit(ctx, owner, name, sha)
	ok(t, err)
	_, err = c.Forge(owner, name).MergedPullRequest(ctx, "main", source.ID(sha))
	ok(t, err)
	_, err = c.Forge(owner, name).OpenPullRequests(ctx, "main")
	ok(t, err)
	for _, state := range []string{"pending", "pending", "success"} {
		_, err = c.SetStatus(ctx, owner, name, github.Status{SHA: sha, Context: "mooring", State: state, Description: "d", TargetURL: "https://example.com/x"})
		ok(t, err)
	}
	for _, body := range []string{"one", "one", "two"} {
		_, err = c.UpsertComment(ctx, owner, name, n, "<!-- m -->", body)
		ok(t, err)
	}
	_, err = c.Merge(ctx, owner, name, n, sha, "squash")
	ok(t, err)
	_, err = c.Propose(ctx, owner, name, github.Proposal{
		Base: "main", Branch: "mooring/revert", Title: "Revert", Body: "Why", Message: "Revert",
		Files: map[string][]byte{"a.txt": []byte("old\n"), "d/b.txt": nil, "new.txt": []byte("n\n")},
	})
	ok(t, err)
}

func TestRefusalsAreWhatGitHubDescribes(t *testing.T) {
	w := newStory(t)
	ctx := t.Context()
	c := w.client(t, nil)
	n, sha := w.open(t, "topic")
	_, err := w.dev.Review(ctx, repo, n, githubtest.Approve, "")
	refused(t, err, 422)
	refused(t, w.lead.Dismiss(ctx, repo, n, 1, "no such review"), 404)
	refused(t, w.lead.EditReview(ctx, repo, n, 1, "no such review"), 404)
	_, err = w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "Again", Head: "topic"})
	refused(t, err, 422)
	refused(t, w.dev.Comment(ctx, repo, n, strings.Repeat("x", 70000)), 422)
	refused(t, w.dev.Comment(ctx, repo, 99, "x"), 404)
	refused(t, w.dev.Call(ctx, "POST", "/repos/"+repo+"/statuses/"+sha, map[string]string{"state": "success", "description": strings.Repeat("x", 141)}, nil), 422)
	_, err = c.Merge(ctx, owner, name, n, strings.Repeat("0", 40), "merge")
	kind(t, err, github.ErrConflict)
	ok(t, w.root.Protect(ctx, repo, "main", false, "mooring"))
	_, err = c.Merge(ctx, owner, name, n, sha, "merge")
	kind(t, err, github.ErrNotMergeable)
	_, err = c.TeamMembers(ctx, owner, "absent")
	kind(t, err, github.ErrNotFound)
	_, err = c.PullRequest(ctx, owner, name, 99)
	kind(t, err, github.ErrNotFound)
	_, err = c.Forge(owner, name).ReadySince(ctx, review.PullRequest{Number: 99})
	kind(t, err, github.ErrNotFound)
	_, err = c.Authors(ctx, owner, name, []string{strings.Repeat("0", 40)})
	kind(t, err, github.ErrNotFound)
	_, err = c.PullRequestsForCommit(ctx, owner, name, strings.Repeat("0", 40))
	kind(t, err, github.ErrInvalid)
	wrong := w.client(t, func(o *github.Options) { o.Token = "ghp_wrong" })
	_, err = wrong.PullRequests(ctx, owner, name)
	kind(t, err, github.ErrAuth)
	reader, err := w.CreateUser("reader")
	ok(t, err)
	ok(t, w.AddMember(owner, "reader"))
	_, err = w.client(t, func(o *github.Options) { o.Token = reader.Token }).SetStatus(ctx, owner, name, github.Status{SHA: sha, Context: "x", State: "success"})
	kind(t, err, github.ErrForbidden)
	for _, status := range []int{401, 403, 404, 405, 409, 422} {
		if w.codes[status] == 0 {
			t.Errorf("no refusal with %d was checked", status)
		}
	}
}

func kind(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func refused(t *testing.T, err error, status int) {
	t.Helper()
	var r *githubtest.Refused
	if !errors.As(err, &r) || r.Status != status {
		t.Errorf("got %v, want a refusal with %d", err, status)
	}
}

// TestEveryRouteOfTheServerIsWhatGitHubDescribes drives what the other tests leave out, and then looks
// whether any route was never answered.
func TestEveryRouteOfTheServerIsWhatGitHubDescribes(t *testing.T) {
	w := newStory(t)
	ctx := t.Context()
	useEverything(t, w, w.client(t, nil))
	useApp(t, w)
	n, sha := w.open(t, "second")
	call := func(method, path string, in any) {
		t.Helper()
		ok(t, w.root.Call(ctx, method, path, in, nil))
	}
	id, err := w.lead.Review(ctx, repo, n, githubtest.RequestChanges, "please")
	ok(t, err)
	ok(t, w.root.Dismiss(ctx, repo, n, id, "settled"))
	ok(t, w.dev.Close(ctx, repo, n))
	ok(t, w.dev.Reopen(ctx, repo, n))
	ok(t, w.root.Protect(ctx, repo, "main", false, "mooring"))
	ok(t, w.root.AddWebhook(ctx, repo, "http://127.0.0.1:1/", "s"))
	var comment struct{ ID int64 }
	ok(t, w.dev.Call(ctx, "POST", fmt.Sprintf("/repos/%s/issues/%d/comments", repo, n), map[string]string{"body": "b"}, &comment))
	const r = "/repos/" + repo
	call("GET", fmt.Sprintf("%s/issues/comments/%d", r, comment.ID), nil)
	call("PATCH", fmt.Sprintf("%s/issues/comments/%d", r, comment.ID), map[string]string{"body": "c"})
	call("DELETE", fmt.Sprintf("%s/issues/comments/%d", r, comment.ID), nil)
	for _, path := range []string{
		"/users/dev", "/rate_limit", "/orgs/acme/teams", "/orgs/acme/teams/ds-leads", r, r + "/commits/" + sha, r + "/commits/main",
		r + "/commits/" + sha + "/statuses", r + "/git/ref/heads/second", r + "/contents/a.txt", r + "/contents/d",
		r + "/branches/main/protection", r + "/hooks", r + "/pulls?state=all&per_page=1&page=2",
	} {
		call("GET", path, nil)
	}
	call("POST", r+"/git/refs", map[string]string{"ref": "refs/heads/third", "sha": sha})
	content := map[string]string{"message": "m", "branch": "third", "content": base64.StdEncoding.EncodeToString([]byte("new"))}
	var made struct{ Content struct{ SHA string } }
	ok(t, w.root.Call(ctx, "PUT", r+"/contents/new/file.txt", content, &made))
	content["sha"] = made.Content.SHA
	call("PUT", r+"/contents/new/file.txt", map[string]string{"message": "m", "branch": "third", "sha": made.Content.SHA, "content": ""})
	ok(t, w.root.Call(ctx, "GET", r+"/contents/new/file.txt?ref=third", nil, &made.Content))
	call("DELETE", r+"/contents/new/file.txt", map[string]string{"message": "m", "branch": "third", "sha": made.Content.SHA})
	ok(t, w.dev.DeleteBranch(ctx, repo, "third"))
	call("DELETE", r+"/branches/main/protection", nil)
	deleteFork(t, w)
	for _, route := range githubtest.Routes() {
		if !w.met[shape(route)] {
			t.Errorf("no test has seen %s succeed", route)
		}
	}
	t.Logf("%d requests, statuses %v", total(w.codes), w.codes)
}

func total(codes map[int]int) (sum int) {
	for _, n := range codes {
		sum += n
	}
	return sum
}

func useApp(t *testing.T, w *story) {
	t.Helper()
	c := w.appClient(t)
	_, err := c.CurrentUser(t.Context())
	ok(t, err)
	_, err = c.PullRequests(t.Context(), owner, name)
	ok(t, err)
	id, err := c.InstallationID(t.Context(), owner, name)
	ok(t, err)
	if id != w.app.InstallationID {
		t.Errorf("the App is installed as %d, found %d", w.app.InstallationID, id)
	}
}

// deleteFork opens a pull request from a fork and deletes that: its head has no repository then.
func deleteFork(t *testing.T, w *story) {
	t.Helper()
	ctx := t.Context()
	fork, err := w.Fork(repo, "dev")
	ok(t, err)
	_, err = w.dev.Push(ctx, fork, githubtest.Push{Branch: "away", Files: map[string][]byte{"f": []byte("f")}})
	ok(t, err)
	n, err := w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "From a fork", Head: "dev:away"})
	ok(t, err)
	ok(t, w.dev.DeleteRepo(ctx, fork))
	list, err := w.client(t, nil).PullRequests(ctx, owner, name)
	ok(t, err)
	at := slices.IndexFunc(list, func(p github.PullRequest) bool { return p.Number == n })
	if at < 0 || list[at].Head.Repo != "" {
		t.Errorf("the pull request of a deleted fork: %+v", list)
	}
	_, err = w.client(t, nil).PullRequest(ctx, owner, name, n)
	ok(t, err)
}
