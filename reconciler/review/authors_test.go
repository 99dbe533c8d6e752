package review

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

func TestACoAuthorIsWhomTheForgeKnows(t *testing.T) {
	repo, pr, base := pullRequest(t, "change\n\nCo-authored-by: Cat <cat@example.com>\nCo-authored-by: Tool <tool@example.com>")
	forge := &fakeForge{own: []source.ID{pr.Head}, commits: func(own []source.ID) CommitList {
		l := attributed("ada", "ada")(own)
		l.Commits[0].CoAuthors = []CoAuthor{{Email: "Cat@example.com", Login: "cat", ID: 3}, {Email: "tool@example.com"}}
		return l
	}}
	p, err := GatherPeople(t.Context(), forge, repo, nil, pr, base)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"3+cat"}, texts(p.CoAuthors)); diff != "" || len(p.Unattributed) != 0 {
		t.Errorf("co-authors %s, unattributed %v", diff, p.Unattributed)
	}
	report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, People: p, Now: asked, Repository: "models"})
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict != policy.Pending {
		t.Errorf("%s: %s", report.Verdict, Headline(report))
	}
	expect(t, Comment(report), escape("co-author tool@example.com belongs to no account"))
}

// countedCommits counts how often it is asked who wrote a pull request.
type countedCommits struct {
	Forge
	list CommitList
	asks int
}

func (f *countedCommits) Commits(context.Context, int) (CommitList, error) {
	f.asks++
	return f.list, nil
}

// Whoever is nobody today may tell the forge their address and then approve, so
// they are asked for again, but not at each look: many are tools.
func TestWhoeverIsNobodyIsAskedForAgain(t *testing.T) {
	known := AttributedCommit{ID: "head", Author: "ada", Committer: "ada"}
	tool := known
	tool.CoAuthors = []CoAuthor{{Email: "tool@example.com"}}
	opened := PullRequest{Number: 7, Head: "head", UpdatedAt: asked}
	for _, test := range []struct {
		name   string
		list   []AttributedCommit
		after  time.Duration
		change func(*PullRequest)
		asks   int
	}{
		{"everybody is known", []AttributedCommit{known}, 24 * time.Hour, nil, 1},
		{"everybody is known, and the pull request is touched", []AttributedCommit{known}, 0, func(pr *PullRequest) { pr.UpdatedAt = asked.Add(time.Second) }, 1},
		{"a push", []AttributedCommit{known, {ID: "next", Author: "ada", Committer: "ada"}}, 0, func(pr *PullRequest) { pr.Head = "next" }, 2},
		{"a tool", []AttributedCommit{tool}, verifyAfter - 1, nil, 1},
		{"a tool, ten minutes later", []AttributedCommit{tool}, verifyAfter, nil, 2},
		{"a tool, and the pull request is touched", []AttributedCommit{tool}, 0, func(pr *PullRequest) { pr.UpdatedAt = asked.Add(time.Second) }, 2},
		{"an author without an account", []AttributedCommit{{ID: "head", Committer: "ada"}}, time.Minute, nil, 1},
		{"a list without the head", []AttributedCommit{{ID: "before", Author: "ada", Committer: "ada"}}, 0, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			forge, memory, pr := &countedCommits{list: CommitList{Commits: test.list}}, NewMemory(), opened
			look := func(now time.Time) {
				list, err := (recalling{Forge: forge, memory: memory, pr: pr, base: "base", now: now}).Commits(t.Context(), pr.Number)
				if diff := cmp.Diff(forge.list, list); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
			}
			look(asked)
			if test.change != nil {
				test.change(&pr)
			}
			if look(asked.Add(test.after)); forge.asks != test.asks {
				t.Errorf("it was asked %d times, want %d", forge.asks, test.asks)
			}
		})
	}
}

// TestAuthorsBehindAMergeAreKeptFromApproving: a branch that is merged into the
// pull request brings its authors along.
func TestAuthorsBehindAMergeAreKeptFromApproving(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../example-repo")); err != nil {
		t.Fatal(err)
	}
	git := func(who string, args ...string) string {
		cmd := exec.Command("git", append([]string{"-c", "user.name=" + who, "-c", "user.email=" + who + "@example.com"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	edit := func(path, from, to string) {
		text, err := os.ReadFile(filepath.Join(dir, path))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, path), []byte(strings.Replace(string(text), from, to, 1)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	git("ada", "init", "-q", "-b", "main")
	git("ada", "add", "-A")
	git("ada", "commit", "-qm", "base")
	git("ada", "checkout", "-qb", "side")
	edit(rankerPath, `"9"`, `"10"`)
	git("sid", "commit", "-qam", "the content")
	git("ada", "checkout", "-qb", "pr", "main")
	git("ada", "commit", "-q", "--allow-empty", "-m", "open")
	git("ada", "merge", "-q", "--no-ff", "-m", "bring side in", "side")
	git("ada", "checkout", "-q", "main")
	edit(churnPath, `version: "2"`, `version: "3"`)
	git("bob", "commit", "-qam", "something else on the base")
	git("ada", "checkout", "-q", "pr")
	git("ada", "merge", "-q", "--no-ff", "-m", "bring the base in", "main")

	repo, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() }) // opened for reading
	base, head := source.ID(git("ada", "rev-parse", "main")), source.ID(git("ada", "rev-parse", "pr"))
	forge := &fakeForge{commits: func([]source.ID) CommitList {
		var l CommitList
		for _, line := range strings.Split(git("ada", "log", "--all", "--format=%H %an"), "\n") {
			id, who, _ := strings.Cut(line, " ")
			l.Commits = append(l.Commits, AttributedCommit{ID: source.ID(id), Author: who, Committer: who})
		}
		return l
	}}
	p, err := GatherPeople(t.Context(), forge, repo, nil, PullRequest{Number: 7, Author: "ada", Head: head}, base)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, c := range p.Committers {
		made[c.Login] = true
	}
	if !made["ada"] || !made["sid"] || made["bob"] {
		t.Errorf("made by %v", p.Committers)
	}
}

func TestAPushThatVoidsApprovalsSaysSo(t *testing.T) {
	repo, pr, base := pullRequestOf(t, "change", nil, func(files map[string]string) {
		files[rankerPath] = strings.Replace(files[rankerPath], `"9"`, `"10"`, 1)
	}, func(files map[string]string) {
		files[rankerPath] = strings.Replace(files[rankerPath], `"10"`, `"11"`, 1)
	})
	before, err := repo.Commit(t.Context(), pr.Head)
	if err != nil {
		t.Fatal(err)
	}
	j := &judgement{t, repo, Request{Base: base, Head: pr.Head, Repository: "models", People: People{
		Author: Account{Login: "ada"}, Teams: map[string][]Account{
			"acme/ml-managers": {{Login: "mia"}}, "acme/senior-ds": {{Login: "sam"}},
		},
	}}}
	for _, user := range []string{"mia", "sam", "stranger"} {
		j.review(user, "APPROVED", 0)
	}
	for i := range j.req.People.Reviews {
		j.req.People.Reviews[i].CommitID = before.Parents[0].String()
	}
	report := j.at(0)
	const says = "approvals by mia, sam were voided by the push of "
	if report.Verdict != policy.Pending {
		t.Errorf("%s", report.Verdict)
	}
	expect(t, Headline(report), says+pr.Head.Short())
	expect(t, Comment(report), escape(says+pr.Head.Short())+". They were of other content: review again.")
}
