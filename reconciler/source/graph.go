package source

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// isType reports that an object is of another type than asked for.
func isType(err error) bool { return errors.Is(err, errType) }

// side is a set of marks on a commit met by a walk.
type side uint8

const (
	fromOne side = 1 << iota // reachable from the first tip
	fromTwo                  // reachable from the second tip
	stale                    // an ancestor of a common ancestor
	common                   // a candidate for best common ancestor
)

// visit is what a walk knows of one commit.
type visit struct {
	*commit
	marks  side
	queued int // times it is in the queue
}

func (v *visit) only(s side) bool { return v.marks&(fromOne|fromTwo) == s }

// walk visits history from two tips at once, newest commit first, until all
// that is left to visit is known to be common. It is Git's
// paint_down_to_common, https://github.com/git/git/blob/v2.54.0/commit-reach.c:
// a question about the last few commits reads those few, not the history.
//
// Dates only steer the order. A commit whose marks change is visited again, so
// clocks that are wrong, or lie, cost time but change no answer; the exception
// is documented at settle.
type walk struct {
	repo   *Repository
	seen   map[plumbing.Hash]*visit
	queue  visitQueue
	live   int // commits queued that are not stale
	popped []*visit
}

func (r *Repository) walk(ctx context.Context, one, two plumbing.Hash) (*walk, error) {
	for _, tip := range []plumbing.Hash{one, two} {
		if _, err := r.given(tip); err != nil {
			return nil, err
		}
	}
	w := &walk{repo: r, seen: map[plumbing.Hash]*visit{}}
	if err := w.mark(one, fromOne); err != nil {
		return nil, err
	}
	if err := w.mark(two, fromTwo); err != nil {
		return nil, err
	}
	for w.live > 0 {
		if err := w.visitNext(ctx); err != nil {
			return nil, err
		}
	}
	return w, w.checkCut()
}

// mark adds marks to a commit and queues it if they are new.
func (w *walk) mark(id plumbing.Hash, marks side) error {
	v := w.seen[id]
	if v == nil {
		c, err := w.repo.mustCommit(id)
		if err != nil {
			return err
		}
		v = &visit{commit: c}
		w.seen[id] = v
	}
	if v.marks&marks == marks {
		return nil
	}
	wasLive := v.queued > 0 && v.marks&stale == 0
	v.marks |= marks
	v.queued++
	heap.Push(&w.queue, v)
	w.countLive(wasLive, v.marks&stale == 0)
	return nil
}

func (w *walk) countLive(before, after bool) {
	switch {
	case before && !after:
		w.live--
	case !before && after:
		w.live++
	}
}

func (w *walk) visitNext(ctx context.Context) error {
	if len(w.popped)%64 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	v := heap.Pop(&w.queue).(*visit)
	v.queued--
	if v.queued == 0 && v.marks&stale == 0 {
		w.live--
	}
	w.popped = append(w.popped, v)
	marks := v.marks & (fromOne | fromTwo | stale)
	if marks == fromOne|fromTwo {
		v.marks |= common
		marks |= stale
	}
	if v.cut {
		return nil
	}
	for _, parent := range v.parents {
		if err := w.mark(parent, marks); err != nil {
			return err
		}
	}
	return nil
}

