package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// RefUpdate is what a fetch did to one reference.
type RefUpdate struct {
	Old ID // as of the fetch before; "" if it is new
	New ID // "" if it is gone from the remote
	// Forced: Old is not an ancestor of New, so history was rewritten. It is also
	// set where that can no longer be told. False if either is empty.
	Forced bool
}

// Changed reports whether the reference moved, came or went.
func (u RefUpdate) Changed() bool { return u.Old != u.New }

// Refs is the outcome of a fetch.
type Refs struct {
	Branch RefUpdate
	// Pulls maps the number of each pull request that the remote has, or had at
	// the fetch before, to its head.
	Pulls map[int]RefUpdate
	// Queue lists what waits in GitHub's merge queue of the branch, by number.
	Queue []Queued
	// Recloned says why the copy was made anew; "" if it was not, or was the first.
	Recloned string
}

// Queued is a pull request in a merge queue: a branch of the forge's own, on which
// it is merged for trial onto what is merged before it.
type Queued struct {
	Number int
	// Base is the branch's tip, or the head of the one before in the queue.
	Base, Head ID
}

// queuePrefix is where GitHub keeps its merge queues. Nobody but GitHub writes there.
const queuePrefix = "refs/heads/gh-readonly-queue/"

var queuedRef = regexp.MustCompile(`^pr-([1-9][0-9]{0,8})-([0-9a-f]{40})$`)

// queued reads the name of a reference in the branch's merge queue.
func (m *Mirror) queued(ref string, head plumbing.Hash) (Queued, bool) {
	name, inQueue := strings.CutPrefix(ref, queuePrefix+m.options.Branch+"/")
	found := queuedRef.FindStringSubmatch(name)
	if !inQueue || found == nil {
		return Queued{}, false
	}
	n, err := strconv.Atoi(found[1])
	return Queued{Number: n, Base: ID(found[2]), Head: idOf(head)}, err == nil
}

var pullRef = regexp.MustCompile(`^refs/pull/([1-9][0-9]{0,8})/head$`)

func pullNumber(ref string) (int, bool) {
	m := pullRef.FindStringSubmatch(ref)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// wanted picks the branch, its merge queue and the heads of pull requests from a remote's references.
func (m *Mirror) wanted(all map[string]plumbing.Hash) (map[string]plumbing.Hash, error) {
	if _, ok := all[m.branchRef()]; !ok {
		return nil, fmt.Errorf("%w: %s", ErrRefMissing, m.options.Branch)
	}
	want := map[string]plumbing.Hash{}
	for name, id := range all {
		_, pull := pullNumber(name)
		_, queued := m.queued(name, id)
		if (pull || queued || name == m.branchRef()) && !id.IsZero() {
			want[name] = id
		}
	}
	return want, nil
}

const packedHeader = "# pack-refs with: peeled fully-peeled sorted \n"

// writeRefs replaces all references at once. They all stand in packed-refs:
// loose references are a file each, so that a crash could leave some old, some
// new and one empty.
func writeRefs(gitDir string, refs map[string]plumbing.Hash) error {
	return writeFile(filepath.Join(gitDir, "packed-refs"), func(w io.Writer) error {
		if _, err := io.WriteString(w, packedHeader); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(refs)) {
			if _, err := fmt.Fprintf(w, "%s %s\n", refs[name], name); err != nil {
				return err
			}
		}
		return nil
	})
}

func readRefs(gitDir string) (_ map[string]plumbing.Hash, err error) {
	f, err := os.Open(filepath.Join(gitDir, "packed-refs"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	refs := map[string]plumbing.Hash{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		id, name, ok := strings.Cut(lines.Text(), " ")
		if !ok || !plumbing.IsHash(id) {
			return nil, fmt.Errorf("%w: packed-refs is malformed", ErrCorrupt)
		}
		refs[name] = plumbing.NewHash(id)
	}
	return refs, lines.Err()
}

// initBare creates an empty bare repository whose HEAD is the given reference.
func initBare(gitDir, head string) error {
	for _, dir := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(gitDir, dir), 0o700); err != nil {
			return err
		}
	}
	files := map[string]string{
		"HEAD":   "ref: " + head + "\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(gitDir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return writeRefs(gitDir, nil)
}
