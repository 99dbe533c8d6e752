package approval

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

// Seat is one role that a change needs a person for.
type Seat struct {
	Role    string
	Chair   bool
	Holders schemas.RoleHolders
}

// Need is what a change needs before it may merge.
type Need struct {
	// Automatic: nobody has to approve. The one seat is the role in whose name
	// it is approved, whose holders may still block.
	Automatic bool
	// Seats in the order in which they are filled: a board's chair first, then
	// the file's order.
	Seats []Seat
	// Quorum is how many of the seats must be filled, the chair's among them.
	Quorum int
	SLA    schemas.Duration
	// Board is whose seats they are; empty where they are no board's.
	Board string
}

// Teams are the GitHub teams ("org/slug", lower case, sorted) whose members
// must be known to judge the change.
func (n Need) Teams() []string {
	set := map[string]bool{}
	for _, s := range n.Seats {
		for _, team := range s.Holders.AllTeams() {
			set[fold(team)] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Needed says which seats a change needs. Of the input it reads Level,
// Platform, Governance and TeamRoles only, so that the teams to list are known
// before they are listed. It errs where a seat's role or the board is not
// defined, where a board's quorum cannot be met, and where a team overrides a
// role that has a board's seat.
func Needed(in Input) (Need, error) {
	need, roles, err := demanded(in)
	if err != nil {
		return Need{}, err
	}
	for i, role := range roles {
		h, err := roleHolders(in, role)
		if err != nil {
			return Need{}, err
		}
		need.Seats = append(need.Seats, Seat{Role: role, Holders: h, Chair: i == 0 && need.chaired})
	}
	if len(roles) == 0 {
		return Need{}, fmt.Errorf("the governance names no seat for level %s", in.Level)
	}
	if need.Quorum < 1 || need.Quorum > len(roles) {
		return Need{}, fmt.Errorf("a quorum of %d of %d seats cannot be met", need.Quorum, len(roles))
	}
	return need.Need, nil
}

type demand struct {
	Need
	chaired bool
}

func demanded(in Input) (demand, []string, error) {
	level := in.Level
	if in.Platform {
		level = schemas.RiskHigh
	}
	a := in.Governance.Approvals
	switch level {
	case schemas.RiskLow:
		return demand{Need: Need{Automatic: true, Quorum: 1, SLA: a.Low.SLA}}, []string{a.Low.Automatic}, nil
	case schemas.RiskMedium:
		return demand{Need: Need{Quorum: len(a.Medium.Seats), SLA: a.Medium.SLA}}, a.Medium.Seats, nil
	case schemas.RiskHigh:
		board, ok := in.Governance.Boards[a.High.Board]
		if !ok {
			return demand{}, nil, fmt.Errorf("the governance has no board %q", a.High.Board)
		}
		seats := append([]string{board.Chair}, board.Members...)
		return demand{Need: Need{Quorum: board.Quorum, SLA: a.High.SLA, Board: a.High.Board}, chaired: true}, seats, nil
	default:
		return demand{}, nil, fmt.Errorf("unknown risk level %q", level)
	}
}

func roleHolders(in Input, role string) (schemas.RoleHolders, error) {
	if own, ok := in.TeamRoles[role]; ok && !in.Platform {
		for name, board := range in.Governance.Boards {
			if board.Chair == role || slices.Contains(board.Members, role) {
				return schemas.RoleHolders{}, fmt.Errorf("the team overrides role %q, which has a seat on board %q", role, name)
			}
		}
		return own, nil
	}
	h, ok := in.Governance.Roles[role]
	if !ok {
		return schemas.RoleHolders{}, fmt.Errorf("the governance does not define role %q", role)
	}
	return h, nil
}

// crowds are the people of each team, by its name in lower case.
func (d directory) crowds(members map[string][]Account) map[string]crowd {
	crowds := make(map[string]crowd, len(members))
	for team, accounts := range members {
		key := fold(team)
		if crowds[key] == nil {
			crowds[key] = crowd{}
		}
		maps.Copy(crowds[key], d.crowdOf(accounts))
	}
	return crowds
}

// bench is who may sit on a seat.
type bench struct{ holders, alternates crowd }

func (b bench) has(who identity) bool { return b.holders[who] || b.alternates[who] }

// benchOf errs where a team is not known, with those who are known all the same.
func (d directory) benchOf(role schemas.RoleHolders, teams map[string]crowd) (bench, error) {
	var b bench
	var err, alsoErr error
	b.holders, err = d.holders(role.Teams, role.Users, teams)
	if a := role.Alternates; a != nil {
		b.alternates, alsoErr = d.holders(a.Teams, a.Users, teams)
	}
	return b, errors.Join(err, alsoErr)
}

// holders is a set of people. With an error it holds those who are known all
// the same.
func (d directory) holders(teamNames, users []string, teams map[string]crowd) (crowd, error) {
	who := crowd{}
	for _, u := range users {
		account, err := ParseAccount(u)
		if err != nil {
			return who, err
		}
		d.enter(who, account)
	}
	var unknown []string
	for _, team := range teamNames {
		people, ok := teams[fold(team)]
		if !ok {
			unknown = append(unknown, team)
		}
		maps.Copy(who, people)
	}
	if len(unknown) > 0 {
		return who, fmt.Errorf("the members of %s are not known", strings.Join(unknown, ", "))
	}
	return who, nil
}

// seatPeople is, for each seat, who holds its role. An automatic seat needs its
// people only to know whether a request for changes blocks, so without such a
// request an unknown team is no error there.
func (d directory) seatPeople(n Need, members map[string][]Account, latest []Review) ([]bench, error) {
	teams := d.crowds(members)
	panel := make([]bench, len(n.Seats))
	for i, seat := range n.Seats {
		who, err := d.benchOf(seat.Holders, teams)
		panel[i] = who
		if err == nil {
			continue
		}
		undecided := slices.ContainsFunc(latest, func(r Review) bool {
			return r.State == changesRequested && !who.has(d.identify(r.User))
		})
		if !n.Automatic || undecided {
			return nil, fmt.Errorf("who holds the role %s: %w", seat.Role, err)
		}
	}
	return panel, nil
}
