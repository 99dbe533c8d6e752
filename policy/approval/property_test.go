package approval_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// world draws a small organisation and an arbitrary list of reviews: few
// people, few roles, so that everything collides.
func world(t *rapid.T) approval.Input {
	people := []string{"ann", "bob", "cat", "dan", "eve[bot]"}
	seats := []string{"s0", "s1", "s2", "s3"}[:rapid.IntRange(1, 4).Draw(t, "seats")]
	person := rapid.SampledFrom(people)
	g := schemas.GovernanceSpec{
		Roles: map[string]schemas.RoleHolders{},
		Approvals: schemas.Approvals{
			Low: schemas.LowApproval{Automatic: "s0"}, Medium: schemas.MediumApproval{Seats: seats},
			High: schemas.HighApproval{Board: "b"},
		},
		Boards: map[string]schemas.Board{"b": {
			Chair: seats[0], Members: seats[1:], Quorum: rapid.IntRange(1, len(seats)).Draw(t, "quorum"),
		}},
		Expiry: schemas.Duration(100 * time.Second),
	}
	members := map[string][]approval.Account{}
	for _, s := range seats {
		role := schemas.RoleHolders{Teams: []string{"o/" + s}, Users: rapid.SliceOfN(person, 0, 2).Draw(t, "users")}
		if rapid.Bool().Draw(t, "has alternates") {
			role.Alternates = &schemas.Alternates{Users: rapid.SliceOfN(person, 0, 2).Draw(t, "alternates")}
		}
		g.Roles[s] = role
		members["o/"+s] = accounts(rapid.SliceOfN(person, 0, 3).Draw(t, "members")...)
	}
	review := rapid.Custom(func(t *rapid.T) approval.Review {
		return approval.Review{
			User:        account(rapid.SampledFrom(append([]string{"ANN", ""}, people...)).Draw(t, "user")),
			Type:        rapid.SampledFrom([]string{"User", "User", "Bot"}).Draw(t, "type"),
			State:       rapid.SampledFrom([]string{"APPROVED", "APPROVED", "CHANGES_REQUESTED", "DISMISSED", "COMMENTED"}).Draw(t, "state"),
			CommitID:    rapid.SampledFrom([]string{head, head, older, "gone"}).Draw(t, "commit"),
			SubmittedAt: now.Add(time.Duration(rapid.IntRange(-120, 5).Draw(t, "at")) * time.Second),
		}
	})
	return approval.Input{
		Level:      rapid.SampledFrom([]schemas.RiskLevel{schemas.RiskLow, schemas.RiskMedium, schemas.RiskHigh}).Draw(t, "level"),
		Platform:   rapid.Bool().Draw(t, "platform"),
		Governance: g, Members: members,
		Author:  account(rapid.SampledFrom([]string{"ann", "zoe"}).Draw(t, "author")),
		Reviews: rapid.SliceOfN(review, 0, 8).Draw(t, "reviews"),
		Digest:  digest, DigestAt: map[string]string{head: digest, older: "sha256:older"},
		Now: now,
	}
}

func judge(t *rapid.T, in approval.Input) approval.Result {
	r, err := approval.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rank(v policy.Verdict) int {
	return slices.Index([]policy.Verdict{policy.Pass, policy.Pending, policy.Fail, policy.Error}, v)
}

func TestAddingAnApprovalNeverLowersTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		before := judge(t, in)
		user := rapid.SampledFrom([]string{"ann", "bob", "cat", "dan", "new"}).Draw(t, "approver")
		in.Reviews = append(slices.Clone(in.Reviews), approval.Review{
			User: account(user), Type: "User", State: "APPROVED", CommitID: head, SubmittedAt: now,
		})
		after := judge(t, in)
		if len(after.Slots) < len(before.Slots) || rank(after.Verdict) > rank(before.Verdict) || before.Satisfied && !after.Satisfied {
			if user == in.Author.Login || countedAsBot(in, user) {
				return // such an approval does not count, and may replace nothing that did
			}
			t.Fatalf("before %+v\nafter %+v", before, after)
		}
	})
}

