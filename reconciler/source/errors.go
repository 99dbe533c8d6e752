package source

import (
	"errors"
	"fmt"
)

// Errors about the repository as it is stored. Test with [errors.Is].
var (
	// ErrRevision: a revision does not name a commit in this repository, or is
	// not written in a form that is understood.
	ErrRevision = errors.New("unknown revision")
	// ErrAmbiguous: an abbreviated object name fits several objects. Give more digits.
	ErrAmbiguous = errors.New("ambiguous revision")
	// ErrNotRepository: the directory holds no Git repository that can be read.
	ErrNotRepository = errors.New("not a readable Git repository")
	// ErrMissing: an object that another one names is not in the repository. The
	// repository is damaged, or was cloned in part. A Mirror repairs itself at
	// its next Fetch.
	ErrMissing = errors.New("object missing from the repository")
	// ErrCorrupt: stored bytes do not decode to the object they should be. A
	// Mirror repairs itself at its next Fetch.
	ErrCorrupt = errors.New("repository is corrupt")
	// ErrShallow: the history is cut off (a shallow clone) before the question
	// could be answered. Fetch the full history.
	ErrShallow = errors.New("history is cut off by a shallow clone")
	// ErrNoMergeBase: two commits share no history.
	ErrNoMergeBase = errors.New("no common ancestor")
	// ErrMergeBases: two commits have several best common ancestors, so "what
	// did this branch change" has no single answer. Rebase, or merge the base
	// into the branch.
	ErrMergeBases = errors.New("several merge bases")
	// ErrNotAncestor: history was rewritten; the older commit is not an
	// ancestor of the newer one.
	ErrNotAncestor = errors.New("not an ancestor")
	// ErrTreeTooLarge: the known folders of a tree hold more than MaxEntries
	// entries. The whole tree is refused.
	ErrTreeTooLarge = errors.New("tree too large")
	// ErrNoFile: a tree has no file at a path.
	ErrNoFile = errors.New("no such file")
)

// A Cause says which rule a refused path breaks. Causes are stable codes; the
// sentence for people is in [Refused.Error].
type Cause string

// The causes for which content is refused.
const (
	CauseSymlink   Cause = "symlink"
	CauseSubmodule Cause = "submodule"
	CauseName      Cause = "name"       // a name that Git calls broken, or that forges output
	CauseDuplicate Cause = "duplicate"  // two entries of one tree bear the same name
	CauseMode      Cause = "mode"       // a file mode that Git does not know
	CauseMalformed Cause = "malformed"  // the tree object cannot be decoded or is not in Git's order
	CauseType      Cause = "type"       // the object is not what the tree entry says it is
	CausePath      Cause = "path-long"  // the path is longer than MaxPath
	CauseDepth     Cause = "path-deep"  // the path has more than MaxDepth segments
	CauseSize      Cause = "size"       // the file is larger than its cap
	CauseFolder    Cause = "not-folder" // a file stands where a known folder belongs
	CauseFile      Cause = "not-file"   // a folder stands where governance.yaml belongs
)

// Refused is why a path of a tree is not read. It concerns that path alone;
// the rest of the tree is readable.
type Refused struct {
	Path   string // as in File.Path
	Cause  Cause
	Detail string // numbers or the offending part, safe to print; may be empty
}

var causeText = map[Cause]string{
	CauseSymlink:   "is a symbolic link; commit the content itself",
	CauseSubmodule: "is a submodule; commit the content itself",
	CauseName:      "has a name that is not allowed in Git",
	CauseDuplicate: "appears twice in its folder",
	CauseMode:      "has a file mode that Git does not know",
	CauseMalformed: "is a damaged folder (its tree object is malformed)",
	CauseType:      "is not the kind of object its folder says it is",
	CausePath:      fmt.Sprintf("has a path longer than %d bytes", MaxPath),
	CauseDepth:     fmt.Sprintf("lies deeper than %d folders", MaxDepth),
	CauseSize:      "is too large",
	CauseFolder:    "must be a folder",
	CauseFile:      "must be a file",
}

// Error names the path, the rule and the remedy.
func (r *Refused) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("%s %s", r.Path, causeText[r.Cause])
	}
	return fmt.Sprintf("%s %s: %s", r.Path, causeText[r.Cause], r.Detail)
}
