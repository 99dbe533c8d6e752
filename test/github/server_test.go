package githubtest_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// world is an organisation with a repository, its owner and a team.
type world struct {
	*githubtest.Server
	owner, dev, lead *githubtest.Person
}

const repo = "acme/models"

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) world {
	t.Helper()
	s := must[*githubtest.Server](t)(githubtest.New(githubtest.Options{}))
	t.Cleanup(func() { ok(t, s.Close()) })
	person := must[*githubtest.Person](t)
	w := world{s, person(s.CreateUser("root")), person(s.CreateUser("dev")), person(s.CreateUser("lead"))}
	ok(t, s.CreateOrg("acme", "root"))
	ok(t, s.AddMember("acme", "dev"))
	ok(t, s.CreateTeam("acme", githubtest.Team{Slug: "leads", Members: []string{"lead"}}))
	ok(t, s.CreateRepo(repo, githubtest.Repo{Files: map[string][]byte{"a.txt": []byte("a\n"), "b.txt": []byte("b\n")}}))
	ok(t, s.Grant(repo, "dev", githubtest.Write))
	ok(t, s.Grant(repo, "acme/leads", githubtest.Write))
	return w
}

func change(name, text string) map[string][]byte { return map[string][]byte{name: []byte(text)} }

func refused(t *testing.T, err error, status int, text string) {
	t.Helper()
	var r *githubtest.Refused
	if !errors.As(err, &r) || r.Status != status || !strings.Contains(r.Message, text) {
		t.Fatalf("got %v, want a refusal with %d %q", err, status, text)
	}
}

func TestMergeMethodsPutTheChangeOnTheBaseBranch(t *testing.T) {
	for method, subject := range map[string]string{
		"merge": "Merge pull request #1 from acme/topic", "squash": "Change a (#1)", "rebase": "second",
	} {
		t.Run(method, func(t *testing.T) {
			w, ctx := newWorld(t), context.Background()
			push := must[string](t)
			push(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Message: "first", Files: change("a.txt", "A\n")}))
			push(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Message: "second", Files: change("c.txt", "c\n")}))
			n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "Change a", Head: "topic"}))
			push(w.owner.Push(ctx, repo, githubtest.Push{Branch: "main", Message: "elsewhere", Files: change("b.txt", "B\n")}))
			tip := push(w.lead.Merge(ctx, repo, n, method, ""))
			if head := push(w.Head(repo, "main")); head != tip {
				t.Fatalf("main is at %s, the merge said %s", head, tip)
			}
			dir := filepath.Join(t.TempDir(), "clone")
			url := strings.Replace(w.CloneURL(repo), "http://", "http://x:"+w.dev.Token+"@", 1)
			run(t, "git", "clone", "-q", url, dir)
			if got := run(t, "git", "-C", dir, "log", "-1", "--format=%s"); got != subject {
				t.Errorf("the subject is %q, want %q", got, subject)
			}
			if got := run(t, "git", "-C", dir, "show", "HEAD:a.txt", "HEAD:b.txt", "HEAD:c.txt"); got != "A\nB\nc" {
				t.Errorf("the files are %q", got)
			}
			if got := run(t, "git", "ls-remote", url, "refs/pull/1/head"); got == "" {
				t.Error("refs/pull/1/head is missing")
			}
		})
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRefusesAsGitHubDoes(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	sha := must[string](t)(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "Change a", Head: "topic"}))
	if n != 1 {
		t.Fatalf("the first pull request has number %d", n)
	}
	_, err := w.dev.Review(ctx, repo, n, githubtest.Approve, "")
	refused(t, err, 422, "Can not approve your own pull request")
	_, err = w.lead.Merge(ctx, repo, n, "merge", strings.Repeat("0", 40))
	refused(t, err, 409, "Head branch was modified")
	status := func(in map[string]string) error {
		return w.dev.Call(ctx, "POST", "/repos/"+repo+"/statuses/"+sha, in, nil)
	}
	refused(t, status(map[string]string{"state": "success", "description": strings.Repeat("ä", 141)}), 422, "maximum is 140")
	refused(t, status(map[string]string{"state": "success", "context": strings.Repeat("c", 256)}), 422, "maximum is 255")
	refused(t, status(map[string]string{"state": "green"}), 422, "state")
	ok(t, status(map[string]string{"state": "success", "description": strings.Repeat("ä", 140)}))
	refused(t, w.dev.Comment(ctx, repo, n, strings.Repeat("x", 65537)), 422, "maximum is 65536")
	refused(t, w.dev.Call(ctx, "GET", "/repos/"+repo+"/pulls?per_page=101", nil, nil), 422, "per_page")

	ok(t, w.owner.Protect(ctx, repo, "main", false, "mooring"))
	_, err = w.lead.Merge(ctx, repo, n, "merge", sha)
	refused(t, err, 405, `Required status check \"mooring\" is expected`)
	_, err = w.dev.Push(ctx, repo, githubtest.Push{Branch: "main", Files: change("a.txt", "direct\n")})
	if err == nil || !strings.Contains(err.Error(), "GH006") {
		t.Errorf("a push to the protected branch gave %v", err)
	}
	ok(t, status(map[string]string{"state": "success", "context": "mooring"}))
	if _, err = w.lead.Merge(ctx, repo, n, "squash", sha); err != nil {
		t.Errorf("with the required context green the merge failed: %v", err)
	}
	if _, err = w.owner.Push(ctx, repo, githubtest.Push{Branch: "main", Files: change("a.txt", "direct\n")}); err != nil {
		t.Errorf("an administrator's direct push failed: %v", err)
	}
}
