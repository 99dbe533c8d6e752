package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// TeamMembers lists who belongs to a team ("org/slug") of the forge now. It is
// asked by units that look at the same time, and must not make each wait.
type TeamMembers func(ctx context.Context, repository client.ObjectKey, team string) ([]approval.Account, error)

const (
	// rolesHold is how long after a merge the roles count as just read: its
	// judgement read them.
	rolesHold = 10 * time.Minute
	// rolesAgain is when a release that waits for an approver is looked at again.
	rolesAgain = time.Minute
)

// unbacked holds back a change that is deployed later than it was merged, for a
// window, a freeze, or a cluster that refused it, if those whose approvals it
// rests on do not hold their roles any more. It rests on the approvals of what
// was merged before it and waits as well: nobody was shown that again.
func (w *work) unbacked(ctx context.Context) (time.Duration, bool) {
	approved := w.desired.Approved
	// Other rules render anew what is deployed, whose own approval was used up; or
	// an operator vouched for it.
	if applied := w.receipt.Status.Applied; applied != nil && applied.Blob == approved.Blob || approved.PullRequest == 0 {
		w.receipt.Status.Waited = nil
		return 0, false
	}
	var left []string
	var unknown error
	for _, a := range w.restsOn() {
		said, err := w.lost(ctx, a)
		left, unknown = append(left, said...), errors.Join(unknown, err)
	}
	switch {
	case len(left) > 0:
		w.tellLeft(left)
	case unknown != nil:
		w.phase(schemas.PhasePending)
		w.stall(ReasonRolesUnknown, "nothing is deployed: whether those who approved it still hold their roles is not known: %s", review.Steady(unknown))
	default:
		return 0, false
	}
	w.wait()
	return rolesAgain, true
}

func (w *work) tellLeft(left []string) {
	reason := fmt.Sprintf("nothing is deployed: %s; revert that and have it approved again, or give the role back", strings.Join(left, "; "))
	if conditions.GetReason(w.first, "Stalled") != ReasonApproverLeft {
		w.Events.Eventf(w.receipt, corev1.EventTypeWarning, ReasonApproverLeft, "%s", clip(reason, maxEvent))
	}
	w.phase(schemas.PhaseFailed)
	w.stall(ReasonApproverLeft, "%s", reason)
}

// wait remembers that the approval was not used when it could have been. A
// removal brings nothing that others could build on.
func (w *work) wait() {
	if a := w.desired.Approved; a.PullRequest != 0 && a.Blob != "" {
		w.receipt.Status.Waited = with(w.receipt.Status.Waited, a)
	}
}

// with is a list of approvals and another one, each once.
func with(list []schemas.WaitedApproval, a *schemas.ApprovedFile) []schemas.WaitedApproval {
	if slices.ContainsFunc(list, func(old schemas.WaitedApproval) bool { return old.PullRequest == a.PullRequest }) {
		return list
	}
	return append(list, schemas.WaitedApproval{PullRequest: a.PullRequest, Level: a.Level, By: a.By})
}

// restsOn are the approvals whose roles were not read of late.
func (w *work) restsOn() []schemas.WaitedApproval {
	a := w.desired.Approved
	var list []schemas.WaitedApproval
	if a.Blob != "" {
		list = slices.Clone(w.receipt.Status.Waited)
	}
	if a.MergedAt != nil && w.Now().Sub(a.MergedAt.Time) >= rolesHold {
		list = with(list, a)
	}
	return list
}

// lost says who of a pull request's approvers does not hold the role any more,
// where those who do are not enough.
func (w *work) lost(ctx context.Context, a schemas.WaitedApproval) ([]string, error) {
	in, seats := approval.Input{Level: a.Level, Members: map[string][]approval.Account{}}, make([]approval.Slot, len(a.By))
	for i, s := range a.By {
		seats[i] = approval.Slot{Role: s.Role, By: s.Login, ID: s.ID, Alternate: s.Alternate}
	}
	platform, team := w.fleet.world.Platform, w.desired.Unit.Team
	if platform == nil || platform.Governance == nil {
		return nil, errors.New("the approved governance is not at hand")
	}
	in.Governance = platform.Governance.Value.Spec
	if file := platform.Teams[team]; file != nil {
		in.TeamRoles = file.Value.Spec.Roles
	}
	var unlisted error
	for _, name := range approval.TeamsOf(in, seats) {
		members, err := w.Members(ctx, client.ObjectKey{Namespace: w.receipt.Namespace, Name: w.repository}, name)
		if err != nil {
			unlisted = errors.Join(unlisted, fmt.Errorf("list the members of %s: %w", name, err))
			continue
		}
		in.Members[name] = members
	}
	lasting, err := approval.Lasts(in, seats)
	switch {
	case err != nil:
		return nil, errors.Join(unlisted, err)
	case lasting.Suffices:
		return nil, nil
	case platform.Teams[team] == nil:
		return nil, fmt.Errorf("%s, which may say who holds the roles of #%d, is gone; bring it back until this is deployed", schemas.TeamPath(team), a.PullRequest)
	}
	var said []string
	for _, s := range lasting.Left {
		said = append(said, fmt.Sprintf("%s approved #%d as %s and does not hold that role any more", s.By, a.PullRequest, s.Role))
	}
	for _, s := range lasting.Gone {
		said = append(said, fmt.Sprintf("%s approved #%d as %s, a role that is not defined any more", s.By, a.PullRequest, s.Role))
	}
	return said, nil
}
