// Package worktree reads the files of a model repository from a plain folder,
// for the commands that a person runs before anything is committed. The same
// rules hold as for a Git tree: links are refused and never followed, files
// over their cap are not read, and what lies outside the known folders is left
// alone.
package worktree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// ErrNotFolder: there is no folder to read.
var ErrNotFolder = errors.New("not a folder")

// folders are what a model repository is made of, besides governance.yaml
// and its cases.
var folders = []string{"environments", "teams", "models", "overlays", "policy"}

// Read reads a model repository. The error is about the folder itself; what is
// wrong with a single file is in that file's Refused.
func Read(dir string) ([]schemas.File, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFolder, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s", ErrNotFolder, dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	defer root.Close() // opened for reading
	r := reader{root: root}
	for _, name := range append([]string{schemas.GovernancePath, schemas.GovernanceTestPath}, folders...) {
		if err := r.walk(name); err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, err)
		}
	}
	return r.files, nil
}

// Strays lists the files beside the known folders that look as if they belonged
// into them, by their names and how they begin; their content is left out. What
// cannot be listed or read is, too, as whatever else nobody reads.
func Strays(dir string) []schemas.File {
	var strays []schemas.File
	seen := 0
	// The error is always nil: whatever cannot be listed is skipped.
	_ = fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		top, _, _ := strings.Cut(name, "/")
		seen++
		switch {
		case seen > source.MaxEntries:
			return fs.SkipAll
		case err != nil, e.IsDir() && name != "." && schemas.MeantFolder(top) == "":
			return fs.SkipDir
		case e.Type().IsRegular() && schemas.ClassifyPath(name) == schemas.PathStray && schemas.LooksOurs(name, beginning(dir, name)):
			strays = append(strays, schemas.File{Path: name})
		}
		return nil
	})
	return strays
}

// beginning is what the first kilobytes of a file hold; nothing of one that cannot be read.
func beginning(dir, name string) []byte {
	f, err := os.OpenInRoot(dir, name)
	if err != nil {
		return nil
	}
	defer f.Close()                                 // it was only read
	head, _ := io.ReadAll(io.LimitReader(f, 4<<10)) // what came before an error will do
	return head
}

type reader struct {
	root  *os.Root
	files []schemas.File
}

func (r *reader) walk(name string) error {
	info, err := r.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		r.refuse(name, reason(err))
		return nil
	}
	switch {
	case len(r.files) > source.MaxEntries:
		return fmt.Errorf("more than %d files", source.MaxEntries)
	case strings.EqualFold(path.Base(name), ".git"):
		r.refuse(name, "Git takes no file or folder of this name")
	case info.Mode()&fs.ModeSymlink != 0:
		r.refuse(name, "it is a symbolic link, and links are never followed")
	case info.IsDir():
		return r.walkFolder(name)
	case !info.Mode().IsRegular():
		r.refuse(name, "it is no regular file")
	case len(name) > source.MaxPath:
		r.refuse(name, fmt.Sprintf("its path is longer than %d bytes", source.MaxPath))
	case info.Size() > limit(name):
		r.refuse(name, fmt.Sprintf("it has %d bytes, and at most %d are allowed", info.Size(), limit(name)))
	default:
		return r.read(name)
	}
	return nil
}

func (r *reader) walkFolder(name string) error {
	if strings.Count(name, "/")+1 >= source.MaxDepth {
		r.refuse(name, fmt.Sprintf("it lies more than %d folders deep", source.MaxDepth))
		return nil
	}
	entries, err := fs.ReadDir(r.root.FS(), name)
	if err != nil {
		r.refuse(name, reason(err))
		return nil
	}
	for _, e := range entries {
		if err := r.walk(path.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// read takes one byte more than allowed, so that a file that grows meanwhile is
// noticed.
func (r *reader) read(name string) error {
	f, err := r.root.Open(name)
	if err != nil {
		r.refuse(name, reason(err))
		return nil
	}
	defer f.Close() // opened for reading
	content, err := io.ReadAll(io.LimitReader(f, limit(name)+1))
	if err != nil {
		r.refuse(name, reason(err))
		return nil
	}
	if int64(len(content)) > limit(name) {
		r.refuse(name, "it grew over its limit while it was read")
		return nil
	}
	r.files = append(r.files, schemas.File{Path: name, Content: content})
	return nil
}

// reason is why a path cannot be read, without the path, which may be absolute.
func reason(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	return "it cannot be read: " + err.Error()
}

func (r *reader) refuse(name, why string) {
	r.files = append(r.files, schemas.File{Path: name, Refused: why})
}

func limit(name string) int64 {
	if strings.HasSuffix(name, ".rego") {
		return source.MaxRego
	}
	return source.MaxFile
}
