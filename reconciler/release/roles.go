package release

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// TeamMembers lists who belongs to a team ("org/slug") of the forge now.
type TeamMembers func(ctx context.Context, repository client.ObjectKey, team string) ([]approval.Account, error)

const (
	// rolesHold is how long after a merge the roles count as just read: its
	// judgement read them.
	rolesHold = 10 * time.Minute
	// rolesAgain is when a release that waits for an approver is looked at again,
	// and rolesTimeout how long the forge may take to answer.
	rolesAgain   = time.Minute
	rolesTimeout = 20 * time.Second
)

// unbacked holds back a change that is deployed later than it was merged, by a
// window, a freeze, or a cluster that refused it, if somebody whose approval
// filled a seat does not hold the seat's role any more. Whoever was kept from
// approving since, for whatever reason, has approved nothing that comes.
func (w *work) unbacked(ctx context.Context) (time.Duration, bool) {
	approved := w.desired.Approved
	if approved.PullRequest == 0 || approved.MergedAt == nil || w.Now().Sub(approved.MergedAt.Time) < rolesHold {
		return 0, false
	}
	if applied := w.receipt.Status.Applied; applied != nil && applied.Blob == approved.Blob {
		return 0, false // other rules render it anew; its own approval was used up
	}
	ctx, cancel := context.WithTimeout(ctx, rolesTimeout)
	defer cancel()
	left, err := w.left(ctx, approved.By)
	switch {
	case err != nil:
		w.phase(schemas.PhasePending)
		w.stall(ReasonRolesUnknown, "nothing is deployed: whether those who approved #%d still hold their roles is not known: %v", approved.PullRequest, err)
		return rolesAgain, true
	case len(left) == 0:
		return 0, false
	}
	reason := fmt.Sprintf("%s and not any more, so #%d is not deployed; revert it and have it approved again, or give the role back",
		strings.Join(left, ", "), approved.PullRequest)
	if conditions.GetReason(w.first, "Stalled") != ReasonApproverLeft {
		w.Events.Eventf(w.receipt, corev1.EventTypeWarning, ReasonApproverLeft, "%s", clip(reason, maxEvent))
	}
	w.phase(schemas.PhaseFailed)
	w.stall(ReasonApproverLeft, "%s", reason)
	return rolesAgain, true
}

// left says of each seat whose person does not hold its role now that they did.
func (w *work) left(ctx context.Context, by []schemas.ApprovedBy) ([]string, error) {
	roles := w.fleet.roles(w.desired.Unit.Team)
	members := map[string][]approval.Account{}
	var left []string
	for _, seat := range by {
		if seat.Login == approval.Automatic {
			continue
		}
		role := roles[seat.Role] // of one that is not there any more nobody is a holder
		for _, team := range role.AllTeams() {
			if _, asked := members[team]; asked {
				continue
			}
			people, err := w.Members(ctx, client.ObjectKey{Namespace: w.receipt.Namespace, Name: w.repository}, team)
			if err != nil {
				return nil, fmt.Errorf("list the members of %s: %w", team, err)
			}
			members[team] = people
		}
		ok, err := approval.MayFill(role, members, approval.Account{Login: seat.Login, ID: seat.ID})
		if err != nil {
			return nil, err
		}
		if !ok {
			left = append(left, fmt.Sprintf("%s held the role %s", seat.Login, seat.Role))
		}
	}
	return left, nil
}

// roles are those that count for a team's changes, by the approved governing
// files.
func (f *Fleet) roles(team string) map[string]schemas.RoleHolders {
	roles := map[string]schemas.RoleHolders{}
	if f.world.Platform == nil || f.world.Platform.Governance == nil {
		return roles
	}
	maps.Copy(roles, f.world.Platform.Governance.Value.Spec.Roles)
	if t := f.world.Platform.Teams[team]; t != nil {
		maps.Copy(roles, t.Value.Spec.Roles)
	}
	return roles
}
