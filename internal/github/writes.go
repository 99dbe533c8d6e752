package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	gh "github.com/google/go-github/v60/github"
)

// GitHub's limits, in characters.
const (
	MaxDescription = 140
	MaxContext     = 255
	MaxBody        = 65536
)

// Status is a commit status.
type Status struct {
	SHA         string
	Context     string // at most MaxContext
	State       string // error, failure, pending or success
	Description string // cut at MaxDescription
	TargetURL   string // optional
}

// SetStatus writes a status unless the latest one of its context says the same; it reports whether it wrote.
func (c *Client) SetStatus(ctx context.Context, owner, repo string, s Status) (bool, error) {
	const op = "set the status %s on %s/%s@%s"
	if s.Context == "" || utf8.RuneCountInString(s.Context) > MaxContext {
		return false, invalid("a context has 1 to 255 characters", op, s.Context, owner, repo, s.SHA)
	}
	s.Description = Shorten(s.Description, MaxDescription)
	latest, err := c.latestStatus(ctx, owner, repo, s.SHA, s.Context)
	if err != nil {
		return false, wrap(ctx, err, op, s.Context, owner, repo, s.SHA)
	}
	if latest != nil && latest.GetState() == s.State && latest.GetDescription() == s.Description && latest.GetTargetURL() == s.TargetURL {
		return false, nil
	}
	in := &gh.RepoStatus{State: &s.State, Context: &s.Context, Description: &s.Description}
	if s.TargetURL != "" {
		in.TargetURL = &s.TargetURL
	}
	if _, _, err := c.api.Repositories.CreateStatus(ctx, owner, repo, s.SHA, in); err != nil {
		return false, wrap(ctx, err, op, s.Context, owner, repo, s.SHA)
	}
	return true, nil
}

// latestStatus reads the combined status, which has the latest of each context; nil when there is none.
func (c *Client) latestStatus(ctx context.Context, owner, repo, sha, name string) (*gh.RepoStatus, error) {
	total := 0
	list, err := all(ctx, 0, func(ctx context.Context, page gh.ListOptions) ([]*gh.RepoStatus, *gh.Response, error) {
		combined, resp, err := c.api.Repositories.GetCombinedStatus(ctx, owner, repo, sha, &page)
		if err != nil {
			return nil, resp, err
		}
		total = combined.GetTotalCount()
		return combined.Statuses, resp, nil
	})
	if err != nil {
		return nil, err
	}
	if err := shortened(fmt.Sprintf("read the statuses of %s/%s@%s", owner, repo, sha), len(list), total); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(s *gh.RepoStatus) bool { return s.GetContext() == name })
	if at < 0 {
		return nil, nil
	}
	return list[at], nil
}

// Shorten puts a text on one line and cuts it at a number of characters, with an ellipsis as the last one.
func Shorten(text string, limit int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:limit-1]), " ") + "…"
}

// Merge merges the pull request if its head is still sha, by method merge, squash or rebase, and gives the
// new commit. ErrConflict means that the head has moved, ErrNotMergeable that GitHub will not.
func (c *Client) Merge(ctx context.Context, owner, repo string, number int, sha, method string) (string, error) {
	const op = "merge %s/%s#%d at %s"
	if sha == "" {
		return "", invalid("a merge must pin the head", op, owner, repo, number, sha)
	}
	opts := &gh.PullRequestOptions{SHA: sha, MergeMethod: method}
	result, _, err := c.api.PullRequests.Merge(ctx, owner, repo, number, "", opts)
	if err != nil {
		return "", wrap(ctx, err, op, owner, repo, number, sha)
	}
	if !result.GetMerged() {
		return "", wrap(ctx, errors.New(result.GetMessage()), op, owner, repo, number, sha)
	}
	return result.GetSHA(), nil
}
