package release

import (
	"context"
	"fmt"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Rules are the governing files of a ledger and what stands approved of each.
func (l Ledger) Rules() map[string]schemas.ApprovedFile {
	rules := map[string]schemas.ApprovedFile{}
	for path, a := range l.Approved {
		if schemas.IsPlatform(path) {
			rules[path] = a
		}
	}
	return rules
}

// follow takes over the governing files that a merge was approved for: the
// merges after it are judged by them.
func (b Branch) follow(m *Merge) {
	if b.Approved == nil {
		return
	}
	for path, f := range m.Files {
		switch {
		case f.Approved == nil || !schemas.IsPlatform(path):
		case f.Blob.IsZero():
			delete(b.Approved, path)
		default:
			b.Approved[path] = *f.Approved
		}
	}
}

// refuse refuses a merge whose base held governing files that were not
// approved: whoever can push past the gate must not write the rules by which
// the next pull request passes it. While an earlier merge is not judged yet,
// such a file may be that merge's, and this one waits.
func (b Branch) refuse(ctx context.Context, m *Merge) (refused bool, err error) {
	tree, err := b.Repo.Tree(ctx, m.Base)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", m.Base.Short(), err)
	}
	rules, err := b.rulesAt(ctx, tree)
	if err != nil {
		return false, err
	}
	path := review.UnapprovedRule(tree, rules)
	if path == "" {
		return false, nil
	}
	reason := fmt.Sprintf("pull request #%d was merged while %s on the branch was not approved", m.PullRequest, path)
	if b.waiting {
		m.Unknown = reason
		return true, nil
	}
	for path, f := range m.Files {
		f.Refusal = reason
		m.Files[path] = f
	}
	return true, nil
}

// rulesAt is the content of the governing files that was approved where a tree
// stood on the branch. The ledger may be ahead of that: then what a later
// approval replaced is what stood before it.
func (b Branch) rulesAt(ctx context.Context, tree *source.Tree) (map[string]source.ID, error) {
	if b.Approved == nil {
		return nil, nil
	}
	rules := make(map[string]source.ID, len(b.Approved))
	for path, a := range b.Approved {
		rules[path] = source.ID(a.Blob)
		here := tree.File(path).Blob
		if here == source.ID(a.Blob) || here != source.ID(a.Before) || a.PullRequest == 0 {
			continue
		}
		since, err := b.Repo.IsAncestor(ctx, source.ID(a.Commit), tree.Commit())
		if err != nil {
			return nil, fmt.Errorf("place the approval of %s: %w", path, err)
		}
		switch {
		case since:
		case here.IsZero():
			delete(rules, path)
		default:
			rules[path] = here
		}
	}
	return rules, nil
}
