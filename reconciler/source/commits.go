package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// MaxCommits is how many of a pull request's own commits are listed. GitHub
// lists no more either.
const MaxCommits = 250

// CommitList is the commits of a branch.
type CommitList struct {
	Commits []Commit // newest first
	// Truncated: there are more than MaxCommits. Who wrote the rest is unknown,
	// so whoever decides by authorship must refuse.
	Truncated bool
}

// Commits returns the commits that are reachable from head and not from base:
// the pull request's own. Merges of the base into the branch are left out, for
// who brings a branch up to date has written nothing of it; such a merge that
// also changes the known folders by itself is listed, for that content has no
// other author.
//
// Errors: ErrRevision, ErrShallow, ErrMissing, ErrCorrupt.
func (r *Repository) Commits(ctx context.Context, base, head ID) (CommitList, error) {
	var list CommitList
	w, err := r.walk(ctx, base.hash(), head.hash())
	if err == nil {
		err = w.settle(ctx)
	}
	if err != nil {
		return list, fmt.Errorf("listing the commits of %s that %s lacks: %w", head.Short(), base.Short(), err)
	}
	listed := map[plumbing.Hash]bool{}
	for _, v := range w.popped {
		if !v.only(fromTwo) || listed[v.id] {
			continue
		}
		listed[v.id] = true
		update, err := w.updatesOnly(ctx, v)
		if err != nil {
			return list, err
		}
		if update {
			continue
		}
		if len(list.Commits) == MaxCommits {
			list.Truncated = true
			return list, nil
		}
		list.Commits = append(list.Commits, v.public())
	}
	return list, nil
}

// updatesOnly reports whether a commit merges the first tip's history into the
// branch and adds nothing to it.
func (w *walk) updatesOnly(ctx context.Context, v *visit) (bool, error) {
	if len(v.parents) != 2 || w.seen[v.parents[1]].marks&fromOne == 0 {
		return false, nil
	}
	clean, err := w.repo.cleanMerge(ctx, v.commit)
	var refused *Refused
	if errors.As(err, &refused) || errors.Is(err, ErrTreeTooLarge) {
		return false, nil // nothing can be said for such a merge, so it is listed
	}
	return clean, err
}

// cleanMerge reports whether, file by file, a merge of two parents takes the
// side that changed since they parted. A file that both sides changed counts as
// the merger's work, even if Git merged its lines without a conflict: to know
// better would take merging them again.
func (r *Repository) cleanMerge(ctx context.Context, c *commit) (bool, error) {
	bases, err := r.mergeBases(ctx, c.parents[0], c.parents[1])
	if err != nil || len(bases) != 1 {
		return false, err
	}
	ids := []plumbing.Hash{bases[0], c.parents[0], c.parents[1], c.id}
	var roots [4]*node
	for i, id := range ids {
		if roots[i], err = r.rootOf(idOf(id)); err != nil {
			return false, err
		}
	}
	theirs, err := r.deltas(ctx, roots[0], roots[2])
	if err != nil {
		return false, err
	}
	taken, err := r.deltas(ctx, roots[1], roots[3])
	if err != nil {
		return false, err
	}
	// The merge must do to the branch exactly what the other side did to the
	// common ancestor, but for what the branch had done already.
	ours, err := r.deltas(ctx, roots[0], roots[1])
	if err != nil {
		return false, err
	}
	for path, did := range theirs {
		if had, ok := ours[path]; ok && had.after.same(did.after) {
			delete(theirs, path)
		}
	}
	return sameDeltas(theirs, taken), nil
}

func (r *Repository) deltas(ctx context.Context, before, after *node) (map[string]delta, error) {
	c := comparer{ctx: ctx, repo: r}
	if err := c.folders(place{}, nil, before, after); err != nil {
		return nil, err
	}
	byPath := make(map[string]delta, len(c.deltas))
	for _, d := range c.deltas {
		byPath[d.at.path] = d
	}
	return byPath, nil
}

func sameDeltas(a, b map[string]delta) bool {
	if len(a) != len(b) {
		return false
	}
	for path, d := range a {
		other, ok := b[path]
		if !ok || !d.before.same(other.before) || !d.after.same(other.after) {
			return false
		}
	}
	return true
}

// Log returns the commits by which a branch went from one tip to the next:
// those along to's first parents that are not reachable from from, oldest first.
//
// Errors: ErrNotAncestor if history was rewritten, ErrRevision, ErrShallow,
// ErrMissing, ErrCorrupt.
func (r *Repository) Log(ctx context.Context, from, to ID) ([]Commit, error) {
	w, err := r.walk(ctx, from.hash(), to.hash())
	if err == nil {
		err = w.settle(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the commits from %s to %s: %w", from.Short(), to.Short(), err)
	}
	if w.seen[from.hash()].marks&fromTwo == 0 {
		return nil, fmt.Errorf("%w: %s of %s", ErrNotAncestor, from, to)
	}
	var log []Commit
	for v := w.seen[to.hash()]; v != nil && v.only(fromTwo); {
		log = append(log, v.public())
		if len(v.parents) == 0 {
			break
		}
		v = w.seen[v.parents[0]]
	}
	slices.Reverse(log)
	return log, nil
}
