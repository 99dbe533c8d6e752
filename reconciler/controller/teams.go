package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// ruled is what a connection knows of those who decide.
type ruled struct {
	tip  source.ID
	book *review.Rulebook
	// asked is when the members of teams were asked for.
	asked time.Time
}

// govern looks at who decides: it tells which boards there are, and resolves the
// teams when the governing files changed and once an interval. What is wrong
// there stops nothing; where a seat is needed, the verdict is an error.
func (r *Repositories) govern(ctx context.Context, repo *schemas.ModelRepository, conn *connection, tip source.ID) error {
	name := client.ObjectKeyFromObject(repo)
	if conn.ruled.book == nil || conn.ruled.tip != tip {
		rules, err := r.approvedRules(ctx, repo, conn)
		if err != nil {
			return err
		}
		book, err := review.LoadRulebook(ctx, conn.mirror.Repository, conn.cache, tip, rules)
		if release.Unreadable(err) || err == nil && book == nil {
			return nil // findings, quarantines and conditions of the files say why there is none
		}
		if err != nil {
			return err
		}
		conn.ruled = ruled{tip: tip, book: book}
		r.Chase.Govern(name, book.Governance.Boards)
	}
	// Polls are never exactly an interval apart.
	if r.Now().Sub(conn.ruled.asked) < interval(repo)/2 {
		return nil
	}
	conn.ruled.asked = r.Now()
	r.resolve(ctx, repo, conn)
	return nil
}

// resolve asks for the members of every team that a role names, and says in
// conditions which cannot be listed and which seats cannot be filled.
func (r *Repositories) resolve(ctx context.Context, repo *schemas.ModelRepository, conn *connection) {
	book := conn.ruled.book
	teams := book.Teams()
	names := slices.Sorted(maps.Keys(teams))
	listed, errs := make([][]review.Account, len(names)), make([]error, len(names))
	for i, team := range names {
		listed[i], errs[i] = conn.Forge.TeamMembers(ctx, team)
	}
	members, found := map[string][]review.Account{}, problems{}
	for i, team := range names {
		switch err := errs[i]; {
		case err == nil:
			members[team] = listed[i]
		case errors.Is(err, review.ErrTeamUnknown):
			found.add(reasonTeamUnknown, fmt.Sprintf("the team %s (%s) is missing or not visible: check the slug, and give the App the permission \"Members: read\"", team, join(teams[team])))
		case errors.Is(err, review.ErrTeamDenied):
			found.add(reasonTeamDenied, fmt.Sprintf("the members of %s (%s) may not be listed: give the App the permission \"Members: read\"", team, join(teams[team])))
		default:
			r.Log.Warn("the members of a team could not be listed; it is tried again", "repository", repo.Name, "team", team, "error", err)
			found.unclear = append(found.unclear, team)
		}
	}
	empty, gaps, err := book.Unfillable(members)
	if err != nil {
		r.Log.Warn("whether the seats can be filled could not be told; it is tried again", "repository", repo.Name, "error", err)
		found.unclear = append(found.unclear, "seats")
	}
	for _, role := range empty {
		found.add(reasonRoleEmpty, fmt.Sprintf("nobody holds the role %s", role))
	}
	for _, gap := range gaps {
		found.add(reasonQuorumImpossible, gap.String())
	}
	r.tellTeams(repo, found, len(names))
}

// Reasons of the conditions TeamsResolved and SeatsFillable.
const (
	reasonTeamUnknown      = "TeamUnknown"
	reasonTeamDenied       = "AccessDenied"
	reasonRoleEmpty        = "RoleEmpty"
	reasonQuorumImpossible = "QuorumImpossible"
)

// problems of those who decide, by reason.
type problems struct {
	by map[string][]string
	// unclear is of what nothing is known at the moment.
	unclear []string
}

func (p *problems) add(reason, text string) {
	if p.by == nil {
		p.by = map[string][]string{}
	}
	p.by[reason] = append(p.by[reason], text)
}

// first is the first of the reasons with a problem, and all their problems.
func (p *problems) first(reasons ...string) (reason, text string) {
	var all []string
	for _, candidate := range reasons {
		if len(p.by[candidate]) > 0 && reason == "" {
			reason = candidate
		}
		all = append(all, p.by[candidate]...)
	}
	return reason, strings.Join(all, "; ")
}

// tellTeams makes the problems conditions, each with an event when it is news, and
// numbers. A team of which nothing is known at the moment leaves them as they were,
// unless there is something to say.
func (r *Repositories) tellTeams(repo *schemas.ModelRepository, found problems, teams int) {
	before := repo.DeepCopy()
	switch reason, text := found.first(reasonTeamUnknown, reasonTeamDenied); {
	case reason == reasonTeamUnknown:
		conditions.MarkFalse(repo, schemas.ConditionTeamsResolved, "TeamUnknown", "%s", text)
	case reason != "":
		conditions.MarkFalse(repo, schemas.ConditionTeamsResolved, "AccessDenied", "%s", text)
	case len(found.unclear) == 0:
		conditions.MarkTrue(repo, schemas.ConditionTeamsResolved, "Resolved", "%d teams that roles name can be listed", teams)
	}
	switch reason, text := found.first(reasonQuorumImpossible, reasonRoleEmpty); {
	case reason == reasonQuorumImpossible:
		conditions.MarkFalse(repo, schemas.ConditionSeatsFillable, "QuorumImpossible", "%s", text)
	case reason != "":
		conditions.MarkFalse(repo, schemas.ConditionSeatsFillable, "RoleEmpty", "%s", text)
	case len(found.by)+len(found.unclear) == 0:
		conditions.MarkTrue(repo, schemas.ConditionSeatsFillable, "Fillable", "distinct people can fill every seat that a level needs")
	}
	for _, condition := range []string{schemas.ConditionTeamsResolved, schemas.ConditionSeatsFillable} {
		if conditions.IsFalse(repo, condition) && conditions.GetMessage(repo, condition) != conditions.GetMessage(before, condition) {
			r.Events.Eventf(repo, corev1.EventTypeWarning, "WhoDecides", "%s", conditions.GetMessage(repo, condition))
		}
	}
	for _, reason := range []string{reasonTeamUnknown, reasonTeamDenied, reasonRoleEmpty, reasonQuorumImpossible} {
		r.Metrics.WhoDecides(client.ObjectKeyFromObject(repo).String(), reason, len(found.by[reason]))
	}
}

func join(roles []review.RoleIn) string {
	texts := make([]string, len(roles))
	for i, role := range roles {
		texts[i] = role.String()
	}
	return strings.Join(texts, ", ")
}
