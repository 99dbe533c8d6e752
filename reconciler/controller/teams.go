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
	members, found, failures := map[string][]review.Account{}, problems{}, map[string]bool{}
	for i, team := range names {
		named := fmt.Sprintf("%s (%s)", team, join(teams[team]))
		switch err := errs[i]; {
		case err == nil:
			members[team] = listed[i]
		case errors.Is(err, review.ErrTeamUnknown):
			found.add(reasonTeamUnknown, named)
		case errors.Is(err, review.ErrTeamDenied):
			found.add(reasonTeamDenied, named)
		default:
			found.unclear, failures[err.Error()] = append(found.unclear, team), true
		}
	}
	if len(found.unclear) > 0 {
		r.Log.Warn("the members of teams could not be listed; it is tried again", "repository", repo.Name,
			"teams", found.unclear, "errors", slices.Sorted(maps.Keys(failures)))
	}
	empty, gaps, err := book.Unfillable(members)
	if err != nil {
		r.Log.Warn("whether the seats can be filled could not be told; it is tried again", "repository", repo.Name, "error", err)
		found.unclear = append(found.unclear, "seats")
	}
	for _, role := range empty {
		found.add(reasonRoleEmpty, role.String())
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

// problems of those who decide: which, by reason.
type problems struct {
	by map[string][]string
	// unclear is of what nothing is known at the moment.
	unclear []string
}

func (p *problems) add(reason, which string) {
	if p.by == nil {
		p.by = map[string][]string{}
	}
	p.by[reason] = append(p.by[reason], which)
}

// first is the first of the reasons with a problem, and a sentence for each reason
// that has some.
func (p *problems) first(reasons ...string) (reason, text string) {
	var all []string
	for _, candidate := range reasons {
		if len(p.by[candidate]) == 0 {
			continue
		}
		if reason == "" {
			reason = candidate
		}
		all = append(all, sentence(candidate, p.by[candidate]))
	}
	return reason, strings.Join(all, "; ")
}

// sentence says a problem once, of all that have it. The remedy stands before a
// long list, which may be cut.
func sentence(reason string, which []string) string {
	const members = "give the App the permission \"Members: read\""
	list, many := strings.Join(which, ", "), len(which) > 1
	switch {
	case reason == reasonTeamUnknown && many:
		return fmt.Sprintf("%d teams are missing or not visible: check the slugs, and %s; they are %s", len(which), members, list)
	case reason == reasonTeamUnknown:
		return fmt.Sprintf("the team %s is missing or not visible: check the slug, and %s", list, members)
	case reason == reasonTeamDenied && many:
		return fmt.Sprintf("the members of %d teams may not be listed: %s; they are %s", len(which), members, list)
	case reason == reasonTeamDenied:
		return fmt.Sprintf("the members of %s may not be listed: %s", list, members)
	case reason == reasonRoleEmpty && many:
		return fmt.Sprintf("nobody holds %d roles: %s", len(which), list)
	case reason == reasonRoleEmpty:
		return "nobody holds the role " + list
	}
	return strings.Join(which, "; ")
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
