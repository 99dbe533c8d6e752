package source

import (
	"encoding/hex"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// ID names a Git object: its SHA-1 as 40 lower-case hexadecimal digits. The
// empty ID names nothing (an absent blob, a tip that does not exist yet).
type ID string

// ParseID reads a full object name in either case. An abbreviation is refused:
// [Repository.Resolve] is the place that expands those.
func ParseID(s string) (ID, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(plumbing.ZeroHash) {
		return "", fmt.Errorf("%w: %q is no full object name of 40 hexadecimal digits", ErrRevision, clip(s))
	}
	return ID(hex.EncodeToString(raw)), nil
}

// String returns the full object name, or "" for the empty ID.
func (id ID) String() string { return string(id) }

// Short returns the first twelve digits, enough for people to tell commits apart.
func (id ID) Short() string { return string(id[:min(len(id), 12)]) }

// IsZero reports whether the ID names nothing. Git's own all-zero object name
// counts as nothing too.
func (id ID) IsZero() bool { return id == "" || id.hash().IsZero() }

// hash is the go-git form. A malformed ID becomes the zero hash, which no
// repository contains, so the mistake surfaces as a missing object.
func (id ID) hash() plumbing.Hash { return plumbing.NewHash(string(id)) }

func idOf(h plumbing.Hash) ID {
	if h.IsZero() {
		return ""
	}
	return ID(h.String())
}

// clip shortens foreign text for an error message.
func clip(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
