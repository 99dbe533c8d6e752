package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/go-git/go-billy/v5"
)

// objectCacheBytes bounds go-git's own cache of inflated objects, which serves
// as the cache of delta bases.
const objectCacheBytes = 32 * cache.MiByte

// store reads the objects and references of one repository on disk.
//
// One mutex serializes every access, because go-git's filesystem storage is not
// safe for concurrent use even by readers alone: looking an object up loads
// pack indexes into an unguarded map, seeks a file shared by all readers of a
// pack, and fills in lazily computed fields of objects that the cache hands to
// several callers. Contention stays low: what is read is decoded into immutable
// values and cached above this layer, so a warm question never comes here.
type store struct {
	mu    sync.Mutex
	parts []*filesystem.Storage // the repository itself, then its alternates
	// damaged is told of every object that is missing or does not decode.
	damaged func(error)
}

// errType: an object exists, but is of another type than asked for.
var errType = errors.New("object is of another type")

// errTooLarge: an object is larger than the caller allows.
var errTooLarge = errors.New("object is too large")

func openStorage(dir billy.Filesystem) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(dir, cache.NewObjectLRU(objectCacheBytes), filesystem.Options{
		// Opening the pack again for each of thousands of small objects would cost
		// more than reading them.
		KeepDescriptors: true,
		// What is larger than anything we read is not inflated to learn its size.
		LargeObjectThreshold: MaxRego,
	})
}

// read returns the content of an object of the given type, of at most limit
// bytes, and proves that it is the content its name promises. Errors:
// ErrMissing, ErrCorrupt, errType, errTooLarge, or one of the file system.
func (s *store) read(id plumbing.Hash, want plumbing.ObjectType, limit int64) ([]byte, error) {
	got, data, err := s.readAny(id, limit)
	if err == nil && got != want {
		return nil, fmt.Errorf("%w: %s is a %s, not a %s", errType, id, got, want)
	}
	return data, err
}

// readAny is read for an object of any type.
func (s *store) readAny(id plumbing.Hash, limit int64) (kind plumbing.ObjectType, data []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.each(id, func(part *filesystem.Storage) error {
		object, err := part.EncodedObject(plumbing.AnyObject, id)
		if err != nil {
			return err
		}
		if object.Size() > limit {
			return fmt.Errorf("%w: %s has %d bytes, %d are allowed", errTooLarge, id, object.Size(), limit)
		}
		kind = object.Type()
		data, err = readAll(object, limit)
		return err
	})
	if err != nil {
		return kind, nil, err
	}
	if plumbing.ComputeHash(kind, data) != id {
		return kind, nil, s.report(fmt.Errorf("%w: content of %s does not match its name", ErrCorrupt, id))
	}
	return kind, data, nil
}

func readAll(object plumbing.EncodedObject, limit int64) (data []byte, err error) {
	r, err := object.Reader()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	// The header's size has been checked, but only the content is the truth.
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return data, err
}

// size returns the size of an object from its header, without reading it whole.
func (s *store) size(id plumbing.Hash) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sizeLocked(id)
}

// sizes is size for many objects under one lock; the result runs parallel to ids.
func (s *store) sizes(ids []plumbing.Hash) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]int64, len(ids))
	for i, id := range ids {
		size, err := s.sizeLocked(id)
		if err != nil {
			return nil, err
		}
		out[i] = size
	}
	return out, nil
}

func (s *store) sizeLocked(id plumbing.Hash) (size int64, err error) {
	err = s.each(id, func(part *filesystem.Storage) error {
		if size, err = looseSize(part, id); errors.Is(err, fs.ErrNotExist) {
			size, err = part.EncodedObjectSize(id)
		}
		return err
	})
	return size, err
}

