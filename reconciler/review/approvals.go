package review

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeApprovals matches the reviews to the seats that each change needs.
func (e *evaluation) judgeApprovals(ctx context.Context) error {
	if e.People.FilesTruncated {
		e.note(policy.StageApproval, policy.Error,
			"the list of files or commits ended at the forge's cap, so it is unknown what would be approved; split the pull request")
	}
	atCommit, err := e.reviewedContents(ctx)
	if err != nil {
		return err
	}
	reviews, err := e.People.reviews()
	if err != nil {
		return err
	}
	for _, c := range e.report.Changes {
		e.judgeApproval(c, reviews, atCommit)
	}
	if g := e.world.governance(); g != nil {
		for _, r := range reviews { // some may be yet to come
			e.until(r.SubmittedAt)
			e.until(r.SubmittedAt.Add(time.Duration(g.Expiry)))
		}
	}
	return nil
}

func (e *evaluation) judgeApproval(c *Change, reviews []approval.Review, atCommit map[string]contents) {
	in := approval.Input{
		Level: c.Risk.Level, Platform: c.Platform(), Governance: *e.world.governance(),
		Members: e.members(), Author: e.People.Author,
		Committers: e.People.Committers, CoAuthors: e.People.CoAuthors,
		Reviews: reviews, Digest: c.Digest, DigestAt: e.digestsAt(c, atCommit), Requested: e.People.Requested, Now: e.Now,
	}
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
	open := c.Approvals.Missing
	var parts []string
	left := c.need.Quorum - len(c.Approvals.Slots)
	if len(open) > 0 && len(c.need.Seats) > 0 && c.need.Seats[0].Chair && open[0] == c.need.Seats[0].Role {
		parts, open, left = append(parts, open[0]), open[1:], left-1
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

// contents is what a change looked like when someone reviewed it: the two
// trees between which it stood.
type contents struct{ before, after *source.Tree }

// reviewedContents reads the trees of every commit that was reviewed. A commit
// that is gone, or that shares no single merge base with the base, is left out:
// its reviews do not count.
func (e *evaluation) reviewedContents(ctx context.Context) (map[string]contents, error) {
	out := map[string]contents{}
	for _, r := range e.People.Reviews {
		if _, done := out[r.CommitID]; done {
			continue
		}
		c, err := e.contentsAt(ctx, r.CommitID)
		switch {
		case err == nil:
			out[r.CommitID] = c
		case gone(err):
		default:
			return nil, fmt.Errorf("read the reviewed commit %s: %w", r.CommitID, err)
		}
	}
	return out, nil
}

func gone(err error) bool {
	refused := (*source.Refused)(nil)
	return errors.Is(err, source.ErrRevision) || errors.Is(err, source.ErrNoMergeBase) ||
		errors.Is(err, source.ErrMergeBases) || errors.Is(err, source.ErrTreeTooLarge) || errors.As(err, &refused)
}

func (e *evaluation) contentsAt(ctx context.Context, commit string) (contents, error) {
	id, err := source.ParseID(commit)
	if err != nil {
		return contents{}, fmt.Errorf("%w: %s", source.ErrRevision, commit)
	}
	base, err := e.fork(ctx, e.Base, id)
	if err != nil {
		return contents{}, err
	}
	before, err := e.tree(ctx, base)
	if err != nil {
		return contents{}, err
	}
	after, err := e.tree(ctx, id)
	return contents{before, after}, err
}

// digestsAt is the change's digest at each reviewed commit. Where both contents
// are those of the head it is the digest of the head, since the level follows
// from them; otherwise it is another one, whatever its level.
func (e *evaluation) digestsAt(c *Change, atCommit map[string]contents) map[string]string {
	out := make(map[string]string, len(atCommit))
	for commit, at := range atCommit {
		if same(at.before.File(c.Path), c.file.Before) && same(at.after.File(c.Path), c.file.After) {
			out[commit] = c.Digest
		} else {
			out[commit] = "another"
		}
	}
	return out
}

// same compares what two trees hold at one path. A link and a file may have the
// same bytes, but only one of them is read.
func same(a, b source.File) bool {
	return a.Exists() == b.Exists() && a.Blob == b.Blob && (a.Refused == nil) == (b.Refused == nil)
}
