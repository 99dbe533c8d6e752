package review

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// StatusContext is the aggregate status: the one to require in branch
// protection. A stage's status is StatusContext/STAGE.
const StatusContext = "mooring"

// Reviewer judges live pull requests and publishes what it found.
type Reviewer struct {
	Forge      Forge
	Repo       *source.Repository
	Repository string
	Now        func() time.Time
	// Registry is asked for the models of the changes; see Request.
	Registry Registry
	// Approved is the approved content of the governing files; see Request.
	Approved map[string]source.ID
	// Standing is the approved content of manifests that the base holds otherwise;
	// see Request.
	Standing map[string]source.ID
	// Cluster is compared with; nil where none is at hand.
	Cluster Cluster
	// Fetcher brings approved commits that are not in the repository; see Request.
	Fetcher Fetcher
	// Rules checks what is proposed under policy/; see Request.
	Rules RuleChecker
	// Cache is what all judgements of the repository share; see Request.
	Cache *Cache
	// Memory of the looks before; nil: every look judges.
	Memory *Memory
}

// Review judges one pull request against the tip of its base and publishes the
// verdicts. Where it cannot be judged, that is what is published; but a rate limit
// passes, and what stands on the pull request is left alone for a while. The
// report is nil where nothing has changed since the last one, which stands.
func (r *Reviewer) Review(ctx context.Context, pr PullRequest, base source.ID) (*Report, error) {
	now := r.Now()
	n, err := r.judgeNews(ctx, pr, base, now)
	switch {
	case errors.Is(err, errHeld):
		return nil, fmt.Errorf("judge #%d: %w", pr.Number, err)
	case err != nil:
		publish := r.Forge.SetStatus(ctx, pr.Head, Status{
			Context: StatusContext, State: StateError, TargetURL: pr.URL,
			Description: notJudged(err),
		})
		r.forget(pr)
		return nil, errors.Join(fmt.Errorf("judge #%d: %w", pr.Number, err), publish)
	case n.report == nil:
		return nil, nil
	}
	if err := r.publish(ctx, pr, n.report); err != nil {
		r.forget(pr) // a part of it may be written
		return n.report, err
	}
	if r.Memory == nil {
		return n.report, nil
	}
	said, err := r.ground(pr, base, n.people)
	if err != nil {
		return n.report, err
	}
	said.lapses = n.report.Until
	r.Memory.judge(pr.Number, n.digest, said, now)
	return n.report, nil
}

func (r *Reviewer) forget(pr PullRequest) {
	if r.Memory != nil {
		r.Memory.forget(pr.Number)
	}
}

// notJudged is what a status says of a failed judgement. It is the same at each
// attempt that fails alike, so that it is written once; the log has the details.
func notJudged(err error) string { return "could not be judged, will be tried again: " + Steady(err) }

// Steady is an error in words that do not change from one attempt to the next.
func Steady(err error) string {
	var known interface{ Steady() string }
	switch {
	case errors.As(err, &known):
		return known.Steady()
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	}
	return err.Error()
}

// news is a judgement and what it was made from; without a report nothing has
// changed.
type news struct {
	report *Report
	digest [sha256.Size]byte
	people People
}

// judgeNews judges a pull request of which something has changed. What a
// registry says may change at any time, so with one every look judges.
func (r *Reviewer) judgeNews(ctx context.Context, pr PullRequest, base source.ID, now time.Time) (n news, err error) {
	forge, asking := r.Forge, ctx
	if r.Memory != nil {
		if r.Memory.seen(pr, base) {
			asking = WithPriority(ctx, PriorityPoll)
		}
		forge = recalling{Forge: r.Forge, memory: r.Memory, pr: pr, base: base, now: now}
	}
	if n.people, err = GatherPeople(asking, forge, r.Repo, r.Cache, pr, base); err == nil {
		n.digest, err = inputs(pr, base, n.people, r.Approved, r.Standing)
	}
	if err == nil && r.Memory != nil && r.Registry == nil && r.Memory.unchanged(pr.Number, n.digest, now) {
		return n, nil
	}
	if err := cmp.Or(r.hold(pr, base, n.people, cmp.Or(err, n.people.limited), now), err); err != nil {
		return n, err
	}
	n.report, err = r.evaluate(ctx, pr, base, n.people, now)
	return n, err
}