// looseSize is the size of an object that lies in a file of its own. go-git's
// EncodedObjectSize never closes that file, so a fresh repository of a thousand
// manifests would use up what a process may have open.
func looseSize(part *filesystem.Storage, id plumbing.Hash) (size int64, err error) {
	name := id.String()
	file, err := part.Filesystem().Open(path.Join("objects", name[:2], name[2:]))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r, err := objfile.NewReader(file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, size, err = r.Header()
	return size, err
}

// has reports whether an object is present. Absence is no damage here.
func (s *store) has(id plumbing.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasLocked(id)
}

func (s *store) hasLocked(id plumbing.Hash) bool {
	for _, part := range s.parts {
		if guard(func() error { return part.HasEncodedObject(id) }) == nil {
			return true
		}
	}
	return false
}

// find is has for a name that comes from outside: before it says no, it looks
// whether git has repacked the repository meanwhile.
func (s *store) find(id plumbing.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasLocked(id) {
		return true
	}
	s.reindexLocked()
	return s.hasLocked(id)
}

func (s *store) reindexLocked() {
	for _, part := range s.parts {
		part.Reindex()
	}
}

// each asks one part of the store after the other until one has the object. If
// none has, the pack indexes are read anew once, since git may have repacked
// the repository meanwhile.
func (s *store) each(id plumbing.Hash, ask func(*filesystem.Storage) error) error {
	for attempt := range 2 {
		for _, part := range s.parts {
			err := guard(func() error { return ask(part) })
			if err == nil || errors.Is(err, errTooLarge) {
				return err
			}
			if !errors.Is(err, plumbing.ErrObjectNotFound) {
				return s.classify(id, err)
			}
		}
		if attempt == 0 {
			s.reindexLocked()
		}
	}
	return s.report(fmt.Errorf("%w: %s", ErrMissing, id))
}

// classify tells a file system that does not serve us from content that is wrong.
func (s *store) classify(id plumbing.Hash, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading object %s: %w", id, err)
	}
	return s.report(fmt.Errorf("%w: object %s: %v", ErrCorrupt, id, err))
}

func (s *store) report(err error) error {
	if s.damaged != nil {
		s.damaged(err)
	}
	return err
}

// guard turns a panic in the decoders of go-git into an error: what they decode
// was written by strangers, and one damaged object must not end the process.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoder failed: %v", r)
		}
	}()
	return f()
}

// reference returns what a full reference name points to, following symbolic
// references, or false.
func (s *store) reference(name string) (plumbing.Hash, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) == 0 {
		return plumbing.ZeroHash, false
	}
	ref, err := storer.ResolveReference(s.parts[0], plumbing.ReferenceName(name))
	if err != nil {
		return plumbing.ZeroHash, false
	}
	return ref.Hash(), true
}

// withPrefix returns the objects whose name begins with the given whole bytes.
func (s *store) withPrefix(prefix []byte) ([]plumbing.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []plumbing.Hash
	for _, part := range s.parts {
		err := guard(func() error {
			found, err := part.HashesWithPrefix(prefix)
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("looking up an abbreviated object name: %w", err)
		}
	}
	return all, nil
}

// shallow returns the commits whose parents were not fetched.
func (s *store) shallow() (map[plumbing.Hash]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) == 0 {
		return nil, nil
	}
	cut, err := s.parts[0].Shallow()
	if err != nil {
		return nil, fmt.Errorf("reading the list of shallow commits: %w", err)
	}
	set := make(map[plumbing.Hash]bool, len(cut))
	for _, id := range cut {
		set[id] = true
	}
	return set, nil
}

// swap replaces the storage behind the store, as after a fetch, and closes the
// old one. Readers wait for the swap, never for the fetch.
func (s *store) swap(parts ...*filesystem.Storage) error {
	return s.swapAfter(func() error { return nil }, parts...)
}

// swapAfter is swap after something that must not be seen half done, such as
// the removal of packs. If that fails, nothing is swapped.
func (s *store) swapAfter(do func() error, parts ...*filesystem.Storage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	old := s.parts
	s.parts = parts
	return closeAll(old)
}

func closeAll(parts []*filesystem.Storage) error {
	var errs []error
	for _, part := range parts {
		errs = append(errs, part.Close())
	}
	return errors.Join(errs...)
}

func (s *store) close() error { return s.swap() }
