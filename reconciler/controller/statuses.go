package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

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

type statusKey struct {
	repository client.ObjectKey
	commit     string
}

type statusTarget struct {
	forge review.Forge
	url   string
}

// NewStatuses makes the queue.
func NewStatuses(reader client.Reader, log *slog.Logger) *Statuses {
	return &Statuses{
		Client: reader, Log: log, repos: map[client.ObjectKey]statusTarget{},
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[statusKey](time.Second, 5*time.Minute),
			workqueue.TypedRateLimitingQueueConfig[statusKey]{Name: "statuses"}),
	}
}

// tellStatuses asks for a status on every commit that was decided upon.
func (r *Repositories) tellStatuses(name client.ObjectKey, repo *schemas.ModelRepository, conn *connection, decisions []release.Decision) {
	if conn.Forge == nil {
		return
	}
	r.Statuses.mu.Lock()
	r.Statuses.repos[name] = statusTarget{forge: conn.Forge, url: repo.Spec.URL}
	r.Statuses.mu.Unlock()
	for _, d := range decisions {
		if d.Quarantined != nil {
			r.Statuses.queue.Add(statusKey{name, d.Quarantined.Commit})
		}
		if d.Approved != nil {
			r.Statuses.queue.Add(statusKey{name, d.Approved.Commit})
		}
	}
}

// Changed asks for a status where a receipt's standing or phase changed.
func (s *Statuses) Changed(repository client.ObjectKey, before, after *schemas.ModelRelease) {
	a := after.Status.Approved
	if a == nil || a.PullRequest == 0 || before.Status.Phase == after.Status.Phase {
		return
	}
	s.queue.Add(statusKey{repository, a.Commit})
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
	if err := s.tell(ctx, key); err != nil && ctx.Err() == nil {
		s.Log.Error("the commit status could not be written; it is tried again", "repository", key.repository, "commit", key.commit, "error", err)
		s.queue.AddRateLimited(key)
		return true
	}
	s.queue.Forget(key)
	return true
}

func (s *Statuses) tell(ctx context.Context, key statusKey) error {
	s.mu.Lock()
	target, ok := s.repos[key.repository]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	var list schemas.ModelReleaseList
	if err := s.Client.List(ctx, &list, client.InNamespace(key.repository.Namespace),
		client.MatchingLabels{schemas.LabelRepository: key.repository.Name}); err != nil {
		return fmt.Errorf("list the receipts: %w", err)
	}
	var repo schemas.ModelRepository
	if err := s.Client.Get(ctx, key.repository, &repo); err != nil {
		return fmt.Errorf("read the ModelRepository: %w", err)
	}
	outcome := DeployOutcome(key.commit, repo.Status.Quarantined, list.Items)
	for _, commit := range outcome.Commits {
		for _, status := range outcome.statuses(target.url) {
			if err := target.forge.SetStatus(ctx, commit, status); err != nil {
				return fmt.Errorf("set %s on %s: %w", status.Context, commit.Short(), err)
			}
		}
	}
	return nil
}

// Outcome is what became of a merged commit.
type Outcome struct {
	State       review.State
	Description string
	// Commits bear the status: the one on the branch, and the pull request's head.
	Commits     []source.ID
	quarantined bool
}

// DeployOutcome reads what became of a commit from the receipts: quarantined
// content and failed units fail it, units under way leave it pending.
func DeployOutcome(commit string, quarantined []schemas.QuarantinedFile, receipts []schemas.ModelRelease) Outcome {
	o := Outcome{State: review.StateSuccess, Commits: []source.ID{source.ID(commit)}}
	var live, underWay, failed, held []string
	for _, q := range quarantined {
		if q.Commit == commit {
			held = append(held, q.Path+": "+q.Reason)
		}
	}
	for _, r := range receipts {
		if q := r.Status.Quarantined; q != nil && q.Commit == commit {
			held = append(held, q.Path+": "+q.Reason)
		}
		a := r.Status.Approved
		if a == nil || a.Commit != commit {
			continue
		}
		if head := source.ID(a.Head); !head.IsZero() && !slices.Contains(o.Commits, head) {
			o.Commits = append(o.Commits, head)
		}
		unit := unitOf(&r).String()
		switch r.Status.Phase {
		case schemas.PhaseLive:
			live = append(live, unit)
		case schemas.PhaseFailed, schemas.PhaseRolledBack:
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
		o.Description = "nothing of it is to be deployed"
	}
	return o
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