// errHeld: what was said of a pull request stands, though it was not verified.
var errHeld = errors.New("the last verdict is left standing meanwhile")

// hold yields errHeld where a rate limit alone stands between a pull request and
// its judgement, so that a limit that passes does not turn one verdict after the
// other into an error and back.
func (r *Reviewer) hold(pr PullRequest, base source.ID, people People, limit error, now time.Time) error {
	if r.Memory == nil || !errors.Is(limit, ErrLimited) {
		return nil
	}
	known, err := r.ground(pr, base, people)
	if err != nil || !r.Memory.holds(pr.Number, known, people.Reviews != nil, now) {
		return err
	}
	return fmt.Errorf("%w; %w", limit, errHeld)
}

// ground is what is known of a pull request even while the forge tells little.
func (r *Reviewer) ground(pr PullRequest, base source.ID, people People) (p published, err error) {
	if p.ground, err = inputs(pr, base, People{}, r.Approved, r.Standing); err == nil {
		p.reviews, err = digestOf(people.Reviews)
	}
	return p, err
}

// Judge evaluates a pull request as of a time, without publishing anything.
// Everything is asked anew.
func (r *Reviewer) Judge(ctx context.Context, pr PullRequest, base source.ID, at time.Time) (*Report, error) {
	people, err := GatherPeople(ctx, r.Forge, r.Repo, r.Cache, pr, base)
	if err != nil {
		return nil, err
	}
	return r.evaluate(ctx, pr, base, people, at)
}

func (r *Reviewer) evaluate(ctx context.Context, pr PullRequest, base source.ID, people People, at time.Time) (*Report, error) {
	if pr.MergedAt.IsZero() {
		at = people.reviewedBy(at)
	}
	return Evaluate(ctx, r.Repo, Request{
		Base: base, Head: pr.Head, People: people, Now: at, Merged: !pr.MergedAt.IsZero(), Repository: r.Repository, Approved: r.Approved, Standing: r.Standing,
		Registry: r.Registry, Cluster: r.Cluster, Fetcher: r.fetcher(pr), Rules: r.Rules,
		Cache: r.Cache,
	})
}

// fetcher does not ask again and again for what is gone, where there is a memory.
func (r *Reviewer) fetcher(pr PullRequest) Fetcher {
	if r.Fetcher == nil || r.Memory == nil {
		return r.Fetcher
	}
	return resigned{Fetcher: r.Fetcher, memory: r.Memory, number: pr.Number, now: r.Now()}
}

func (r *Reviewer) publish(ctx context.Context, pr PullRequest, report *Report) error {
	var errs []error
	for _, s := range Statuses(report, pr.URL) {
		errs = append(errs, r.Forge.SetStatus(ctx, pr.Head, s))
	}
	write := r.Forge.Comment
	if len(report.Changes)+len(report.Findings) == 0 && report.Verdict == policy.Pass {
		write = r.Forge.UpdateComment // there is nothing to say but that what was said before is over
	}
	errs = append(errs, write(ctx, pr.Number, Comment(report)))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("publish the verdict on #%d: %w", pr.Number, err)
	}
	return nil
}

// Statuses are a report's commit statuses, the aggregate last, so that whoever
// waits for it finds the others written.
func Statuses(report *Report, url string) []Status {
	var out []Status
	for _, s := range report.Stages {
		out = append(out, Status{
			Context: StatusContext + "/" + string(s.Name), State: StateOf(s.Verdict), Description: s.Reason, TargetURL: url,
		})
	}
	return append(out, Status{
		Context: StatusContext, State: StateOf(report.Verdict), Description: Headline(report), TargetURL: url,
	})
}

// StateOf is a verdict as a commit status.
func StateOf(v policy.Verdict) State {
	switch v {
	case policy.Pass:
		return StateSuccess
	case policy.Pending:
		return StatePending
	case policy.Fail:
		return StateFailure
	default:
		return StateError
	}
}
