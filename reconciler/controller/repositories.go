package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// People write them; the controller writes what it found out.
// +kubebuilder:rbac:groups=mlops-platform.com,namespace=mooring-system,resources=modelrepositories,verbs=get;list;watch
// +kubebuilder:rbac:groups=mlops-platform.com,namespace=mooring-system,resources=modelrepositories/status,verbs=patch

// Repositories follows the ModelRepository objects.
type Repositories struct {
	Client    client.Client
	Store     release.Store
	Reader    client.Reader
	Dial      Dialer
	MirrorDir string
	Audit     release.Auditor
	Witness   release.Witness
	Events    record.EventRecorder
	Now       func() time.Time
	Log       *slog.Logger
	// Hint asks for a look at a repository now.
	Hint func(client.ObjectKey)
	// Differ compares what is proposed with the live cluster.
	Differ differ
	// Fleets, Reviews and Statuses are told what was found.
	Fleets  *Fleets
	Reviews *Reviews
	// Rules checks what pull requests propose under policy/.
	Rules    review.RuleChecker
	Statuses *Statuses
	Chase    *Chase
	// Forget ends a repository's webhook.
	Forget  func(client.ObjectKey)
	Metrics *release.Metrics

	attention   attention
	rosters     rosters
	mu          sync.Mutex
	connections map[client.ObjectKey]*connection
	ledgers     map[client.ObjectKey]*release.Ledger
	owed        map[client.ObjectKey]map[statusKey]bool
}

func (r *Repositories) connection(name client.ObjectKey) *connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections[name]
}

func (r *Repositories) setConnection(name client.ObjectKey, c *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connections == nil {
		r.connections = map[client.ObjectKey]*connection{}
	}
	r.connections[name] = c
}

