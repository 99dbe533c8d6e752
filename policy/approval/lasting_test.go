package approval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

func TestMayFill(t *testing.T) {
	role := schemas.RoleHolders{Users: []string{"Root"}, Teams: []string{"acme/platform"}}
	for name, tc := range map[string]struct {
		alternates *schemas.Alternates
		members    []approval.Account
		unlisted   bool
		who        string
		may, fails bool
	}{
		"a named user":             {unlisted: true, who: "root", may: true},
		"one whose id is told":     {who: "7+root", may: true},
		"an unknown team":          {unlisted: true, who: "pat", fails: true},
		"a member":                 {members: accounts("Pat"), who: "pat", may: true},
		"a member who was renamed": {members: accounts("2+patricia"), who: "2+pat", may: true},
		"somebody else with the login of a former member": {members: accounts("9+pat"), who: "2+pat"},
		"an alternate":    {alternates: &schemas.Alternates{Users: []string{"alex"}}, unlisted: true, who: "Alex", may: true},
		"nobody of these": {members: accounts("pat"), who: "sam"},
	} {
		t.Run(name, func(t *testing.T) {
			members := map[string][]approval.Account{"Acme/Platform": tc.members}
			if tc.unlisted {
				members = nil
			}
			role.Alternates = tc.alternates
			if ok, err := approval.MayFill(role, members, account(tc.who)); ok != tc.may || (err != nil) != tc.fails {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
}

func TestLasts(t *testing.T) {
	in := func(level schemas.RiskLevel) approval.Input {
		in := input(level)
		in.Governance.Roles = map[string]schemas.RoleHolders{
			"chair": {Teams: []string{"acme/chairs"}}, "a": {Teams: []string{"acme/a"}}, "b": {Teams: []string{"acme/b"}}, "c": users("cat"),
			"manager": {Teams: []string{"acme/a"}}, "senior": users("sen"),
		}
		in.Governance.Boards = map[string]schemas.Board{"cab": {Chair: "chair", Members: []string{"a", "b", "c"}, Quorum: 3}}
		in.Governance.Approvals.Medium.Seats, in.Governance.Approvals.High.Board = []string{"manager", "senior"}, "cab"
		in.TeamRoles = nil
		in.Members = map[string][]approval.Account{"acme/chairs": accounts("1+vp"), "acme/a": accounts("2+ann"), "acme/b": accounts("3+bob")}
		return in
	}
	vp, ann, bob := approval.Slot{Role: "chair", By: "vp", ID: 1}, approval.Slot{Role: "a", By: "ann", ID: 2}, approval.Slot{Role: "b", By: "bob", ID: 3}
	cat, mia := approval.Slot{Role: "c", By: "cat", ID: 4}, approval.Slot{Role: "manager", By: "mia", ID: 5}
	sen, automatic := approval.Slot{Role: "senior", By: "sen", ID: 6}, approval.Slot{Role: "team-lead", By: approval.Automatic}
	for name, tc := range map[string]struct {
		level  schemas.RiskLevel
		change func(in *approval.Input)
		filled []approval.Slot
		want   approval.Lasting
		fails  bool
	}{
		"all hold":                {level: schemas.RiskHigh, filled: []approval.Slot{vp, ann, bob}, want: approval.Lasting{Suffices: true}},
		"nobody had to":           {level: schemas.RiskLow, filled: []approval.Slot{automatic}, want: approval.Lasting{Suffices: true}},
		"one of a quorum left":    {level: schemas.RiskHigh, change: leaves("acme/b"), filled: []approval.Slot{vp, ann, bob}, want: approval.Lasting{Left: []approval.Slot{bob}}},
		"one beyond a quorum":     {level: schemas.RiskHigh, change: leaves("acme/b"), filled: []approval.Slot{vp, ann, bob, cat}, want: approval.Lasting{Suffices: true, Left: []approval.Slot{bob}}},
		"the chair left":          {level: schemas.RiskHigh, change: leaves("acme/chairs"), filled: []approval.Slot{vp, ann, bob, cat}, want: approval.Lasting{Left: []approval.Slot{vp}}},
		"somebody never held it":  {level: schemas.RiskMedium, filled: []approval.Slot{mia, sen}, want: approval.Lasting{Left: []approval.Slot{mia}}},
		"a team fills it itself":  {level: schemas.RiskMedium, change: func(in *approval.Input) { in.TeamRoles = map[string]schemas.RoleHolders{"manager": users("mia")} }, filled: []approval.Slot{mia, sen}, want: approval.Lasting{Suffices: true}},
		"the role is gone":        {level: schemas.RiskMedium, change: func(in *approval.Input) { delete(in.Governance.Roles, "senior") }, filled: []approval.Slot{sen}, want: approval.Lasting{Gone: []approval.Slot{sen}}},
		"a team is not listed":    {level: schemas.RiskHigh, change: unlisted("acme/b"), filled: []approval.Slot{vp, ann, bob}, fails: true},
		"nor needed":              {level: schemas.RiskHigh, change: unlisted("acme/b"), filled: []approval.Slot{vp, ann, bob, cat}, want: approval.Lasting{Suffices: true}},
		"nor would it help":       {level: schemas.RiskHigh, change: func(in *approval.Input) { unlisted("acme/b")(in); leaves("acme/chairs")(in) }, filled: []approval.Slot{vp, ann, bob}, want: approval.Lasting{Left: []approval.Slot{vp}}},
		"what it takes is unsaid": {change: unlisted("acme/b"), filled: []approval.Slot{vp, ann, bob}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			in := in(tc.level)
			if tc.change != nil {
				tc.change(&in)
			}
			got, err := approval.Lasts(in, tc.filled)
			if (err != nil) != tc.fails {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, got); !tc.fails && diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"acme/a", "acme/b"}, approval.TeamsOf(in(schemas.RiskHigh), []approval.Slot{bob, ann, cat, automatic})); diff != "" {
		t.Error(diff)
	}
}

func leaves(team string) func(*approval.Input) {
	return func(in *approval.Input) { in.Members[team] = nil }
}

func unlisted(team string) func(*approval.Input) {
	return func(in *approval.Input) { delete(in.Members, team) }
}
