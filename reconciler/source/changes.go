package source

import (
	"context"
	"fmt"
	"slices"
	"sort"
)

// ChangeKind says what happened to a path.
type ChangeKind string

// A rename is a removal and an addition.
const (
	Added    ChangeKind = "added"
	Modified ChangeKind = "modified"
	Removed  ChangeKind = "removed"
)

// FileChange is one path that a branch changes. Before, Base and After may be
// refused; a change from or to a refused path is a change.
type FileChange struct {
	Path   string
	Kind   ChangeKind
	Before File // at the merge base
	Base   File // at the base's tip
	After  File // at the head
}

// Diverged reports whether the base has changed the file since the branch left
// it, so that Before is not what a merge would replace.
func (c FileChange) Diverged() bool {
	if c.Before.Blob != c.Base.Blob || c.Before.Exists() != c.Base.Exists() {
		return true
	}
	return (c.Before.Refused == nil) != (c.Base.Refused == nil)
}

// Diff is what a branch changes in the known folders.
type Diff struct {
	Base, Head ID
	MergeBase  ID
	Files      []FileChange // sorted by path
}

// Changes compares head with its merge base with base, in the known folders.
// Only folders that differ are read. A change of mode alone is none.
//
// Errors: ErrNoMergeBase, ErrMergeBases, ErrTreeTooLarge if the folders that
// differ hold more than MaxEntries entries, *Refused with path "." if a root
// cannot be decoded, ErrRevision, ErrShallow, ErrMissing, ErrCorrupt.
func (r *Repository) Changes(ctx context.Context, base, head ID) (Diff, error) {
	d := Diff{Base: base, Head: head}
	fork, err := r.mergeBase(ctx, base.hash(), head.hash())
	if err != nil {
		return d, err
	}
	d.MergeBase = idOf(fork)
	var roots [3]*node
	for i, id := range []ID{d.MergeBase, head, base} {
		if roots[i], err = r.rootOf(id); err != nil {
			return d, err
		}
	}
	c := comparer{ctx: ctx, repo: r}
	if err := c.folders(place{}, nil, roots[0], roots[1]); err != nil {
		return d, fmt.Errorf("comparing %s with %s: %w", d.MergeBase.Short(), head.Short(), err)
	}
	for _, delta := range c.deltas {
		change, err := r.fileChange(delta, roots[2])
		if err != nil {
			return d, err
		}
		d.Files = append(d.Files, change)
	}
	sort.Slice(d.Files, func(i, j int) bool { return d.Files[i].Path < d.Files[j].Path })
	return d, nil
}

func (r *Repository) rootOf(id ID) (*node, error) {
	c, err := r.mustCommit(id.hash())
	if err != nil {
		return nil, err
	}
	return r.root(c)
}

func (r *Repository) fileChange(d delta, base *node) (c FileChange, err error) {
	c.Path, c.Kind = d.at.path, Modified
	switch {
	case d.before.kind == kindNone:
		c.Kind = Added
	case d.after.kind == kindNone:
		c.Kind = Removed
	}
	if c.Before, err = r.sized(d.at, d.before); err != nil {
		return c, err
	}
	if c.After, err = r.sized(d.at, d.after); err != nil {
		return c, err
	}
	c.Base, err = r.lookup(base, d.names)
	return c, err
}

// delta is a path at which two trees differ. Neither side is a folder.
type delta struct {
	at            place
	names         []string // the raw names that at.path renders
	before, after entry
}

// comparer collects the deltas between two folders.
type comparer struct {
	ctx     context.Context
	repo    *Repository
	deltas  []delta
	entries int
}

// folders compares two folders; either may be nil, for one that is not there.
func (c *comparer) folders(at place, names []string, before, after *node) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	pairs := pair(before, after)
	if c.entries += len(pairs); c.entries > MaxEntries {
		return errEntries
	}
	for _, p := range pairs {
		if p[0].same(p[1]) {
			continue
		}
		e := p[0]
		if e.kind == kindNone {
			e = p[1]
		}
		if err := c.entry(at.child(e), append(slices.Clone(names), e.name), p); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparer) entry(at place, names []string, p [2]entry) error {
	before, oldFolder, err := c.repo.settle(at, p[0])
	if err != nil {
		return err
	}
	after, newFolder, err := c.repo.settle(at, p[1])
	if err != nil {
		return err
	}
	if oldFolder != nil {
		before = entry{}
	}
	if newFolder != nil {
		after = entry{}
	}
	if !before.same(after) {
		c.deltas = append(c.deltas, delta{at: at, names: names, before: before, after: after})
	}
	if oldFolder == nil && newFolder == nil {
		return nil
	}
	return c.folders(at, names, oldFolder, newFolder)
}

// pair matches the entries of two folders by name; a missing one is kindNone.
func pair(before, after *node) [][2]entry {
	if before == nil {
		before = &node{}
	}
	if after == nil {
		after = &node{}
	}
	index := make(map[string]int, len(before.entries))
	pairs := make([][2]entry, len(before.entries), len(before.entries)+len(after.entries))
	for i, e := range before.entries {
		pairs[i][0] = e
		index[e.name] = i
	}
	for _, e := range after.entries {
		if i, ok := index[e.name]; ok {
			pairs[i][1] = e
			continue
		}
		pairs = append(pairs, [2]entry{{}, e})
	}
	return pairs
}
