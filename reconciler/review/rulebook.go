package review

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Rulebook is what the governing files of a commit say of who decides.
type Rulebook struct {
	Governance schemas.GovernanceSpec
	// TeamRoles are the roles that teams fill for themselves, by the team.
	TeamRoles map[string]map[string]schemas.RoleHolders
}

// LoadRulebook reads it, through the cache if there is one; nil where the
// governance is missing or broken, or where a governing file is not approved:
// nobody is judged by it then.
func LoadRulebook(ctx context.Context, repo *source.Repository, cache *Cache, commit source.ID, approved map[string]source.ID) (*Rulebook, error) {
	r := newReader(repo, cache)
	tree, err := r.tree(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("read the branch at %s: %w", commit.Short(), err)
	}
	if UnapprovedRule(tree, approved) != "" {
		return nil, nil
	}
	w, err := r.world(ctx, tree)
	if err != nil {
		return nil, fmt.Errorf("read the governing files at %s: %w", commit.Short(), err)
	}
	if w.governance() == nil {
		return nil, nil
	}
	return w.rulebook(), nil
}

// rulebook of a world that has a governance.
func (w *world) rulebook() *Rulebook {
	book := &Rulebook{Governance: *w.governance(), TeamRoles: map[string]map[string]schemas.RoleHolders{}}
	for name, team := range w.Platform.Teams {
		if len(team.Value.Spec.Roles) > 0 {
			book.TeamRoles[name] = team.Value.Spec.Roles
		}
	}
	return book
}

// RoleIn is a role and the file that says who holds it.
type RoleIn struct{ Role, File string }

func (r RoleIn) String() string { return r.Role + " in " + r.File }

// file of a team's roles, or of the governance's with the team "".
func file(team string) string {
	if team == "" {
		return schemas.GovernancePath
	}
	return "teams/" + team + ".yaml"
}

// Teams are the GitHub teams ("org/slug" in lower case) that roles name, each
// with the roles in their order.
func (b *Rulebook) Teams() map[string][]RoleIn {
	out := map[string][]RoleIn{}
	add := func(team string, roles map[string]schemas.RoleHolders) {
		for role, holders := range roles {
			for _, slug := range holders.AllTeams() {
				key := strings.ToLower(slug)
				out[key] = append(out[key], RoleIn{role, file(team)})
			}
		}
	}
	add("", b.Governance.Roles)
	for team, roles := range b.TeamRoles {
		add(team, roles)
	}
	for _, roles := range out {
		slices.SortFunc(roles, func(a, b RoleIn) int { return strings.Compare(a.String(), b.String()) })
	}
	return out
}

// Unfillable says which roles nobody holds, and which seats cannot be filled with
// distinct people, given the members of teams.
func (b *Rulebook) Unfillable(members map[string][]Account) (empty []RoleIn, gaps []approval.Gap, err error) {
	staff := b.staff(members)
	for _, role := range staff.EmptyRoles("") {
		empty = append(empty, RoleIn{role, file("")})
	}
	for team := range b.TeamRoles {
		for _, role := range staff.EmptyRoles(team) {
			empty = append(empty, RoleIn{role, file(team)})
		}
	}
	slices.SortFunc(empty, func(a, b RoleIn) int { return strings.Compare(a.String(), b.String()) })
	gaps, err = staff.Gaps()
	return empty, gaps, err
}

func (b *Rulebook) staff(members map[string][]Account) approval.Staff {
	return approval.Staff{Governance: b.Governance, TeamRoles: b.TeamRoles, Members: members}
}

// gaps are the seats that cannot be filled; without members those of which it is
// certain, because only users hold their roles.
func (b *Rulebook) gaps(members map[string][]Account) ([]approval.Gap, error) {
	return b.staff(members).Gaps()
}
