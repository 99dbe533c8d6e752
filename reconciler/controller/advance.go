package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// ErrUnsettled: of a part of the branch it is not known yet who approved it.
var ErrUnsettled = errors.New("not everything on the branch could be judged yet")

// advance judges what the branch holds, and takes over what is approved.
//
// The order makes it safe to be killed anywhere: decisions go to the audit log
// (which keeps a repeated one once), then into the receipts, and only then is
// the revision moved on. Killed before that, the same is decided again.
func (r *Repositories) advance(ctx context.Context, repo *schemas.ModelRepository, conn *connection, tip source.ID, seen time.Time) error {
	name := client.ObjectKeyFromObject(repo)
	ledger, err := r.ledger(ctx, repo, conn, true)
	if err != nil {
		return err
	}
	r.setLedger(name, ledger) // repo was read just now; after the step it is not
	next, decisions, from, err := r.trust(ctx, repo, conn, ledger)
	if err != nil {
		return err
	}
	if from == "" {
		return ErrNothingTrusted
	}
	next, judged, upTo, unsettled, err := r.judge(ctx, repo, conn, next, from, tip)
	if err != nil {
		return err
	}
	decisions = append(decisions, judged...)
	if err := release.CheckRemovals(ledger, decisions, tip.String(), repo.Annotations[release.AnnotationAllowRemovals]); err != nil {
		return err
	}
	if err := r.recordAll(ctx, repo, tip, decisions); err != nil {
		return err
	}
	r.owe(name, decisions)
	if err := r.deploy(ctx, repo, conn, next, tip, upTo, seen); err != nil {
		return err
	}
	r.Statuses.tell(r.settle(name)...)
	if unsettled != "" {
		conn.unsettled.meet(upTo, seen)
		return fmt.Errorf("%w: %s", ErrUnsettled, unsettled)
	}
	conn.unsettled = unsettledStep{}
	clear(conn.steps)
	clear(conn.met)
	return nil
}

// owe keeps which statuses decisions ask for, until they are stored: it is told by
// that. A step that was stored in part is not decided again as far as it was.
func (r *Repositories) owe(name client.ObjectKey, decisions []release.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed == nil {
		r.owed = map[client.ObjectKey]map[statusKey]bool{}
	}
	if r.owed[name] == nil {
		r.owed[name] = map[statusKey]bool{}
	}
	for _, d := range decisions {
		for _, key := range statusKeys(name, d) {
			r.owed[name][key] = true
		}
	}
}

// settle are the statuses that are owed, which are to be told now.
func (r *Repositories) settle(name client.ObjectKey) []statusKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slices.Collect(maps.Keys(r.owed[name]))
	delete(r.owed, name)
	return keys
}

// deploy makes the ledger the one that is worked by, once the cluster has all of
// it: a unit that is removed takes its receipt with it, and the standing of what
// is removed is in the repository's status by then.
func (r *Repositories) deploy(ctx context.Context, repo *schemas.ModelRepository, conn *connection, ledger release.Ledger, tip, upTo source.ID, seen time.Time) error {
	name := client.ObjectKeyFromObject(repo)
	before := r.Fleets.Get(name)
	fleet, err := release.Load(ctx, conn.mirror, repo.Name, ledger, before)
	if err != nil {
		return err
	}
	r.Fleets.Announce(name, fleet)
	taken, err := r.store(ctx, repo, ledger, fleet, upTo)
	if err != nil {
		// A part of it may be stored: what the cluster has is read again.
		r.dropLedger(name)
		return err
	}
	for _, unit := range taken {
		if unit.Model != "" && (before == nil || before.Unit(unit) == nil) {
			r.Events.Eventf(repo, corev1.EventTypeWarning, "TakenElsewhere", "%s is another ModelRepository's, and is left to it until that removes it", unit)
		}
	}
	r.setLedger(name, ledger)
	r.tellEnvironments(repo, ledger)
	r.Fleets.Set(name, fleet, tip.String(), seen)
	return nil
}

// store writes the ledger into the cluster, and then up to which commit it judged.
func (r *Repositories) store(ctx context.Context, repo *schemas.ModelRepository, ledger release.Ledger, fleet *release.Fleet, upTo source.ID) (taken []schemas.Unit, err error) {
	if taken, err = r.Store.Save(ctx, repo, fleet); err != nil {
		return nil, err
	}
	next := repo.DeepCopy()
	ledger.SetStatus(&next.Status, taken)
	next.Status.Revision = upTo.String()
	if repo.Spec.TrustFrom != "" {
		next.Status.TrustedFrom = repo.Spec.TrustFrom
	}
	if err := r.patch(ctx, repo, next); err != nil {
		return nil, err
	}
	repo.Status = next.Status
	return taken, nil
}

