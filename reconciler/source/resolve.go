package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Resolve returns the commit that a revision names: a branch, a tag (annotated
// ones are followed), a reference, HEAD, or an object name, full or abbreviated
// to four digits or more, followed by any of ~N, ^N, ^0 and ^{commit}.
//
// Errors: ErrRevision, ErrAmbiguous, ErrShallow, or those of a damaged repository.
//
// This follows gitrevisions(7). go-git's ResolveRevision is not used: it takes
// the first of several objects that an abbreviation fits, reads ^3 as ^2, and
// panics on "~1" without a name before it.
func (r *Repository) Resolve(ctx context.Context, rev string) (ID, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	name, steps, err := splitRevision(rev)
	if err != nil {
		return "", err
	}
	id, err := r.resolveName(name)
	if err != nil {
		return "", err
	}
	if id, err = r.peel(id); err != nil {
		return "", fmt.Errorf("resolving %q: %w", clip(rev), err)
	}
	for _, s := range steps {
		if id, err = r.step(id, s); err != nil {
			return "", fmt.Errorf("resolving %q: %w", clip(rev), err)
		}
	}
	return idOf(id), nil
}

var (
	revisionForm = regexp.MustCompile(`^([^\s~^:?*\[\\\x00-\x1f\x7f]+)((?:~\d*|\^\d*|\^\{commit\})*)$`)
	revisionStep = regexp.MustCompile(`~(\d*)|\^(?:\{commit\}|(\d*))`)
	pseudoRef    = regexp.MustCompile(`^[A-Z_]*HEAD$`)
	abbreviation = regexp.MustCompile(`^[0-9a-fA-F]{4,40}$`)
)

// step is one suffix of a revision: the n-th parent, or the n-th ancestor along
// first parents.
type step struct {
	n        int
	ancestor bool
}

// maxSteps bounds ~N, so that a typing error does not walk a history for minutes.
const maxSteps = 100_000

func splitRevision(rev string) (name string, steps []step, err error) {
	m := revisionForm.FindStringSubmatch(rev)
	if m == nil || strings.HasPrefix(rev, "-") || strings.Contains(rev, "..") || strings.Contains(rev, "@{") {
		return "", nil, fmt.Errorf("%w: %q is not understood; give a branch, tag or commit", ErrRevision, clip(rev))
	}
	for _, s := range revisionStep.FindAllStringSubmatch(m[2], -1) {
		text, ancestor := s[1]+s[2], strings.HasPrefix(s[0], "~")
		n := 1
		if strings.HasSuffix(s[0], "}") {
			n = 0
		} else if text != "" {
			if n, err = strconv.Atoi(text); err != nil || n > maxSteps {
				return "", nil, fmt.Errorf("%w: %q counts too far back", ErrRevision, clip(rev))
			}
		}
		steps = append(steps, step{n: n, ancestor: ancestor})
	}
	return m[1], steps, nil
}

// resolveName prefers as Git does: a full object name, then a reference, then
// an abbreviation.
func (r *Repository) resolveName(name string) (plumbing.Hash, error) {
	if id, err := ParseID(name); err == nil {
		if r.store.find(id.hash()) {
			return id.hash(), nil
		}
		return plumbing.ZeroHash, fmt.Errorf("%w: no object %s", ErrRevision, id)
	}
	if name == "@" {
		name = "HEAD"
	}
	for _, full := range refCandidates(name) {
		if id, ok := r.store.reference(full); ok {
			return id, nil
		}
	}
	if abbreviation.MatchString(name) {
		return r.resolveAbbreviation(strings.ToLower(name))
	}
	return plumbing.ZeroHash, fmt.Errorf("%w: %q names no branch, tag or commit", ErrRevision, clip(name))
}

func refCandidates(name string) []string {
	var full []string
	if strings.HasPrefix(name, "refs/") || pseudoRef.MatchString(name) {
		full = append(full, name)
	}
	return append(full, "refs/"+name, "refs/tags/"+name, "refs/heads/"+name,
		"refs/remotes/"+name, "refs/remotes/"+name+"/HEAD")
}

// resolveAbbreviation considers commits and tags only, as `git rev-parse`
// does where a commit is wanted.
func (r *Repository) resolveAbbreviation(short string) (plumbing.Hash, error) {
	prefix, err := hex.DecodeString(short[:len(short)&^1])
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("%w: %q", ErrRevision, short)
	}
	candidates, err := r.store.withPrefix(prefix)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	var found []plumbing.Hash
	for _, id := range candidates {
		if !strings.HasPrefix(id.String(), short) || slices.Contains(found, id) {
			continue
		}
		switch _, err := r.peel(id); {
		case err == nil:
			found = append(found, id)
		case !errors.Is(err, ErrRevision):
			return plumbing.ZeroHash, err
		}
	}
	switch len(found) {
	case 0:
		return plumbing.ZeroHash, fmt.Errorf("%w: %q names no branch, tag or commit", ErrRevision, short)
	case 1:
		return found[0], nil
	}
	return plumbing.ZeroHash, fmt.Errorf("%w: %q fits %d objects; give more digits", ErrAmbiguous, short, len(found))
}

// Bounds of the two kinds of objects that are read whole.
const (
	maxCommit = 1 << 20
	maxTags   = 10 // how many tags may point to one another
)

// peel follows tags to the commit they name.
func (r *Repository) peel(id plumbing.Hash) (plumbing.Hash, error) {
	for range maxTags {
		_, err := r.commit(id)
		if !errors.Is(err, errType) {
			return id, err
		}
		data, err := r.store.read(id, plumbing.TagObject, maxCommit)
		if errors.Is(err, errType) || errors.Is(err, errTooLarge) {
			return id, fmt.Errorf("%w: %s is no commit", ErrRevision, id)
		}
		if err != nil {
			return id, err
		}
		target, ok := strings.CutPrefix(string(data), "object ")
		if !ok || len(target) < 40 {
			return id, fmt.Errorf("%w: tag %s is malformed", ErrCorrupt, id)
		}
		id = plumbing.NewHash(target[:40])
	}
	return id, fmt.Errorf("%w: tags point to one another more than %d times", ErrRevision, maxTags)
}

func (r *Repository) step(id plumbing.Hash, s step) (plumbing.Hash, error) {
	times, parent := 1, s.n
	if s.ancestor {
		times, parent = s.n, 1
	}
	if parent == 0 {
		return id, nil
	}
	for range times {
		c, err := r.commit(id)
		if err != nil {
			return id, err
		}
		if err := c.checkCut(); err != nil {
			return id, err
		}
		if parent > len(c.parents) {
			return id, fmt.Errorf("%w: commit %s has %d parents", ErrRevision, id, len(c.parents))
		}
		id = c.parents[parent-1]
	}
	return id, nil
}
