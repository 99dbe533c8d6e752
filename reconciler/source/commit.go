package source

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Person is an author, committer or co-author as a commit records it. Nobody
// has verified it: anyone can write any name and address.
type Person struct {
	Name  string
	Email string // empty if none is recorded
}

// Commit is what a commit says about itself.
type Commit struct {
	ID        ID
	Tree      ID // of its root folder
	Author    Person
	Committer Person
	CoAuthors []Person  // from Co-authored-by trailers
	Time      time.Time // of the committer's clock, UTC
	Subject   string    // first line of the message, at most maxSubject bytes
	Parents   []ID
}

// Merge reports whether the commit joins several histories.
func (c Commit) Merge() bool { return len(c.Parents) > 1 }

const maxSubject = 200

// Commit returns one commit. Errors: ErrRevision if there is no such commit,
// ErrMissing, ErrCorrupt.
func (r *Repository) Commit(ctx context.Context, id ID) (Commit, error) {
	if err := ctx.Err(); err != nil {
		return Commit{}, err
	}
	c, err := r.given(id.hash())
	if err != nil {
		return Commit{}, err
	}
	return c.public(), nil
}

// commit is a parsed commit as the caches hold it. It is immutable.
type commit struct {
	id, tree          plumbing.Hash
	parents           []plumbing.Hash
	author, committer Person
	coAuthors         []Person
	seconds           int64 // the committer's clock, Unix time
	subject           string
	cut               bool // a shallow clone ends here; parents are named but absent
}

func (c *commit) public() Commit {
	out := Commit{
		ID: idOf(c.id), Tree: idOf(c.tree), Author: c.author, Committer: c.committer,
		CoAuthors: append([]Person(nil), c.coAuthors...),
		Time:      time.Unix(c.seconds, 0).UTC(), Subject: c.subject,
	}
	for _, p := range c.parents {
		out.Parents = append(out.Parents, idOf(p))
	}
	return out
}

// checkCut returns ErrShallow if the commit's parents were not fetched.
func (c *commit) checkCut() error {
	if !c.cut || len(c.parents) == 0 {
		return nil
	}
	return fmt.Errorf("%w: at commit %s; fetch the whole history (git fetch --unshallow)", ErrShallow, c.id)
}

// commit reads a commit through the cache; errType if the object is none.
func (r *Repository) commit(id plumbing.Hash) (*commit, error) {
	if c, ok := r.commits.Get(id); ok {
		return c, nil
	}
	data, err := r.store.read(id, plumbing.CommitObject, maxCommit)
	if err != nil {
		return nil, err
	}
	c, err := parseCommit(data)
	if err != nil {
		return nil, r.store.report(fmt.Errorf("%w: commit %s: %v", ErrCorrupt, id, err))
	}
	c.id, c.cut = id, r.cut[id]
	r.commits.Put(id, c, 1)
	return c, nil
}

// given is mustCommit for a name that comes from outside the repository. That
// it is unknown says nothing about the repository's health: pull requests and
// reviews go on naming commits that were pushed away long ago.
func (r *Repository) given(id plumbing.Hash) (*commit, error) {
	if c, ok := r.commits.Get(id); ok {
		return c, nil
	}
	if !r.store.find(id) {
		return nil, fmt.Errorf("%w: there is no commit %s", ErrRevision, id)
	}
	return r.mustCommit(id)
}

// mustCommit is commit where anything else is the caller's mistake.
func (r *Repository) mustCommit(id plumbing.Hash) (*commit, error) {
	c, err := r.commit(id)
	if isType(err) {
		return nil, fmt.Errorf("%w: %s is no commit", ErrRevision, id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading commit %s: %w", id, err)
	}
	return c, nil
}

// parseCommit reads a commit object in the fixed order in which Git writes and
// reads it. go-git's decoder is not used, because it lets a second author line
// further down replace the first, and who wrote a commit decides who may
// approve it.
func parseCommit(data []byte) (*commit, error) {
	head, message, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	c := &commit{}
	tree, ok := next(&lines, "tree ")
	if !ok || !plumbing.IsHash(tree) {
		return nil, fmt.Errorf("no tree")
	}
	c.tree = plumbing.NewHash(tree)
	for {
		parent, ok := next(&lines, "parent ")
		if !ok {
			break
		}
		if !plumbing.IsHash(parent) {
			return nil, fmt.Errorf("malformed parent")
		}
		c.parents = append(c.parents, plumbing.NewHash(parent))
	}
	author, ok := next(&lines, "author ")
	if !ok {
		return nil, fmt.Errorf("no author")
	}
	committer, ok := next(&lines, "committer ")
	if !ok {
		return nil, fmt.Errorf("no committer")
	}
	c.author, _ = parseIdent(author)
	c.committer, c.seconds = parseIdent(committer)
	text := strings.ToValidUTF8(string(message), "\uFFFD")
	subject, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	c.subject = strings.ToValidUTF8(subject[:min(len(subject), maxSubject)], "")
	c.coAuthors = coAuthors(text)
	return c, nil
}

// next takes the first of the lines if it begins with key.
func next(lines *[]string, key string) (string, bool) {
	if len(*lines) == 0 {
		return "", false
	}
	value, ok := strings.CutPrefix((*lines)[0], key)
	if ok {
		*lines = (*lines)[1:]
	}
	return value, ok
}

// parseIdent reads "Name <email> seconds zone". What is missing stays empty, as
// in Git: histories hold commits by people without an address, or of year 0.
func parseIdent(line string) (Person, int64) {
	line = strings.ToValidUTF8(line, "\uFFFD")
	p := parsePerson(line)
	when := strings.Fields(line[strings.LastIndexByte(line, '>')+1:])
	if len(when) == 0 {
		return p, 0
	}
	seconds, err := strconv.ParseInt(when[0], 10, 64)
	if err != nil {
		return p, 0
	}
	return p, seconds
}

// parsePerson reads "Name <email>". Without an address all of it is the name.
func parsePerson(s string) Person {
	name, rest, ok := strings.Cut(s, "<")
	if !ok {
		return Person{Name: strings.TrimSpace(s)}
	}
	email, _, _ := strings.Cut(rest, ">")
	return Person{Name: strings.TrimSpace(name), Email: strings.TrimSpace(email)}
}
