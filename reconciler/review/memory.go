package review

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mlops-platform/mooring/reconciler/source"
)

// verifyAfter is for how long a pull request of which nothing has changed is
// left alone. Then it is judged and written again: somebody may have overwritten
// a status, or the live cluster may be another one.
const verifyAfter = 10 * time.Minute

// spread keeps pull requests that were judged together from being verified
// together.
const spread = 5 * time.Minute

// Memory is what is known of the open pull requests of one repository from the
// looks before, so that a look at which nothing has changed asks the forge for
// nothing but the reviews, judges nothing and writes nothing. It is not used for
// what was merged: that is always asked anew. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	pulls map[int]*remembered
	// teams are those of the present look.
	teams map[string]*team
}

// remembered is one pull request.
type remembered struct {
	// head and base are the commits between which it was looked at. The commits
	// are those of the head: of which the base has some already, Git knows.
	// Whether the list of files is truncated depends on both.
	head, base source.ID
	commits    *listed
	truncated  *bool
	// judged is a digest of what the last report was made from; it holds until
	// the report changes by time alone, or has to be verified.
	judged [sha256.Size]byte
	until  time.Time
	// published is what the verdict on the pull request is about; nil where none
	// stands. limited is since when a rate limit keeps it from being verified.
	published *published
	limited   time.Time
	// gone are approved commits that were nowhere to be had, and when.
	gone map[source.ID]time.Time
}

// listed is a list of commits as the forge told it, when, and when the pull
// request was last changed then.
type listed struct {
	CommitList
	asked, updated time.Time
}

// published is what of a verdict's inputs can be compared while the forge does not
// tell the others.
type published struct {
	ground, reviews [sha256.Size]byte
	// lapses is when time alone changes the verdict; zero: never.
	lapses time.Time
}

// team is listed by the first who asks.
type team struct {
	mu      sync.Mutex
	listed  bool
	members []Account
	err     error
}

// NewMemory is empty.
func NewMemory() *Memory {
	return &Memory{pulls: map[int]*remembered{}, teams: map[string]*team{}}
}

// Look begins a look at the pull requests that are open: the others are
// forgotten, and who belongs to a team is asked again.
func (m *Memory) Look(open []PullRequest) {
	numbers := map[int]bool{}
	for _, pr := range open {
		numbers[pr.Number] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.pulls, func(number int, _ *remembered) bool { return !numbers[number] })
	m.teams = map[string]*team{}
}

// of is what is known of a pull request. The caller holds the lock.
func (m *Memory) of(number int) *remembered {
	if m.pulls[number] == nil {
		m.pulls[number] = &remembered{}
	}
	return m.pulls[number]
}

// seen reports whether a pull request was judged between these two commits, so
// that a look at it is a poll.
func (m *Memory) seen(pr PullRequest, base source.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(pr.Number)
	return p.head == pr.Head && p.base == base && p.commits != nil
}

// unchanged reports whether a judgement by this digest would repeat the last one.
func (m *Memory) unchanged(number int, digest [sha256.Size]byte, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(number)
	same := p.judged == digest && now.Before(p.until)
	if same {
		p.limited = time.Time{}
	}
	return same
}

// judge notes what a report that was published was made from.
func (m *Memory) judge(number int, digest [sha256.Size]byte, said published, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(number)
	p.judged, p.until = digest, now.Add(verifyAfter+time.Duration(number)*time.Second%spread)
	if !said.lapses.IsZero() && said.lapses.Before(p.until) {
		p.until = said.lapses
	}
	p.published, p.limited = &said, time.Time{}
}

// heldFor is how long a verdict stands while a rate limit keeps it from being
// verified.
const heldFor = 15 * time.Minute

// holds reports whether what stands on a pull request is left there although a
// rate limit keeps it from being judged: for a while, if all that is known is as
// it was.
func (m *Memory) holds(number int, known published, reviews bool, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(number)
	if p.published == nil || p.published.ground != known.ground || reviews && p.published.reviews != known.reviews {
		return false
	}
	if p.limited.IsZero() {
		p.limited = now
	}
	return now.Sub(p.limited) < heldFor && (p.published.lapses.IsZero() || now.Before(p.published.lapses))
}

// forget makes the next look judge: what stands on the pull request is not the
// last verdict any more.
func (m *Memory) forget(number int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(number)
	p.until, p.published = time.Time{}, nil
}

// recalling is a forge that is asked about one pull request between two commits.
type recalling struct {
	Forge
	memory *Memory
	pr     PullRequest
	base   source.ID
	now    time.Time
}

