package release

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Ledger says, for each governing file and manifest, which content stands
// approved, and which content on the branch does not. It never forgets the
// approved content of a file because the branch holds another.
type Ledger struct {
	// Approved content by path. An entry without a blob is a manifest whose
	// removal is approved.
	Approved    map[string]schemas.ApprovedFile
	Quarantined map[string]schemas.QuarantinedFile
}

// NewLedger is an empty ledger: nothing is approved.
func NewLedger() Ledger {
	return Ledger{Approved: map[string]schemas.ApprovedFile{}, Quarantined: map[string]schemas.QuarantinedFile{}}
}

// clone copies the ledger: a judgement changes nothing of the one it judges by.
func (l Ledger) clone() Ledger {
	return Ledger{Approved: maps.Clone(l.Approved), Quarantined: maps.Clone(l.Quarantined)}
}

// Decision is one file whose standing changed.
type Decision struct {
	Path string
	// Approved is the content that may run from now on; without a blob, the
	// approved removal. Nil where nothing was approved.
	Approved *schemas.ApprovedFile
	// Replaced is what stood approved before; nil where nothing did.
	Replaced *schemas.ApprovedFile
	// Quarantined is the content that may not run; nil where there is none.
	Quarantined *schemas.QuarantinedFile
	// Restored: a quarantine ended, for the branch is back at what is approved.
	Restored bool
	// Ended is the quarantine that ended or gave way to another; nil where there
	// was none.
	Ended *schemas.QuarantinedFile
	// Trusted: a person vouched for it by naming a commit.
	Trusted bool
}

// Removed reports whether the decision takes a manifest out of the cluster.
func (d Decision) Removed() bool {
	return d.Approved != nil && d.Approved.Blob == "" && d.Replaced != nil && d.Replaced.Blob != ""
}

// Trust is the ledger after a person vouched for a commit: its content is
// approved, and what it does not hold is removed.
func (l Ledger) Trust(content map[string]source.ID, commit source.ID) (Ledger, []Decision) {
	next := l.clone()
	var decisions []Decision
	for _, path := range l.paths(content, nil) {
		blob := content[path].String()
		delete(next.Quarantined, path)
		if l.Approved[path].Blob == blob {
			continue
		}
		trusted := schemas.ApprovedFile{Path: path, Blob: blob, Commit: commit.String(), MergedAt: l.Approved[path].MergedAt}
		if d := next.approve(trusted); d.Approved != nil {
			d.Trusted = true
			decisions = append(decisions, d)
		}
	}
	return next, decisions
}

// Judge takes over what merges were approved for, then compares the content at
// the branch's tip with what stands approved. What differs is quarantined.
//
// It depends on the merges and on the tip, not on how often the branch was
// looked at in between: squashed, rebased and merged pull requests, direct and
// forced pushes and a controller that slept through a hundred commits are all
// the same to it.
func (l Ledger) Judge(tip source.ID, content map[string]source.ID, merges []Merge, now time.Time) (Ledger, []Decision) {
	next := l.clone()
	var decisions []Decision
	for _, path := range l.paths(content, merges) {
		approval, unknown := outcomeOf(path, merges, l.Approved[path])
		if approval != nil && !sameApproval(*approval, l.Approved[path]) {
			if d := next.approve(*approval); d.Approved != nil {
				decisions = append(decisions, d)
			}
		}
		if d, changed := next.compare(path, content[path], unknown, tip, merges, now); changed {
			decisions = append(decisions, d)
		}
	}
	return next, decisions
}

// Unreadable reports whether an error says that a commit holds what nothing can
// be read of, today or later: it is over a cap, or git itself calls it broken.
func Unreadable(err error) bool {
	refused := (*source.Refused)(nil)
	return errors.As(err, &refused) || errors.Is(err, source.ErrTreeTooLarge)
}

// unread stands for the content of a file that cannot be read. It is the id of no
// object, and the same at each tip, so that the file is quarantined once.
var unread = source.ID(strings.Repeat("f", 40))

// Unread is the content of a tip that is Unreadable, and the step that brought
// it: each file that stands approved may be another there, and so is. What was
// quarantined without an approval is not known to be gone, and stays.
func (l Ledger) Unread(tip source.ID, why error) (map[string]source.ID, Merge) {
	content, m := map[string]source.ID{}, Merge{Base: tip, Commit: tip, Files: map[string]MergedFile{}}
	for path, q := range l.Quarantined {
		content[path] = source.ID(q.Blob)
	}
	for path, a := range l.Approved {
		if a.Blob != "" {
			content[path], m.Files[path] = unread, MergedFile{Blob: unread}
		}
	}
	m.refuse(fmt.Sprintf("nothing can be read of what the branch holds: %v", why))
	return content, m
}

