package gate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// forge answers from a state, as the adapter does from GitHub.
type forge struct {
	w *world
	s *state
	// behind: it does not know yet which pull request a commit is of.
	behind bool
	lies   mutation
}

var _ review.Forge = (*forge)(nil)

func (f *forge) find(number int) *pull { return f.s.pulls[number-1] }

func (f *forge) tell(p *pull) review.PullRequest {
	pr := review.PullRequest{Number: p.number, Author: p.author, Head: p.head, Base: "main"}
	if p.merged {
		pr.MergedAt = p.when(p.mergedAt)
	}
	return pr
}

func (f *forge) OpenPullRequests(context.Context, string) ([]review.PullRequest, error) {
	var open []review.PullRequest
	for _, p := range f.s.pulls {
		if p.open {
			open = append(open, f.tell(p))
		}
	}
	return open, nil
}

func (f *forge) MergedPullRequest(_ context.Context, _ string, c source.ID) (*review.PullRequest, error) {
	if f.behind {
		return nil, nil
	}
	for _, p := range f.s.pulls {
		known := p.merged && c == p.head
		for _, landed := range p.landed {
			known = known || landed == c
		}
		if known {
			pr := f.tell(p)
			return &pr, nil
		}
	}
	if f.lies == everyCommitIsAMerge && len(f.s.pulls) > 0 {
		pr := f.tell(f.s.pulls[0])
		return &pr, nil
	}
	return nil, nil
}

func (f *forge) Reviews(_ context.Context, number int) ([]review.Review, error) {
	p := f.find(number)
	list := make([]review.Review, 0, len(p.reviews))
	for _, r := range p.reviews {
		said := review.Review{User: r.user, Type: "User", State: r.state, CommitID: r.commit.String(), SubmittedAt: p.when(r.at)}
		switch f.lies {
		case reviewsFollowTheHead:
			said.CommitID = p.head.String()
		case reviewsHaveNoTime:
			said.SubmittedAt = longAgo
		case dismissedStillApproves:
			said.State = strings.ReplaceAll(said.State, "DISMISSED", "APPROVED")
		}
		list = append(list, said)
	}
	return list, nil
}

func (f *forge) Commits(_ context.Context, number int) (review.CommitList, error) {
	p := f.find(number)
	base := f.s.tip
	if p.merged {
		base = p.from
	}
	var list review.CommitList
	had := f.w.ancestors(base)
	for c := range f.w.ancestors(p.head) {
		if had[c] {
			continue
		}
		author := f.w.info(c).author
		if f.lies == everythingIsByTheAuthor {
			author = p.author
		}
		list.Commits = append(list.Commits, review.AttributedCommit{ID: c, Author: author, Committer: author})
	}
	return list, nil
}

func (f *forge) FilesTruncated(context.Context, int) (bool, error) { return false, nil }

func (f *forge) ReadySince(context.Context, review.PullRequest) (time.Time, error) {
	return time.Time{}, nil
}

func (f *forge) TeamMembers(_ context.Context, team string) ([]review.Account, error) {
	if team != "acme/managers" {
		return nil, fmt.Errorf("there is no team %s", team)
	}
	return []review.Account{{Login: "MIA"}, {Login: "ada"}}, nil
}

func (f *forge) SetStatus(context.Context, source.ID, review.Status) error { return nil }

func (f *forge) Comment(context.Context, int, string) error { return nil }

func (f *forge) UpdateComment(context.Context, int, string) error { return nil }

// looker is the controller's part: the real code between forge and ledger. What
// it found is kept by all that it depends on, because different schedules come
// to the same question.
type looker struct {
	w    *world
	root id
	lies mutation
	// doubting asks again what was asked before, and holds the answers against
	// each other.
	doubting bool

	mu     sync.Mutex
	looks  map[likeness]looked
	merged map[likeness]judged
	states map[likeness]verdict
}

// looked is what a look at the branch found, and the commits that it can name.
type looked struct {
	merges  []release.Merge
	known   map[id]release.Step
	commits []id
}

// judged is a step of the branch that a pull request brought, and the commits
// that it can name.
type judged struct {
	step    release.Step
	commits []id
}

