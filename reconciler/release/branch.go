package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Content lists the governing files and manifests of a tree, and the blob of
// each. What the Git source refuses (a link, a submodule, a file over its cap)
// is listed with the object it names, so that it is never taken for absent.
func Content(tree *source.Tree) map[string]source.ID {
	out := map[string]source.ID{}
	for _, f := range tree.Files() {
		if governed(f.Path) {
			out[f.Path] = f.Blob
		}
	}
	return out
}

func governed(path string) bool {
	return schemas.IsPlatform(path) || schemas.ClassifyPath(path) == schemas.PathManifest
}

const (
	// freshPush is how long a forge may take to know whose merge a commit is, since
	// the commit was first met here. Its own time is somebody else's clock.
	freshPush = 10 * time.Second
	// judgedWithin is how long a merged pull request that could not be judged is
	// asked about again. After that its content is quarantined for good.
	judgedWithin = 24 * time.Hour
	// judgeTimeout bounds the judgement of one merged pull request.
	judgeTimeout = 2 * time.Minute
)

// Branch finds the pull requests that brought the branch from one tip to another.
type Branch struct {
	Repo *source.Repository
	// Reviewer judges merged pull requests; nil where no forge is configured,
	// and then nothing that is pushed is approved.
	Reviewer *review.Reviewer
	Name     string
	// Known keeps what was found out about steps of the branch, by their first
	// commit, while an older step is still to be judged. Nil keeps nothing.
	Known map[source.ID]Step
	// Approved is the standing of every file, by path: a merge is judged by approved
	// rules alone, and against the approved manifests. Nil takes the branch's as
	// they are.
	Approved map[string]schemas.ApprovedFile
	// Serves reports whether the ledger is about a path: manifests of other
	// environments are another cluster's to approve. Nil: about all.
	Serves func(path string) bool
	// Seen keeps when a commit of which the forge knows no pull request was first
	// met. Nil keeps nothing.
	Seen map[source.ID]time.Time

	// order of the commits that are judged, and the place of those looked at.
	order map[source.ID]int
	at    int
	// waiting: an earlier merge is not judged yet, so what it may have been
	// approved to change is not known.
	waiting bool
}

// Step is a known part of the branch: so many commits that one merge put there.
// Without a merge it is a direct push.
type Step struct {
	Merge   *Merge
	Commits int
}

// leads reports whether these commits begin with the step, from where the branch
// stood. The branch may have been forced back to between the commits of a rebase
// merge since it was found.
func (s Step) leads(stood source.ID, commits []source.Commit) bool {
	return s.Commits <= len(commits) && (s.Merge == nil || s.Merge.Base == stood && s.Merge.Commit == commits[s.Commits-1].ID)
}

// Merges lists the pull requests merged between two tips, oldest first, each
// with what it was approved for when it was merged. Roles are those that people
// hold now. One that could not be judged is listed as Unknown and harms no
// other. An error means that not even the list is known.
func (b Branch) Merges(ctx context.Context, from, to source.ID) ([]Merge, error) {
	if b.Reviewer == nil || from == to {
		return nil, nil
	}
	stood, commits, err := b.log(ctx, from, to)
	if err != nil {
		return nil, err
	}
	var merges []Merge
	b.Approved = maps.Clone(b.Approved)
	b.order = make(map[source.ID]int, len(commits))
	for i, c := range commits {
		b.order[c.ID] = i
	}
	for len(commits) > 0 {
		step, known := b.Known[commits[0].ID]
		if !known || !step.leads(stood, commits) {
			if step, err = b.step(ctx, stood, commits); err != nil {
				return nil, err
			}
		}
		if b.Known != nil && (step.Merge == nil || step.Merge.Unknown == "") {
			b.Known[commits[0].ID] = step
		}
		if step.Merge != nil {
			merges = append(merges, *step.Merge)
			b.follow(step.Merge)
			b.waiting = b.waiting || step.Merge.Unknown != ""
		}
		stood, commits = commits[step.Commits-1].ID, commits[step.Commits:]
		b.at += step.Commits
	}
	return merges, nil
}

// step finds out what the branch's first move from where it stood belongs to.
func (b Branch) step(ctx context.Context, stood source.ID, commits []source.Commit) (Step, error) {
	n, err := b.landing(ctx, stood, commits)
	if err != nil {
		return Step{}, err
	}
	landed := commits[n-1]
	pr, err := b.mergeOf(ctx, landed)
	if err != nil {
		return Step{}, err
	}
	m := &Merge{Base: stood, Commit: landed.ID}
	if pr == nil {
		if !b.fresh(landed.ID) {
			return Step{Commits: n}, nil // a direct push: its content is approved by nothing
		}
		m.Unknown = "the forge may not know yet which pull request brought " + landed.ID.Short()
		return Step{Merge: m, Commits: n}, b.files(ctx, m)
	}
	for n < len(commits) { // a rebase merge puts several commits on the branch
		next, err := b.mergeOf(ctx, commits[n])
		if err != nil {
			return Step{}, err
		}
		if next == nil || next.Number != pr.Number {
			break
		}
		n++
	}
	m.PullRequest, m.Commit = pr.Number, commits[n-1].ID
	if err := b.files(ctx, m); err != nil {
		return Step{}, err
	}
	return Step{Merge: m, Commits: n}, b.judge(ctx, m, *pr)
}

