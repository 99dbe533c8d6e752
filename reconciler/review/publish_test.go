package review

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// publishing is a forge that keeps what was published.
type publishing struct {
	fakeForge
	comment             string
	statuses            []Status
	reviewsErr, teamErr error
	statusErr           error
}

func (f *publishing) Reviews(context.Context, int) ([]Review, error) {
	if f.reviewsErr != nil {
		return nil, f.reviewsErr
	}
	return append([]Review{}, f.reviews...), nil
}

func (f *publishing) TeamMembers(context.Context, string) ([]Account, error) { return nil, f.teamErr }

func (f *publishing) SetStatus(_ context.Context, _ source.ID, s Status) error {
	if f.statusErr != nil {
		return f.statusErr
	}
	f.statuses = append(f.statuses, s)
	return nil
}

func (f *publishing) Comment(_ context.Context, _ int, body string) error {
	f.comment = body
	return nil
}

func (f *publishing) UpdateComment(_ context.Context, _ int, body string) error {
	if f.comment != "" {
		f.comment = body
	}
	return nil
}

func (f *publishing) last() Status { return f.statuses[len(f.statuses)-1] }

// takenBack is a pull request whose second commit undoes the first, before and
// after it.
func takenBack(t *testing.T) (r *Reviewer, forge *publishing, before, after PullRequest, base source.ID) {
	t.Helper()
	version := func(from, to string) func(map[string]string) {
		return func(files map[string]string) { files[rankerPath] = strings.Replace(files[rankerPath], from, to, 1) }
	}
	repo, after, base := pullRequestOf(t, "change", nil, version(`"9"`, `"10"`), version(`"10"`, `"9"`))
	head, err := repo.Commit(t.Context(), after.Head)
	if err != nil {
		t.Fatal(err)
	}
	before = after
	before.Head = head.Parents[0]
	forge = &publishing{fakeForge: fakeForge{commits: func([]source.ID) CommitList { return CommitList{} }}}
	return &Reviewer{Forge: forge, Repo: repo, Repository: "models", Now: func() time.Time { return asked }}, forge, before, after, base
}

func TestACommentDoesNotOutliveWhatItSays(t *testing.T) {
	r, forge, before, after, base := takenBack(t)
	report, err := r.Review(t.Context(), before, base)
	if err != nil || report.Verdict == policy.Pass || !strings.Contains(forge.comment, "ranker") {
		t.Fatalf("before: %v, %q", err, forge.comment)
	}
	if report, err = r.Review(t.Context(), after, base); err != nil || report.Verdict != policy.Pass || len(report.Changes) > 0 {
		t.Fatalf("after: %v, %+v", err, report)
	}
	if !strings.HasPrefix(forge.comment, "## ✅ Mooring: nothing to approve") || strings.Contains(forge.comment, "ranker") {
		t.Errorf("the comment still says %q", forge.comment)
	}
}

func TestWhatChangesNothingGetsNoComment(t *testing.T) {
	r, forge, _, after, base := takenBack(t)
	if _, err := r.Review(t.Context(), after, base); err != nil || forge.comment != "" || forge.last().State != StateSuccess {
		t.Errorf("%v, %+v, %q", err, forge.last(), forge.comment)
	}
}

// passing is a failure of which every attempt gives other details.
type passing struct{ attempt int }

func (p *passing) Error() string {
	return fmt.Sprintf("the limit is used up; retry in %ds", 60-p.attempt)
}
func (p *passing) Steady() string { return "the limit is used up" }

func TestAFailedJudgementSaysTheSameAtEachAttempt(t *testing.T) {
	r, forge, before, _, base := takenBack(t)
	said := map[Status]bool{}
	for attempt := range 3 {
		forge.reviewsErr = &passing{attempt}
		_, err := r.Review(t.Context(), before, base)
		if !errors.Is(err, forge.reviewsErr) || !strings.Contains(err.Error(), fmt.Sprintf("retry in %ds", 60-attempt)) {
			t.Errorf("the error for the log lacks the details: %v", err)
		}
		said[forge.last()] = true
	}
	want := Status{
		Context: StatusContext, State: StateError, TargetURL: before.URL,
		Description: "could not be judged, will be tried again: the limit is used up",
	}
	if len(said) != 1 || !said[want] {
		t.Errorf("the statuses were %v", said)
	}
}

func TestATeamThatFailsToBeListedIsNoNewsEachTime(t *testing.T) {
	r, forge, before, _, base := takenBack(t)
	r.Memory = NewMemory()
	judged := 0
	for attempt := range 3 {
		forge.teamErr = &passing{attempt}
		report, err := r.Review(t.Context(), before, base)
		if err != nil {
			t.Fatal(err)
		}
		if report != nil {
			judged++
		}
		r.Memory.Look([]PullRequest{before})
	}
	if judged != 1 {
		t.Errorf("it was judged %d times", judged)
	}
}

