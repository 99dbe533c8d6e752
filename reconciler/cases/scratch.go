package cases

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage"

	"github.com/mlops-platform/mooring/reconciler/source"
)

// scratch writes commits into a repository of its own.
type scratch struct {
	store storage.Storer
	root  *folder
	base  plumbing.Hash
}

func newScratch(dir string) (*scratch, error) {
	repo, err := git.PlainInit(dir, true)
	if err != nil {
		return nil, fmt.Errorf("make a repository for the cases: %w", err)
	}
	return &scratch{store: repo.Storer, root: newFolder()}, nil
}

// folder is one that is written when it is asked for, and only anew where
// something in it changed.
type folder struct {
	folders map[string]*folder
	files   map[string][]byte
	// written are the objects as they stand in the store.
	blobs map[string]plumbing.Hash
	tree  plumbing.Hash
}

func newFolder() *folder {
	return &folder{folders: map[string]*folder{}, files: map[string][]byte{}, blobs: map[string]plumbing.Hash{}}
}

// put sets a file's content; nil takes the file away, and folders with it that
// hold nothing else.
func (f *folder) put(path string, content []byte) {
	f.tree = plumbing.ZeroHash
	name, rest, inside := strings.Cut(path, "/")
	switch {
	case inside:
		next := f.folders[name]
		if next == nil {
			next = newFolder()
			f.folders[name] = next
		}
		if next.put(rest, content); len(next.folders)+len(next.files) == 0 {
			delete(f.folders, name)
		}
	case content == nil:
		delete(f.files, name)
		delete(f.blobs, name)
	default:
		f.files[name] = content
		delete(f.blobs, name)
	}
}

// change commits one file's change over the base, and leaves the folders as
// they were.
func (s *scratch) change(path string, before, after []byte, message string) (source.ID, error) {
	s.root.put(path, after)
	id, err := s.commit(message)
	s.root.put(path, before)
	return id, err
}

// commit writes the folders as they are. The first commit is the base of all others.
func (s *scratch) commit(message string) (source.ID, error) {
	tree, err := s.root.write(s.store)
	if err != nil {
		return "", fmt.Errorf("write the files of the cases: %w", err)
	}
	who := object.Signature{Name: "cases", Email: "cases@localhost", When: time.Unix(0, 0).UTC()}
	c := &object.Commit{Author: who, Committer: who, Message: message, TreeHash: tree}
	if !s.base.IsZero() {
		c.ParentHashes = []plumbing.Hash{s.base}
	}
	id, err := put(s.store, c)
	if err != nil {
		return "", fmt.Errorf("write the commits of the cases: %w", err)
	}
	if s.base.IsZero() {
		s.base = id
	}
	return source.ParseID(id.String())
}

func (f *folder) write(store storage.Storer) (plumbing.Hash, error) {
	if !f.tree.IsZero() {
		return f.tree, nil
	}
	tree := &object.Tree{}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if f.blobs[name].IsZero() {
			blob, err := putBlob(store, f.files[name])
			if err != nil {
				return plumbing.ZeroHash, err
			}
			f.blobs[name] = blob
		}
		tree.Entries = append(tree.Entries, object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: f.blobs[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(f.folders)) {
		inner, err := f.folders[name].write(store)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		tree.Entries = append(tree.Entries, object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: inner})
	}
	sort.Sort(object.TreeEntrySorter(tree.Entries))
	var err error
	f.tree, err = put(store, tree)
	return f.tree, err
}

func put(store storage.Storer, o interface {
	Encode(plumbing.EncodedObject) error
}) (plumbing.Hash, error) {
	encoded := store.NewEncodedObject()
	if err := o.Encode(encoded); err != nil {
		return plumbing.ZeroHash, err
	}
	return store.SetEncodedObject(encoded)
}

func putBlob(store storage.Storer, content []byte) (hash plumbing.Hash, err error) {
	o := store.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	if err != nil {
		return hash, err
	}
	if _, err := w.Write(content); err != nil {
		return hash, err
	}
	if err := w.Close(); err != nil {
		return hash, err
	}
	return store.SetEncodedObject(o)
}
