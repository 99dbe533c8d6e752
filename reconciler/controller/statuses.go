package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// DeployContext is the status that says what became of a merged commit.
const DeployContext = review.StatusContext + "/deploy"

// Statuses tells the forge what became of each merged commit. It works from the
// receipts, so a status is right whenever it is written and lost ones are
// written by the next look.
type Statuses struct {
	Client client.Reader
	Log    *slog.Logger

	queue workqueue.TypedRateLimitingInterface[statusKey]
	mu    sync.Mutex
	repos map[client.ObjectKey]statusTarget
}

// statusKey is a commit on the branch, and the head of the pull request that
// brought it, where there was one.
type statusKey struct {
	repository   client.ObjectKey
	commit, head string
	// unapproved: something of the commit was quarantined. Where nothing of it is
	// left, nothing is said.
	unapproved bool
}

type statusTarget struct {
	forge review.Forge
	url   string
}

// statusDelay lets what changes together be told together.
const statusDelay = 300 * time.Millisecond

// recentStatus is how long after a deployment its status is told again by a
// process that starts: the one before may have died on the way.
const recentStatus = time.Hour

// maxRecalled bounds for how many commits a process that starts tells their
// quarantine again.
const maxRecalled = 200

// NewStatuses makes the queue.
func NewStatuses(reader client.Reader, log *slog.Logger) *Statuses {
	return &Statuses{
		Client: reader, Log: log, repos: map[client.ObjectKey]statusTarget{},
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[statusKey](time.Second, 5*time.Minute),
			workqueue.TypedRateLimitingQueueConfig[statusKey]{Name: "statuses"}),
	}
}

// follow takes up where a repository's statuses are written, and asks for those
// that the process before may have owed. It is called before anything is told:
// units may change as soon as a fleet is there, whether the branch can be judged
// or not.
func (s *Statuses) follow(name client.ObjectKey, target statusTarget) {
	if target.forge == nil {
		s.Remove(name)
		return
	}
	s.mu.Lock()
	_, known := s.repos[name]
	s.repos[name] = target
	s.mu.Unlock()
	if !known {
		s.queue.Add(statusKey{repository: name})
	}
}

// statusKeys are the statuses that a decision asks for: on the commit that was
// decided upon, and on those that it replaced.
//
// The failure of a commit all of whose content was quarantined stays when the
// quarantine ends: it is about that commit, and that was never deployed. A commit
// that also brought what is approved is told how that fares.
func statusKeys(name client.ObjectKey, d release.Decision) []statusKey {
	var keys []statusKey
	for _, q := range []*schemas.QuarantinedFile{d.Quarantined, d.Ended} {
		if q != nil {
			keys = append(keys, statusKey{repository: name, commit: q.Commit, unapproved: true})
		}
	}
	for _, a := range []*schemas.ApprovedFile{d.Approved, d.Replaced} {
		if a != nil && a.PullRequest != 0 {
			keys = append(keys, statusKey{repository: name, commit: a.Commit, head: a.Head})
		}
	}
	return keys
}

// tell asks for statuses. What they say is in the cluster by then, and read there.
func (s *Statuses) tell(keys ...statusKey) {
	for _, key := range keys {
		s.queue.AddAfter(key, statusDelay)
	}
}

// add asks for a status on the commit of a merged pull request.
func (s *Statuses) add(repository client.ObjectKey, a *schemas.ApprovedFile) {
	s.tell(statusKeys(repository, release.Decision{Approved: a})...)
}

// Changed asks for a status where a receipt's phase changed, or of which content
// it is, or the receipt is about to go. It asks after every attempt that failed: a
// status that was written during the attempt says that it is under way. To be held
// back is no attempt.
func (s *Statuses) Changed(repository client.ObjectKey, before, after *schemas.ModelRelease) {
	failed := after.Status.Phase == schemas.PhaseFailed && conditions.GetReason(after, "Stalled") != release.ReasonApproverLeft
	other := before.Status.Phase != after.Status.Phase || appliedBlob(before) != appliedBlob(after)
	if other || failed || after.Status.Approved != nil && after.Status.Approved.Blob == "" {
		s.add(repository, after.Status.Approved)
	}
}

