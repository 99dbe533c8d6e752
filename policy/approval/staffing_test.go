package approval_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// staffed is an organisation in which every seat can be filled.
func staffed(change func(*approval.Staff)) approval.Staff {
	in := input(schemas.RiskMedium)
	s := approval.Staff{Governance: in.Governance, Members: in.Members, TeamRoles: map[string]map[string]schemas.RoleHolders{}}
	change(&s)
	return s
}

func TestGaps(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*approval.Staff)
		want   []approval.Gap
	}{
		"every seat can be filled": {func(*approval.Staff) {}, nil},
		"one person cannot be both seats of level medium": {func(s *approval.Staff) {
			s.Governance.Roles["manager"], s.Governance.Roles["senior-data-scientist"] = users("mia"), users("MIA")
		}, []approval.Gap{{Level: schemas.RiskMedium, Missing: []string{"senior-data-scientist"}}}},
		"an alternate fills the seat": {func(s *approval.Staff) {
			role := users("mia")
			role.Alternates = &schemas.Alternates{Users: []string{"max"}}
			s.Governance.Roles["manager"], s.Governance.Roles["senior-data-scientist"] = role, users("mia")
		}, nil},
		"a board without its chair": {func(s *approval.Staff) { s.Governance.Roles["vp-engineering"] = users("vp[bot]") },
			[]approval.Gap{{Board: "cab", Level: schemas.RiskHigh, Missing: []string{"vp-engineering"}}}},
		"a board that no level needs": {func(s *approval.Staff) {
			s.Governance.Boards["ethics"] = schemas.Board{Chair: "legal", Members: []string{"security"}, Quorum: 2}
			s.Governance.Roles["security"] = users("law")
		}, []approval.Gap{{Board: "ethics", Missing: []string{"security"}}}},
		"a team whose own manager is also the only other": {func(s *approval.Staff) {
			s.TeamRoles["risk"] = map[string]schemas.RoleHolders{"manager": users("sam")}
			s.Governance.Roles["senior-data-scientist"] = users("sam")
		}, []approval.Gap{{Level: schemas.RiskMedium, Team: "risk", Missing: []string{"senior-data-scientist"}}}},
		"nothing is said of a team that is not known": {func(s *approval.Staff) { s.Members = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := staffed(tc.change).Gaps()
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestEmptyRoles(t *testing.T) {
	s := staffed(func(s *approval.Staff) {
		s.Members["acme/nobody"] = nil
		s.Governance.Roles["ghost"] = schemas.RoleHolders{Teams: []string{"ACME/Nobody"}}
		s.Governance.Roles["deputised"] = schemas.RoleHolders{Teams: []string{"acme/nobody"}, Alternates: &schemas.Alternates{Users: []string{"mia"}}}
		s.Governance.Roles["unknown"] = schemas.RoleHolders{Teams: []string{"acme/unread"}}
		s.TeamRoles["risk"] = map[string]schemas.RoleHolders{"team-lead": {Teams: []string{"acme/nobody"}}}
	})
	if got := s.EmptyRoles(""); !slices.Equal(got, []string{"ghost"}) {
		t.Errorf("the governance's: %v", got)
	}
	if got := s.EmptyRoles("risk"); !slices.Equal(got, []string{"team-lead"}) {
		t.Errorf("the team's: %v", got)
	}
}

// Whatever is approved in fact could be approved: no gap may be claimed there.
func TestWhatIsApprovedHasNoGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		in.Level, in.Platform = schemas.RiskHigh, true
		gaps, err := approval.Staff{Governance: in.Governance, Members: in.Members}.Gaps()
		if err != nil {
			t.Fatal(err)
		}
		r := judge(t, in)
		gap := slices.ContainsFunc(gaps, func(g approval.Gap) bool { return strings.EqualFold(g.Board, "b") })
		if r.Satisfied && gap {
			t.Fatalf("satisfied by %v, with the gaps %+v", r.Slots, gaps)
		}
	})
}
