package release

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Merge is a step of the branch: a pull request that was merged, or a push that
// may turn out to be one.
type Merge struct {
	// PullRequest number; 0 where none is known yet.
	PullRequest int
	// Base and Commit are where the branch stood before and after.
	Base, Commit source.ID
	// Files says, for each path that it changed, what it left there.
	Files map[string]MergedFile
	// Unknown says why it could not be judged yet; empty where it was.
	Unknown string
}

// MergedFile is one path that a merge changed.
type MergedFile struct {
	// Blob is what stands at the path since; empty: nothing.
	Blob source.ID
	// Approved is the approval of exactly that; nil where it has none.
	Approved *schemas.ApprovedFile
	// Refusal says why not.
	Refusal string
}

// weigh says of each file that a merge changed whether the gate approved what
// the merge left there.
func (m *Merge) weigh(pr review.PullRequest, report *review.Report) {
	for path, f := range m.Files {
		change := changeOf(report, path)
		switch {
		case change == nil || change.AfterBlob() != f.Blob:
			f.Refusal = fmt.Sprintf("pull request #%d was reviewed with other content than what is on the branch", m.PullRequest)
		case change.OnUnapproved():
			f.Refusal = fmt.Sprintf("pull request #%d changed content of this file that was not approved itself; take both back, and propose the whole change anew", m.PullRequest)
		case !approved(report, change):
			f.Refusal = fmt.Sprintf("pull request #%d was merged without its approvals: %s", m.PullRequest, review.Headline(report))
		default:
			f.Approved = m.approval(pr, change)
		}
		m.Files[path] = f
	}
}

func changeOf(report *review.Report, path string) *review.Change {
	i := slices.IndexFunc(report.Changes, func(c *review.Change) bool { return c.Path == path })
	if i < 0 {
		return nil
	}
	return report.Changes[i]
}

// approved reports whether a merge may bring a change: the change itself
// passed, and nothing about the pull request was unknown. What is wrong with
// one model does not hold back another; what is wrong with the whole holds back
// the governing files.
func approved(report *review.Report, c *review.Change) bool {
	if stage := errorStage(report); stage != "" {
		return false
	}
	if c.Platform() && report.Findings.Failed() {
		return false
	}
	return c.Verdict == policy.Pass && c.Approvals.Satisfied
}

// errorStage is the reason of the first stage that could not judge.
func errorStage(report *review.Report) string {
	for _, s := range report.Stages {
		if s.Verdict == policy.Error {
			return string(s.Name) + ": " + s.Reason
		}
	}
	return ""
}

func (m *Merge) approval(pr review.PullRequest, c *review.Change) *schemas.ApprovedFile {
	a := &schemas.ApprovedFile{
		Path: c.Path, Blob: c.AfterBlob().String(), Before: c.BeforeBlob().String(), Digest: c.Digest, Level: c.Risk.Level, Score: c.Risk.Score,
		Commit: m.Commit.String(), Head: pr.Head.String(), PullRequest: pr.Number,
		MergedAt: asRead(pr.MergedAt),
	}
	for _, s := range c.Approvals.Slots {
		by := schemas.ApprovedBy{Role: s.Role, Login: s.By, ID: s.ID, Alternate: s.Alternate, ReviewedCommit: s.Commit}
		if !s.Reviewed.IsZero() {
			by.ReviewedAt = asRead(s.Reviewed)
		}
		a.By = append(a.By, by)
	}
	if glass := c.Glass(); len(glass) > 0 {
		a.BrokenGlass = &schemas.BrokenGlass{By: glass[0].By, Reason: glass[0].Reason, Lifted: glass[0].Lifted}
	}
	return a
}

// asRead is a time as the cluster gives it back.
func asRead(t time.Time) *metav1.Time { return &metav1.Time{Time: t.UTC().Truncate(time.Second)} }

// refusal says why content is quarantined, for the person who put it there. Known
// tells that something of the file stands approved: then what replaced it came in a
// step that was looked at. Otherwise its approval may only not be on record here.
func refusal(path string, blob source.ID, merges []Merge, known bool) string {
	for _, m := range slices.Backward(merges) {
		f, touched := m.Files[path]
		switch {
		case !touched || f.Blob != blob:
		case f.Refusal != "":
			return f.Refusal
		case f.Approved != nil:
			return fmt.Sprintf("pull request #%d brought it before what stands approved was merged, and nobody approved to go back to it", m.PullRequest)
		}
	}
	if known {
		return "it reached the branch without a pull request that was approved for it"
	}
	return "no approval of this file is on record here: it was pushed without a pull request that was approved for it, or its approval is in another audit log, " +
		"one that was lost or a second controller's; propose it by a pull request, or name a commit that you have read in spec.trustFrom"
}
