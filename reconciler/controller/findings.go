package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// maxNamed is how many of a list a condition names.
const maxNamed = 3

// tellQuarantine says how many files are quarantined, and which the first are. While
// the ledger is not in memory, as after a start without Git, what was said last stays.
func (r *Repositories) tellQuarantine(repo *schemas.ModelRepository) {
	n := repo.Status.QuarantinedFiles
	if n == 0 {
		conditions.MarkFalse(repo, schemas.ConditionQuarantined, "Clean", "everything on the branch is approved")
		return
	}
	r.mu.Lock()
	ledger := r.ledgers[client.ObjectKeyFromObject(repo)]
	r.mu.Unlock()
	if ledger == nil && conditions.IsTrue(repo, schemas.ConditionQuarantined) {
		return
	}
	said := fmt.Sprintf("%d files on the branch have no approval and are not deployed", n)
	if n == 1 {
		said = "1 file on the branch has no approval and is not deployed"
	}
	if ledger != nil {
		said += ": " + firstOf(slices.Sorted(maps.Keys(ledger.Quarantined)))
	}
	conditions.MarkTrue(repo, schemas.ConditionQuarantined, "Unapproved", "%s", said)
}

// firstOf names the first of a list, and counts the others.
func firstOf(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}

// tellRewritten says of a forced push where the branch was: what was approved there
// is not on it any more. Where the mirror does not have that commit, nobody can tell.
func (r *Repositories) tellRewritten(ctx context.Context, repo *schemas.ModelRepository, conn *connection, moved source.RefUpdate) {
	if !moved.Forced {
		return
	}
	if contained, err := conn.mirror.IsAncestor(ctx, moved.Old, moved.New); contained || err != nil {
		return
	}
	said := fmt.Sprintf("the history of %s was rewritten: it was at %s, which is not in that of %s", branch(repo), moved.Old, moved.New.Short())
	if !conditions.IsTrue(repo, schemas.ConditionRewritten) { // where it was first is what to go back to
		conditions.MarkTrue(repo, schemas.ConditionRewritten, "ForcedPush", "%s", said)
	}
	r.Events.Eventf(repo, corev1.EventTypeWarning, "Rewritten", "%s", said)
}

// tellEnvironments says which environments the spec names that nobody has approved:
// nothing of them is watched or healed. What other clusters serve is no matter here.
func (r *Repositories) tellEnvironments(repo *schemas.ModelRepository, ledger release.Ledger) {
	var missing []string
	for _, environment := range repo.Spec.Environments {
		if ledger.Approved[schemas.EnvironmentPath(environment)].Blob == "" {
			missing = append(missing, environment)
		}
	}
	r.Metrics.MissingEnvironments(client.ObjectKeyFromObject(repo).String(), missing)
	if len(missing) == 0 {
		conditions.MarkTrue(repo, schemas.ConditionEnvironmentsFound, "Found", "the approved branch has every environment of spec.environments")
		return
	}
	said := fmt.Sprintf("spec.environments names what the approved branch has no environments/NAME.yaml of, so nothing of it is deployed or healed: %s; "+
		"correct the name, or have the file approved", strings.Join(missing, ", "))
	if conditions.GetMessage(repo, schemas.ConditionEnvironmentsFound) != said {
		r.Events.Eventf(repo, corev1.EventTypeWarning, "EnvironmentMissing", "%s", said)
	}
	conditions.MarkFalse(repo, schemas.ConditionEnvironmentsFound, "EnvironmentMissing", "%s", said)
}