// told in other commits: each stands where the one with its place stood.
func (f looked) told(commits []id) looked {
	other := rename(f.commits, commits)
	out := looked{known: map[id]release.Step{}, commits: commits}
	for _, m := range f.merges {
		out.merges = append(out.merges, other.merge(m))
	}
	for first, step := range f.known {
		out.known[other.commit(first)] = other.step(step)
	}
	return out
}

func newLooker(w *world, root id) *looker {
	return &looker{w: w, root: root, looks: map[likeness]looked{}, merged: map[likeness]judged{}, states: map[likeness]verdict{}}
}

// start is the state in which a person has just vouched for the root, and a
// pull request with B was opened.
func (l *looker) start(ctx context.Context) (*state, error) {
	content, err := l.w.governed(ctx, l.root)
	if err != nil {
		return nil, err
	}
	ledger, _ := release.NewLedger().Trust(content, l.root)
	s := &state{tip: l.root, revision: l.root, ledger: ledger}
	push(ada, "B")(l.w, s)
	return s, nil
}

// look is what the loop of repositories does at a poll.
func (l *looker) look(ctx context.Context, s *state, behind bool) error {
	found, err := l.branch(ctx, s, behind)
	if err != nil {
		return err
	}
	content, err := l.w.governed(ctx, s.tip)
	if err != nil {
		return err
	}
	before := s.ledger.Approved[manifestPath]
	s.ledger, _ = s.ledger.Judge(s.tip, content, found.merges, longAgo.Add(48*time.Hour))
	s.back = s.back || s.ledger.Approved[manifestPath].PullRequest < before.PullRequest
	unsettled := ""
	s.revision, unsettled = release.JudgedUpTo(s.tip, found.merges)
	if s.known = found.known; unsettled == "" {
		s.known = nil
	}
	if l.lies == whatIsOnTheBranchIsApproved {
		s.ledger, _ = s.ledger.Trust(content, s.tip)
	}
	return nil
}

