package source

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// What a tree may hold in its known folders.
const (
	MaxEntries = 100_000    // files and folders
	MaxPath    = 512        // bytes of a path
	MaxDepth   = 32         // segments of a path
	MaxFile    = 256 << 10  // bytes of a file
	MaxRego    = 1024 << 10 // bytes of a .rego file
)

// governanceFile and knownFolders are all that is ever read of a tree.
const governanceFile = "governance.yaml"

var knownFolders = []string{"environments", "models", "overlays", "policy", "teams"}

func knownRoot(name string) bool {
	return name == governanceFile || slices.Contains(knownFolders, name)
}

// File is one file of a tree, or a path of it that is refused.
type File struct {
	// Path is relative to the root, with slashes. If the name itself is what is
	// refused, it appears escaped, so that a Path can always be printed.
	Path string
	Blob ID    // the content; of a refused path the object it names, if any
	Size int64 // bytes; known for every regular file, also one that is too large
	// Refused says why the path is not read; nil for a file that is.
	Refused *Refused
}

// Exists reports whether there is anything at the path, readable or refused.
func (f File) Exists() bool { return f.Path != "" }

// Tree is the content of a commit's known folders: governance.yaml,
// environments/, teams/, models/, overlays/ and policy/. What lies beside them
// is neither read nor counted. A Tree is immutable and safe for concurrent use.
type Tree struct {
	repo   *Repository
	commit ID
	root   ID
	files  []File
	dirs   map[string]ID
}

// Tree lists a commit's known folders. It reads no file content, and of folders
// only those not read before for this or any other commit.
//
// What the rules refuse is listed with its cause and harms nothing else.
// Errors: ErrTreeTooLarge over MaxEntries entries, ErrRevision if there is
// no such commit, *Refused with path "." if the root itself cannot be decoded,
// ErrMissing and ErrCorrupt.
func (r *Repository) Tree(ctx context.Context, commit ID) (*Tree, error) {
	c, err := r.given(commit.hash())
	if err != nil {
		return nil, err
	}
	root, err := r.root(c)
	if err != nil {
		return nil, err
	}
	l := lister{ctx: ctx, repo: r, dirs: map[string]ID{}}
	if err := l.folder(place{}, root); err != nil {
		return nil, fmt.Errorf("listing commit %s: %w", commit.Short(), err)
	}
	sort.Slice(l.files, func(i, j int) bool { return l.files[i].Path < l.files[j].Path })
	return &Tree{repo: r, commit: commit, root: idOf(c.tree), files: l.files, dirs: l.dirs}, nil
}

func (r *Repository) root(c *commit) (*node, error) {
	root, err := r.node(c.tree, true)
	if err != nil {
		return nil, err
	}
	if root.refused != "" {
		return nil, &Refused{Path: ".", Cause: root.refused, Detail: root.detail}
	}
	return root, nil
}

// Commit returns the commit whose tree this is.
func (t *Tree) Commit() ID { return t.commit }

// ID returns the root tree's object name. It also covers what lies outside the
// known folders; for a cache key, use Folder.
func (t *Tree) ID() ID { return t.root }

// Files returns every file and every refused path, sorted by path. The slice is
// shared and must not be changed.
func (t *Tree) Files() []File { return t.files }

// File returns what stands at a path; its zero value (Exists is false) if
// nothing does.
func (t *Tree) File(path string) File {
	i, ok := sort.Find(len(t.files), func(i int) int { return strings.Compare(path, t.files[i].Path) })
	if !ok {
		return File{}
	}
	return t.files[i]
}

// Folder returns the object name of a folder, "" if there is none. Two folders
// of the same name have the same content, so it serves as a cache key for what
// is computed from them.
func (t *Tree) Folder(path string) ID { return t.dirs[path] }

// Read returns the content of a file. Errors: ErrNoFile, the path's *Refused,
// ErrMissing, ErrCorrupt.
func (t *Tree) Read(ctx context.Context, path string) ([]byte, error) {
	f := t.File(path)
	switch {
	case !f.Exists():
		return nil, fmt.Errorf("%w: %s at commit %s", ErrNoFile, path, t.commit.Short())
	case f.Refused != nil:
		return nil, f.Refused
	}
	return t.repo.readBlob(ctx, f.Blob, f.Path, capOf(f.Path))
}

