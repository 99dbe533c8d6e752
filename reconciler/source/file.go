package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// fileSession fetches from a repository on the same machine by reading its
// objects. It runs no program and so needs no git, and obeys no configuration
// or hook of the repository it reads.
type fileSession struct {
	repo *Repository
}

func dialFile(r remote) (session, error) {
	repo, err := Open(r.path)
	if err != nil {
		return nil, err
	}
	if len(repo.cut) > 0 {
		return nil, errors.Join(ErrShallow, repo.Close())
	}
	return &fileSession{repo: repo}, nil
}

func (s *fileSession) refs(context.Context) (map[string]plumbing.Hash, error) {
	return s.repo.store.allRefs()
}

// allRefs returns the references that hold an object name.
func (s *store) allRefs() (map[string]plumbing.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) == 0 {
		return nil, nil
	}
	iter, err := s.parts[0].IterReferences()
	if err != nil {
		return nil, err
	}
	refs := map[string]plumbing.Hash{}
	return refs, storer.NewReferenceFilteredIter(func(ref *plumbing.Reference) bool {
		return ref.Type() == plumbing.HashReference
	}, iter).ForEach(func(ref *plumbing.Reference) error {
		refs[ref.Name().String()] = ref.Hash()
		return nil
	})
}

func (s *fileSession) close() error { return s.repo.Close() }

func (s *fileSession) pack(ctx context.Context, wants, haves []plumbing.Hash) (io.ReadCloser, error) {
	c := &collector{ctx: ctx, repo: s.repo, seen: map[plumbing.Hash]bool{}}
	for _, have := range haves {
		c.seen[have] = true
		// What the newest commits contain is what the next one most likely keeps.
		if err := c.exclude(have); err != nil {
			return nil, err
		}
	}
	for _, want := range wants {
		if !s.repo.store.find(want) {
			return nil, &notServed{id: want, err: fmt.Errorf("%w: %s", ErrMissing, want)}
		}
		if err := c.commits(want); err != nil {
			return nil, err
		}
	}
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(writePack(ctx, w, s.repo.store, c.found))
	}()
	return r, nil
}

// collector lists the objects that commits reach, except those seen before.
type collector struct {
	ctx   context.Context
	repo  *Repository
	seen  map[plumbing.Hash]bool
	found []plumbing.Hash
}

// exclude marks the tree of a commit that the other side has. Trees of its
// ancestors are not marked: at worst an object is sent that is there already.
func (c *collector) exclude(id plumbing.Hash) error {
	commit, err := c.repo.commit(id)
	if errors.Is(err, ErrMissing) || isType(err) {
		return nil // known to the other side alone
	}
	if err != nil {
		return err
	}
	return c.tree(commit.tree, false)
}

func (c *collector) commits(tip plumbing.Hash) error {
	for queue := []plumbing.Hash{tip}; len(queue) > 0; {
		id := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if c.seen[id] {
			continue
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
		commit, err := c.repo.mustCommit(id)
		if err != nil {
			return err
		}
		c.add(id, true)
		if err := c.tree(commit.tree, true); err != nil {
			return err
		}
		if !commit.cut {
			queue = append(queue, commit.parents...)
		}
	}
	return nil
}

func (c *collector) add(id plumbing.Hash, send bool) {
	c.seen[id] = true
	if send {
		c.found = append(c.found, id)
	}
}

func (c *collector) tree(id plumbing.Hash, send bool) error {
	if c.seen[id] {
		return nil
	}
	data, err := c.repo.store.read(id, plumbing.TreeObject, math.MaxInt32)
	if err != nil {
		return err
	}
	c.add(id, send)
	for line, ok := range treeLines(data) {
		switch {
		case !ok, line.mode == "160000", c.seen[line.id]:
			// A submodule's commit lies in another repository.
		case line.folder():
			if err := c.tree(line.id, send); err != nil {
				return err
			}
		default:
			c.add(line.id, send)
		}
	}
	return nil
}