// judge compares the branch with the ledger. Merged pull requests are only
// looked for where the branch moved, or was not wholly judged.
func (r *Repositories) judge(ctx context.Context, repo *schemas.ModelRepository, conn *connection, ledger release.Ledger, from, tip source.ID) (
	next release.Ledger, decisions []release.Decision, upTo source.ID, unsettled string, err error,
) {
	tree, unread := conn.mirror.Tree(ctx, tip)
	if unread != nil && !release.Unreadable(unread) {
		return ledger, nil, from, "", fmt.Errorf("read the branch at %s: %w", tip.Short(), unread)
	}
	b := release.Branch{Repo: conn.mirror.Repository, Name: branch(repo), Known: conn.steps, Seen: conn.met, Approved: ledger.Approved,
		Serves: func(path string) bool { return serves(repo, path) }}
	if conn.Forge != nil {
		b.Reviewer = r.reviewer(repo, conn)
	}
	merges, err := b.Merges(ctx, from, tip)
	if err != nil {
		return ledger, nil, from, "", err
	}
	for _, m := range merges {
		served(repo, m.Files)
	}
	var content map[string]source.ID
	if unread != nil {
		var push release.Merge
		content, push = ledger.Unread(tip, unread)
		merges = append(merges, push)
	} else {
		content = served(repo, release.Content(tree))
	}
	next, decisions = ledger.Judge(tip, content, merges, r.Now())
	upTo, unsettled = release.JudgedUpTo(tip, merges)
	return next, decisions, upTo, unsettled, nil
}

// serves reports whether a path is this cluster's: a governing file, or a manifest
// of an environment that no other cluster serves.
func serves(repo *schemas.ModelRepository, path string) bool {
	unit, manifest := schemas.ManifestUnit(path)
	return !manifest || slices.Contains(repo.Spec.Environments, unit.Environment)
}

// served leaves out what is another cluster's.
func served[V any](repo *schemas.ModelRepository, content map[string]V) map[string]V {
	maps.DeleteFunc(content, func(path string, _ V) bool { return !serves(repo, path) })
	return content
}

// trust takes the content of the commit that a person named as approved, once.
// It returns the ledger and the commit to judge from.
func (r *Repositories) trust(ctx context.Context, repo *schemas.ModelRepository, conn *connection, ledger release.Ledger) (release.Ledger, []release.Decision, source.ID, error) {
	if repo.Spec.TrustFrom == "" || repo.Spec.TrustFrom == repo.Status.TrustedFrom {
		return ledger, nil, source.ID(repo.Status.Revision), nil
	}
	commit := source.ID(repo.Spec.TrustFrom)
	tree, err := conn.mirror.Tree(ctx, commit)
	if err != nil {
		return ledger, nil, "", fmt.Errorf("read spec.trustFrom %s: %w", commit.Short(), err)
	}
	content := served(repo, release.Content(tree))
	if err := r.record(ctx, trustEvent(repo, repo.Generation, commit, tree)); err != nil {
		return ledger, nil, "", err
	}
	clear(conn.steps)
	next, decisions := ledger.Trust(content, commit)
	return next, decisions, commit, nil
}

func trustEvent(repo *schemas.ModelRepository, generation int64, commit source.ID, tree *source.Tree) release.Event {
	return release.Event{
		Occasion: fmt.Sprintf("%s/%d", repo.UID, generation),
		Phase:    release.Decided, Action: release.ActionTrust, Repository: repo.Name, Commit: commit.String(),
		Reason:   "spec.trustFrom names this commit: its content is taken as approved",
		Evidence: map[string]any{"tree": tree.ID().String()},
	}
}

// record puts an event on record, and counts where the audit log does not take it.
func (r *Repositories) record(ctx context.Context, e release.Event) error {
	err := release.Record(ctx, r.Audit, e)
	r.Metrics.Unrecorded(e.Action, err)
	return err
}

// recordParallel bounds the records that are written at a time; they share the
// log's writes.
const recordParallel = 16

// recordAll puts the decisions on record. What the record of a trusted commit
// says of all its files is not said of each again.
func (r *Repositories) recordAll(ctx context.Context, repo *schemas.ModelRepository, tip source.ID, decisions []release.Decision) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(recordParallel)
	for _, d := range decisions {
		if d.Trusted && !d.Removed() {
			continue
		}
		group.Go(func() error {
			if err := r.recordGlass(ctx, repo, d); err != nil {
				return fmt.Errorf("%s: %w", d.Path, err)
			}
			if err := r.record(ctx, decisionEvent(repo, tip, d)); err != nil {
				return fmt.Errorf("%s: %w", d.Path, err)
			}
			if d.Quarantined != nil {
				r.Events.Eventf(repo, corev1.EventTypeWarning, "Quarantined", "%s at %s is not deployed: %s", d.Path, tip.Short(), d.Quarantined.Reason)
			}
			return nil
		})
	}
	return group.Wait()
}