// capOf is the size limit of a file by its name.
func capOf(path string) int64 {
	if strings.HasSuffix(path, ".rego") {
		return MaxRego
	}
	return MaxFile
}

// place is a position in a tree while walking it.
type place struct {
	path  string // printable; "" is the root
	depth int    // segments of path
	bytes int    // length of the raw path
}

func (p place) child(e entry) place {
	c := place{path: e.shown, depth: p.depth + 1, bytes: p.bytes + len(e.name)}
	if p.depth > 0 {
		c.path = p.path + "/" + c.path
		c.bytes++
	}
	return c
}

// settle judges an entry by the rules that depend on where it stands, and opens
// it if it is a folder that passes them.
func (r *Repository) settle(at place, e entry) (entry, *node, error) {
	switch {
	case e.kind == kindNone || e.kind == kindRefused:
		return e, nil, nil
	case at.bytes > MaxPath:
		e.refuse(CausePath, "")
	case at.depth > MaxDepth:
		e.refuse(CauseDepth, "")
	case at.depth == 1 && e.name == governanceFile && e.kind != kindFile:
		e.refuse(CauseFile, "")
	case at.depth == 1 && e.name != governanceFile && e.kind != kindFolder:
		e.refuse(CauseFolder, "")
	}
	if e.kind != kindFolder {
		return e, nil, nil
	}
	n, err := r.node(e.id, false)
	if err != nil {
		return e, nil, fmt.Errorf("%s: %w", at.path, err)
	}
	if n.refused != "" {
		e.refuse(n.refused, n.detail)
		return e, nil, nil
	}
	return e, n, nil
}

// file renders a settled entry that is no folder.
func file(at place, e entry, size int64) File {
	if e.kind == kindNone {
		return File{}
	}
	f := File{Path: at.path, Blob: e.oid, Size: size}
	switch {
	case e.kind == kindRefused:
		f.Refused = &Refused{Path: at.path, Cause: e.cause, Detail: e.detail}
	case size > capOf(at.path):
		f.Refused = &Refused{Path: at.path, Cause: CauseSize,
			Detail: fmt.Sprintf("%d bytes, at most %d are allowed", size, capOf(at.path))}
	}
	return f
}

var errEntries = fmt.Errorf("%w: more than %d files and folders", ErrTreeTooLarge, MaxEntries)

// lister collects the files below a folder.
type lister struct {
	ctx     context.Context
	repo    *Repository
	files   []File
	dirs    map[string]ID
	entries int
}

func (l *lister) folder(at place, n *node) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	// Counted before anything below is opened: few objects can describe a tree
	// of any size by naming one another many times over.
	if l.entries += len(n.entries); l.entries > MaxEntries {
		return errEntries
	}
	sizes, err := l.repo.fileSizes(n)
	if err != nil {
		return fmt.Errorf("folder %q: %w", at.path, err)
	}
	for i, e := range n.entries {
		below := at.child(e)
		settled, folder, err := l.repo.settle(below, e)
		if err != nil {
			return err
		}
		if folder == nil {
			l.files = append(l.files, file(below, settled, sizes[i]))
			continue
		}
		l.dirs[below.path] = e.oid
		if err := l.folder(below, folder); err != nil {
			return err
		}
	}
	return nil
}

// lookup returns what stands at a path of raw names, and its size.
func (r *Repository) lookup(n *node, names []string) (File, error) {
	at := place{}
	for i, name := range names {
		k := slices.IndexFunc(n.entries, func(e entry) bool { return e.name == name })
		if k < 0 {
			return File{}, nil
		}
		at = at.child(n.entries[k])
		e, folder, err := r.settle(at, n.entries[k])
		last := i == len(names)-1
		switch {
		case err != nil:
			return File{}, err
		case folder == nil && last:
			return r.sized(at, e)
		case folder == nil || last:
			return File{}, nil
		}
		n = folder
	}
	return File{}, nil
}

// sized is file with the size read from the object's header.
func (r *Repository) sized(at place, e entry) (File, error) {
	var size int64
	if e.kind == kindFile {
		var err error
		if size, err = r.store.size(e.id); err != nil {
			return File{}, fmt.Errorf("%s: %w", at.path, err)
		}
	}
	return file(at, e, size), nil
}
