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

// follow takes over what a merge was approved for: the merges after it are
// judged by that.
func (b Branch) follow(m *Merge) {
	if b.Approved == nil {
		return
	}
	next := Ledger{Approved: b.Approved}
	for path, f := range m.Files {
		if f.Approved != nil && !sameApproval(*f.Approved, b.Approved[path]) && supersedes(*f.Approved, b.Approved[path]) {
			next.approve(*f.Approved)
		}
	}
}

// standingAt is Ledger.Standing where a commit stood on the branch. Where the
// ledger is ahead of that, what an approval of later replaced stood then.
func (b Branch) standingAt(ctx context.Context, commit source.ID) (map[string]source.ID, error) {
	if b.Approved == nil {
		return nil, nil
	}
	tree, err := b.Repo.Tree(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", commit.Short(), err)
	}
	standing := Ledger{Approved: b.Approved}.Standing(Content(tree))
	for path := range standing {
		if b.Serves != nil && !b.Serves(path) {
			delete(standing, path)
			continue
		}
		a := b.Approved[path]
		if !b.ahead(a) {
			continue
		}
		standing[path] = source.ID(a.Replaced)
		if standing[path] == tree.File(path).Blob {
			delete(standing, path)
		}
	}
	return standing, nil
}

// ahead reports whether an approval in the ledger came by the step that is looked
// at, or by one after it: the process before was killed between taking it over
// and moving on. What the branch does not hold any more is never ahead.
func (b Branch) ahead(a schemas.ApprovedFile) bool {
	place, listed := b.order[source.ID(a.Commit)]
	return listed && a.PullRequest != 0 && place >= b.at
}

// refuse refuses a merge whose base held governing files that were not
// approved: whoever can push past the gate must not write the rules by which
// the next pull request passes it. While an earlier merge is not judged yet,
// such a file may be that merge's, and this one waits.
func (b Branch) refuse(ctx context.Context, m *Merge) (refused bool, err error) {
	tree, err := b.Repo.Tree(ctx, m.Base)
	if Unreadable(err) {
		m.refuse(fmt.Sprintf("pull request #%d was merged into a branch that could not be read: %v", m.PullRequest, err))
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", m.Base.Short(), err)
	}
	path := review.UnapprovedRule(tree, b.rulesAt(tree))
	if path == "" {
		return false, nil
	}
	reason := fmt.Sprintf("pull request #%d was merged while %s on the branch was not approved", m.PullRequest, path)
	if b.waiting {
		m.Unknown = reason
		return true, nil
	}
	m.refuse(reason)
	return true, nil
}

// refuse gives nothing of a merge an approval.
func (m *Merge) refuse(reason string) {
	for path, f := range m.Files {
		f.Refusal = reason
		m.Files[path] = f
	}
}

// rulesAt is the content of the governing files that was approved where a tree
// stood on the branch. The ledger may be ahead of that: then what a later
// approval replaced is what stood before it.
func (b Branch) rulesAt(tree *source.Tree) map[string]source.ID {
	if b.Approved == nil {
		return nil
	}
	rules := map[string]source.ID{}
	for path, a := range (Ledger{Approved: b.Approved}).Rules() {
		rules[path] = source.ID(a.Blob)
		here := tree.File(path).Blob
		switch {
		case here == source.ID(a.Blob) || here != source.ID(a.Before) || !b.ahead(a):
		case here.IsZero():
			delete(rules, path)
		default:
			rules[path] = here
		}
	}
	return rules
}
