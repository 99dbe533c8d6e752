package source

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// refusedName says what is wrong with the name of one tree entry, or "".
//
// The list is what `git fsck` and `git update-index` refuse, on every platform
// at once: a repository is read here on Linux, but its content is cloned on
// people's Macs and Windows machines. To it come control characters and
// direction overrides, which Git stores without complaint, because a name that
// holds a line break forges lines of our output.
func refusedName(name string) string {
	switch {
	case name == "":
		return "empty name"
	case name == "." || name == "..":
		return "reserved name"
	case !utf8.ValidString(name):
		return "not UTF-8"
	case strings.ContainsAny(name, "/\\"):
		return "contains a path separator"
	case isHFSDotGit(name) || isNTFSDotGit(name):
		return "another spelling of .git"
	}
	for _, r := range name {
		if forgesOutput(r) {
			return fmt.Sprintf("contains the control character U+%04X", r)
		}
	}
	return ""
}

// forgesOutput reports runes that end a line or reorder text where a path is
// printed, see https://trojansource.codes.
func forgesOutput(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// isHFSDotGit reports whether HFS+ would open .git under this name: it ignores
// case and certain invisible code points. It follows is_hfs_dot_generic,
// https://github.com/git/git/blob/v2.54.0/utf8.c#L703-L774.
func isHFSDotGit(name string) bool {
	visible := strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e,
			r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
	return visible == ".git"
}

// isNTFSDotGit reports whether NTFS would open .git under this name: by its
// short name git~1, with trailing dots and blanks, or as a stream of it. It
// follows is_ntfs_dotgit,
// https://github.com/git/git/blob/v2.54.0/path.c#L1415-L1449.
func isNTFSDotGit(name string) bool {
	lower := strings.ToLower(name)
	rest, ok := strings.CutPrefix(lower, ".git")
	if !ok {
		if rest, ok = strings.CutPrefix(lower, "git~1"); !ok {
			return false
		}
	}
	rest, _, _ = strings.Cut(rest, ":")
	return strings.Trim(rest, ". ") == ""
}

// printable renders a raw entry name so that it can stand in a path that people
// and JSON read: what cannot be printed appears as an escape, as in Go strings.
//
// No two names look alike: an escape holds a backslash, and no name that holds
// one is ever accepted.
func printable(name string) string {
	if name == "" {
		return `\empty`
	}
	tail := ""
	if len(name) > MaxPath {
		tail = fmt.Sprintf(`\%x`, sha256.Sum256([]byte(name)))
		name = name[:32]
	}
	var b strings.Builder
	for len(name) > 0 {
		r, width := utf8.DecodeRuneInString(name)
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, name[0])
		case r == '\\':
			b.WriteString(`\\`)
		case r == '/':
			b.WriteString(`\x2f`)
		case forgesOutput(r) || !unicode.IsGraphic(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		name = name[width:]
	}
	return b.String() + tail
}
