package githubtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// commitFiles makes a commit on top of a parent ("" for the first) that writes the given files and removes
// those whose content is nil. It gives "" when that changes nothing. It goes through an index of its own, so a
// bare repository will do.
func (g gitRepo) commitFiles(parent, message string, author, committer signature, files map[string][]byte) (string, error) {
	index, err := os.CreateTemp("", "index-")
	if err != nil {
		return "", fmt.Errorf("make an index: %w", err)
	}
	path := index.Name()
	if err := index.Close(); err != nil {
		return "", err
	}
	if err := os.Remove(path); err != nil { // git takes an absent index for an empty one, an empty file for a broken one
		return "", err
	}
	defer os.Remove(path) // a stray file in the temporary directory harms nobody
	env := []string{"GIT_INDEX_FILE=" + path}
	if parent != "" {
		if _, err := g.git(env, nil, "read-tree", parent); err != nil {
			return "", err
		}
	}
	entries, err := g.indexEntries(files)
	if err != nil {
		return "", err
	}
	if _, err := g.git(env, []byte(entries), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	tree, err := g.git(env, nil, "write-tree")
	if err != nil {
		return "", err
	}
	return g.commitIfChanged(parent, tree, message, author, committer)
}

func (g gitRepo) commitIfChanged(parent, tree, message string, author, committer signature) (string, error) {
	if parent == "" {
		return g.commitTree(tree, message, author, committer)
	}
	before, err := g.run("rev-parse", parent+"^{tree}")
	if err != nil || before == tree {
		return "", err
	}
	return g.commitTree(tree, message, author, committer, parent)
}

// indexEntries writes the blobs and the lines of `git update-index --index-info`.
func (g gitRepo) indexEntries(files map[string][]byte) (string, error) {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	blobs, err := g.writeBlobs(paths, files)
	if err != nil {
		return "", err
	}
	var entries strings.Builder
	for _, path := range paths {
		if sha, written := blobs[path]; written {
			fmt.Fprintf(&entries, "100644 %s\t%s\x00", sha, path)
		} else {
			fmt.Fprintf(&entries, "0 %s\t%s\x00", zeroSHA, path)
		}
	}
	return entries.String(), nil
}

// writeBlobs writes all contents with one git process, which is what makes thousands of files quick.
func (g gitRepo) writeBlobs(paths []string, files map[string][]byte) (map[string]string, error) {
	dir, err := os.MkdirTemp("", "blobs-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for contents: %w", err)
	}
	defer os.RemoveAll(dir) // a stray file in the temporary directory harms nobody
	var names, written []string
	for i, path := range paths {
		if files[path] == nil {
			continue
		}
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, files[path], 0o600); err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
		names, written = append(names, name), append(written, path)
	}
	blobs := map[string]string{}
	if len(names) == 0 {
		return blobs, nil
	}
	out, err := g.git(nil, []byte(strings.Join(names, "\n")+"\n"), "hash-object", "-w", "--no-filters", "--stdin-paths")
	if err != nil {
		return nil, err
	}
	shas := lines(out)
	if len(shas) != len(written) {
		return nil, fmt.Errorf("git hash-object gave %d ids for %d files", len(shas), len(written))
	}
	for i, path := range written {
		blobs[path] = shas[i]
	}
	return blobs, nil
}

// readDir reads every regular file below a directory, without a .git.
func readDir(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if data == nil {
			data = []byte{}
		}
		files[filepath.ToSlash(rel)] = data
		return err
	})
	return files, err
}
