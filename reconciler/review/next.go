package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// writeNext says what has to be done, in the order in which it can be, in
// sentences that can be acted on.
func writeNext(b *strings.Builder, r *Report) {
	if r.Verdict == policy.Pass {
		return
	}
	lead := "Next"
	for _, step := range []func(*Report) string{judgeable, corrected, settled, approved, awaitedTime} {
		if text := step(r); text != "" {
			fmt.Fprintf(b, "**%s:** %s\n\n", lead, text)
			lead = "Then"
		}
	}
}

func judgeable(r *Report) string {
	if r.Verdict != policy.Error {
		return ""
	}
	text := "this could not be judged, so it does not pass:\n"
	for _, s := range r.Stages {
		if s.Verdict == policy.Error {
			text += fmt.Sprintf("\n- %s: %s", s.Name, escape(cut(s.Reason, 1000)))
		}
	}
	return text
}

func corrected(r *Report) string {
	if r.Verdict != policy.Fail || countProblems(r) == 0 {
		return ""
	}
	return "correct the problems below and push; Mooring looks again by itself."
}

func settled(r *Report) string {
	by := blockers(r)
	if len(by) == 0 {
		return ""
	}
	return fmt.Sprintf("settle the changes requested by %s. Their approval, or the dismissal of their review, lifts the block.",
		escape(strings.Join(some(by), ", ")))
}

// awaitedTime says until when the rules of time hold the changes up, and who may
// lift them.
func awaitedTime(r *Report) string {
	waits := said(r, (*Change).wait)
	if len(waits) == 0 {
		return ""
	}
	text := "wait " + escape(strings.Join(some(waits), "; "))
	if g := r.governance(); g != nil && g.BreakGlass != nil {
		role := g.Roles[g.BreakGlass.Role]
		text += fmt.Sprintf(", or have it merged by break-glass: an approving review by %s (%s) with the line `%s REASON`",
			code(g.BreakGlass.Role), holdersCode(schemas.RoleHolders{Teams: role.Teams, Users: role.Users}), approval.GlassCommand)
	}
	return text + ". Mooring looks again by itself."
}

// approved says whose approvals are missing: each role once, with its holders.
func approved(r *Report) string {
	groups := awaitedGroups(r)
	if len(groups) == 0 {
		return ""
	}
	var b strings.Builder
	if len(groups) == 1 {
		b.WriteString(groups[0].changes[0].asks() + groups[0].dueText() + ":\n\n")
	} else {
		b.WriteString("approving reviews:\n\n")
		for _, g := range groups[:min(maxNext, len(groups))] {
			fmt.Fprintf(&b, "- %s: %s%s\n", escape(g.titles()), escape(g.awaited), g.dueText())
		}
		more := 0
		for _, g := range groups[min(maxNext, len(groups)):] {
			more += len(g.changes)
		}
		if more > 0 {
			fmt.Fprintf(&b, "- and %s\n", plural(more, "more change"))
		}
		b.WriteString("\nWho holds these roles:\n\n")
	}
	writeRoles(&b, r)
	b.WriteString("\nOne person fills one seat; the author, committers, co-authors and bots do not count.")
	if text := voided(r); text != "" {
		fmt.Fprintf(&b, "\n\n%s. They were of other content: review again.", escape(text))
	}
	return b.String()
}

// awaitedGroup is changes that wait for the same people until the same time.
type awaitedGroup struct {
	awaited, due string
	changes      []*Change
}

func awaitedGroups(r *Report) []*awaitedGroup {
	var groups []*awaitedGroup
	known := map[[2]string]*awaitedGroup{}
	for _, c := range r.Changes {
		if len(c.Approvals.Missing) == 0 {
			continue
		}
		key := [2]string{c.awaited(), c.due()}
		if known[key] == nil {
			known[key] = &awaitedGroup{awaited: key[0], due: key[1]}
			groups = append(groups, known[key])
		}
		known[key].changes = append(known[key].changes, c)
	}
	return groups
}

func (g *awaitedGroup) titles() string {
	var titles []string
	for _, c := range g.changes {
		titles = append(titles, fmt.Sprintf("%s (%s)", c.title(), c.Risk.Level))
	}
	return strings.Join(some(titles), ", ")
}

func (g *awaitedGroup) dueText() string {
	if g.due == "" {
		return ""
	}
	return "; **" + escape(g.due) + "**"
}

// asks says how many of the open seats have to be filled, for a list of them.
func (c *Change) asks() string {
	chair, left, others := c.openSeats()
	switch {
	case len(c.Approvals.Missing) == 1:
		return "an approving review by this role"
	case left >= len(others):
		return "approving reviews by each of these roles"
	case chair != "":
		return fmt.Sprintf("approving reviews by %s and %d of the others", code(chair), left)
	}
	return fmt.Sprintf("%s by holders of these roles", plural(left, "approving review"))
}

// awaitedRole is a role of which an approval is missing, and who holds it for
// which teams.
type awaitedRole struct {
	role, holders string
	teams         []string
}

// writeRoles lists the roles that are waited for. A team may name other holders
// of a role than the rest; then they are told apart.
func writeRoles(b *strings.Builder, r *Report) {
	roles := awaitedRoles(r)
	count := map[string]int{}
	for _, a := range roles {
		count[a.role]++
	}
	for _, a := range roles[:min(maxNext, len(roles))] {
		b.WriteString("- " + code(a.role))
		if count[a.role] > 1 {
			b.WriteString(" for " + escape(strings.Join(some(a.teams), ", ")))
		}
		if a.holders != "" {
			b.WriteString(": " + a.holders)
		}
		b.WriteString("\n")
	}
	if more := len(roles) - maxNext; more > 0 {
		fmt.Fprintf(b, "- and %s\n", plural(more, "more role"))
	}
}

func awaitedRoles(r *Report) []*awaitedRole {
	var roles []*awaitedRole
	known := map[[2]string]*awaitedRole{}
	for _, c := range r.Changes {
		for _, role := range c.Approvals.Missing {
			key := [2]string{role, c.holdersOf(role)}
			if known[key] == nil {
				known[key] = &awaitedRole{role: key[0], holders: key[1]}
				roles = append(roles, known[key])
			}
			if team := c.governed(); !slices.Contains(known[key].teams, team) {
				known[key].teams = append(known[key].teams, team)
			}
		}
	}
	return roles
}

func (c *Change) governed() string {
	if c.Platform() {
		return "the governing files"
	}
	return "team " + c.Team
}

// holdersOf says who holds a role for a change; empty where that is not known.
func (c *Change) holdersOf(role string) string {
	for _, s := range c.need.Seats {
		if s.Role == role {
			return holdersCode(s.Holders)
		}
	}
	return ""
}

// holdersCode names holders so that GitHub notifies none of them.
func holdersCode(h schemas.RoleHolders) string {
	var parts []string
	for _, t := range h.Teams {
		parts = append(parts, "team "+code(t))
	}
	for _, u := range h.Users {
		if account, err := approval.ParseAccount(u); err == nil {
			u = account.Login
		}
		parts = append(parts, code(u))
	}
	text := strings.Join(atMost(maxNext, parts), ", ")
	if len(parts) == 0 {
		text = "held by nobody"
	}
	if a := h.Alternates; a != nil {
		text += "; alternates: " + holdersCode(schemas.RoleHolders{Teams: a.Teams, Users: a.Users})
	}
	return text
}
