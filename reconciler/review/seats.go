package review

import (
	"slices"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// CodeSeats is of seats that distinct people cannot fill.
const CodeSeats = "seats-unfillable"

// unfillable are the seats of a world that nobody could ever fill, so that nothing
// would be approved any more. By roles that users alone hold it is an error; by the
// members that teams have at the moment it is a warning: they may change today. So it
// is where the seats could not be filled before, which may take several steps to mend.
func (w *world) unfillable(members map[string][]Account, before []approval.Gap) schemas.Findings {
	if w.governance() == nil {
		return nil
	}
	book := w.rulebook()
	certain, err := book.gaps(nil)
	if err != nil {
		return schemas.Findings{w.unclearSeats(err)}
	}
	var findings schemas.Findings
	for _, gap := range certain {
		f := w.seatFinding(gap, gap.String())
		if gap.Level == "" || sameSeats(before, gap) { // no level needs the board, or it was so before
			f.Severity = schemas.SeverityWarning
		}
		findings = append(findings, f)
	}
	now, err := book.gaps(members)
	if err != nil {
		return append(findings, w.unclearSeats(err))
	}
	for _, gap := range now {
		if !sameSeats(certain, gap) {
			f := w.seatFinding(gap, "as the members of teams are now, "+gap.String())
			f.Severity = schemas.SeverityWarning
			findings = append(findings, f)
		}
	}
	return findings
}

// gaps are the seats that nobody could fill, whoever belongs to the teams.
func (w *world) gaps() []approval.Gap {
	if w.governance() == nil {
		return nil
	}
	gaps, err := w.rulebook().gaps(nil)
	if err != nil {
		return nil // and nothing is put up with
	}
	return gaps
}

func sameSeats(gaps []approval.Gap, of approval.Gap) bool {
	return slices.ContainsFunc(gaps, func(g approval.Gap) bool { return g.Board == of.Board && g.Team == of.Team })
}

// seatFinding stands where the seats do: at the board, the level, or the roles of
// the team that fills one itself.
func (w *world) seatFinding(gap approval.Gap, message string) schemas.Finding {
	const remedy = "let other people hold the roles, or name alternates"
	switch governance := w.Platform.Governance; {
	case gap.Board != "":
		return governance.Finding("spec.boards."+gap.Board, CodeSeats, message, remedy)
	case gap.Team != "":
		return w.Platform.Teams[gap.Team].Finding("spec.roles", CodeSeats, message, remedy)
	default:
		return governance.Finding("spec.approvals.medium.seats", CodeSeats, message, remedy)
	}
}

// unclearSeats is where the roles are wrong in another way, which is a finding of its own.
func (w *world) unclearSeats(err error) schemas.Finding {
	f := w.seatFinding(approval.Gap{}, "whether the seats can be filled cannot be told: "+err.Error())
	f.Severity, f.Remedy = schemas.SeverityWarning, "correct what else is said of the roles"
	return f
}