// countedAsBot: the same login cannot be a bot in one review and a person in
// another, but the generator may draw it so.
func countedAsBot(in approval.Input, user string) bool {
	return slices.ContainsFunc(in.Reviews, func(r approval.Review) bool {
		return strings.EqualFold(r.User.Login, user) && r.Type == "Bot"
	})
}

// TestAddingAPersonToATeamNeverLowersTheState: but for somebody who requests
// changes, which is what holding a role is for.
func TestAddingAPersonToATeamNeverLowersTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		before := judge(t, in)
		login := rapid.SampledFrom([]string{"ann", "bob", "cat", "dan", "new"}).Draw(t, "person")
		for _, r := range in.Reviews {
			if strings.EqualFold(r.User.Login, login) && r.State == "CHANGES_REQUESTED" {
				return
			}
		}
		roles := slices.Sorted(maps.Keys(in.Governance.Roles))
		name := rapid.SampledFrom(roles).Draw(t, "role")
		if role := in.Governance.Roles[name]; rapid.Bool().Draw(t, "as alternate") {
			also := &schemas.Alternates{Users: []string{login}}
			if role.Alternates != nil {
				also.Users = append(also.Users, role.Alternates.Users...)
			}
			role.Alternates = also
			in.Governance.Roles[name] = role
		} else {
			in.Members["o/"+name] = append(slices.Clone(in.Members["o/"+name]), account(login))
		}
		if after := judge(t, in); rank(after.Verdict) > rank(before.Verdict) || len(after.Slots) < len(before.Slots) {
			t.Fatalf("before %+v\nafter %+v", before, after)
		}
	})
}

// TestAnyChangeOfContentVoidsApprovals: no approval of other content counts.
func TestAnyChangeOfContentVoidsApprovals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		in.Digest = "sha256:pushed"
		r := judge(t, in)
		if slices.ContainsFunc(r.Slots, func(s approval.Slot) bool { return s.By != approval.Automatic }) {
			t.Fatalf("still seated: %v", r.Slots)
		}
	})
}

func TestNobodyFillsTwoSlotsAndEverySlotIsHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		seen := map[string]bool{}
		for _, s := range judge(t, in).Slots {
			if s.By == approval.Automatic {
				continue
			}
			if seen[strings.ToLower(s.By)] {
				t.Fatalf("%s fills two seats", s.By)
			}
			seen[strings.ToLower(s.By)] = true
			if holds(t, in, in.Governance.Roles[s.Role], s.By) == s.Alternate {
				t.Fatalf("%s is seated for %s, as an alternate: %v", s.By, s.Role, s.Alternate)
			}
			if s.Alternate && !standsIn(t, in, in.Governance.Roles[s.Role], s.By) {
				t.Fatalf("%s is no alternate for %s", s.By, s.Role)
			}
		}
	})
}

func TestABlockedChangeNeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := judge(t, world(t))
		if len(r.BlockedBy) > 0 && r.Verdict != policy.Fail {
			t.Fatalf("blocked by %v, verdict %q", r.BlockedBy, r.Verdict)
		}
		if r.Verdict == policy.Pass && !r.Satisfied {
			t.Fatal("passes without being satisfied")
		}
	})
}

