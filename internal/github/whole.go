package github

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/mlops-platform/mooring/reconciler/source"
)

// GitHub shortens a list without saying so, as from a replica that lags behind. What follows notices it of the
// lists that belong to a repository. It costs nothing while nothing changes: a list that was whole is not counted
// again while it is the same.

// wholeList is the list of open pull requests that was last found to be whole.
type wholeList struct {
	mu      sync.Mutex
	numbers []int
	known   bool
}

func (w *wholeList) is(numbers []int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known && slices.Equal(w.numbers, numbers)
}

func (w *wholeList) set(numbers []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.numbers, w.known = numbers, true
}

// openPulls lists the open pull requests, all that GitHub counts. One that is opened between list and count makes
// the list short as well, so a short list is asked for once more.
func (f *Forge) openPulls(ctx context.Context) ([]PullRequest, error) {
	op := fmt.Sprintf("list the open pull requests of %s/%s", f.owner, f.repo)
	var short error
	for range 2 {
		all, err := f.client.PullRequests(ctx, f.owner, f.repo)
		if err != nil {
			return nil, err
		}
		numbers := make([]int, 0, len(all))
		for _, pr := range all {
			numbers = append(numbers, pr.Number)
		}
		if f.whole.is(numbers) {
			return all, nil
		}
		count, err := f.client.openCount(ctx, f.owner, f.repo, op)
		if err != nil {
			return nil, err
		}
		if short = shortened(op, len(all), count); short == nil {
			f.whole.set(numbers)
			return all, nil
		}
	}
	return nil, short
}

const openQuery = `query($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { pullRequests(states: [OPEN]) { totalCount } }
}`

func (c *Client) openCount(ctx context.Context, owner, repo, op string) (int, error) {
	var data struct {
		Repository *struct {
			PullRequests *struct{ TotalCount *int }
		}
	}
	if err := c.query(ctx, op, openQuery, map[string]any{"owner": owner, "name": repo}, &data); err != nil {
		return 0, err
	}
	if r := data.Repository; r == nil || r.PullRequests == nil || r.PullRequests.TotalCount == nil {
		return 0, &Error{Op: op, Kind: ErrUnreachable, Detail: "GitHub does not say how many there are"}
	}
	return *data.Repository.PullRequests.TotalCount, nil
}

// maxMerges is how many pull requests of a commit are asked for; GitHub gives no more at once.
const maxMerges = 100

const mergesQuery = `query($owner: String!, $name: String!, $commit: GitObjectID!, $first: Int!) {
  repository(owner: $owner, name: $name) {
    object(oid: $commit) {
      ... on Commit {
        associatedPullRequests(first: $first) {
          nodes { number merged baseRefName baseRepository { nameWithOwner } }
          pageInfo { hasNextPage }
        }
      }
    }
  }
}`

type commitPulls struct {
	AssociatedPullRequests *struct {
		Nodes []*struct {
			Number         int
			Merged         bool
			BaseRefName    string
			BaseRepository *struct{ NameWithOwner string }
		}
		PageInfo struct{ HasNextPage bool }
	}
}

// holdsMerges refuses a list of a commit's pull requests that lacks one of which GitHub says elsewhere that it was
// merged into the branch. The numbers alone are compared, not how many: which of the others belong to a commit,
// GitHub's two answers do not agree upon.
func (f *Forge) holdsMerges(ctx context.Context, branch string, commit source.ID, listed map[int]bool) error {
	op := fmt.Sprintf("list the pull requests of the commit %s in %s/%s", commit, f.owner, f.repo)
	var data struct {
		Repository *struct{ Object *commitPulls }
	}
	variables := map[string]any{"owner": f.owner, "name": f.repo, "commit": commit.String(), "first": maxMerges}
	if err := f.client.query(ctx, op, mergesQuery, variables, &data); err != nil {
		return err
	}
	if data.Repository == nil || data.Repository.Object == nil || data.Repository.Object.AssociatedPullRequests == nil {
		return &Error{Op: op, Kind: ErrNotFound, Detail: "the commit's pull requests"}
	}
	pulls := data.Repository.Object.AssociatedPullRequests
	for _, pr := range pulls.Nodes {
		if pr == nil || !pr.Merged || pr.BaseRefName != branch || pr.BaseRepository == nil || listed[pr.Number] {
			continue
		}
		here, err := f.isHere(ctx, pr.BaseRepository.NameWithOwner)
		if err != nil {
			return err
		}
		if here {
			return &Error{Op: op, Kind: ErrTruncated, Detail: fmt.Sprintf("it lacks #%d", pr.Number)}
		}
	}
	if pulls.PageInfo.HasNextPage {
		return &Error{Op: op, Kind: ErrTruncated, Detail: fmt.Sprintf("there are more than %d", maxMerges)}
	}
	return nil
}
