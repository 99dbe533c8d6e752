package gate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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

	written map[string]review.Status
}

var _ review.Forge = (*forge)(nil)

func (f *forge) find(number int) *pull { return f.s.pulls[number-1] }

func (f *forge) tell(p *pull) review.PullRequest {
	pr := review.PullRequest{Number: p.number, Author: p.author, Head: p.head, Base: "main"}
	if p.merged {
		pr.MergedAt = when(p.mergedAt)
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
		said := review.Review{User: r.user, Type: "User", State: r.state, CommitID: r.commit.String(), SubmittedAt: when(r.at)}
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
	var list review.CommitList
	for c := range f.w.ancestors(p.head) {
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

func (f *forge) SetStatus(_ context.Context, _ source.ID, s review.Status) error {
	if f.written == nil {
		f.written = map[string]review.Status{}
	}
	f.written[s.Context] = s
	return nil
}

func (f *forge) Comment(context.Context, int, string) error { return nil }

// looker is the controller's part: the real code between forge and ledger. What
// it found is kept by all that it depends on, because different schedules come
// to the same question.
type looker struct {
	w    *world
	root id
	lies mutation

	mu     sync.Mutex
	steps  map[string]looked
	states map[string]verdict
}

// looked is what a look at the branch found, and the commits that it can name.
type looked struct {
	merges  []release.Merge
	known   map[id]release.Step
	commits []id
}

// told in other commits: each stands where the one with its place stood.
func (f looked) told(commits []id) looked {
	other := make(map[id]id, len(commits))
	for i, c := range f.commits {
		other[c] = commits[i]
	}
	translate := func(c id) id {
		if _, known := other[c]; !known {
			panic("a look named the commit " + c.Short() + ", which no likeness has a place for")
		}
		return other[c]
	}
	merge := func(m release.Merge) release.Merge {
		m.Base, m.Commit, m.Files = translate(m.Base), translate(m.Commit), maps.Clone(m.Files)
		for path, file := range m.Files {
			if file.Approved != nil {
				a := *file.Approved
				a.Commit, a.Head = translate(id(a.Commit)).String(), translate(id(a.Head)).String()
				file.Approved = &a
				m.Files[path] = file
			}
		}
		return m
	}
	out := looked{known: map[id]release.Step{}, commits: commits}
	for _, m := range f.merges {
		out.merges = append(out.merges, merge(m))
	}
	for first, step := range f.known {
		if step.Merge != nil {
			m := merge(*step.Merge)
			step.Merge = &m
		}
		out.known[translate(first)] = step
	}
	return out
}

func newLooker(w *world, root id) *looker {
	return &looker{w: w, root: root, steps: map[string]looked{}, states: map[string]verdict{}}
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
	s.ledger, _ = s.ledger.Judge(s.tip, content, found.merges, longAgo.Add(48*time.Hour))
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
	alike, here := l.w.branchLikeness(s)
	alike += fmt.Sprint(behind, s.rulesKey())
	l.mu.Lock()
	found, done := l.steps[alike]
	l.mu.Unlock()
	if !done {
		known := maps.Clone(s.known)
		if known == nil {
			known = map[id]release.Step{}
		}
		merges, err := l.merges(ctx, s, behind, known)
		if err != nil {
			return looked{}, err
		}
		found = looked{merges, known, here}
		l.mu.Lock()
		l.steps[alike] = found
		l.mu.Unlock()
	}
	return found.told(here), nil
}

func (l *looker) merges(ctx context.Context, s *state, behind bool, known map[id]release.Step) ([]release.Merge, error) {
	now := longAgo.Add(2 * time.Hour)
	if behind {
		now = longAgo.Add(time.Second) // every commit is fresh
	}
	rules := s.ledger.Rules()
	if l.lies == anyRulesWillDo {
		rules = nil
	}
	return release.Branch{
		Repo: l.w.repo, Name: "main", Known: known, Approved: rules,
		Reviewer: &review.Reviewer{
			Forge: &forge{w: l.w, s: s, behind: behind, lies: l.lies}, Repo: l.w.repo, Repository: "models",
			Now: func() time.Time { return now },
		},
	}.Merges(ctx, s.revision, s.tip)
}

// status is the aggregate that an open pull request would be told now.
func (l *looker) status(ctx context.Context, s *state, p *pull) (verdict, error) {
	key := l.w.likeness(s.tip, p) + s.rulesKey()
	l.mu.Lock()
	known, done := l.states[key]
	l.mu.Unlock()
	if done {
		return known, nil
	}
	rules := map[string]source.ID{}
	for path, a := range s.ledger.Rules() {
		rules[path] = source.ID(a.Blob)
	}
	f := &forge{w: l.w, s: s, lies: l.lies}
	r := review.Reviewer{Forge: f, Repo: l.w.repo, Repository: "models", Approved: rules, Now: func() time.Time { return when(p.clock + 1) }}
	if _, err := r.Review(ctx, f.tell(p), s.tip); err != nil {
		return "", err
	}
	known = verdict(f.written[review.StatusContext].State)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[key] = known
	return known, nil
}

// likeness is what a judgement of a pull request can depend on: which contents
// stand where, and who said what of which. Pull requests that are alike in it
// are judged once.
func (w *world) likeness(tip id, p *pull) string {
	var b strings.Builder
	fmt.Fprint(&b, p.number, w.at(tip), w.at(w.mergeBase(tip, p.head)), w.at(p.head))
	makers := map[string]bool{}
	for _, c := range w.between(tip, p.head) {
		makers[w.info(c).author] = true
	}
	fmt.Fprint(&b, makers)
	said := map[string]string{} // of each person the latest
	for _, r := range p.reviews {
		said[r.user] = fmt.Sprint(r.state, w.at(r.commit), w.at(w.mergeBase(tip, r.commit)))
	}
	fmt.Fprint(&b, said)
	return b.String()
}

// branchLikeness is what a look at the branch can depend on: the contents of the
// commits since the last look, which pull request brought each, what that one
// was and who had said what of which content. It also lists the commits, each
// at a place of its own.
func (w *world) branchLikeness(s *state) (string, []id) {
	var b strings.Builder
	start := w.mergeBase(s.revision, s.tip)
	commits := append([]id{start}, w.between(start, s.tip)...)
	if len(commits) > 1 {
		// Along first parents the branch may begin below the merge base.
		commits = slices.Insert(commits, 1, w.info(commits[1]).parents[0])
	}
	fmt.Fprint(&b, start == s.revision, len(commits) > 1 && commits[1] == start, w.at(s.revision))
	for _, c := range commits {
		_, known := s.known[c]
		fmt.Fprint(&b, "|", w.at(c), len(w.info(c).parents), known)
	}
	place := func(c id) int { return slices.Index(commits, c) }
	for _, p := range s.pulls {
		if !p.merged {
			continue
		}
		fmt.Fprint(&b, "#", w.likeness(p.from, p), place(p.from), place(p.head), p.then.verdict)
		for _, c := range p.landed {
			fmt.Fprint(&b, ",", place(c))
		}
		for _, c := range w.between(p.from, p.head) {
			fmt.Fprint(&b, ",", w.at(c))
		}
		for _, r := range p.reviews {
			fmt.Fprint(&b, "|", r.user, r.state, w.at(r.commit), w.at(w.mergeBase(p.from, r.commit)), r.at > p.mergedAt)
		}
	}
	for _, p := range s.pulls {
		if p.merged {
			commits = append(commits, p.head)
		}
	}
	return b.String(), commits
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
)
