package github

import (
	"context"
	"errors"

	gh "github.com/google/go-github/v60/github"
)

// Where GitHub's lists end.
const (
	maxFiles   = 3000
	maxCommits = 250
)

// PullRequests lists the open pull requests, oldest first.
func (c *Client) PullRequests(ctx context.Context, owner, repo string) ([]PullRequest, error) {
	// By creation and ascending, so that what opens meanwhile lands behind the pages already read.
	opts := &gh.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc"}
	list, err := all(ctx, 0, func(ctx context.Context, page gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		opts.ListOptions = page
		return c.api.PullRequests.List(ctx, owner, repo, opts)
	})
	if err != nil {
		return nil, wrap(ctx, err, "list the open pull requests of %s/%s", owner, repo)
	}
	return distinct(list), nil
}

// distinct drops what two pages both show because something was closed in between.
func distinct(list []*gh.PullRequest) []PullRequest {
	out := make([]PullRequest, 0, len(list))
	seen := map[int]bool{}
	for _, p := range list {
		if !seen[p.GetNumber()] {
			seen[p.GetNumber()] = true
			out = append(out, pullRequestOf(p))
		}
	}
	return out
}

// PullRequest reads one, open or closed.
func (c *Client) PullRequest(ctx context.Context, owner, repo string, number int) (PullRequest, error) {
	p, _, err := c.api.PullRequests.Get(ctx, owner, repo, number)
	if err != nil {
		return PullRequest{}, wrap(ctx, err, "read the pull request %s/%s#%d", owner, repo, number)
	}
	return pullRequestOf(p), nil
}

// Reviews lists all reviews in GitHub's order, the earliest first.
func (c *Client) Reviews(ctx context.Context, owner, repo string, number int) ([]Review, error) {
	list, err := all(ctx, 0, func(ctx context.Context, page gh.ListOptions) ([]*gh.PullRequestReview, *gh.Response, error) {
		return c.api.PullRequests.ListReviews(ctx, owner, repo, number, &page)
	})
	if err != nil {
		return nil, wrap(ctx, err, "list the reviews of %s/%s#%d", owner, repo, number)
	}
	out := make([]Review, 0, len(list))
	for _, r := range list {
		out = append(out, Review{
			ID: r.GetID(), NodeID: r.GetNodeID(), User: accountOf(r.GetUser()), State: r.GetState(), CommitID: r.GetCommitID(),
			SubmittedAt: r.GetSubmittedAt().Time, Body: r.GetBody(), URL: r.GetHTMLURL(),
		})
	}
	return out, nil
}

// Files lists the changed files. At GitHub's cap it gives what there is, Truncated, and ErrTruncated.
func (c *Client) Files(ctx context.Context, owner, repo string, number int) (FileList, error) {
	list, err := all(ctx, maxFiles, func(ctx context.Context, page gh.ListOptions) ([]*gh.CommitFile, *gh.Response, error) {
		return c.api.PullRequests.ListFiles(ctx, owner, repo, number, &page)
	})
	out := FileList{Truncated: errors.Is(err, ErrTruncated)}
	for _, f := range list {
		out.Files = append(out.Files, File{
			Path: f.GetFilename(), PreviousPath: f.GetPreviousFilename(), Status: f.GetStatus(), BlobSHA: f.GetSHA(),
		})
	}
	if err != nil {
		err = wrap(ctx, err, "list the files of %s/%s#%d", owner, repo, number)
	}
	return out, err
}

// Commits lists the commits, oldest first. At GitHub's cap it gives what there is, Truncated, and ErrTruncated.
func (c *Client) Commits(ctx context.Context, owner, repo string, number int) (CommitList, error) {
	list, err := all(ctx, maxCommits, func(ctx context.Context, page gh.ListOptions) ([]*gh.RepositoryCommit, *gh.Response, error) {
		return c.api.PullRequests.ListCommits(ctx, owner, repo, number, &page)
	})
	out := CommitList{Truncated: errors.Is(err, ErrTruncated)}
	for _, g := range list {
		out.Commits = append(out.Commits, commitOf(g))
	}
	if err != nil {
		err = wrap(ctx, err, "list the commits of %s/%s#%d", owner, repo, number)
	}
	return out, err
}

// TeamMembers lists the members of a team and its child teams. ErrNotFound means that the team is missing
// or that the credentials may not see it: never an empty team.
func (c *Client) TeamMembers(ctx context.Context, org, slug string) ([]Account, error) {
	opts := &gh.TeamListTeamMembersOptions{Role: "all"}
	list, err := all(ctx, 0, func(ctx context.Context, page gh.ListOptions) ([]*gh.User, *gh.Response, error) {
		opts.ListOptions = page
		return c.api.Teams.ListTeamMembersBySlug(ctx, org, slug, opts)
	})
	if err != nil {
		return nil, wrap(ctx, err, "list the members of the team %s/%s", org, slug)
	}
	out := make([]Account, 0, len(list))
	for _, u := range list {
		out = append(out, accountOf(u))
	}
	return out, nil
}

// PullRequestsForCommit lists the pull requests that brought a commit, or contain it.
func (c *Client) PullRequestsForCommit(ctx context.Context, owner, repo, sha string) ([]PullRequest, error) {
	list, err := all(ctx, 0, func(ctx context.Context, page gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.api.PullRequests.ListPullRequestsWithCommit(ctx, owner, repo, sha, &page)
	})
	if err != nil {
		return nil, wrap(ctx, err, "list the pull requests of the commit %s in %s/%s", sha, owner, repo)
	}
	return distinct(list), nil
}
