package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

// Staff is who holds which role, to be looked at before anybody needs it.
type Staff struct {
	Governance schemas.GovernanceSpec
	// TeamRoles are the roles that teams fill for themselves, by the team.
	TeamRoles map[string]map[string]schemas.RoleHolders
	// Members as in Input: a team that is absent could not be read, and nothing is
	// said of the roles and seats that it may fill.
	Members map[string][]Account
}

// Gap is a set of seats that distinct people cannot fill, even if all who hold a
// role approved.
type Gap struct {
	// Level of the changes that need the seats; empty for a board that no level needs.
	Level schemas.RiskLevel
	// Board or Team whose seats they are; both empty: the governance's own.
	Board, Team string
	// Missing are the roles of the seats that stay empty.
	Missing []string
}

// String says whose seats they are, and which stay empty.
func (g Gap) String() string {
	whose := "level medium"
	switch {
	case g.Board != "":
		whose = "the board " + g.Board
	case g.Team != "":
		whose += " for the team " + g.Team
	}
	return fmt.Sprintf("nothing can be approved by %s: even if everybody who holds a role approved, nobody would be left for %s; each seat needs a person of its own",
		whose, strings.Join(g.Missing, ", "))
}

// EmptyRoles lists the roles of a team's file, or of the governance with the team
// "", that nobody holds, not even as an alternate.
func (s Staff) EmptyRoles(team string) []string {
	roles := s.Governance.Roles
	if team != "" {
		roles = s.TeamRoles[team]
	}
	d := directory{}
	crowds := d.crowds(s.Members)
	var empty []string
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		if b, err := d.benchOf(roles[role], crowds); err == nil && len(b.holders)+len(b.alternates) == 0 {
			empty = append(empty, role)
		}
	}
	return empty
}

// Gaps lists what can never be approved as the roles are held now: a board's
// quorum, and the seats of level medium, for each team that fills one itself too.
func (s Staff) Gaps() ([]Gap, error) {
	var gaps []Gap
	check := func(g Gap, in Input) error {
		missing, err := s.missing(in)
		if g.Missing = missing; len(missing) > 0 {
			gaps = append(gaps, g)
		}
		return err
	}
	for _, board := range slices.Sorted(maps.Keys(s.Governance.Boards)) {
		g := Gap{Board: board}
		in := Input{Level: schemas.RiskHigh, Platform: true, Governance: s.Governance}
		if in.Governance.Approvals.High.Board == board {
			g.Level = schemas.RiskHigh
		}
		in.Governance.Approvals.High.Board = board
		if err := check(g, in); err != nil {
			return nil, err
		}
	}
	medium := Input{Level: schemas.RiskMedium, Governance: s.Governance}
	if err := check(Gap{Level: schemas.RiskMedium}, medium); err != nil {
		return nil, err
	}
	for _, team := range slices.Sorted(maps.Keys(s.TeamRoles)) {
		medium.TeamRoles = s.TeamRoles[team]
		if !slices.ContainsFunc(s.Governance.Approvals.Medium.Seats, func(role string) bool { _, own := medium.TeamRoles[role]; return own }) {
			continue
		}
		if err := check(Gap{Level: schemas.RiskMedium, Team: team}, medium); err != nil {
			return nil, err
		}
	}
	return gaps, nil
}

// missing are the seats that stay empty where everybody who holds one's role
// approves. It judges such a change, so that it can never differ from a judgement.
func (s Staff) missing(in Input) ([]string, error) {
	const commit, digest = "commit", "digest"
	in.Members, in.Digest, in.DigestAt = s.Members, digest, map[string]string{commit: digest}
	in.Now, in.Governance.Expiry = time.Unix(0, 0), schemas.Duration(time.Hour)
	need, err := Needed(in)
	if err != nil {
		return nil, fmt.Errorf("which seats there are: %w", err)
	}
	members := map[string][]Account{}
	for team, accounts := range s.Members {
		members[fold(team)] = accounts
	}
	for _, seat := range need.Seats {
		var people []Account
		users := seat.Holders.Users
		if a := seat.Holders.Alternates; a != nil {
			users = slices.Concat(users, a.Users)
		}
		for _, login := range users {
			account, err := ParseAccount(login)
			if err != nil {
				return nil, err
			}
			people = append(people, account)
		}
		for _, team := range seat.Holders.AllTeams() {
			accounts, known := members[fold(team)]
			if !known {
				return nil, nil
			}
			people = append(people, accounts...)
		}
		for _, p := range people {
			in.Reviews = append(in.Reviews, Review{User: p, State: approved, CommitID: commit, SubmittedAt: in.Now})
		}
	}
	result, err := Evaluate(in)
	if err != nil {
		return nil, fmt.Errorf("whether the seats can be filled: %w", err)
	}
	return result.Missing, nil
}
