package github_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// A fork has the commits of the repository that it came from, and GitHub knows
// of a commit's pull requests there as well.
func TestWhatWasMergedInAnotherRepositoryWasNotMergedHere(t *testing.T) {
	commit := strings.Repeat("a", 40)
	merged := func(n int, repo, branch, by string) string {
		return fmt.Sprintf(`{"number":%d,"merged_at":"2026-05-04T09:00:00Z","merge_commit_sha":%q,"base":{"ref":%q,"repo":{"full_name":%q}}}`, n, by, branch, repo)
	}
	for what, tc := range map[string]struct {
		pulls  []string
		called string // what GitHub says that the repository is called; empty: it is not asked
		want   int
	}{
		"here":                          {[]string{merged(1, repo, "main", commit)}, "", 1},
		"here, written otherwise":       {[]string{merged(1, "ACME/Models", "main", commit)}, "", 1},
		"in the parent alone":           {[]string{merged(7, "upstream/models", "main", commit)}, repo, 0},
		"in the parent first":           {[]string{merged(7, "upstream/models", "main", commit), merged(2, repo, "main", "other")}, repo, 2},
		"to another branch of the fork": {[]string{merged(1, repo, "next", commit)}, "", 0},
		"here, under a newer name":      {[]string{merged(1, "acme/fleet", "main", commit)}, "acme/fleet", 1},
	} {
		t.Run(what, func(t *testing.T) {
			answer := roundTrip(func(r *http.Request) *http.Response {
				body := "[" + strings.Join(tc.pulls, ",") + "]"
				if strings.HasSuffix(r.URL.Path, "/graphql") {
					body = `{"data":{"repository":{"object":{"associatedPullRequests":{"nodes":[],"pageInfo":{"hasNextPage":false}}}}}}`
				}
				if strings.HasSuffix(r.URL.Path, "/repos/"+repo) {
					if body = fmt.Sprintf(`{"full_name":%q}`, tc.called); tc.called == "" {
						t.Error("GitHub was asked for the name")
					}
				}
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body))}
			})
			c := must(github.New(github.Options{Token: "a", HTTPClient: &http.Client{Transport: answer}}))
			got, err := c.Forge(owner, name).MergedPullRequest(t.Context(), "main", source.ID(commit))
			ok(t, err)
			if (got == nil) != (tc.want == 0) || got != nil && got.Number != tc.want {
				t.Errorf("%+v, want #%d", got, tc.want)
			}
		})
	}
}

func TestANameThatCannotBeAskedForIsAnError(t *testing.T) {
	answer := roundTrip(func(r *http.Request) *http.Response {
		if strings.HasSuffix(r.URL.Path, "/repos/"+repo) {
			return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(`{"message":"no"}`))}
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(
			`[{"number":1,"merged_at":"2026-05-04T09:00:00Z","base":{"ref":"main","repo":{"full_name":"acme/other"}}}]`))}
	})
	c := must(github.New(github.Options{Token: "a", HTTPClient: &http.Client{Transport: answer}}))
	if got, err := c.Forge(owner, name).MergedPullRequest(t.Context(), "main", source.ID(strings.Repeat("a", 40))); !errors.Is(err, github.ErrForbidden) {
		t.Errorf("%+v, %v", got, err)
	}
}

// The pull request that brought a commit may be what a list lacks, and the
// commit would pass for a direct push.
func TestAListWithoutThePullRequestOfACommitIsAnError(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	forge, ctx := w.client(t).Forge(owner, name), t.Context()
	n, sha := w.open(t, "topic")
	ask := func(commit string) (*review.PullRequest, error) {
		return forge.MergedPullRequest(ctx, "main", source.ID(commit))
	}
	if got, err := ask(sha); err != nil || got != nil {
		t.Errorf("not merged: %+v, %v", got, err)
	}
	merged := must(w.lead.Merge(ctx, repo, n, "merge", sha))
	asked := len(w.Requests(http.MethodPost, "/graphql"))
	if got, err := ask(merged); err != nil || got == nil || got.Number != n {
		t.Errorf("by its own commit: %+v, %v", got, err)
	}
	if now := len(w.Requests(http.MethodPost, "/graphql")); now != asked {
		t.Error("GitHub was asked twice for what it has answered")
	}
	if got, err := ask(sha); err != nil || got == nil || got.Number != n {
		t.Errorf("by a commit of it: %+v, %v", got, err)
	}
	w.Faults(githubtest.Faults{Logins: []string{w.bot.Login}, TruncateList: 1, Truncate: []string{"/pulls"}})
	for _, commit := range []string{merged, sha} {
		if got, err := ask(commit); !errors.Is(err, github.ErrTruncated) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestAListThatLacksAnOpenPullRequestIsAnErrorAndAnIdleOneCostsNothing(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	forge, ctx := w.client(t).Forge(owner, name), t.Context()
	for _, branch := range []string{"one", "two", "three"} {
		_, _ = w.open(t, branch)
	}
	list := func(want, queries int) {
		t.Helper()
		before := len(w.Requests(http.MethodPost, "/graphql"))
		open, err := forge.OpenPullRequests(ctx, "main")
		if asked := len(w.Requests(http.MethodPost, "/graphql")) - before; err != nil || len(open) != want || asked != queries {
			t.Errorf("%d open, %d queries, %v; want %d and %d", len(open), asked, err, want, queries)
		}
	}
	list(3, 1)
	for range 3 {
		list(3, 0)
	}
	w.Faults(githubtest.Faults{Logins: []string{w.bot.Login}, TruncateList: 1, Truncate: []string{"/pulls"}})
	if open, err := forge.OpenPullRequests(ctx, "main"); !errors.Is(err, github.ErrTruncated) {
		t.Errorf("%+v, %v", open, err)
	}
	w.Faults(githubtest.Faults{})
	list(3, 0)
	ok(t, w.dev.Close(ctx, repo, 2))
	list(2, 1)
}

func TestAPullRequestThatIsOpenedBetweenListAndCountIsNoShortenedList(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	between := &meanwhile{do: func() { w.open(t, "topic") }}
	c := w.client(t, func(o *github.Options) { o.HTTPClient = &http.Client{Transport: between} })
	if open, err := c.Forge(owner, name).OpenPullRequests(t.Context(), "main"); err != nil || len(open) != 1 {
		t.Errorf("%+v, %v", open, err)
	}
}