func appliedBlob(r *schemas.ModelRelease) string {
	if r.Status.Applied == nil {
		return ""
	}
	return r.Status.Applied.Blob
}

// Remove forgets a repository.
func (s *Statuses) Remove(repository client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repos, repository)
}

// Start works until the context ends. One worker is enough: a status is small,
// and a slow forge is no faster for being asked by several.
func (s *Statuses) Start(ctx context.Context) error {
	var worker sync.WaitGroup
	worker.Go(func() {
		for s.next(ctx) {
		}
	})
	<-ctx.Done()
	s.queue.ShutDown()
	worker.Wait()
	return nil
}

func (s *Statuses) next(ctx context.Context) bool {
	key, stop := s.queue.Get()
	if stop {
		return false
	}
	defer s.queue.Done(key)
	if err := s.write(ctx, key); err != nil && ctx.Err() == nil {
		s.Log.Error("the commit status could not be written; it is tried again", "repository", key.repository, "commit", key.commit, "error", err)
		s.queue.AddRateLimited(key)
		return true
	}
	s.queue.Forget(key)
	return true
}

func (s *Statuses) write(ctx context.Context, key statusKey) error {
	s.mu.Lock()
	target, ok := s.repos[key.repository]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(review.WithPriority(ctx, review.PriorityMerge), statusTimeout)
	defer cancel()
	var list schemas.ModelReleaseList
	if err := s.Client.List(ctx, &list, client.InNamespace(key.repository.Namespace)); err != nil {
		return fmt.Errorf("list the receipts: %w", err)
	}
	list.Items = slices.DeleteFunc(list.Items, func(r schemas.ModelRelease) bool { return r.Spec.Repository != key.repository.Name })
	var repo schemas.ModelRepository
	if err := s.Client.Get(ctx, key.repository, &repo); err != nil {
		return fmt.Errorf("read the ModelRepository: %w", err)
	}
	if key.commit == "" {
		s.recall(key.repository, repo.Status, list.Items)
		return nil
	}
	outcome := DeployOutcome(key.commit, key.head, repo.Status.Quarantined, list.Items)
	if key.unapproved && outcome.gone {
		return nil
	}
	for _, commit := range outcome.Commits {
		for _, status := range outcome.statuses(target.url) {
			if err := target.forge.SetStatus(ctx, commit, status); err != nil {
				return fmt.Errorf("set %s on %s: %w", status.Context, commit.Short(), err)
			}
		}
	}
	return nil
}

// statusTimeout bounds the writing of one commit's statuses.
const statusTimeout = time.Minute

// recall asks, at the start, for the statuses that the process before may have
// owed. The failure of what is quarantined now may be owed for as long as the
// forge was down; to write one that stands is nothing.
func (s *Statuses) recall(repository client.ObjectKey, status schemas.ModelRepositoryStatus, receipts []schemas.ModelRelease) {
	since := time.Now().Add(-recentStatus)
	held := slices.Clone(status.Quarantined) // of files that are no manifests and have no receipt
	for _, a := range status.Approved {
		if a.MergedAt != nil && a.MergedAt.After(since) {
			s.add(repository, &a) // so has a model that is removed, which was said to be under way
		}
	}
	for _, r := range receipts {
		if a := r.Status.Applied; a == nil || a.At.After(since) || r.Status.Phase != schemas.PhaseLive {
			s.add(repository, r.Status.Approved)
		}
		if q := r.Status.Quarantined; q != nil {
			held = append(held, *q)
		}
	}
	for _, commit := range latest(held, maxRecalled) {
		s.queue.Add(statusKey{repository: repository, commit: commit, unapproved: true})
	}
}

