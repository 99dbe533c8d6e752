package review

import (
	"context"
	"errors"
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

// fakeForge answers what a test tells it, and panics on the rest.
type fakeForge struct {
	Forge
	commits   func(own []source.ID) CommitList
	own       []source.ID
	reviews   []Review
	truncated bool
	failing   string
	failTeam  string
}

var errForge = errors.New("HTTP 502")

func (f *fakeForge) fail(what string) error {
	if f.failing == what {
		return errForge
	}
	return nil
}

func (f *fakeForge) Reviews(context.Context, int) ([]Review, error) {
	return f.reviews, f.fail("reviews")
}
func (f *fakeForge) FilesTruncated(context.Context, int) (bool, error) {
	return f.truncated, f.fail("files")
}
func (f *fakeForge) Commits(context.Context, int) (CommitList, error) {
	return f.commits(f.own), f.fail("commits")
}
func (f *fakeForge) ReadySince(context.Context, PullRequest) (time.Time, error) {
	return time.Time{}, nil
}
func (f *fakeForge) TeamMembers(_ context.Context, team string) ([]Account, error) {
	if team == f.failTeam {
		return nil, errForge
	}
	return []Account{{Login: "member-of-" + filepath.Base(team), ID: 7}}, nil
}

// pullRequest is a small repository with one commit on pr over example-repo.
func pullRequest(t *testing.T, message string) (*source.Repository, PullRequest, source.ID) {
	t.Helper()
	return pullRequestOf(t, message, nil, func(files map[string]string) {
		path := "models/data-science/product-ranker/production/deployment.yaml"
		files[path] = strings.Replace(files[path], `"9"`, `"10"`, 1)
	})
}

// pullRequestOf edits example-repo for the base, and then for the pull request.
func pullRequestOf(t *testing.T, message string, edits ...func(files map[string]string)) (*source.Repository, PullRequest, source.ID) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../example-repo")); err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	for i, edit := range edits {
		if edit != nil {
			editFiles(t, dir, edit)
		}
		git("add", "-A")
		git("commit", "-qm", message)
		if i == 0 {
			git("checkout", "-qb", "pr")
		}
	}
	repo, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() }) // opened for reading
	base, err := repo.Resolve(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	head, err := repo.Resolve(t.Context(), "pr")
	if err != nil {
		t.Fatal(err)
	}
	return repo, PullRequest{Number: 7, Author: "opener", AuthorID: 31, Head: head}, base
}

