package schemas

import (
	"fmt"
	"maps"
	"slices"
)

// checkGovernance applies the rules between the governance's own parts.
func checkGovernance(r *report, g *Governance) {
	if g.Metadata.Name != string(governanceName) {
		r.fault("metadata.name", CodePathMismatch, "the governance is named governance", `write "governance"`)
	}
	r.checkRoleHolders("spec.roles", g.Spec.Roles)
	levels := g.Spec.Risk.Levels
	if r.sound("spec.risk.levels") && levels.High <= levels.Medium {
		r.fault("spec.risk.levels.high", CodeNotAscending,
			fmt.Sprintf("level high begins at %d, not above medium at %d", levels.High, levels.Medium), "raise high or lower medium")
	}
	r.checkRoleUse(g)
	for _, name := range slices.Sorted(maps.Keys(g.Spec.Boards)) {
		r.checkBoard("spec.boards."+name, g.Spec.Boards[name])
	}
	for i, f := range g.Spec.Freezes {
		at := fmt.Sprintf("spec.freezes[%d]", i)
		if r.sound(at+".from", at+".to") && !f.From.Before(f.To) {
			r.fault(at+".to", CodeNotAscending, at+" ends before it begins", "write a later to")
		}
	}
}

const governanceName = "governance"

// checkRoleHolders: every role is held by someone.
func (r *report) checkRoleHolders(field string, roles map[string]RoleHolders) {
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		if h := roles[name]; len(h.Teams)+len(h.Users) == 0 {
			at := field + "." + name
			r.fault(at, CodeRequired, "the role "+echo(name)+" is held by nobody", "write teams or users")
		}
		if a := roles[name].Alternates; a != nil && len(a.Teams)+len(a.Users) == 0 {
			at := field + "." + name + ".alternates"
			r.fault(at, CodeRequired, "the role "+echo(name)+" has alternates, but names none", "write teams or users")
		}
	}
}

// checkRoleUse: every role and board that is named exists.
func (r *report) checkRoleUse(g *Governance) {
	if !r.sound("spec.roles") && len(g.Spec.Roles) == 0 {
		return
	}
	role := func(field, name string) {
		if _, ok := g.Spec.Roles[name]; !ok && name != "" {
			r.fault(field, CodeUnknownRole, "the role "+echo(name)+" is not defined in spec.roles",
				suggest(name, slices.Collect(maps.Keys(g.Spec.Roles))))
		}
	}
	approvals := g.Spec.Approvals
	role("spec.approvals.low.automatic", approvals.Low.Automatic)
	for i, seat := range approvals.Medium.Seats {
		role(fmt.Sprintf("spec.approvals.medium.seats[%d]", i), seat)
	}
	for name, board := range g.Spec.Boards {
		role("spec.boards."+name+".chair", board.Chair)
		for i, member := range board.Members {
			role(fmt.Sprintf("spec.boards.%s.members[%d]", name, i), member)
		}
	}
	if g.Spec.BreakGlass != nil {
		role("spec.breakGlass.role", g.Spec.BreakGlass.Role)
	}
	board := approvals.High.Board
	if _, ok := g.Spec.Boards[board]; !ok && board != "" {
		r.fault("spec.approvals.high.board", CodeUnknownBoard, "the board "+echo(board)+" is not defined in spec.boards",
			suggest(board, slices.Collect(maps.Keys(g.Spec.Boards))))
	}
}

// checkBoard: distinct seats, a quorum they can reach, a meeting that ends
// after it begins.
func (r *report) checkBoard(at string, b Board) {
	if i := slices.Index(b.Members, b.Chair); i >= 0 {
		r.fault(fmt.Sprintf("%s.members[%d]", at, i), CodeDuplicateValue, "the chair stands among the members as well", "remove it from the members")
	}
	if seats := len(b.Members) + 1; r.sound(at+".members", at+".quorum") && b.Quorum > seats {
		r.fault(at+".quorum", CodeOutOfRange, fmt.Sprintf("a quorum of %d cannot be reached with %d seats", b.Quorum, seats),
			fmt.Sprintf("write 1 to %d", seats))
	}
	if r.sound(at+".meets") && b.Meets.From >= b.Meets.To {
		r.fault(at+".meets.to", CodeNotAscending, "the meeting ends before it begins", "write a later to, on the same day")
	}
}
