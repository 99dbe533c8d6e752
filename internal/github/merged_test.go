package github_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/source"
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