// landing counts the commits up to the first on which the branch can have stood
// after it stood at a commit: the first that contains it. Along first parents
// that need not be the next one. Whoever pushes a merge of the branch into
// something else makes the other side look like the branch's past; it was never
// there, so nothing may be judged as if it had been.
func (b Branch) landing(ctx context.Context, stood source.ID, commits []source.Commit) (int, error) {
	if parents := commits[0].Parents; len(parents) > 0 && parents[0] == stood {
		return 1, nil
	}
	var failed error
	before := sort.Search(len(commits)-1, func(i int) bool { // the last contains it
		contains, err := b.Repo.IsAncestor(ctx, stood, commits[i].ID)
		failed = errors.Join(failed, err)
		return contains
	})
	if failed != nil {
		return 0, fmt.Errorf("find where the branch went from %s: %w", stood.Short(), failed)
	}
	return before + 1, nil
}

// fresh reports whether a commit was first met so lately that the forge may not
// know yet how it came.
func (b Branch) fresh(commit source.ID) bool {
	if b.Seen == nil {
		return false
	}
	now := b.Reviewer.Now()
	if _, met := b.Seen[commit]; !met {
		b.Seen[commit] = now
	}
	return now.Sub(b.Seen[commit]) < freshPush
}

func (b Branch) mergeOf(ctx context.Context, c source.Commit) (*review.PullRequest, error) {
	pr, err := b.Reviewer.Forge.MergedPullRequest(ctx, b.Name, c.ID)
	if err != nil {
		return nil, fmt.Errorf("find the pull request of %s: %w", c.ID.Short(), err)
	}
	return pr, nil
}

// files lists what a merge did to the branch.
func (b Branch) files(ctx context.Context, m *Merge) error {
	diff, err := b.Repo.Changes(ctx, m.Base, m.Commit)
	if Unreadable(err) {
		return nil // nothing of it can be read, so nothing of it is approved
	}
	if err != nil {
		return fmt.Errorf("list what %s changed: %w", m.Commit.Short(), err)
	}
	m.Files = make(map[string]MergedFile, len(diff.Files))
	for _, f := range diff.Files {
		if governed(f.Path) {
			m.Files[f.Path] = MergedFile{Blob: f.After.Blob}
		}
	}
	return nil
}

// judge asks the gate what the pull request was approved for. Where the gate
// cannot tell, it is asked again later, for a while.
func (b Branch) judge(ctx context.Context, m *Merge, pr review.PullRequest) error {
	limited, cancel := context.WithTimeout(ctx, judgeTimeout)
	defer cancel()
	if refused, err := b.refuse(limited, m); refused || err != nil {
		return err
	}
	reviewer := *b.Reviewer
	var err error
	if reviewer.Standing, err = b.standingAt(limited, m.Base); err != nil {
		return err
	}
	report, err := reviewer.Judge(limited, pr, m.Base, pr.MergedAt)
	if ctx.Err() != nil {
		return fmt.Errorf("judge the merged #%d: %w", pr.Number, ctx.Err())
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	} else {
		reason = errorStage(report)
	}
	if reason == "" && b.waiting && slices.ContainsFunc(report.Changes, (*review.Change).OnUnapproved) {
		// What it builds on may be that merge's.
		reason = "it builds on content that an earlier merge may be approved for, which is not judged yet"
	}
	switch {
	case reason == "":
		m.weigh(pr, report)
	case b.Reviewer.Now().Sub(pr.MergedAt) < judgedWithin:
		m.Unknown = fmt.Sprintf("the merged #%d could not be judged: %s", pr.Number, reason)
	default:
		m.refuse(fmt.Sprintf("the merged #%d could not be judged for %s: %s", pr.Number, judgedWithin, clip(reason, 300)))
	}
	return nil
}

// JudgedUpTo is the commit up to which every step of the branch was judged, and
// why it is not the tip; the reason is empty where it is.
func JudgedUpTo(tip source.ID, merges []Merge) (source.ID, string) {
	for _, m := range merges {
		if m.Unknown != "" {
			return m.Base, m.Unknown
		}
	}
	return tip, ""
}

// log lists the commits that are new on the branch, oldest first, and where the
// branch stood before them. After a forced push that is where the histories parted.
func (b Branch) log(ctx context.Context, from, to source.ID) (stood source.ID, commits []source.Commit, err error) {
	if b.Reviewer.Fetcher != nil { // where the branch stood may have been pushed away
		if _, err := b.Reviewer.Fetcher.FetchCommits(ctx, from); err != nil {
			return "", nil, fmt.Errorf("have the start %s brought: %w", from.Short(), err)
		}
	}
	stood = from
	commits, err = b.Repo.Log(ctx, stood, to)
	if errors.Is(err, source.ErrNotAncestor) {
		if stood, err = b.Repo.MergeBase(ctx, from, to); err == nil {
			commits, err = b.Repo.Log(ctx, stood, to)
		}
	}
	if errors.Is(err, source.ErrNoMergeBase) || errors.Is(err, source.ErrMergeBases) || errors.Is(err, source.ErrRevision) {
		// A history of its own, or one whose start is gone: no merge leads here.
		return "", nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("list the commits from %s to %s: %w", from.Short(), to.Short(), err)
	}
	return stood, commits, nil
}
