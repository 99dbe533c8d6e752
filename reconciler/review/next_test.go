package review

import (
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

func TestTheCommentSaysWhoMayApprove(t *testing.T) {
	chair := approval.Seat{Role: "vp", Chair: true, Holders: schemas.RoleHolders{Users: []string{"77+octo-vp"}}}
	legal := approval.Seat{Role: "legal", Holders: schemas.RoleHolders{
		Teams: []string{"acme/legal"}, Users: []string{"lou"}, Alternates: &schemas.Alternates{Teams: []string{"acme/notaries"}, Users: []string{"nat"}},
	}}
	lead := func(user string) approval.Seat {
		return approval.Seat{Role: "lead", Holders: schemas.RoleHolders{Users: []string{user}}}
	}
	vacant := approval.Seat{Role: "vacant"}
	waiting := func(team string, quorum int, seats ...approval.Seat) *Change {
		c := newChange(source.FileChange{Path: "models/" + team}, func(s string) string { return s })
		c.Team, c.Model, c.Environment, c.Verdict = team, "m", "production", policy.Pending
		c.Risk.Level, c.need = schemas.RiskHigh, approval.Need{Seats: seats, Quorum: quorum}
		for _, s := range seats {
			c.Approvals.Missing = append(c.Approvals.Missing, s.Role)
		}
		return c
	}
	const vp, law = "- `vp`: `octo-vp`\n", "- `legal`: team `acme/legal`, `lou`; alternates: team `acme/notaries`, `nat`\n"
	for name, tc := range map[string]struct {
		changes []*Change
		says    string
	}{
		"one role":                {[]*Change{waiting("a", 1, legal)}, "**Next:** an approving review by this role:\n\n" + law + "\nOne person"},
		"all roles, once":         {[]*Change{waiting("a", 2, chair, legal), waiting("b", 2, chair, legal)}, "**Next:** approving reviews by each of these roles:\n\n" + vp + law + "\n"},
		"a board's chair":         {[]*Change{waiting("a", 2, chair, legal, vacant)}, "**Next:** approving reviews by `vp` and 1 of the others:\n\n" + vp + law + "- `vacant`: held by nobody\n\n"},
		"a board without chair":   {[]*Change{waiting("a", 1, legal, vacant)}, "**Next:** 1 approving review by holders of these roles:\n\n" + law},
		"teams name their own":    {[]*Change{waiting("a", 1, lead("al")), waiting("b", 1, lead("bo"))}, "this role:\n\n- `lead` for team a: `al`\n- `lead` for team b: `bo`\n\n"},
		"changes wait for others": {[]*Change{waiting("a", 1, legal), waiting("b", 2, legal, chair)}, "**Next:** approving reviews:\n\n- a/m in production \\(high\\): legal\n- b/m in production \\(high\\): legal, vp\n\nWho holds these roles:\n\n" + law + vp},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Report{Verdict: policy.Pending, Changes: tc.changes}
			expect(t, Comment(r), tc.says)
			expectNot(t, Comment(r), "missing: ")
			expect(t, Comment(r), "missing |")
		})
	}
}

func TestLongListsOfWhoIsAwaitedAreCut(t *testing.T) {
	r := &Report{Verdict: policy.Pending}
	for i := range 30 {
		c := newChange(source.FileChange{Path: fleetPath(i)}, func(s string) string { return s })
		c.Team, c.Model, c.Environment = fleetPath(i), "m", "production"
		c.Approvals.Missing, c.need = []string{"role-of-" + strings.Repeat("i", i)}, approval.Need{Quorum: 1}
		r.Changes = append(r.Changes, c)
	}
	expect(t, Comment(r), "- and 10 more changes\n", "- and 10 more roles\n")
}

func TestANameInACodeSpanStaysInIt(t *testing.T) {
	for in, want := range map[string]string{"acme/legal": "`acme/legal`", "a` @octo `b": "`a' @octo 'b`", "a\n\n# b": "`a # b`"} {
		if got := code(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