// A rate limit passes: what it keeps from being verified stands for a while,
// unless something about it is known to have changed.
func TestARateLimitLeavesTheVerdictStanding(t *testing.T) {
	limited := fmt.Errorf("%w; retry in 50m", ErrLimited)
	judge, _, opened, _, tip := takenBack(t)
	type moment struct {
		r     *Reviewer
		forge *publishing
		pr    *PullRequest
		base  *source.ID
		later func(time.Duration)
	}
	reviews := func(m moment) { m.forge.reviewsErr = limited }
	for _, test := range []struct {
		name   string
		change func(moment)
		want   State // of the aggregate afterwards
	}{
		{"the reviews cannot be listed", reviews, StatePending},
		{"a team cannot be listed", func(m moment) { m.forge.teamErr = limited; m.r.Memory.Look([]PullRequest{*m.pr}) }, StatePending},
		{"the commits cannot, and there is no new review", func(m moment) {
			m.forge.reviews = nil
			m.r.Forge = limitedCommits{m.forge, limited}
			m.r.Memory.forgetCommits(m.pr.Number)
		}, StatePending},
		{"the commits cannot, but there is a new review", func(m moment) {
			m.forge.reviews = []Review{{User: "mia", State: "CHANGES_REQUESTED", SubmittedAt: asked}}
			m.r.Forge = limitedCommits{m.forge, limited}
			m.r.Memory.forgetCommits(m.pr.Number)
		}, StateError},
		{"another failure", func(m moment) { m.forge.reviewsErr = errForge }, StateError},
		{"for just less than a quarter of an hour", func(m moment) {
			reviews(m)
			_, _ = m.r.Review(t.Context(), *m.pr, *m.base) // it fails, as below
			m.later(heldFor - time.Second)
		}, StatePending},
		{"for a quarter of an hour", func(m moment) {
			reviews(m)
			_, _ = m.r.Review(t.Context(), *m.pr, *m.base) // it fails, as below
			m.later(heldFor)
		}, StateError},
		{"for a quarter of an hour, with a look between that could judge", func(m moment) {
			reviews(m)
			_, _ = m.r.Review(t.Context(), *m.pr, *m.base) // it fails, as below
			m.forge.reviewsErr = nil
			_, _ = m.r.Review(t.Context(), *m.pr, *m.base)
			m.later(heldFor)
			reviews(m)
		}, StatePending},
		{"beyond the time until which it holds", func(m moment) {
			reviews(m)
			m.r.Memory.of(m.pr.Number).published.lapses = asked.Add(time.Minute)
			m.later(time.Minute)
		}, StateError},
		{"a push", func(m moment) { reviews(m); m.pr.Head = *m.base }, StateError},
		{"a move of the base", func(m moment) { reviews(m); *m.base = m.pr.Head }, StateError},
		{"other rules", func(m moment) { reviews(m); m.r.Approved = map[string]source.ID{"governance.yaml": "1"} }, StateError},
		{"another process", func(m moment) { reviews(m); m.r.Memory = NewMemory() }, StateError},
		{"a verdict of which only a part was written", func(m moment) {
			m.forge.reviews, m.forge.statusErr = []Review{{User: "mia", State: "CHANGES_REQUESTED", SubmittedAt: asked}}, limited
			_, _ = m.r.Review(t.Context(), *m.pr, *m.base) // it fails to write
			m.forge.statusErr = nil
			reviews(m)
		}, StateError},
	} {
		t.Run(test.name, func(t *testing.T) {
			forge := &publishing{fakeForge: fakeForge{commits: attributed("ada", "ada"), own: []source.ID{opened.Head}}}
			now, pr, base := asked, opened, tip
			r := &Reviewer{Forge: forge, Repo: judge.Repo, Repository: "models", Memory: NewMemory(), Now: func() time.Time { return now }}
			if _, err := r.Review(t.Context(), pr, base); err != nil || forge.last().State != StatePending {
				t.Fatalf("before: %v, %+v", err, forge.last())
			}
			test.change(moment{r, forge, &pr, &base, func(d time.Duration) { now = now.Add(d) }})
			written := len(forge.statuses)
			_, err := r.Review(t.Context(), pr, base)
			if err == nil || forge.last().State != test.want || (test.want == StatePending) != (len(forge.statuses) == written) {
				t.Errorf("%v, %+v", err, forge.last())
			}
		})
	}
}

// limitedCommits is a forge that lists no commits.
type limitedCommits struct {
	*publishing
	err error
}

func (f limitedCommits) Commits(context.Context, int) (CommitList, error) {
	return CommitList{}, f.err
}

func (m *Memory) forgetCommits(number int) { m.of(number).commits = nil }
