package release

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Ledger says, for each governing file, which content stands approved, and
// which content on the branch does not. It never forgets the approved content
// of a file because the branch holds another.
type Ledger struct {
	Approved    map[string]schemas.ApprovedFile
	Quarantined map[string]schemas.QuarantinedFile
}

// NewLedger is an empty ledger: nothing is approved.
func NewLedger() Ledger {
	return Ledger{Approved: map[string]schemas.ApprovedFile{}, Quarantined: map[string]schemas.QuarantinedFile{}}
}

// clone copies the ledger, so that a judgement that fails half-way changes nothing.
func (l Ledger) clone() Ledger {
	return Ledger{Approved: maps.Clone(l.Approved), Quarantined: maps.Clone(l.Quarantined)}
}

// Trust is the ledger of content that a person vouched for by naming a commit.
func Trust(content map[string]source.ID, commit source.ID) Ledger {
	l := NewLedger()
	for path, blob := range content {
		l.Approved[path] = schemas.ApprovedFile{Path: path, Blob: blob.String(), Commit: commit.String()}
	}
	return l
}

// Merge is a pull request that was merged into the branch, and what the gate
// says it was approved for when it was.
type Merge struct {
	PullRequest review.PullRequest
	// Commit is the last one that the merge put on the branch.
	Commit source.ID
	Report *review.Report
}

// Decision is one file whose standing changed.
type Decision struct {
	Path string
	// Approved is the content that may run from now on; nil where none was approved.
	Approved *schemas.ApprovedFile
	// Removed: the file's removal was approved.
	Removed bool
	// Quarantined is the content that may not run; nil where there is none.
	Quarantined *schemas.QuarantinedFile
	// Restored: the branch is back at the approved content.
	Restored bool
}

// Judge compares the content at the branch's tip with the ledger. A file that
// differs is taken over if one of the merges was approved for exactly that
// content, and is quarantined otherwise. Later merges win over earlier ones.
//
// It is a comparison of states, not of histories: squashed, rebased and merged
// pull requests, forced pushes and a controller that slept through a hundred
// commits are all the same to it.
func (l Ledger) Judge(tip source.ID, content map[string]source.ID, merges []Merge, now time.Time) (Ledger, []Decision) {
	next := l.clone()
	var decisions []Decision
	for _, path := range l.paths(content) {
		if d, changed := next.judge(path, content[path], tip, merges, now); changed {
			decisions = append(decisions, d)
		}
	}
	return next, decisions
}

// paths lists every file on the branch or in the ledger, sorted.
func (l Ledger) paths(content map[string]source.ID) []string {
	all := map[string]bool{}
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

// judge updates one file's standing and reports whether it changed.
//
//	on the branch      in the ledger   approved by a merge   becomes
//	= approved         –               –                     clean (restored, if it was quarantined)
//	another content    –               yes                   approved
//	another content    –               no                    quarantined, approved content stays
//	absent             approved        yes                   removed
//	absent             approved        no                    quarantined removal, approved content stays
//	absent             never approved  –                     forgotten
func (l Ledger) judge(path string, blob, tip source.ID, merges []Merge, now time.Time) (Decision, bool) {
	approved, known := l.Approved[path]
	quarantined, wasQuarantined := l.Quarantined[path]
	if known && approved.Blob == blob.String() || !known && blob.IsZero() {
		delete(l.Quarantined, path)
		return Decision{Path: path, Restored: true}, wasQuarantined
	}
	if a := approvalFor(path, blob, merges); a != nil {
		delete(l.Quarantined, path)
		if blob.IsZero() {
			delete(l.Approved, path)
			return Decision{Path: path, Approved: a, Removed: true}, true
		}
		l.Approved[path] = *a
		return Decision{Path: path, Approved: a}, true
	}
	if wasQuarantined && quarantined.Blob == blob.String() {
		return Decision{}, false
	}
	q := schemas.QuarantinedFile{
		Path: path, Blob: blob.String(), Commit: tip.String(), Reason: refusal(path, blob, merges), Since: metav1.NewTime(now),
	}
	l.Quarantined[path] = q
	return Decision{Path: path, Quarantined: &q}, true
}

// approvalFor finds the latest merge that was approved to bring this content.
func approvalFor(path string, blob source.ID, merges []Merge) *schemas.ApprovedFile {
	for _, m := range slices.Backward(merges) {
		c := m.change(path)
		if c == nil || c.AfterBlob() != blob || !m.approved(c) {
			continue
		}
		a := &schemas.ApprovedFile{
			Path: path, Blob: blob.String(), Digest: c.Digest, Level: c.Risk.Level, Score: c.Risk.Score,
			Commit: m.Commit.String(), Head: m.PullRequest.Head.String(), PullRequest: m.PullRequest.Number,
		}
		for _, s := range c.Approvals.Slots {
			a.By = append(a.By, schemas.ApprovedBy{Role: s.Role, Login: s.By})
		}
		return a
	}
	return nil
}

func (m Merge) change(path string) *review.Change {
	for _, c := range m.Report.Changes {
		if c.Path == path {
			return c
		}
	}
	return nil
}

// approved reports whether a merge may bring a change: nothing about the pull
// request was unknown, and the change itself passed. What is wrong with one
// model does not hold back another; what is wrong with the whole holds back
// the governing files.
func (m Merge) approved(c *review.Change) bool {
	for _, s := range m.Report.Stages {
		if s.Verdict == policy.Error {
			return false
		}
	}
	if c.Platform() && m.Report.Findings.Failed() {
		return false
	}
	return c.Verdict == policy.Pass && c.Approvals.Satisfied
}

// refusal says why content is quarantined, for the person who put it there.
func refusal(path string, blob source.ID, merges []Merge) string {
	for _, m := range slices.Backward(merges) {
		c := m.change(path)
		if c == nil {
			continue
		}
		if c.AfterBlob() != blob {
			return fmt.Sprintf("pull request #%d was reviewed with other content than what is on the branch", m.PullRequest.Number)
		}
		return fmt.Sprintf("pull request #%d was merged without its approvals: %s", m.PullRequest.Number, review.Headline(m.Report))
	}
	return "it reached the branch without a pull request"
}
