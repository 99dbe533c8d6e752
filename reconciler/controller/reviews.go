package controller

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// reviewWorkers judge pull requests at a time. One pull request is never judged
// twice at once: the queue hands an item out to one worker.
const reviewWorkers = 4

// reviewTimeout bounds one judgement, with all that is asked of the forge.
const reviewTimeout = 2 * time.Minute

// Reviews judges pull requests, away from the loop that follows the branch.
type Reviews struct {
	Log     *slog.Logger
	Metrics *release.Metrics
	// Chase is told what was found.
	Chase *Chase

	queue workqueue.TypedRateLimitingInterface[reviewKey]
	mu    sync.Mutex
	repos map[client.ObjectKey]*reviewed
}

// reviewKey is an open pull request, or what of it waits in the merge queue.
type reviewKey struct {
	repository client.ObjectKey
	number     int
	queued     source.Queued
}

// reviewed is what the loop of repositories last saw.
type reviewed struct {
	reviewer *review.Reviewer
	tip      source.ID
	open     map[int]review.PullRequest
	// elsewhere are open pull requests to other branches.
	elsewhere map[int]review.PullRequest
	queue     []source.Queued
}

// NewReviews makes the queue.
func NewReviews(log *slog.Logger, metrics *release.Metrics) *Reviews {
	return &Reviews{
		Log: log, Metrics: metrics,
		repos: map[client.ObjectKey]*reviewed{},
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[reviewKey](time.Second, 5*time.Minute),
			workqueue.TypedRateLimitingQueueConfig[reviewKey]{Name: "reviews"}),
	}
}

// Update tells which pull requests are open, to the branch and to others, and which wait in the merge queue, and
// asks for a look at those that are hinted at and those that are not as they were; at all where hinted is nil.
func (r *Reviews) Update(
	repository client.ObjectKey, reviewer *review.Reviewer, tip source.ID, open, elsewhere []review.PullRequest, queue []source.Queued,
	hinted map[int]bool,
) {
	seen := &reviewed{reviewer: reviewer, tip: tip, open: byNumber(open), elsewhere: byNumber(elsewhere), queue: queue}
	r.mu.Lock()
	before := r.repos[repository]
	r.repos[repository] = seen
	r.mu.Unlock()
	all := hinted == nil || !seen.judgesAlike(before)
	for _, q := range queue { // first: they hold up a merge
		r.queue.Add(reviewKey{repository, q.Number, q})
	}
	for _, pr := range slices.Concat(open, elsewhere) {
		if all || hinted[pr.Number] || !before.holds(pr) {
			r.queue.Add(reviewKey{repository: repository, number: pr.Number})
		}
	}
}

// judgesAlike reports whether what does not concern a pull request itself is as before.
func (r *reviewed) judgesAlike(before *reviewed) bool {
	return before != nil && before.tip == r.tip && maps.Equal(before.reviewer.Approved, r.reviewer.Approved) &&
		maps.Equal(before.reviewer.Standing, r.reviewer.Standing)
}

// holds reports whether a pull request was seen just like this.
func (r *reviewed) holds(pr review.PullRequest) bool {
	return r.open[pr.Number] == pr || r.elsewhere[pr.Number] == pr
}

func byNumber(pulls []review.PullRequest) map[int]review.PullRequest {
	out := map[int]review.PullRequest{}
	for _, pr := range pulls {
		out[pr.Number] = pr
	}
	return out
}

// Remove forgets a repository.
func (r *Reviews) Remove(repository client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.repos, repository)
}

// Start works until the context ends.
func (r *Reviews) Start(ctx context.Context) error {
	var workers sync.WaitGroup
	for range reviewWorkers {
		workers.Go(func() {
			for r.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	r.queue.ShutDown()
	workers.Wait()
	return nil
}

func (r *Reviews) next(ctx context.Context) bool {
	key, stop := r.queue.Get()
	if stop {
		return false
	}
	defer r.queue.Done(key)
	if err := r.review(ctx, key); err != nil && ctx.Err() == nil {
		r.Log.Error("the pull request could not be judged; it is tried again",
			"repository", key.repository, "pullRequest", key.number, "error", err)
		r.queue.AddRateLimited(key)
		return true
	}
	r.queue.Forget(key)
	return true
}

func (r *Reviews) review(ctx context.Context, key reviewKey) error {
	r.mu.Lock()
	seen := r.repos[key.repository]
	r.mu.Unlock()
	if seen == nil {
		return nil
	}
	if key.queued != (source.Queued{}) {
		return r.reviewQueued(ctx, seen, key)
	}
	pr, open := seen.open[key.number]
	if !open {
		return r.withdraw(ctx, seen, key)
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	start := time.Now()
	report, err := seen.reviewer.Review(ctx, pr, seen.tip)
	if err != nil {
		r.Metrics.Reviewed("failed", time.Since(start))
		return fmt.Errorf("review #%d: %w", key.number, err)
	}
	if report == nil {
		return nil // what was said last still holds
	}
	r.Metrics.Reviewed(string(report.Verdict), time.Since(start))
	r.Log.Debug("pull request judged", "repository", key.repository, "pullRequest", key.number,
		"verdict", report.Verdict, "changes", len(report.Changes))
	if !report.Until.IsZero() {
		r.queue.AddAfter(key, report.Until.Sub(seen.reviewer.Now()))
	}
	return r.Chase.Judged(ctx, key.repository, pr, report)
}

// withdraw takes back the verdict on a pull request that was moved to another
// branch, unless that one is followed here as well.
func (r *Reviews) withdraw(ctx context.Context, seen *reviewed, key reviewKey) error {
	pr, moved := seen.elsewhere[key.number]
	if !moved || r.followed(pr) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	return seen.reviewer.Withdraw(ctx, pr)
}

// followed reports whether a pull request goes to a branch that is looked after.
func (r *Reviews) followed(pr review.PullRequest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, seen := range r.repos {
		if other, open := seen.open[pr.Number]; open && other.URL == pr.URL {
			return true
		}
	}
	return false
}

// reviewQueued judges what waits in the merge queue. It holds up a merge.
func (r *Reviews) reviewQueued(ctx context.Context, seen *reviewed, key reviewKey) error {
	if !slices.Contains(seen.queue, key.queued) {
		return nil
	}
	ctx, cancel := context.WithTimeout(review.WithPriority(ctx, review.PriorityMerge), reviewTimeout)
	defer cancel()
	start := time.Now()
	queue := review.Queue{Tip: seen.tip, Entries: seen.queue, Open: seen.open}
	state, err := seen.reviewer.ReviewQueued(ctx, queue, key.queued)
	if err != nil {
		r.Metrics.Reviewed("failed", time.Since(start))
		return err
	}
	r.Log.Debug("merge queue judged", "repository", key.repository, "pullRequest", key.number, "head", key.queued.Head, "state", state)
	return nil
}