// latest are the commits of what was quarantined last, so many at most.
func latest(held []schemas.QuarantinedFile, most int) []string {
	slices.SortStableFunc(held, func(a, b schemas.QuarantinedFile) int { return b.Since.Compare(a.Since.Time) })
	var commits []string
	for _, q := range held {
		if len(commits) < most && !slices.Contains(commits, q.Commit) {
			commits = append(commits, q.Commit)
		}
	}
	return commits
}

// Outcome is what became of a merged commit.
type Outcome struct {
	State       review.State
	Description string
	// Commits bear the status: the one on the branch, and the pull request's head.
	Commits     []source.ID
	quarantined bool
	// gone: nothing of the commit stands approved or quarantined.
	gone bool
}

// DeployOutcome reads what became of a commit from the receipts: quarantined
// content and failed units fail it, units under way leave it pending. Head is
// that of the pull request that brought it, where there was one.
func DeployOutcome(commit, head string, quarantined []schemas.QuarantinedFile, receipts []schemas.ModelRelease) Outcome {
	o := Outcome{State: review.StateSuccess, Commits: []source.ID{source.ID(commit)}}
	o.bear(head)
	var live, underWay, failed, held []string
	hold := func(q schemas.QuarantinedFile) {
		// Of a removed manifest both the repository and a receipt may tell it.
		if said := q.Path + ": " + q.Reason; q.Commit == commit && !slices.Contains(held, said) {
			held = append(held, said)
		}
	}
	for _, q := range quarantined {
		hold(q)
	}
	for _, r := range receipts {
		if r.Status.Quarantined != nil {
			hold(*r.Status.Quarantined)
		}
		a := r.Status.Approved
		if a == nil || a.Commit != commit {
			continue
		}
		o.bear(a.Head)
		unit := release.UnitOf(&r).String()
		switch standingOf(&r) {
		case review.StateSuccess:
			live = append(live, unit)
		case review.StateFailure:
			failed = append(failed, unit)
		default:
			underWay = append(underWay, unit)
		}
	}
	switch {
	case len(held) > 0:
		o.State, o.Description, o.quarantined = review.StateFailure, "quarantined, not deployed: "+list(held), true
	case len(failed) > 0:
		o.State, o.Description = review.StateFailure, "failed: "+list(failed)
	case len(underWay) > 0:
		o.State, o.Description = review.StatePending, "deploying "+list(underWay)
	case len(live) > 0:
		o.Description = "live: " + list(live)
	default:
		o.Description, o.gone = "nothing of it is left to deploy", true
	}
	return o
}

// bear adds a commit that bears the status.
func (o *Outcome) bear(commit string) {
	if id := source.ID(commit); !id.IsZero() && !slices.Contains(o.Commits, id) {
		o.Commits = append(o.Commits, id)
	}
}

// standingOf is how a unit fares with the content that stands approved. That the
// content before is live says nothing.
func standingOf(r *schemas.ModelRelease) review.State {
	switch r.Status.Phase {
	case schemas.PhaseFailed, schemas.PhaseRolledBack:
		return review.StateFailure
	case schemas.PhaseLive:
		if r.Status.Applied != nil && r.Status.Applied.Blob == r.Status.Approved.Blob {
			return review.StateSuccess
		}
	}
	return review.StatePending
}

func list(items []string) string {
	slices.Sort(items)
	if len(items) == 1 {
		return items[0]
	}
	return fmt.Sprintf("%s and %d more", items[0], len(items)-1)
}

// statuses of an outcome. The aggregate follows the deployment on the merged
// commit only; a pull request's head keeps the verdict that it was merged with.
func (o Outcome) statuses(url string) []review.Status {
	out := []review.Status{{Context: DeployContext, State: o.State, Description: o.Description, TargetURL: url}}
	if o.quarantined {
		out = append(out, review.Status{Context: review.StatusContext, State: o.State, Description: o.Description, TargetURL: url})
	}
	return out
}