// editFiles lets a test change a folder's YAML files, add others, and remove
// those that it leaves empty.
func editFiles(t *testing.T, dir string, edit func(files map[string]string)) {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	edit(files)
	for path, content := range files {
		if content == "" {
			if err := os.Remove(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func attributed(author, committer string) func([]source.ID) CommitList {
	return func(own []source.ID) CommitList {
		var l CommitList
		for _, id := range own {
			l.Commits = append(l.Commits, AttributedCommit{ID: id, Author: author, AuthorEmail: "ada@example.com", Committer: committer, CommitterEmail: "c@example.com"})
		}
		return l
	}
}

func texts(accounts []Account) []string {
	var out []string
	for _, a := range accounts {
		out = append(out, a.String())
	}
	return out
}

func TestGatherPeople(t *testing.T) {
	const trailer = "change\n\nCo-authored-by: X <"
	for name, tc := range map[string]struct {
		message      string
		forge        fakeForge
		committers   []string
		coAuthors    []string
		unattributed int
		truncated    bool
	}{
		"author and committer have a hand in it":       {"change", fakeForge{commits: attributed("ada", "cy")}, []string{"ada", "cy"}, nil, 0, false},
		"GitHub's own committer is no person":          {"change", fakeForge{commits: attributed("ada", "web-flow")}, []string{"ada"}, nil, 0, false},
		"as an author GitHub's own account hides who":  {"change", fakeForge{commits: attributed("web-flow", "web-flow")}, nil, nil, 1, false},
		"in any case of letters":                       {"change", fakeForge{commits: attributed("Web-Flow", "cy")}, []string{"cy"}, nil, 1, false},
		"an author without an account is unattributed": {"change", fakeForge{commits: attributed("", "cy")}, []string{"cy"}, nil, 1, false},
		"a commit that the forge does not list is unattributed": {
			"change", fakeForge{commits: func([]source.ID) CommitList { return CommitList{} }}, nil, nil, 1, false,
		},
		"a co-author by GitHub's address":       {trailer + "12+Bob@users.noreply.github.com>", fakeForge{commits: attributed("ada", "ada")}, []string{"ada"}, []string{"12+Bob"}, 0, false},
		"a co-author by an address of a commit": {trailer + "ADA@example.com>", fakeForge{commits: attributed("ada", "cy")}, []string{"ada", "cy"}, []string{"ada"}, 0, false},
		"a co-author of an unknown address":     {trailer + "x@elsewhere.org>", fakeForge{commits: attributed("ada", "ada")}, []string{"ada"}, nil, 0, false},
		"a list of files at its cap":            {"change", fakeForge{commits: attributed("ada", "ada"), truncated: true}, []string{"ada"}, nil, 0, true},
		"a list of commits at its cap": {"change", fakeForge{commits: func(own []source.ID) CommitList {
			l := attributed("ada", "ada")(own)
			l.Truncated = true
			return l
		}}, []string{"ada"}, nil, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo, pr, base := pullRequest(t, tc.message)
			tc.forge.own = []source.ID{pr.Head}
			p, err := GatherPeople(t.Context(), &tc.forge, repo, nil, pr, base)
			if err != nil {
				t.Fatal(err)
			}
			if p.Author.String() != "31+opener" || cmp.Diff(tc.committers, texts(p.Committers)) != "" || cmp.Diff(tc.coAuthors, texts(p.CoAuthors)) != "" ||
				len(p.Unattributed) != tc.unattributed || p.FilesTruncated != tc.truncated {
				t.Errorf("%+v", p)
			}
			if got := p.Teams["acme/ml-managers"]; cmp.Diff([]Account{{Login: "member-of-ml-managers", ID: 7}}, got) != "" {
				t.Errorf("managers are %v", got)
			}
		})
	}
}

func TestWhatTheForgeDoesNotAnswerIsNoPass(t *testing.T) {
	for _, what := range []string{"reviews", "files", "commits"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			repo, pr, base := pullRequest(t, "change")
			forge := &fakeForge{commits: attributed("ada", "ada"), failing: what}
			if _, err := GatherPeople(t.Context(), forge, repo, nil, pr, base); !errors.Is(err, errForge) {
				t.Errorf("%v", err)
			}
		})
	}
	judge := func(t *testing.T, forge *fakeForge) (*Report, string) {
		repo, pr, base := pullRequest(t, "change")
		forge.own = []source.ID{pr.Head}
		r := Reviewer{Forge: forge, Repo: repo, Repository: "models"}
		report, err := r.Judge(t.Context(), pr, base, time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range report.Stages {
			if s.Name == policy.StageApproval {
				return report, s.Reason
			}
		}
		t.Fatal("no stage approval")
		return nil, ""
	}
	t.Run("a team that cannot be listed is an error where its seat is needed, with the cause", func(t *testing.T) {
		t.Parallel()
		report, reason := judge(t, &fakeForge{commits: attributed("ada", "ada"), failTeam: "acme/ml-managers"})
		if report.Verdict != policy.Error || !strings.Contains(reason, "acme/ml-managers") || !strings.Contains(reason, "HTTP 502") {
			t.Errorf("%s: %s", report.Verdict, reason)
		}
	})
	t.Run("a team that cannot be listed elsewhere is none", func(t *testing.T) {
		t.Parallel()
		if report, reason := judge(t, &fakeForge{commits: attributed("ada", "ada"), failTeam: "acme/legal"}); report.Verdict != policy.Pending {
			t.Errorf("%s: %s", report.Verdict, reason)
		}
	})
	t.Run("a commit in GitHub's own name cannot be approved around", func(t *testing.T) {
		t.Parallel()
		if report, reason := judge(t, &fakeForge{commits: attributed("web-flow", "web-flow")}); report.Verdict != policy.Error || !strings.Contains(reason, "user.email") {
			t.Errorf("%s: %s", report.Verdict, reason)
		}
	})
	t.Run("a commit of nobody's account cannot be approved around", func(t *testing.T) {
		t.Parallel()
		if report, reason := judge(t, &fakeForge{commits: attributed("", "ada")}); report.Verdict != policy.Error || !strings.Contains(reason, "user.email") {
			t.Errorf("%s: %s", report.Verdict, reason)
		}
	})
}