// recordGlass makes a broken glass loud: a record of its own before anything is
// applied, an event and a count.
func (r *Repositories) recordGlass(ctx context.Context, repo *schemas.ModelRepository, d release.Decision) error {
	if d.Approved == nil || d.Approved.BrokenGlass == nil || d.Quarantined != nil || d.Restored {
		return nil
	}
	if err := r.record(ctx, release.GlassEvent(repo, *d.Approved)); err != nil {
		return err
	}
	glass := d.Approved.BrokenGlass
	unit, _ := schemas.ManifestUnit(d.Path) // a platform file is of no unit
	r.Metrics.BrokeGlass(unit.Environment)
	r.Events.Eventf(repo, corev1.EventTypeWarning, release.ReasonBreakGlass, "%s broke the glass for %s, pull request #%d: %s",
		glass.By, d.Path, d.Approved.PullRequest, glass.Reason)
	return nil
}

func decisionEvent(repo *schemas.ModelRepository, tip source.ID, d release.Decision) release.Event {
	unit, _ := schemas.ManifestUnit(d.Path) // a platform file is of no unit
	e := release.Event{
		Occasion: string(repo.UID), Phase: release.Decided, Repository: repo.Name, Path: d.Path,
		Team: unit.Team, Model: unit.Model, Environment: unit.Environment, Commit: tip.String(),
	}
	switch {
	case d.Quarantined != nil:
		e.Action, e.Reason = release.ActionQuarantine, d.Quarantined.Reason
		e.Evidence = map[string]any{"blob": d.Quarantined.Blob}
	case d.Restored:
		e.Action, e.Reason = release.ActionRestore, "the branch holds nothing unapproved here any more"
	default:
		e.Action, e.Digest, e.Commit = release.ActionApprove, d.Approved.Digest, d.Approved.Commit
		e.Reason = fmt.Sprintf("pull request #%d was approved for this content", d.Approved.PullRequest)
		if d.Trusted {
			e.Reason = "the trusted commit does not hold it"
		}
		if d.Removed() {
			e.Action = release.ActionRemove
		}
		e.Evidence = map[string]any{"approved": d.Approved}
	}
	return e
}

// renew makes the fleet of a repository that cannot, or should not, be fetched
// from what is in the cluster and the mirror already, so that drift is looked
// after meanwhile. A fleet that is there is left as it is.
func (r *Repositories) renew(ctx context.Context, repo *schemas.ModelRepository, conn *connection) error {
	name := client.ObjectKeyFromObject(repo)
	if r.Fleets.Get(name) != nil || repo.Status.Revision == "" {
		return nil
	}
	if conn == nil {
		var err error
		if conn, err = r.connect(ctx, repo); err != nil {
			return err
		}
	}
	// More may be stored of a step that failed than was heard of.
	var stored schemas.ModelRepository
	if err := r.Reader.Get(ctx, name, &stored); err != nil {
		return fmt.Errorf("read the ModelRepository %s: %w", name, err)
	}
	ledger, err := r.ledger(ctx, &stored, conn, false)
	if err != nil {
		return err
	}
	fleet, err := release.Load(ctx, conn.mirror, repo.Name, ledger, nil)
	if err != nil {
		return err
	}
	if n := fleet.Lacking(); n > 0 {
		// Better no fleet than one that makes healthy models look broken.
		return fmt.Errorf("drift is not looked after: the local copy of the repository lacks %d approved files", n)
	}
	if err := r.keepRemovals(ctx, &stored, ledger); err != nil {
		return err
	}
	r.tellEnvironments(repo, ledger)
	r.Fleets.Set(name, fleet, stored.Status.Revision, time.Time{})
	return nil
}

// keepRemovals stores which models are removed where the step that said so was
// stored in part: a fleet has their receipts deleted, and then nothing else tells.
func (r *Repositories) keepRemovals(ctx context.Context, stored *schemas.ModelRepository, ledger release.Ledger) error {
	next := stored.DeepCopy()
	next.Status.Approved = ledger.WithRemovals(stored.Status.Approved)
	return r.patch(ctx, stored, next)
}

// ledger is the one in memory, else the one in the cluster, as far as its
// environments are served here and the audit log confirms it.
func (r *Repositories) ledger(ctx context.Context, repo *schemas.ModelRepository, conn *connection, fetched bool) (release.Ledger, error) {
	name := client.ObjectKeyFromObject(repo)
	r.mu.Lock()
	known := r.ledgers[name]
	r.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	l, removals, err := r.Store.Load(ctx, repo)
	if err != nil {
		return l, err
	}
	served(repo, l.Approved)
	served(repo, l.Quarantined)
	if err := r.confirm(ctx, repo, conn, l, fetched); err != nil {
		return l, err
	}
	for _, a := range removals {
		if !serves(repo, a.Path) {
			continue
		}
		ok, err := r.confirmed(ctx, repo, conn, a, trusted{fetched: fetched, contents: map[string]map[string]source.ID{}})
		if err != nil {
			return l, err
		}
		if ok {
			l.Approved[a.Path] = a
		}
	}
	return l, nil
}

func (r *Repositories) setLedger(name client.ObjectKey, l release.Ledger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ledgers == nil {
		r.ledgers = map[client.ObjectKey]*release.Ledger{}
	}
	r.ledgers[name] = &l
}

func (r *Repositories) dropLedger(name client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ledgers, name)
}
