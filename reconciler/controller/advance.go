package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// advance judges what the branch holds, and takes over what is approved.
//
// The order makes it safe to be killed anywhere: decisions go to the audit log
// (which keeps a repeated one once), then into the receipts, and only then is
// the revision moved on. Killed before that, the same is decided again.
func (r *Repositories) advance(ctx context.Context, repo *schemas.ModelRepository, conn *connection, tip source.ID) error {
	name := client.ObjectKeyFromObject(repo)
	ledger, err := r.ledger(ctx, repo)
	if err != nil {
		return err
	}
	if repo.Spec.TrustFrom != repo.Status.TrustedFrom && repo.Spec.TrustFrom != "" {
		if ledger, err = r.trust(ctx, repo, conn); err != nil {
			return err
		}
	}
	if repo.Status.Revision == "" {
		return ErrNothingTrusted
	}
	next, decisions, err := r.judge(ctx, repo, conn, ledger, tip)
	if err != nil {
		return err
	}
	if err := release.CheckRemovals(ledger, decisions, tip.String(), repo.Annotations[release.AnnotationAllowRemovals]); err != nil {
		return err
	}
	for _, d := range decisions {
		if err := r.recordDecision(ctx, repo, tip, d); err != nil {
			return err
		}
	}
	fleet, err := release.Load(ctx, conn.mirror, repo.Name, next, r.Fleets.Get(name))
	if err != nil {
		return err
	}
	changed := fleet.Changed(r.Fleets.Get(name))
	if err := r.Store.SaveReceipts(ctx, repo, fleet, changed); err != nil {
		return err
	}
	r.setLedger(name, next)
	next.SetStatus(&repo.Status)
	repo.Status.Revision = tip.String()
	r.Fleets.Set(name, fleet, tip.String(), changed)
	r.tellStatuses(name, repo, conn, decisions)
	return nil
}

// judge compares the branch with the ledger. Merged pull requests are only
// looked for where the branch moved.
func (r *Repositories) judge(ctx context.Context, repo *schemas.ModelRepository, conn *connection, ledger release.Ledger, tip source.ID) (release.Ledger, []release.Decision, error) {
	tree, err := conn.mirror.Tree(ctx, tip)
	if err != nil {
		return ledger, nil, fmt.Errorf("read the branch at %s: %w", tip.Short(), err)
	}
	b := release.Branch{Repo: conn.mirror.Repository, Name: branch(repo)}
	if conn.Forge != nil {
		b.Reviewer = &review.Reviewer{Forge: conn.Forge, Repo: conn.mirror.Repository, Repository: repo.Name, Now: r.Now}
	}
	merges, err := b.Merges(ctx, source.ID(repo.Status.Revision), tip)
	if err != nil {
		return ledger, nil, err
	}
	next, decisions := ledger.Judge(tip, served(repo, release.Content(tree)), merges, r.Now())
	return next, decisions, nil
}

// served leaves out the manifests of environments that another cluster serves.
func served(repo *schemas.ModelRepository, content map[string]source.ID) map[string]source.ID {
	here := map[string]bool{}
	for _, e := range repo.Spec.Environments {
		here[e] = true
	}
	for path := range content {
		if unit, ok := schemas.ManifestUnit(path); ok && !here[unit.Environment] {
			delete(content, path)
		}
	}
	return content
}

// trust takes the content of the commit that a person named as approved.
func (r *Repositories) trust(ctx context.Context, repo *schemas.ModelRepository, conn *connection) (release.Ledger, error) {
	commit := source.ID(repo.Spec.TrustFrom)
	tree, err := conn.mirror.Tree(ctx, commit)
	if err != nil {
		return release.Ledger{}, fmt.Errorf("read spec.trustFrom %s: %w", commit.Short(), err)
	}
	content := served(repo, release.Content(tree))
	err = r.Audit.Record(ctx, release.Event{
		Key:   fmt.Sprintf("trust/%s/%s/%d", repo.UID, commit, repo.Generation),
		Phase: release.Decided, Action: release.ActionTrust, Repository: repo.Name, Commit: commit.String(),
		Reason:   "spec.trustFrom names this commit: its content is taken as approved",
		Evidence: map[string]any{"files": len(content), "tree": tree.ID().String()},
	})
	if err != nil {
		return release.Ledger{}, fmt.Errorf("record the trust in %s: %w", commit.Short(), err)
	}
	repo.Status.TrustedFrom, repo.Status.Revision = commit.String(), commit.String()
	return release.Trust(content, commit), nil
}

// recordDecision puts one decision on record and tells whoever looks.
func (r *Repositories) recordDecision(ctx context.Context, repo *schemas.ModelRepository, tip source.ID, d release.Decision) error {
	unit, _ := schemas.ManifestUnit(d.Path)
	e := release.Event{
		Phase: release.Decided, Repository: repo.Name, Path: d.Path,
		Team: unit.Team, Model: unit.Model, Environment: unit.Environment, Commit: tip.String(),
	}
	switch {
	case d.Quarantined != nil:
		e.Action, e.Reason = release.ActionQuarantine, d.Quarantined.Reason
		e.Key = "quarantine/" + d.Path + "/" + d.Quarantined.Commit + "/" + d.Quarantined.Blob
		e.Evidence = map[string]any{"blob": d.Quarantined.Blob}
		r.Events.Eventf(repo, corev1.EventTypeWarning, "Quarantined", "%s at %s is not deployed: %s", d.Path, tip.Short(), d.Quarantined.Reason)
	case d.Restored:
		e.Action, e.Reason = release.ActionRestore, "the branch holds the approved content again"
		e.Key = "restore/" + d.Path + "/" + tip.String()
	default:
		e.Action, e.Digest, e.Commit = release.ActionApprove, d.Approved.Digest, d.Approved.Commit
		e.Key = "approve/" + d.Path + "/" + d.Approved.Commit + "/" + d.Approved.Digest
		e.Reason = fmt.Sprintf("pull request #%d was approved for this content", d.Approved.PullRequest)
		e.Evidence = map[string]any{"approved": d.Approved, "removed": d.Removed}
	}
	if err := r.Audit.Record(ctx, e); err != nil {
		return fmt.Errorf("record the decision on %s: %w", d.Path, err)
	}
	return nil
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
	ledger, err := r.ledger(ctx, repo)
	if err != nil {
		return err
	}
	fleet, err := release.Load(ctx, conn.mirror, repo.Name, ledger, nil)
	if err != nil {
		return err
	}
	r.Fleets.Set(name, fleet, repo.Status.Revision, fleet.Changed(nil))
	return nil
}

func (r *Repositories) ledger(ctx context.Context, repo *schemas.ModelRepository) (release.Ledger, error) {
	name := client.ObjectKeyFromObject(repo)
	r.mu.Lock()
	known := r.ledgers[name]
	r.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	return r.Store.Load(ctx, repo)
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