// Commits of a head do not change. Where the head is missing they are asked again,
// since the list is of an earlier state, or was shortened. So are they where an
// account is not known, since its owner can still tell the forge the address: as
// soon as anything happens to the pull request, and else after verifyAfter. Many
// co-authors are tools that never have an account.
func (f recalling) Commits(ctx context.Context, number int) (CommitList, error) {
	if known := f.recall(); known.head == f.pr.Head && known.commits != nil && known.commits.lasts(f.pr, f.now) {
		return known.commits.CommitList, nil
	}
	list, err := f.Forge.Commits(ctx, number)
	if err == nil && list.holds(f.pr.Head) {
		f.keep(func(p *remembered) { p.commits = &listed{list, f.now, f.pr.UpdatedAt} })
	}
	return list, err
}

func (l listed) lasts(pr PullRequest, now time.Time) bool {
	return l.attributed() || l.updated.Equal(pr.UpdatedAt) && now.Sub(l.asked) < verifyAfter
}

func (l CommitList) holds(commit source.ID) bool {
	return slices.ContainsFunc(l.Commits, func(c AttributedCommit) bool { return c.ID == commit })
}

func (l CommitList) attributed() bool {
	for _, c := range l.Commits {
		if c.Author == "" || c.Committer == "" {
			return false
		}
		for _, a := range c.CoAuthors {
			if a.Login == "" {
				return false
			}
		}
	}
	return true
}

// FilesTruncated depends on the two commits alone.
func (f recalling) FilesTruncated(ctx context.Context, number int) (bool, error) {
	if known := f.recall(); known.head == f.pr.Head && known.base == f.base && known.truncated != nil {
		return *known.truncated, nil
	}
	truncated, err := f.Forge.FilesTruncated(ctx, number)
	if err == nil {
		f.keep(func(p *remembered) { p.truncated = &truncated })
	}
	return truncated, err
}

// TeamMembers are listed once a look.
func (f recalling) TeamMembers(ctx context.Context, name string) ([]Account, error) {
	f.memory.mu.Lock()
	t := f.memory.teams[name]
	if t == nil {
		t = &team{}
		f.memory.teams[name] = t
	}
	f.memory.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.listed {
		t.members, t.err = f.Forge.TeamMembers(ctx, name)
		t.listed = ctx.Err() == nil // who gave up says nothing about the team
	}
	return t.members, t.err
}

func (f recalling) recall() remembered {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	return *f.memory.of(f.pr.Number)
}

func (f recalling) keep(note func(*remembered)) {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	p := f.memory.of(f.pr.Number)
	if p.head != f.pr.Head {
		p.head, p.commits, p.truncated = f.pr.Head, nil, nil
	}
	if p.base != f.base {
		p.base, p.truncated = f.base, nil
	}
	note(p)
}

// resigned is a Fetcher that does not ask again before verifyAfter for what was
// nowhere to be had: somebody may have pushed it once more.
type resigned struct {
	Fetcher
	memory *Memory
	number int
	now    time.Time
}

// FetchCommits asks for those that are not known to be gone.
func (f resigned) FetchCommits(ctx context.Context, commits ...source.ID) ([]source.ID, error) {
	known := f.known()
	ask := slices.DeleteFunc(slices.Clone(commits), func(id source.ID) bool { return slices.Contains(known, id) })
	missing, err := f.Fetcher.FetchCommits(ctx, ask...)
	f.note(missing)
	return append(known, missing...), err
}

// known are the commits that are taken for gone.
func (f resigned) known() []source.ID {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	gone := f.memory.of(f.number).gone
	maps.DeleteFunc(gone, func(_ source.ID, at time.Time) bool { return f.now.Sub(at) >= verifyAfter })
	return slices.Collect(maps.Keys(gone))
}

func (f resigned) note(missing []source.ID) {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	p := f.memory.of(f.number)
	for _, id := range missing {
		if p.gone == nil {
			p.gone = map[source.ID]time.Time{}
		}
		p.gone[id] = f.now
	}
}

// inputs digests everything that a report is made from, but for the time, the
// live cluster and the registry.
func inputs(pr PullRequest, base source.ID, people People, approved, standing map[string]source.ID) ([sha256.Size]byte, error) {
	pr.UpdatedAt = time.Time{} // it moves with every comment, Mooring's own among them
	digest, err := digestOf(struct {
		PullRequest PullRequest
		Base        source.ID
		People      People
		Known       bool
		TeamErrors  map[string]string
		Approved    map[string]source.ID
		Standing    map[string]source.ID
		Trusted     bool
	}{pr, base, people, !people.nobody, people.TeamErrors, approved, standing, approved != nil})
	if err != nil {
		return digest, fmt.Errorf("compare #%d with the last look: %w", pr.Number, err)
	}
	return digest, nil
}

func digestOf(what any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(what)
	return sha256.Sum256(text), err
}
