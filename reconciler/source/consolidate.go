package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// maxPacks is how many packs a mirror keeps. Each fetch adds one, and every
// lookup of an object asks them one after the other.
const maxPacks = 40

type packInfo struct {
	path string // without extension
	size int64
}

// consolidate joins all packs but the largest into one, once there are too many.
// The old ones are removed after the new one is in place; a crash in between
// leaves objects that are there twice, which is harmless.
func (m *Mirror) consolidate(ctx context.Context) error {
	packs, err := listPacks(m.current())
	if err != nil || len(packs) <= maxPacks {
		return err
	}
	small := packs[:len(packs)-1]
	var ids []plumbing.Hash
	for _, p := range small {
		more, err := packedObjects(p.path + ".idx")
		if err != nil {
			return err
		}
		ids = append(ids, more...)
	}
	plumbing.HashesSort(ids)
	ids = slices.Compact(ids)
	r, w := io.Pipe()
	go func() { w.CloseWithError(writePack(ctx, w, m.store, ids)) }()
	err = storePack(ctx, m.current(), r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	return m.dropPacks(small)
}

// tidyPacks consolidates. That this fails is no reason not to have fetched.
func (m *Mirror) tidyPacks(ctx context.Context) {
	if err := m.consolidate(ctx); err != nil {
		m.log.WarnContext(ctx, "the mirror's packs could not be joined", "remote", m.remote.String(), "error", err)
	}
}

// listPacks returns the packs of a git directory, smallest first.
func listPacks(gitDir string) ([]packInfo, error) {
	dir := filepath.Join(gitDir, "objects", "pack")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var packs []packInfo
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), ".pack")
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		packs = append(packs, packInfo{path: filepath.Join(dir, base), size: info.Size()})
	}
	slices.SortFunc(packs, func(a, b packInfo) int { return int(min(1, max(-1, a.size-b.size))) })
	return packs, nil
}

func packedObjects(indexPath string) (ids []plumbing.Hash, err error) {
	f, err := os.Open(indexPath)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(f).Decode(index); err != nil {
		return nil, err
	}
	entries, err := index.Entries()
	if err != nil {
		return nil, err
	}
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return ids, entries.Close()
		}
		if err != nil {
			return nil, errors.Join(err, entries.Close())
		}
		ids = append(ids, e.Hash)
	}
}

// dropPacks removes packs whose objects another one holds, and has readers
// forget them in the same moment. The pack goes before its index: an index
// alone is swept away, a pack alone would be damage.
func (m *Mirror) dropPacks(packs []packInfo) error {
	return m.store.swapAfter(func() error {
		for _, p := range packs {
			for _, extension := range []string{".pack", ".idx"} {
				if err := os.Remove(p.path + extension); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
			}
		}
		return nil
	}, openStorage(osfs.New(m.current())))
}