// branch finds the merges since the last look. Looks that are alike are done
// once, and what they found is told in the commits of the one that asks.
func (l *looker) branch(ctx context.Context, s *state, behind bool) (looked, error) {
	var b key
	b.flags(behind)
	b.add(s.rulesKey())
	b.add(s.standingKey(l.w)...)
	here := l.w.branchLikeness(&b, s)
	alike := sha256.Sum256(b)
	l.mu.Lock()
	found, done := l.looks[alike]
	l.mu.Unlock()
	if done && !l.doubting {
		return found.told(here), nil
	}
	merges, known, err := l.ask(ctx, s, behind)
	if err != nil {
		return looked{}, err
	}
	now := looked{merges, known, here}
	if done {
		return now, doubt("look at the branch", found.told(here), now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks[alike] = now
	return now, nil
}

// doubt compares two answers to questions that are alike, but for the commits
// that their reasons name.
func doubt(what string, first, now any) error {
	reasons := cmpopts.AcyclicTransformer("reason", func(text string) string { return shortCommit.ReplaceAllString(text, "COMMIT") })
	if diff := cmp.Diff(first, now, cmp.AllowUnexported(looked{}), cmpopts.EquateEmpty(), reasons); diff != "" {
		return fmt.Errorf("a %s found (-), and another that is alike (+):\n%s", what, diff)
	}
	return nil
}

// ask looks at the branch. Merges that are alike are judged once: where nothing
// is left unknown, the production code is given what it found out before.
func (l *looker) ask(ctx context.Context, s *state, behind bool) ([]release.Merge, map[id]release.Step, error) {
	known := maps.Clone(s.known)
	if known == nil {
		known = map[id]release.Step{}
	}
	if behind || len(known) > 0 || l.lies != nothing {
		merges, err := l.merges(ctx, s, behind, known)
		return merges, known, err
	}
	given := 0
	for _, p := range s.pulls {
		if step, ok := l.recall(s, p); ok && !l.doubting {
			known[p.landed[0]], given = step, given+1
		}
	}
	merges, err := l.merges(ctx, s, behind, known)
	if err != nil {
		return nil, nil, err
	}
	switch _, unsettled := release.JudgedUpTo(s.tip, merges); {
	case unsettled == "":
		return merges, nil, l.keep(s, known) // nothing is waited for
	case given > 0: // a merge waits for those before it
		known = map[id]release.Step{}
		merges, err = l.merges(ctx, s, behind, known)
	}
	return merges, known, err
}

// recall is what was found out about a merge that is like this one.
func (l *looker) recall(s *state, p *pull) (release.Step, bool) {
	if !p.merged {
		return release.Step{}, false
	}
	alike, here := l.w.mergeLikeness(s, p)
	l.mu.Lock()
	found, ok := l.merged[alike]
	l.mu.Unlock()
	if !ok {
		return release.Step{}, false
	}
	return rename(found.commits, here).step(found.step), true
}

// keep keeps what was found out about merges.
func (l *looker) keep(s *state, known map[id]release.Step) error {
	for _, p := range s.pulls {
		if !p.merged {
			continue
		}
		step, ok := known[p.landed[0]]
		if !ok || step.Merge == nil || step.Merge.Commit != p.landed[len(p.landed)-1] {
			continue // it is no merge, or the branch was forced back to the middle of it
		}
		if old, ok := l.recall(s, p); ok {
			if err := doubt("merge", old, step); l.doubting && err != nil {
				return err
			}
			continue
		}
		alike, here := l.w.mergeLikeness(s, p)
		if !slices.Contains(here, step.Merge.Base) {
			continue // the branch was forced, and it counts from where the histories parted
		}
		l.mu.Lock()
		l.merged[alike] = judged{step, here}
		l.mu.Unlock()
	}
	return nil
}

func (l *looker) merges(ctx context.Context, s *state, behind bool, known map[id]release.Step) ([]release.Merge, error) {
	now := longAgo.Add(2 * time.Hour)
	var seen map[id]time.Time
	if behind {
		seen = map[id]time.Time{} // every commit is fresh
	}
	approved := s.ledger.Approved
	if l.lies == anyRulesWillDo {
		approved = nil
	}
	return release.Branch{
		Repo: l.w.repo, Name: "main", Known: known, Approved: approved, Seen: seen,
		Reviewer: &review.Reviewer{
			Forge: &forge{w: l.w, s: s, behind: behind, lies: l.lies}, Repo: l.w.repo, Repository: "models", Cache: l.w.cache,
			Now: func() time.Time { return now },
		},
	}.Merges(ctx, s.revision, s.tip)
}

// status is the aggregate that an open pull request would be told now.
func (l *looker) status(ctx context.Context, s *state, p *pull) (verdict, error) {
	var b key
	b.add(s.rulesKey(), s.ledger.Approved[manifestPath].Blob)
	l.w.likeness(&b, s.tip, p)
	alike := sha256.Sum256(b)
	l.mu.Lock()
	known, done := l.states[alike]
	l.mu.Unlock()
	if done && !l.doubting {
		return known, nil
	}
	rules := map[string]source.ID{}
	for path, a := range s.ledger.Rules() {
		rules[path] = source.ID(a.Blob)
	}
	f := &forge{w: l.w, s: s, lies: l.lies}
	now := p.when(p.clock + 1)
	r := review.Reviewer{Forge: f, Repo: l.w.repo, Repository: "models", Cache: l.w.cache, Approved: rules, Now: func() time.Time { return now }}
	content, err := l.w.governed(ctx, s.tip)
	if err != nil {
		return "", err
	}
	if r.Standing = s.ledger.Standing(content); l.lies == whatWasPushedIsBuiltOn {
		r.Standing = nil
	}
	report, err := r.Judge(ctx, f.tell(p), s.tip, now)
	if err != nil {
		return "", err
	}
	statuses := review.Statuses(report, "")
	told := verdict(statuses[len(statuses)-1].State)
	if done {
		return told, doubt("judgement", known, told)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[alike] = told
	return told, nil
}

// mutation breaks one rule of the code between the forge and the ledger: by
// a forge that lies about it, or by leaving the rule out of this test's loop.
type mutation string

const (
	nothing                     mutation = ""
	reviewsFollowTheHead        mutation = "a review counts for whatever the head is"
	reviewsHaveNoTime           mutation = "a review after the merge counts"
	dismissedStillApproves      mutation = "a dismissed review counts"
	everythingIsByTheAuthor     mutation = "committers are not known"
	everyCommitIsAMerge         mutation = "a push is taken for a merge"
	anyRulesWillDo              mutation = "rules that nobody approved govern"
	whatIsOnTheBranchIsApproved mutation = "what is on the branch is approved"
	whatWasPushedIsBuiltOn      mutation = "a small edit on top of a push is judged as small"
)