func TestOrderOfTheListMattersOnlyForTies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		times := map[string]bool{}
		in.Reviews = slices.DeleteFunc(in.Reviews, func(r approval.Review) bool {
			key := fmt.Sprint(strings.ToLower(r.User.Login), r.SubmittedAt)
			dup := times[key]
			times[key] = true
			return dup
		})
		want := judge(t, in)
		in.Reviews = rapid.Permutation(in.Reviews).Draw(t, "shuffled")
		for team, logins := range in.Members {
			in.Members[team] = rapid.Permutation(logins).Draw(t, "members")
		}
		if diff := cmp.Diff(want, judge(t, in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestSeatsAreFilledAsWrittenDown compares the matching with all assignments of
// people to seats: chair, then most seats, then earlier seats, then seat by seat
// a holder before an alternate, the earlier approval and the first login.
func TestSeatsAreFilledAsWrittenDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		in.Level = rapid.SampledFrom([]schemas.RiskLevel{schemas.RiskMedium, schemas.RiskHigh}).Draw(t, "level")
		in.Author, in.Platform = account("zoe"), false
		people := []string{"ann", "bob", "cat", "dan"}
		in.Reviews = nil
		for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, 4, rapid.ID).Draw(t, "approvers") {
			at := time.Duration(rapid.IntRange(1, 3).Draw(t, "age")) * time.Second
			in.Reviews = append(in.Reviews, ago(at, p, "APPROVED"))
		}
		want := bruteForce(t, in)
		if diff := cmp.Diff(want, append([]approval.Slot(nil), judge(t, in).Slots...)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func bruteForce(t *rapid.T, in approval.Input) []approval.Slot {
	need, err := approval.Needed(in)
	if err != nil {
		t.Fatal(err)
	}
	people := slices.Clone(in.Reviews)
	slices.SortFunc(people, func(a, b approval.Review) int {
		if c := a.SubmittedAt.Compare(b.SubmittedAt); c != 0 {
			return c
		}
		return strings.Compare(a.User.Login, b.User.Login)
	})
	alternate := func(seat, i int) bool {
		return i < len(people) && !holds(t, in, need.Seats[seat].Holders, people[i].User.Login)
	}
	var best, current []int // per seat the index of the person, len(people) where empty
	var try func(seat int)
	try = func(seat int) {
		if seat == len(need.Seats) {
			if best == nil || better(current, best, len(people), alternate) {
				best = slices.Clone(current)
			}
			return
		}
		for i := 0; i <= len(people); i++ {
			if i < len(people) {
				role := need.Seats[seat].Holders
				if slices.Contains(current, i) || !holds(t, in, role, people[i].User.Login) && !standsIn(t, in, role, people[i].User.Login) {
					continue
				}
			}
			current = append(current, i)
			try(seat + 1)
			current = current[:len(current)-1]
		}
	}
	try(0)
	var slots []approval.Slot
	for seat, i := range best {
		if i < len(people) {
			slots = append(slots, approval.Slot{
				Role: need.Seats[seat].Role, By: people[i].User.Login, Alternate: alternate(seat, i),
				Reviewed: people[i].SubmittedAt, Commit: people[i].CommitID,
			})
		}
	}
	return slots
}

// holds and standsIn: whether somebody holds a role, or is an alternate for it.
func holds(t *rapid.T, in approval.Input, role schemas.RoleHolders, login string) bool {
	role.Alternates = nil
	ok, err := approval.MayFill(role, in.Members, account(login))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func standsIn(t *rapid.T, in approval.Input, role schemas.RoleHolders, login string) bool {
	return role.Alternates != nil && holds(t, in, schemas.RoleHolders{Teams: role.Alternates.Teams, Users: role.Alternates.Users}, login)
}

func better(a, b []int, empty int, alternate func(seat, i int) bool) bool {
	key := func(x []int) []int {
		k := []int{0, 0}
		if x[0] == empty {
			k[0] = 1
		}
		for _, i := range x {
			open := 0
			if i == empty {
				open = 1
			}
			k[1] += open
			k = append(k, open)
		}
		for seat, i := range x {
			stand := 0
			if alternate(seat, i) {
				stand = 1
			}
			k = append(k, stand, i)
		}
		return k
	}
	return slices.Compare(key(a), key(b)) < 0
}

// TestOnlyApprovalsHaveToBeComparable: what the commits of other reviews hold
// may stay unknown.
func TestOnlyApprovalsHaveToBeComparable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		for i := range in.Reviews { // each of a commit of its own
			commit := fmt.Sprint("commit ", i)
			if content, known := in.DigestAt[in.Reviews[i].CommitID]; known {
				in.DigestAt[commit] = content
			}
			in.Reviews[i].CommitID = commit
		}
		want := judge(t, in)
		approvals, err := approval.Approvals(in)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]string{}
		for _, r := range approvals {
			if r.State != "APPROVED" {
				t.Fatalf("%+v is no approval", r)
			}
			if content, ok := in.DigestAt[r.CommitID]; ok {
				known[r.CommitID] = content
			}
		}
		in.DigestAt = known
		if diff := cmp.Diff(want, judge(t, in)); diff != "" {
			t.Fatalf("with all that is known (-), and with that of the approvals (+):\n%s", diff)
		}
	})
}