// Reconcile looks at one repository and says when to look again.
func (r *Repositories) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var repo schemas.ModelRepository
	if err := r.Reader.Get(ctx, req.NamespacedName, &repo); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, r.forget(req.NamespacedName)
		}
		return ctrl.Result{}, fmt.Errorf("read the ModelRepository %s: %w", req.NamespacedName, err)
	}
	before := repo.DeepCopy()
	if repo.Generation != repo.Status.ObservedGeneration {
		r.attention.note(req.NamespacedName, Hint{}) // what a person has edited may concern any pull request
	}
	hinted := r.attention.take(req.NamespacedName, r.Now(), interval(&repo))
	again, err := r.reconcile(ctx, &repo, hinted)
	r.summarise(&repo, err)
	if patchErr := r.patch(ctx, before, &repo); patchErr != nil {
		// The ledger in memory may be ahead of what is stored: read it again.
		r.dropLedger(req.NamespacedName)
		return ctrl.Result{}, errors.Join(err, patchErr)
	}
	switch {
	case errors.Is(err, ErrUnsettled):
		return ctrl.Result{RequeueAfter: again}, nil
	case errors.Is(err, ErrNothingTrusted), errors.Is(err, release.ErrMassRemoval):
		// A person must act; their edit of the object brings it back.
		return ctrl.Result{RequeueAfter: again}, nil
	}
	if err != nil {
		return ctrl.Result{}, err // the queue's own pauses decide
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

var errReplaced = errors.New("it was deleted and made again meanwhile, and is looked at anew")

// patch writes what changed of the status, and only to the object that it is of:
// one of the same name, made since, would take for its own what was trusted and
// judged for the one before, of which the audit log knows nothing.
func (r *Repositories) patch(ctx context.Context, before, after *schemas.ModelRepository) error {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	name := client.ObjectKeyFromObject(after)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var stored schemas.ModelRepository
		if err := r.Reader.Get(ctx, name, &stored); err != nil {
			return err
		}
		if stored.UID != after.UID {
			return errReplaced
		}
		base := before.DeepCopy()
		base.ResourceVersion = stored.ResourceVersion
		return r.Client.Status().Patch(ctx, after.DeepCopy(), client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return fmt.Errorf("write the status of %s: %w", name, err)
	}
	return nil
}

// reconcile is the list of what is done for a repository. Of the pull requests it
// looks at those that are hinted at and those that have changed; at all where
// hinted is nil.
func (r *Repositories) reconcile(ctx context.Context, repo *schemas.ModelRepository, hinted map[int]bool) (time.Duration, error) {
	again := interval(repo)
	if repo.Spec.Suspend {
		return 0, r.renew(ctx, repo, nil)
	}
	timeout := timeout(repo)
	conn, err := r.connect(ctx, repo)
	if err != nil {
		conditions.MarkFalse(repo, schemas.ConditionFetched, "NotConfigured", "%v", err)
		return again, err
	}
	fetch, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer to git within spec.timeout (%s)", schemas.Duration(timeout)))
	defer cancel()
	refs, err := conn.mirror.Fetch(fetch)
	if err != nil {
		conditions.MarkFalse(repo, schemas.ConditionFetched, fetchReason(err), "%v", err)
		// What is approved already keeps being watched and healed.
		return again, errors.Join(err, r.renew(ctx, repo, conn))
	}
	tip, seen := refs.Branch.New, r.Now()
	conditions.MarkTrue(repo, schemas.ConditionFetched, "Fetched", "%s is at %s", branch(repo), tip.Short())
	r.tellRewritten(ctx, repo, conn, refs.Branch)
	if err = r.advance(review.WithPriority(ctx, review.PriorityMerge), repo, conn, tip, seen); err != nil {
		// What is approved already keeps being watched and healed meanwhile.
		err = errors.Join(err, r.renew(ctx, repo, conn))
	}
	if errors.Is(err, ErrUnsettled) {
		again = min(again, conn.askAgain(seen))
	}
	if conn.Forge != nil {
		ask, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ask = review.WithPriority(ask, review.PriorityPoll)
		err = errors.Join(err, r.askForReviews(ask, repo, conn, refs, hinted))
		if ask.Err() == nil { // else it could only fail as well
			err = errors.Join(err, r.govern(ask, repo, conn, tip))
		}
	}
	return again, err
}

// unanswered says of a forge that was given up on what a person can look at.
func unanswered(ctx context.Context, err error, within time.Duration) error {
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("GitHub's API did not answer within spec.timeout (%s); check the network and GitHub's status page", schemas.Duration(within))
}

func timeout(repo *schemas.ModelRepository) time.Duration {
	if repo.Spec.Timeout.Duration <= 0 {
		return time.Minute
	}
	return repo.Spec.Timeout.Duration
}

func interval(repo *schemas.ModelRepository) time.Duration {
	if repo.Spec.Interval.Duration <= 0 {
		return time.Minute
	}
	return repo.Spec.Interval.Duration
}

func fetchReason(err error) string {
	for _, known := range []struct {
		err    error
		reason string
	}{
		{source.ErrAuth, "AccessDenied"}, {source.ErrUnreachable, "Unreachable"}, {source.ErrCertificate, "CertificateRefused"},
		{source.ErrHostKey, "HostKeyRefused"}, {source.ErrNotFound, "RepositoryNotFound"}, {source.ErrRefMissing, "BranchNotFound"},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return "FetchFailed"
}

// askForReviews puts the open pull requests into the queue of reviews.
func (r *Repositories) askForReviews(ctx context.Context, repo *schemas.ModelRepository, conn *connection, refs source.Refs, hinted map[int]bool) error {
	name, began := client.ObjectKeyFromObject(repo), r.Now()
	pulls, elsewhere, err := review.AllOpen(ctx, conn.Forge, branch(repo))
	if err != nil {
		return fmt.Errorf("list the pull requests: %w", unanswered(ctx, err, timeout(repo)))
	}
	r.Chase.Open(name, pulls)
	conn.memory.Look(pulls)
	reviewer := r.reviewer(repo, conn)
	reviewer.Memory = conn.memory
	if err := r.standing(ctx, repo, conn, refs.Branch.New, reviewer); err != nil {
		return err
	}
	reviewer.Cluster = live{r.Differ, r.Client, name, repo.Spec.Environments}
	r.Reviews.Update(name, reviewer, refs.Branch.New, pulls, elsewhere, refs.Queue, hinted)
	r.attention.looked(name, began, hinted == nil)
	return nil
}

// standing tells a reviewer what stands approved. While nobody has named a commit
// to trust, nothing does, and the branch is taken as it is.
func (r *Repositories) standing(ctx context.Context, repo *schemas.ModelRepository, conn *connection, tip source.ID, reviewer *review.Reviewer) error {
	rules, err := r.approvedRules(ctx, repo, conn)
	if rules == nil || err != nil {
		return err
	}
	ledger, err := r.ledger(ctx, repo, conn, true)
	if err != nil {
		return err
	}
	reviewer.Approved = rules
	tree, err := conn.mirror.Tree(ctx, tip)
	switch {
	case release.Unreadable(err):
		return nil // each pull request is told that its base cannot be read
	case err != nil:
		return fmt.Errorf("read the branch at %s: %w", tip.Short(), err)
	}
	reviewer.Standing = ledger.Standing(served(repo, release.Content(tree)))
	return nil
}

// approvedRules is the approved content of the governing files; nil while nobody
// has named a commit to trust.
func (r *Repositories) approvedRules(ctx context.Context, repo *schemas.ModelRepository, conn *connection) (map[string]source.ID, error) {
	if repo.Status.Revision == "" {
		return nil, nil
	}
	ledger, err := r.ledger(ctx, repo, conn, true)
	if err != nil {
		return nil, fmt.Errorf("read what is approved, without which no pull request is judged: %w", err)
	}
	rules := map[string]source.ID{}
	for path, a := range ledger.Rules() {
		rules[path] = source.ID(a.Blob)
	}
	return rules, nil
}

// summarise turns the outcome into the conditions that kstatus reads.
func (r *Repositories) summarise(repo *schemas.ModelRepository, err error) {
	repo.Status.ObservedGeneration = repo.Generation
	r.tellQuarantine(repo)
	r.Metrics.Quarantined(client.ObjectKeyFromObject(repo).String(), repo.Status.QuarantinedFiles)
	if !errors.Is(err, ErrNothingTrusted) && !errors.Is(err, release.ErrMassRemoval) {
		conditions.Delete(repo, "Stalled")
	}
	if !errors.Is(err, ErrUnsettled) {
		conditions.Delete(repo, "Reconciling")
	}
	switch {
	case repo.Spec.Suspend:
		conditions.MarkFalse(repo, "Ready", "Suspended", "spec.suspend is set; only drift is looked after")
	case errors.Is(err, ErrNothingTrusted):
		conditions.MarkStalled(repo, "NothingTrusted", "%v", err)
		conditions.MarkFalse(repo, "Ready", "NothingTrusted", "%v", err)
	case errors.Is(err, ErrUnsettled):
		conditions.MarkReconciling(repo, "Unsettled", "%v", err)
		conditions.MarkFalse(repo, "Ready", "Unsettled", "%v; it is tried again", err)
	case errors.Is(err, release.ErrMassRemoval):
		conditions.MarkStalled(repo, "MassRemoval", "%v", err)
		conditions.MarkFalse(repo, "Ready", "MassRemoval", "%v", err)
	case err != nil:
		if !conditions.IsFalse(repo, "Ready") {
			r.Events.Eventf(repo, corev1.EventTypeWarning, "Failed", "%v", err)
		}
		conditions.MarkFalse(repo, "Ready", "Failed", "%v; it is tried again", err)
	default:
		if repo.Status.QuarantinedFiles == 0 {
			conditions.Delete(repo, schemas.ConditionRewritten)
		}
		conditions.MarkTrue(repo, "Ready", "Judged", "every change up to %.12s is judged", repo.Status.Revision)
	}
	r.Metrics.Ready(client.ObjectKeyFromObject(repo).String(), conditions.IsTrue(repo, "Ready"), conditions.GetReason(repo, "Ready"))
}

// forget closes what belongs to a repository that is gone. What it deployed
// stays: removing the object is no order to remove models.
func (r *Repositories) forget(name client.ObjectKey) error {
	err := r.disconnect(name)
	r.settle(name)
	r.Fleets.Remove(name)
	r.Reviews.Remove(name)
	r.Statuses.Remove(name)
	r.Chase.Remove(name)
	r.Metrics.Forget(name.String())
	r.Forget(name)
	r.attention.forget(name)
	r.rosters.forget(name)
	return err
}
