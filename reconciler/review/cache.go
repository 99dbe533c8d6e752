package review

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/mlops-platform/mooring/policy/budget"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/secrets"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/lru"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Bounds of a Cache. Those in bytes are of the files that a value was made of,
// which is what can be known; what is made of them takes several times as much.
const (
	cachedWorlds    = 4 << 20 // bytes of governing files
	cachedManifests = 8 << 20 // bytes of manifests
	cachedScans     = 20_000  // files
	cachedNames     = source.MaxEntries
	cachedSets      = 4 << 20 // bytes of rendered YAML
	cachedDiffs     = 20_000  // changed files
	cachedForks     = 20_000  // merge bases
	cachedTrees     = source.MaxEntries
	cachedFits      = 20_000 // manifests
)

// perValue is added to the bytes of every file, so that very many very small
// ones are bounded too.
const perValue = 512

// Cache keeps what the evaluations of one repository have in common: the
// governing files of a tree, parsed, checked and compiled; parsed manifests;
// rendered objects; what changed between two commits. Every key names content,
// by object ids, and holds all that the value depends on: so no answer is ever
// stale, and an evaluation with a cache yields what it yields without one.
//
// It is bounded, and safe for concurrent use.
type Cache struct {
	worlds    *lru.Cache[worldKey, *world]
	manifests *lru.Cache[fileKey, parsed]
	scans     *lru.Cache[fileKey, secrets.Report]
	names     *lru.Cache[fileKey, string]
	sets      *lru.Cache[setKey, rendering]
	diffs     *lru.Cache[commits, source.Diff]
	forks     *lru.Cache[commits, source.ID]
	trees     *lru.Cache[source.ID, *source.Tree]
	fits      *lru.Cache[fitKey, fit]
	// lasting: more than one evaluation will use it.
	lasting bool
}

// NewCache makes a cache for the evaluations of one repository.
func NewCache() *Cache {
	c := newCache()
	c.lasting = true
	return c
}

// newCache makes one that a single evaluation uses.
func newCache() *Cache {
	return &Cache{
		worlds:    lru.New[worldKey, *world](cachedWorlds),
		manifests: lru.New[fileKey, parsed](cachedManifests),
		scans:     lru.New[fileKey, secrets.Report](cachedScans),
		names:     lru.New[fileKey, string](cachedNames),
		sets:      lru.New[setKey, rendering](cachedSets),
		diffs:     lru.New[commits, source.Diff](cachedDiffs),
		forks:     lru.New[commits, source.ID](cachedForks),
		trees:     lru.New[source.ID, *source.Tree](cachedTrees),
		fits:      lru.New[fitKey, fit](cachedFits),
	}
}

// fileKey is a file by its path and content: the path is part of what is said
// of it.
type fileKey struct {
	path string
	blob source.ID
}

func keyOf(f source.File) fileKey { return fileKey{f.Path, f.Blob} }

// worldKey is the hash of governing files, with their paths.
type worldKey string

// setKey is a manifest, or a tenancy, and all of the governing files that its
// objects depend on; the repository's name stands on them.
type setKey struct {
	by         rulers
	repository string
	file       fileKey
}

// rulers are what of a world decides what a manifest or a tenancy renders to, so
// that two worlds in which they are equal render the same.
type rulers struct {
	// The files of the environment and the team; zero where missing or broken.
	environment, team source.ID
	// overlays is every file under overlays/, where the environment has one.
	overlays worldKey
	// level of risk, or why there is none; empty for a tenancy and without a governance.
	level string
}

// fitKey is a manifest and the environment that it is placed in.
type fitKey struct {
	environment source.ID
	file        fileKey
}

// fit is what a manifest costs in its environment, or why no pool takes it.
type fit struct {
	line     budget.Line
	placed   placement.Placement
	refusals []placement.Refusal
}

// commits are two commits, in that order.
type commits struct{ base, head source.ID }

// rendering is what a manifest renders to.
type rendering struct {
	set      desired.Set
	findings schemas.Findings
	// text is the objects as YAML, written when it is first asked for: most are
	// rendered for the rules alone, and to write them costs more.
	text func() (string, error)
}

// objectSize is about what a rendered object holds, in bytes.
const objectSize = 4 << 10

// worldKeyOf names governing files of a tree.
func worldKeyOf(files []source.File) (key worldKey, size int) {
	h := sha256.New()
	for _, f := range files {
		refused := ""
		if f.Refused != nil {
			refused = f.Refused.Error()
		}
		for _, part := range []string{f.Path, f.Blob.String(), refused} {
			fmt.Fprintf(h, "%d:%s,", len(part), part)
		}
		size += perValue + int(f.Size)
	}
	return worldKey(hex.EncodeToString(h.Sum(nil))), size
}
