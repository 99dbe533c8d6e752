package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// confirm drops from a ledger that was read from the cluster what the audit log
// does not confirm. Receipts can be edited by whoever has the right to, and a
// forged approval must not run anything; what is deployed of such a unit stays
// as it is until a pull request or spec.trustFrom approves it anew.
func (r *Repositories) confirm(ctx context.Context, repo *schemas.ModelRepository, conn *connection, l release.Ledger, fetched bool) error {
	trusted := trusted{fetched: fetched, contents: map[string]map[string]source.ID{}}
	var forged []string
	for path, a := range l.Approved {
		ok, err := r.confirmed(ctx, repo, conn, a, trusted)
		if err != nil {
			return err
		}
		if !ok {
			delete(l.Approved, path)
			forged = append(forged, path)
		}
	}
	if len(forged) == 0 {
		return nil
	}
	slices.Sort(forged)
	r.Log.Warn("approvals in the cluster are not on record and count for nothing", "repository", repo.Name, "files", forged)
	r.Events.Eventf(repo, corev1.EventTypeWarning, "NotOnRecord",
		"the cluster says of %d files that they are approved, of which the audit log knows nothing; that counts for nothing: %s",
		len(forged), strings.Join(forged[:min(len(forged), 5)], ", "))
	return nil
}

// confirmed reports whether an approval is on record just as it stands in the
// cluster: as the decision on a pull request, or as content of a commit that a
// person named.
func (r *Repositories) confirmed(ctx context.Context, repo *schemas.ModelRepository, conn *connection, a schemas.ApprovedFile, trusted trusted) (bool, error) {
	if a.PullRequest == 0 && a.Blob != "" {
		content, err := r.trustedContent(ctx, repo, conn, source.ID(a.Commit), trusted)
		return content[a.Path].String() == a.Blob, err
	}
	d := release.Decision{Path: a.Path, Approved: &a}
	if a.Blob == "" {
		d.Replaced = &schemas.ApprovedFile{Path: a.Path, Blob: "some"} // a removal is of something
		d.Trusted = a.PullRequest == 0
	}
	return release.Recorded(ctx, r.Witness, decisionEvent(repo, "", d))
}

// trusted is what commits hold that a person named, nothing where nobody did.
type trusted struct {
	// fetched: what the mirror lacks, the repository lacks.
	fetched  bool
	contents map[string]map[string]source.ID
}

// trustedContent is what a commit holds that is on record as trusted. The record
// tells which edit of the object named it.
func (r *Repositories) trustedContent(ctx context.Context, repo *schemas.ModelRepository, conn *connection, commit source.ID, t trusted) (map[string]source.ID, error) {
	if content, known := t.contents[commit.String()]; known {
		return content, nil
	}
	t.contents[commit.String()] = nil
	tree, err := conn.mirror.Tree(ctx, commit)
	if t.fetched && (errors.Is(err, source.ErrRevision) || errors.Is(err, source.ErrMissing)) {
		return nil, nil // a history that was rewritten vouches for nothing
	}
	if err != nil {
		return nil, fmt.Errorf("read the trusted commit %s: %w", commit.Short(), err)
	}
	for generation := repo.Generation; generation > 0; generation-- {
		ok, err := release.Recorded(ctx, r.Witness, trustEvent(repo, generation, commit, tree))
		if err != nil {
			return nil, err
		}
		if ok {
			t.contents[commit.String()] = release.Content(tree)
			break
		}
	}
	return t.contents[commit.String()], nil
}
