package schemas

// checkTeam applies the rules between the team's own parts.
func checkTeam(r *report, t *Team) {
	r.checkRoleHolders("spec.roles", t.Spec.Roles)
	budget := t.Spec.Budget
	if r.sound("spec.budget.warn", "spec.budget.deny") && budget.Warn > budget.Deny {
		r.fault("spec.budget.deny", CodeNotAscending, "spec.budget.deny is below warn", "raise deny or lower warn")
	}
}
