package review

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// contents is what a change looked like when someone reviewed it: the two
// trees between which it stood.
type contents struct{ before, after *source.Tree }

// Fetcher brings commits that are not in the repository at hand. Only what a
// reference leads to is there by itself, and of that what was there when somebody
// looked; an approval of a head that was pushed away must not hang on that.
type Fetcher interface {
	// FetchCommits returns those that are nowhere to be had. An error means
	// "unknown", never "gone". What is at hand is not asked for.
	FetchCommits(ctx context.Context, commits ...source.ID) (missing []source.ID, err error)
}

// reviewedContents reads the trees of every commit that was reviewed. A commit
// that is gone, or that shares no single merge base with the base, is left out:
// its reviews do not count.
func (e *evaluation) reviewedContents(ctx context.Context, in approval.Input) (map[string]contents, error) {
	there, err := e.fetchApproved(ctx, in)
	if err != nil {
		return nil, err
	}
	out := map[string]contents{}
	for _, r := range in.Reviews {
		if _, done := out[r.CommitID]; done {
			continue
		}
		c, err := e.contentsAt(ctx, r.CommitID)
		switch {
		case err == nil:
			out[r.CommitID] = c
		case gone(err) && !(there[r.CommitID] && errors.Is(err, source.ErrRevision)):
		default:
			return nil, fmt.Errorf("read the reviewed commit %s: %w", r.CommitID, err)
		}
	}
	return out, nil
}

// fetchApproved has the commits brought whose approval can count, and returns
// those that are at hand since.
func (e *evaluation) fetchApproved(ctx context.Context, in approval.Input) (map[string]bool, error) {
	if e.Fetcher == nil {
		return nil, nil
	}
	approvals, err := approval.Approvals(in)
	if err != nil {
		return nil, nil // nothing counts, and the judgement of each change says why
	}
	ids := map[string]source.ID{}
	for _, r := range approvals {
		if id, err := source.ParseID(r.CommitID); err == nil && id != e.Head {
			ids[r.CommitID] = id
		}
	}
	missing, err := e.Fetcher.FetchCommits(ctx, slices.Sorted(maps.Values(ids))...)
	if err != nil {
		return nil, fmt.Errorf("have the approved commits brought: %w", err)
	}
	there := map[string]bool{}
	for commit, id := range ids {
		there[commit] = !slices.Contains(missing, id)
	}
	return there, nil
}

func gone(err error) bool {
	refused := (*source.Refused)(nil)
	return errors.Is(err, source.ErrRevision) || errors.Is(err, source.ErrNoMergeBase) ||
		errors.Is(err, source.ErrMergeBases) || errors.Is(err, source.ErrTreeTooLarge) || errors.As(err, &refused)
}

func (e *evaluation) contentsAt(ctx context.Context, commit string) (contents, error) {
	id, err := source.ParseID(commit)
	if err != nil {
		return contents{}, fmt.Errorf("%w: %s", source.ErrRevision, commit)
	}
	base, err := e.fork(ctx, e.Base, id)
	if err != nil {
		return contents{}, err
	}
	before, err := e.tree(ctx, base)
	if err != nil {
		return contents{}, err
	}
	after, err := e.tree(ctx, id)
	return contents{before, after}, err
}

// digestsAt is the change's digest at each reviewed commit. Where both contents
// are those of the head it is the digest of the head, since the level follows
// from them; otherwise it is another one, whatever its level.
func (e *evaluation) digestsAt(c *Change, atCommit map[string]contents) map[string]string {
	out := make(map[string]string, len(atCommit))
	for commit, at := range atCommit {
		if same(at.before.File(c.Path), c.file.Before) && same(at.after.File(c.Path), c.file.After) {
			out[commit] = c.Digest
		} else {
			out[commit] = "another"
		}
	}
	return out
}

// same compares what two trees hold at one path. A link and a file may have the
// same bytes, but only one of them is read.
func same(a, b source.File) bool {
	return a.Exists() == b.Exists() && a.Blob == b.Blob && (a.Refused == nil) == (b.Refused == nil)
}
