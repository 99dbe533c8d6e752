package approval

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mlops-platform/mooring/schemas"
)

// Lasting is what has become of the approvals of a change that is merged.
type Lasting struct {
	// Suffices: those that still hold fill the seats that the level demands.
	Suffices bool
	// Left are the seats whose people do not hold the role any more, and Gone
	// those whose role is not defined any more.
	Left, Gone []Slot
}

// TeamsOf are the GitHub teams ("org/slug") whose members must be known to tell
// whether the people of seats hold their roles.
func TeamsOf(in Input, filled []Slot) []string {
	var teams []string
	for _, s := range filled {
		if holders, err := roleHolders(in, s.Role); err == nil && s.By != Automatic {
			teams = append(teams, holders.AllTeams()...)
		}
	}
	slices.Sort(teams)
	return slices.Compact(teams)
}

// Lasts tells whether the people who filled the seats of a change at its merge
// hold their roles by now. Of the input it reads Level, Governance, TeamRoles and
// Members. It errs where that hangs on somebody of whom it is not known.
func Lasts(in Input, filled []Slot) (Lasting, error) {
	var l Lasting
	var holding []Slot
	var unknown error
	for _, s := range filled {
		if s.By == Automatic {
			holding = append(holding, s)
			continue
		}
		role, err := roleHolders(in, s.Role)
		if err != nil {
			l.Gone = append(l.Gone, s)
			continue
		}
		switch may, err := MayFill(role, in.Members, Account{Login: s.By, ID: s.ID}); {
		case err != nil:
			unknown = errors.Join(unknown, err)
		case may:
			holding = append(holding, s)
		default:
			l.Left = append(l.Left, s)
		}
	}
	l.Suffices = len(holding) == len(filled) || in.fill(holding)
	if rest := without(filled, l.Left, l.Gone); !l.Suffices && unknown != nil && (len(rest) == len(filled) || in.fill(rest)) {
		return l, unknown
	}
	return l, nil
}

// fill reports whether seats are as many as the level demands, with the chair.
func (in Input) fill(seats []Slot) bool {
	need, err := Needed(in)
	if err != nil || len(seats) < need.Quorum {
		return false
	}
	return !slices.ContainsFunc(need.Seats, func(s Seat) bool {
		return s.Chair && !slices.ContainsFunc(seats, func(f Slot) bool { return f.Role == s.Role })
	})
}

func without(all []Slot, some ...[]Slot) []Slot {
	return slices.DeleteFunc(slices.Clone(all), func(s Slot) bool {
		return slices.ContainsFunc(some, func(list []Slot) bool { return slices.Contains(list, s) })
	})
}

// MayFill reports whether a person may fill the seat of a role: holds it, or is an alternate. It errs where one
// of the role's teams is not in members, unless the person may anyway. The person may be of an older day than
// the members: with an id, a login that is another's by now is not theirs.
func MayFill(role schemas.RoleHolders, members map[string][]Account, who Account) (bool, error) {
	known, err := directoryOf(Input{Members: members})
	if err != nil {
		return false, err
	}
	if _, told := known[fold(who.Login)]; !told && who.ID != 0 {
		known[fold(who.Login)] = who.ID // the governance may name them by login alone
	}
	people, err := known.benchOf(role, known.crowds(members))
	if people.has(known.identify(who)) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("whether %s may fill the seat: %w", who.Login, err)
	}
	return false, nil
}
