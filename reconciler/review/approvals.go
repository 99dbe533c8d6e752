package review

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeApprovals matches the reviews to the seats that each change needs.
func (e *evaluation) judgeApprovals(ctx context.Context) error {
	if e.People.FilesTruncated {
		e.note(policy.StageApproval, policy.Error,
			"the list of files or commits ended at the forge's cap, so it is unknown what would be approved; split the pull request")
	}
	if len(e.report.Changes) == 0 {
		return nil
	}
	reviews, err := e.People.reviews()
	if err != nil {
		return err
	}
	in := approval.Input{
		Governance: *e.world.governance(), Members: e.members(),
		Author: e.People.Author, Committers: e.People.Committers, CoAuthors: e.People.CoAuthors,
		Reviews: reviews, Requested: e.People.Requested, Now: e.Now,
	}
	atCommit, err := e.reviewedContents(ctx, in)
	if err != nil {
		return err
	}
	for _, c := range e.report.Changes {
		e.judgeApproval(c, in, atCommit)
	}
	for _, r := range reviews { // some may be yet to come
		e.until(r.SubmittedAt)
		e.until(r.SubmittedAt.Add(time.Duration(in.Governance.Expiry)))
	}
	return nil
}

// judgeApproval judges one change, of which the input says nothing yet.
func (e *evaluation) judgeApproval(c *Change, in approval.Input, atCommit map[string]contents) {
	in.Level, in.Platform, in.Digest, in.DigestAt = c.Risk.Level, c.Platform(), c.Digest, e.digestsAt(c, atCommit)
	if team := e.world.team(c.Team); team != nil {
		in.TeamRoles = team.Spec.Roles
	}
	e.judgeTimeRules(c, in)
	result, err := approval.Evaluate(in)
	if err == nil && c.Risk.Level != schemas.RiskLow && len(e.People.Unattributed) > 0 {
		err = fmt.Errorf("the commits %s belong to no account, so their authors cannot be kept from approving; "+
			"set git's user.email to an address of a GitHub account", strings.Join(e.People.Unattributed, ", "))
	}
	if err != nil {
		e.noteOn(c, policy.StageApproval, policy.Error, e.explain(in, err))
		return
	}
	if c.need, err = approval.Needed(in); err != nil {
		return // Evaluate has asked for the same
	}
	c.Approvals = Approvals{
		Satisfied: result.Satisfied, Slots: result.Slots, Missing: result.Missing,
		BlockedBy: result.BlockedBy, Reasons: append(append(result.Reasons, c.Approvals.Reasons...), e.People.strangers()...),
		Voided: result.Voided, SLA: result.SLA, Due: result.Due.UTC(), Expires: result.Expires.UTC(),
	}
	if result.Verdict != policy.Pass {
		e.noteOn(c, policy.StageApproval, result.Verdict, waitsFor(c))
	}
}

func (e *evaluation) members() map[string][]Account {
	if !e.People.nobody {
		return e.People.Teams
	}
	members := map[string][]Account{}
	for _, team := range e.world.Platform.RoleTeams() {
		members[team] = nil
	}
	return members
}

// explain adds why a team is not known, where the forge said so.
func (e *evaluation) explain(in approval.Input, err error) string {
	text := err.Error()
	need, needErr := approval.Needed(in)
	if needErr != nil {
		return text // the governance itself is at fault, which err says
	}
	for _, team := range need.Teams() {
		if why := e.People.TeamErrors[team]; why != "" {
			text += "; " + why
		}
	}
	return text
}

func waitsFor(c *Change) string {
	if len(c.Approvals.BlockedBy) > 0 {
		return "changes requested by " + strings.Join(c.Approvals.BlockedBy, ", ")
	}
	return fmt.Sprintf("%s risk, waiting for %s", c.Risk.Level, c.awaited())
}

// awaited says who still has to approve. Of a board's open seats not all have to
// be filled: "vp-engineering and 3 of legal, security, …".
func (c *Change) awaited() string {
	var parts []string
	chair, left, open := c.openSeats()
	if chair != "" {
		parts = append(parts, chair)
	}
	switch {
	case left <= 0 && len(parts) > 0:
	case left >= len(open):
		parts = append(parts, open...)
		return strings.Join(parts, ", ")
	default:
		parts = append(parts, fmt.Sprintf("%d of %s", left, strings.Join(open, ", ")))
	}
	return strings.Join(parts, " and ")
}

// openSeats are the chair, where it has to be filled, and the other open seats,
// of which left have to be.
func (c *Change) openSeats() (chair string, left int, others []string) {
	others, left = c.Approvals.Missing, c.need.Quorum-len(c.Approvals.Slots)
	if len(others) > 0 && len(c.need.Seats) > 0 && c.need.Seats[0].Chair && others[0] == c.need.Seats[0].Role {
		return others[0], left - 1, others[1:]
	}
	return "", left, others
}

// missing counts the approvals that are still needed.
func (c *Change) missing() string {
	chair, left, others := c.openSeats()
	n := min(max(left, 0), len(others))
	if chair != "" {
		n++
	}
	return plural(n, "approval") + " missing"
}
