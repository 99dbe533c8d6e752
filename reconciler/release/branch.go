package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Content lists the governing files and manifests of a tree, and the blob of
// each. What the Git source refuses (a link, a submodule, a file over its cap)
// is listed with the object it names, so that it is never taken for absent.
func Content(tree *source.Tree) map[string]source.ID {
	out := map[string]source.ID{}
	for _, f := range tree.Files() {
		if schemas.IsPlatform(f.Path) || schemas.ClassifyPath(f.Path) == schemas.PathManifest {
			out[f.Path] = f.Blob
		}
	}
	return out
}

// Branch finds the pull requests that brought the branch from one tip to another.
type Branch struct {
	Repo *source.Repository
	// Reviewer judges merged pull requests; nil where no forge is configured,
	// and then nothing that is pushed is approved.
	Reviewer *review.Reviewer
	Name     string
}

// Merges lists the pull requests merged between two tips, oldest first, each
// with what it was approved for when it was merged. Roles are those that
// people hold now. An error means unknown: nothing may be taken over then.
func (b Branch) Merges(ctx context.Context, from, to source.ID) ([]Merge, error) {
	if b.Reviewer == nil || from == to {
		return nil, nil
	}
	commits, err := b.log(ctx, from, to)
	if err != nil {
		return nil, err
	}
	var merges []Merge
	for i := 0; i < len(commits); {
		pr, err := b.Reviewer.Forge.MergedPullRequest(ctx, b.Name, commits[i].ID)
		if err != nil {
			return nil, fmt.Errorf("find the pull request of %s: %w", commits[i].ID.Short(), err)
		}
		if pr == nil {
			i++ // a direct push: its content is approved by nothing
			continue
		}
		last, err := b.lastOf(ctx, commits, i, pr.Number)
		if err != nil {
			return nil, err
		}
		base := commits[i].Parents[0]
		report, err := b.Reviewer.Judge(ctx, *pr, base, pr.MergedAt)
		if err != nil {
			return nil, fmt.Errorf("judge the merged #%d: %w", pr.Number, err)
		}
		merges = append(merges, Merge{PullRequest: *pr, Commit: commits[last].ID, Report: report})
		i = last + 1
	}
	return merges, nil
}

// lastOf is the index of the last commit in a row that belongs to the same pull
// request: a rebase merge puts several on the branch.
func (b Branch) lastOf(ctx context.Context, commits []source.Commit, first, number int) (int, error) {
	last := first
	for last+1 < len(commits) {
		pr, err := b.Reviewer.Forge.MergedPullRequest(ctx, b.Name, commits[last+1].ID)
		if err != nil {
			return 0, fmt.Errorf("find the pull request of %s: %w", commits[last+1].ID.Short(), err)
		}
		if pr == nil || pr.Number != number {
			break
		}
		last++
	}
	return last, nil
}

// log lists the commits that are new on the branch, oldest first. After a
// forced push they are those since the histories parted.
func (b Branch) log(ctx context.Context, from, to source.ID) ([]source.Commit, error) {
	commits, err := b.Repo.Log(ctx, from, to)
	if errors.Is(err, source.ErrNotAncestor) {
		var base source.ID
		if base, err = b.Repo.MergeBase(ctx, from, to); err == nil {
			commits, err = b.Repo.Log(ctx, base, to)
		}
	}
	if errors.Is(err, source.ErrNoMergeBase) || errors.Is(err, source.ErrMergeBases) || errors.Is(err, source.ErrRevision) {
		// A history of its own, or one whose start is gone: no merge leads here.
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the commits from %s to %s: %w", from.Short(), to.Short(), err)
	}
	return commits, nil
}
