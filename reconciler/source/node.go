package source

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
)

// entryKind is what a tree entry is to us. An executable file is a file.
type entryKind uint8

const (
	kindNone entryKind = iota // no such entry
	kindFile
	kindFolder
	kindRefused
)

// entry is one line of a tree object, judged by the rules that need no more
// than its own folder.
type entry struct {
	name   string // raw bytes
	shown  string // name as it can be printed
	kind   entryKind
	id     plumbing.Hash
	oid    ID     // id as it is handed out; rendered once, since listings repeat it
	cause  Cause  // if refused
	detail string // if refused
}

// same reports whether two entries are the same content: a change of mode alone
// is none, but a symbolic link does not equal a file with the same bytes.
func (e entry) same(other entry) bool {
	return e.kind == other.kind && e.id == other.id && e.cause == other.cause
}

// node is one folder as its tree object lists it. It is immutable but for sizes,
// which are filled in when first asked for, and belongs to no commit: the same
// folder in a thousand commits is one node.
type node struct {
	entries []entry
	refused Cause // the whole folder is unreadable
	detail  string
	sizes   atomic.Pointer[[]int64] // parallel to entries; of files only
}

// nodeKey tells a root, of which only the known folders are kept, from the same
// tree object met as a folder.
type nodeKey struct {
	id   plumbing.Hash
	root bool
}

// maxTreeObject bounds the bytes of one tree object. It is generous, because
// the root also lists what is not counted.
const maxTreeObject = 64 << 20

// node reads the tree object of a folder through the cache. Hostile content
// yields a refused node; an error means that the repository is damaged.
func (r *Repository) node(id plumbing.Hash, root bool) (*node, error) {
	key := nodeKey{id: id, root: root}
	if n, ok := r.nodes.Get(key); ok {
		return n, nil
	}
	data, err := r.store.read(id, plumbing.TreeObject, maxTreeObject)
	n := &node{}
	switch {
	case errors.Is(err, errType):
		n.refused = CauseType
	case errors.Is(err, errTooLarge):
		return nil, fmt.Errorf("%w: one folder takes more than %d bytes to list", ErrTreeTooLarge, maxTreeObject)
	case err != nil:
		return nil, fmt.Errorf("reading a folder: %w", err)
	default:
		n = parseNode(data, root)
	}
	r.nodes.Put(key, n, len(n.entries)+1)
	return n, nil
}

// parseNode decodes a tree object: "mode name\0" and twenty bytes, again and
// again. go-git's decoder is not used, because it repairs what should be seen:
// it maps unknown modes onto submodules and keeps duplicates.
func parseNode(data []byte, root bool) *node {
	n := &node{}
	seen := map[string]int{}
	previous := ""
	// One entry too many is enough for whoever counts them to refuse the tree.
	for line, ok := range treeLines(data) {
		if !ok {
			return &node{refused: CauseMalformed, detail: "truncated"}
		}
		if line.sortName() < previous {
			return &node{refused: CauseMalformed, detail: "entries are not in Git's order"}
		}
		previous = line.sortName()
		if root && !knownRoot(line.name) {
			continue
		}
		if at, twice := seen[line.name]; twice {
			n.entries[at].refuse(CauseDuplicate, "")
			continue
		}
		seen[line.name] = len(n.entries)
		n.entries = append(n.entries, line.judge())
		if len(n.entries) > MaxEntries {
			break
		}
	}
	return n
}

// treeLine is one entry of a tree object as it is stored.
type treeLine struct {
	mode, name string
	id         plumbing.Hash
}

func (l treeLine) folder() bool { return strings.TrimPrefix(l.mode, "0") == "40000" }

// sortName is what Git sorts by: folders as if their names ended in a slash.
func (l treeLine) sortName() string {
	if l.folder() {
		return l.name + "/"
	}
	return l.name
}

// treeLines yields the entries of a tree object, and false in place of the
// first one that is cut short.
func treeLines(data []byte) iter.Seq2[treeLine, bool] {
	return func(yield func(treeLine, bool) bool) {
		for len(data) > 0 {
			mode, rest, ok := bytes.Cut(data, []byte{' '})
			name, tail, ok2 := bytes.Cut(rest, []byte{0})
			if !ok || !ok2 || len(tail) < len(plumbing.ZeroHash) || len(mode) > 7 {
				yield(treeLine{}, false)
				return
			}
			id := plumbing.Hash(tail[:len(plumbing.ZeroHash)])
			data = tail[len(plumbing.ZeroHash):]
			if !yield(treeLine{mode: string(mode), name: string(name), id: id}, true) {
				return
			}
		}
	}
}

// judge decides what an entry is from its mode and name.
func (l treeLine) judge() entry {
	e := entry{name: l.name, shown: l.name, id: l.id, oid: idOf(l.id)}
	// Old tools wrote folders as 040000 and files as 100664; Git reads both.
	switch strings.TrimPrefix(l.mode, "0") {
	case "100644", "100755", "100664":
		e.kind = kindFile
	case "40000":
		e.kind = kindFolder
	case "120000":
		e.refuse(CauseSymlink, "")
	case "160000":
		e.refuse(CauseSubmodule, "")
	default:
		e.refuse(CauseMode, strconv.Quote(l.mode))
	}
	reason := refusedName(e.name)
	if reason != "" {
		e.refuse(CauseName, reason)
	}
	if reason != "" || len(e.name) > MaxPath {
		e.shown = printable(e.name)
	}
	if e.id.IsZero() {
		e.refuse(CauseMalformed, "it names no object")
	}
	return e
}

func (e *entry) refuse(cause Cause, detail string) {
	e.kind, e.cause, e.detail = kindRefused, cause, detail
}

// fileSizes returns the size of every file of the folder, parallel to entries.
func (r *Repository) fileSizes(n *node) ([]int64, error) {
	if known := n.sizes.Load(); known != nil {
		return *known, nil
	}
	var ids []plumbing.Hash
	for _, e := range n.entries {
		if e.kind == kindFile {
			ids = append(ids, e.id)
		}
	}
	found, err := r.store.sizes(ids)
	if err != nil {
		return nil, fmt.Errorf("reading the size of a file: %w", err)
	}
	all := make([]int64, len(n.entries))
	for i, e := range n.entries {
		if e.kind == kindFile {
			all[i], found = found[0], found[1:]
		}
	}
	n.sizes.Store(&all)
	return all, nil
}