// sameApproval reports whether an approval says what stands already.
func sameApproval(a, standing schemas.ApprovedFile) bool {
	return a.Blob == standing.Blob && (a.Blob == "" || a.Commit == standing.Commit)
}

// supersedes reports whether an approval may take the place of one that stands:
// it must not have been merged before that. Otherwise whoever can force the
// branch back and forth could bring back what was reverted since.
func supersedes(a, standing schemas.ApprovedFile) bool {
	return standing.MergedAt == nil || a.MergedAt != nil && !a.MergedAt.Before(standing.MergedAt)
}

// Standing is what stands approved of the manifests of which the branch holds
// something else; a zero id, where nothing does.
func (l Ledger) Standing(content map[string]source.ID) map[string]source.ID {
	standing := map[string]source.ID{}
	for path, blob := range content {
		if a := l.Approved[path]; a.Blob != blob.String() && !schemas.IsPlatform(path) {
			standing[path] = source.ID(a.Blob)
		}
	}
	for path, a := range l.Approved {
		if _, there := content[path]; !there && a.Blob != "" && !schemas.IsPlatform(path) {
			standing[path] = source.ID(a.Blob)
		}
	}
	return standing
}

// paths lists every file on the branch, in the ledger or in a merge, sorted.
func (l Ledger) paths(content map[string]source.ID, merges []Merge) []string {
	all := make(map[string]bool, len(content))
	for i := range merges {
		for path := range merges[i].Files {
			all[path] = true
		}
	}
	for path := range content {
		all[path] = true
	}
	for path := range l.Approved {
		all[path] = true
	}
	for path := range l.Quarantined {
		all[path] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// outcomeOf is what the merges, oldest first, make of one path: the content of
// the last that was approved, if any, and the content that was left by a later
// one of which nothing is known yet.
func outcomeOf(path string, merges []Merge, standing schemas.ApprovedFile) (approval *schemas.ApprovedFile, unknown *source.ID) {
	for i := range merges {
		f, touched := merges[i].Files[path]
		switch {
		case !touched:
		case merges[i].Unknown != "":
			unknown = &f.Blob
		case f.Approved != nil && supersedes(*f.Approved, standing):
			approval, unknown = f.Approved, nil
		default:
			unknown = nil
		}
	}
	return approval, unknown
}

// approve makes content the approved one. Of a governing file that is removed
// nothing is kept; of a manifest the removal is.
func (l Ledger) approve(a schemas.ApprovedFile) Decision {
	d := Decision{Path: a.Path, Approved: &a}
	if before, known := l.Approved[a.Path]; known {
		d.Replaced = &before
		a.Replaced = before.Blob
	}
	if a.Blob != "" {
		l.Approved[a.Path] = a
		return d
	}
	delete(l.Approved, a.Path)
	if d.Replaced == nil {
		return Decision{} // nothing of it was ever approved: there is nothing to remove
	}
	if _, manifest := schemas.ManifestUnit(a.Path); manifest {
		l.Approved[a.Path] = a
	}
	return d
}

// compare updates one file's standing by what the branch holds.
//
//	on the branch                         becomes
//	the approved content                  clean (restored, if it was quarantined)
//	nothing, and nothing stands approved  clean
//	what a merge left of which nothing
//	is known yet                          as it was, to be judged again
//	anything else, removals included      quarantined, approved content stays
func (l Ledger) compare(path string, blob source.ID, unknown *source.ID, tip source.ID, merges []Merge, now time.Time) (Decision, bool) {
	quarantined, was := l.Quarantined[path]
	var ended *schemas.QuarantinedFile
	if was {
		ended = &quarantined
	}
	switch {
	case l.Approved[path].Blob == blob.String():
		delete(l.Quarantined, path)
		return Decision{Path: path, Restored: true, Ended: ended}, was
	case unknown != nil && *unknown == blob:
		return Decision{}, false
	case was && quarantined.Blob == blob.String():
		return Decision{}, false
	}
	_, known := l.Approved[path]
	q := schemas.QuarantinedFile{
		Path: path, Blob: blob.String(), Commit: tip.String(), Reason: refusal(path, blob, merges, known), Since: metav1.NewTime(now.Truncate(time.Second)),
	}
	l.Quarantined[path] = q
	return Decision{Path: path, Quarantined: &q, Ended: ended}, true
}
