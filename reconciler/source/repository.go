package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/mlops-platform/mooring/reconciler/lru"
)

// Bounds of the caches, so that memory stays flat however large the history.
const (
	cachedEntries = 300_000 // entries of tree listings, all folders together
	cachedCommits = 50_000  // commits of the history walked
)

// Repository answers questions about the commits of one Git repository on disk.
// It never writes to it.
//
// All methods are safe for concurrent use, also while a [Mirror] fetches into
// the same directory: a fetch only adds objects, and references are replaced by
// renaming a file. See store for what is serialized, and why.
type Repository struct {
	store   *store
	nodes   *lru.Cache[nodeKey, *node]
	commits *lru.Cache[plumbing.Hash, *commit]
	cut     map[plumbing.Hash]bool // commits at which a shallow clone ends
}

func newRepository(parts ...*filesystem.Storage) (*Repository, error) {
	r := &Repository{
		store:   &store{parts: parts},
		nodes:   lru.New[nodeKey, *node](cachedEntries),
		commits: lru.New[plumbing.Hash, *commit](cachedCommits),
	}
	var err error
	r.cut, err = r.store.shallow()
	return r, err
}

// Open reads a repository that is already on disk: a working tree or a folder
// inside one, a linked worktree, or a bare repository. Objects borrowed through
// alternates are found. Uncommitted files are never looked at. Close it after
// use. The error is ErrNotRepository with the reason.
func Open(dir string) (*Repository, error) {
	main, err := openGit(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNotRepository, dir, err)
	}
	parts := []*filesystem.Storage{openStorage(main.Filesystem())}
	objects, err := objectsDir(main.Filesystem().Root())
	if err == nil {
		var more []*filesystem.Storage
		more, err = alternates(objects, 0)
		parts = append(parts, more...)
	}
	var r *Repository
	if err == nil {
		r, err = newRepository(parts...)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNotRepository, dir, errors.Join(err, closeAll(parts)))
	}
	return r, nil
}

// openGit finds the repository in dir, then in the folders above it. The two
// steps are apart because go-git's own search skips a bare repository that lies
// inside another working tree.
func openGit(dir string) (*filesystem.Storage, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainOpenWithOptions(dir,
			&git.PlainOpenOptions{EnableDotGitCommonDir: true, DetectDotGit: true})
	}
	if err != nil {
		return nil, err
	}
	storage, ok := repo.Storer.(*filesystem.Storage)
	if !ok {
		return nil, fmt.Errorf("unexpected storage %T", repo.Storer)
	}
	return storage, nil
}

// objectsDir returns where a git directory keeps its objects: with itself, or
// for a linked worktree with the repository it is linked to.
func objectsDir(gitDir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if errors.Is(err, os.ErrNotExist) {
		return filepath.Join(gitDir, "objects"), nil
	}
	if err != nil {
		return "", err
	}
	common := strings.TrimSpace(string(text))
	if !filepath.IsAbs(common) {
		common = filepath.Join(gitDir, common)
	}
	return filepath.Join(common, "objects"), nil
}

// maxAlternates is Git's own bound on how far repositories borrow from others
// that borrow themselves.
const maxAlternates = 5

// alternates opens the object stores that the one in dir borrows from. go-git
// follows alternates too, but opens them again for every object and not at all
// for the size of one.
func alternates(objects string, depth int) ([]*filesystem.Storage, error) {
	text, err := os.ReadFile(filepath.Join(objects, "info", "alternates"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if depth == maxAlternates {
		return nil, fmt.Errorf("alternates nest more than %d deep", maxAlternates)
	}
	var parts []*filesystem.Storage
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(objects, line)
		}
		if filepath.Base(line) != "objects" {
			return parts, fmt.Errorf("alternate %q is no objects folder", clip(line))
		}
		parts = append(parts, openStorage(osfs.New(filepath.Dir(line))))
		more, err := alternates(line, depth+1)
		parts = append(parts, more...)
		if err != nil {
			return parts, err
		}
	}
	return parts, nil
}

// Close releases the files held open. Nothing may be asked afterwards.
func (r *Repository) Close() error { return r.store.close() }

// ReadBlob returns the content of a blob, of at most MaxRego bytes. Errors: a
// *Refused for a larger one or an object that is no blob, ErrMissing, ErrCorrupt.
func (r *Repository) ReadBlob(ctx context.Context, id ID) ([]byte, error) {
	if !r.store.find(id.hash()) {
		return nil, fmt.Errorf("%w: blob %s", ErrMissing, id)
	}
	return r.readBlob(ctx, id, string(id), MaxRego)
}

func (r *Repository) readBlob(ctx context.Context, id ID, path string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := r.store.read(id.hash(), plumbing.BlobObject, limit)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, &Refused{Path: path, Cause: CauseSize, Detail: fmt.Sprintf("at most %d bytes are allowed", limit)}
	case errors.Is(err, errType):
		return nil, &Refused{Path: path, Cause: CauseType}
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}