// checkCut refuses an answer that hangs on history which a shallow clone lacks:
// behind a commit that only one tip reaches there may be more common ancestors.
func (w *walk) checkCut() error {
	for _, v := range w.popped {
		if v.marks&(stale|common) == 0 {
			if err := v.checkCut(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bounds of settle: how many commits it visits at all, and how many of those
// may be older than every commit it could concern.
const (
	maxSettle = 10_000
	slop      = 64
)

// settle continues the walk so that commits which only the second tip seems to
// reach are tried against the common history of the same age, and a little
// beyond. Only where dates contradict ancestry over a longer stretch can a
// commit of the common history still be counted to the second tip. Too many
// commits is the safe side: their authors may not approve, and no author is
// forgotten, for a mark is only ever set on what is truly reachable.
func (w *walk) settle(ctx context.Context) error {
	oldest, any := int64(0), false
	for _, v := range w.popped {
		if v.only(fromTwo) && (!any || v.seconds < oldest) {
			oldest, any = v.seconds, true
		}
	}
	for n, beyond := 0, 0; any && n < maxSettle && beyond < slop && len(w.queue) > 0; n++ {
		if w.queue[0].seconds < oldest {
			beyond++
		}
		if err := w.visitNext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// visitQueue is a heap, newest commit first.
type visitQueue []*visit

func (q visitQueue) Len() int      { return len(q) }
func (q visitQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *visitQueue) Push(x any)   { *q = append(*q, x.(*visit)) }
func (q *visitQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
func (q visitQueue) Less(i, j int) bool {
	if q[i].seconds != q[j].seconds {
		return q[i].seconds > q[j].seconds
	}
	return cmp.Compare(q[i].id.String(), q[j].id.String()) < 0
}

// MergeBase returns the best common ancestor of two commits. Errors:
// ErrNoMergeBase, ErrMergeBases if there are several, ErrShallow.
func (r *Repository) MergeBase(ctx context.Context, a, b ID) (ID, error) {
	base, err := r.mergeBase(ctx, a.hash(), b.hash())
	return idOf(base), err
}

func (r *Repository) mergeBase(ctx context.Context, a, b plumbing.Hash) (plumbing.Hash, error) {
	best, err := r.mergeBases(ctx, a, b)
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("finding the merge base of %s and %s: %w", a, b, err)
	}
	switch len(best) {
	case 0:
		return plumbing.ZeroHash, fmt.Errorf("%w: %s and %s", ErrNoMergeBase, a, b)
	case 1:
		return best[0], nil
	}
	names := make([]string, len(best))
	for i, id := range best {
		names[i] = id.String()
	}
	return plumbing.ZeroHash, fmt.Errorf("%w of %s and %s: %s", ErrMergeBases, a, b, strings.Join(names, ", "))
}

func (r *Repository) mergeBases(ctx context.Context, a, b plumbing.Hash) ([]plumbing.Hash, error) {
	w, err := r.walk(ctx, a, b)
	if err != nil {
		return nil, err
	}
	var candidates []plumbing.Hash
	for _, v := range w.popped {
		if v.marks&(common|stale) == common && !slices.Contains(candidates, v.id) {
			candidates = append(candidates, v.id)
		}
	}
	return r.independent(ctx, candidates)
}

// maxCandidates bounds the pairs that independent compares: dates can be forged
// so that a long history yields candidates without end. More of them are
// reported as several merge bases, which nobody acts upon.
const maxCandidates = 32

// independent drops candidates that are ancestors of other candidates. The walk
// leaves such ones only where dates contradict ancestry.
func (r *Repository) independent(ctx context.Context, candidates []plumbing.Hash) ([]plumbing.Hash, error) {
	if len(candidates) > maxCandidates {
		return candidates, nil
	}
	var best []plumbing.Hash
	for _, id := range candidates {
		redundant := false
		for _, other := range candidates {
			if id == other || redundant {
				continue
			}
			var err error
			if redundant, err = r.isAncestor(ctx, id, other); err != nil {
				return nil, err
			}
		}
		if !redundant {
			best = append(best, id)
		}
	}
	return best, nil
}

// IsAncestor reports whether descendant's history contains ancestor; a commit
// is its own ancestor. Errors: ErrRevision, ErrShallow, ErrMissing, ErrCorrupt.
func (r *Repository) IsAncestor(ctx context.Context, ancestor, descendant ID) (bool, error) {
	ok, err := r.isAncestor(ctx, ancestor.hash(), descendant.hash())
	if err != nil {
		return false, fmt.Errorf("whether %s is an ancestor of %s: %w", ancestor, descendant, err)
	}
	return ok, nil
}

func (r *Repository) isAncestor(ctx context.Context, ancestor, descendant plumbing.Hash) (bool, error) {
	w, err := r.walk(ctx, ancestor, descendant)
	if err != nil {
		return false, err
	}
	return w.seen[ancestor].marks&fromTwo != 0, nil
}
