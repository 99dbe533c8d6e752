package approval_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

func TestAccountsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]approval.Account{
		"":               {},
		"octo-vp":        {Login: "octo-vp"},
		"583231+octo-vp": {Login: "octo-vp", ID: 583231},
		"7+robot[bot]":   {Login: "robot[bot]", ID: 7},
		"+octo":          {Login: "+octo"}, // no id: nobody's login
	} {
		var got approval.Account
		if err := json.Unmarshal([]byte(`"`+text+`"`), &got); err != nil || got != want || got.String() != text {
			t.Errorf("%q is %+v, written %q (error %v)", text, got, got, err)
		}
	}
	for _, text := range []string{"0+octo", "99999999999999999999+octo"} {
		if got, err := approval.ParseAccount(text); err == nil || !strings.Contains(err.Error(), "ID+LOGIN") {
			t.Errorf("%q is %+v (error %v)", text, got, err)
		}
	}
}

func FuzzParseAccount(f *testing.F) {
	for _, seed := range []string{"octo-vp", "583231+octo-vp", "0+x", "+", "1+", "1+2+x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := approval.ParseAccount(text)
		if err != nil {
			return
		}
		if again, err := approval.ParseAccount(a.String()); err != nil || again != a {
			t.Fatalf("%q is %+v, written %q, read as %+v (error %v)", text, a, a, again, err)
		}
	})
}

func TestAPersonIsTheirID(t *testing.T) {
	mia := func(in *approval.Input) { // GitHub tells ids, and mia's is 1
		in.Members = map[string][]approval.Account{"acme/ml-managers": accounts("1+mia"), "acme/senior-ds": accounts("2+sam")}
	}
	tests := map[string]struct {
		in   approval.Input
		want outcome
	}{
		"ids that agree are one person": {
			edit(input(schemas.RiskMedium, approve("1+mia"), approve("2+sam")), mia), outcome{Slots: mediumSlots, Verdict: policy.Pass},
		},
		"a login without an id is the account that GitHub knows by it": {
			edit(input(schemas.RiskMedium, approve("MIA"), approve("2+sam")), mia),
			outcome{Slots: "manager=MIA senior-data-scientist=sam", Verdict: policy.Pass},
		},
		"a user of the governance is found by id after a rename": {
			edit(input(schemas.RiskMedium, approve("9+new-name"), approve("2+sam")), func(in *approval.Input) {
				in.Governance.Roles["manager"] = users("9+old-name")
			}),
			outcome{Slots: "manager=new-name senior-data-scientist=sam", Verdict: policy.Pass},
		},
		"who takes over the login of a user of the governance holds nothing": {
			edit(input(schemas.RiskMedium, approve("10+old-name"), approve("2+sam")), func(in *approval.Input) {
				in.Governance.Roles["manager"] = users("9+old-name")
			}),
			outcome{Slots: "senior-data-scientist=sam", Missing: "manager", Verdict: policy.Pending},
		},
		"a user of the governance with an id is found by login where no id is told": {
			edit(input(schemas.RiskMedium, approve("Old-Name"), approve("sam")), func(in *approval.Input) {
				in.Governance.Roles["manager"] = users("9+old-name")
			}),
			outcome{Slots: "manager=Old-Name senior-data-scientist=sam", Verdict: policy.Pass},
		},
		"a co-author is kept from approving under a new name": {
			edit(input(schemas.RiskMedium, approve("1+mia"), approve("2+sam")), func(in *approval.Input) {
				mia(in)
				in.CoAuthors = accounts("1+mia-as-she-was")
			}),
			outcome{Slots: "senior-data-scientist=sam", Missing: "manager", Verdict: policy.Pending},
		},
		"a co-author line with another's id does not keep somebody from approving": {
			edit(input(schemas.RiskMedium, approve("1+mia"), approve("2+sam")), func(in *approval.Input) {
				mia(in)
				in.CoAuthors = accounts("77+mia")
			}),
			outcome{Slots: mediumSlots, Verdict: policy.Pass},
		},
		"the author of another spelling is kept from approving": {
			edit(input(schemas.RiskMedium, approve("1+mia"), approve("2+sam")), func(in *approval.Input) {
				mia(in)
				in.Author = account("Mia")
			}),
			outcome{Slots: "senior-data-scientist=sam", Missing: "manager", Verdict: policy.Pending},
		},
		"the latest review of a person holds under whatever name": {
			edit(input(schemas.RiskMedium, ago(3, "1+old-mia", "APPROVED"), ago(1, "1+mia", "CHANGES_REQUESTED")), mia),
			outcome{Missing: bothMedium, BlockedBy: "mia", Verdict: policy.Fail},
		},
		"a person who was renamed blocks": {
			edit(input(schemas.RiskMedium, reject("1+mia-two")), mia),
			outcome{Missing: bothMedium, BlockedBy: "mia-two", Verdict: policy.Fail},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := approval.Evaluate(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if o := outcomeOf(got); o != tc.want {
				t.Errorf("%+v, want %+v\n%s", o, tc.want, strings.Join(got.Reasons, "\n"))
			}
		})
	}
}

func TestALoginOfTwoAccountsIsAnError(t *testing.T) {
	for name, change := range map[string]func(*approval.Input){
		"a review and a team":      func(in *approval.Input) { in.Members["acme/legal"] = accounts("2+Mia") },
		"a review and the author":  func(in *approval.Input) { in.Author = account("2+mia") },
		"a review and a committer": func(in *approval.Input) { in.Committers = accounts("2+mia") },
		"two reviews":              func(in *approval.Input) { in.Reviews = append(in.Reviews, approve("2+MIA")) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, level := range []schemas.RiskLevel{schemas.RiskLow, schemas.RiskMedium, schemas.RiskHigh} {
				got, err := approval.Evaluate(edit(input(level, approve("1+mia")), change))
				if err == nil || got.Verdict != policy.Error || !strings.Contains(err.Error(), "stands for two accounts, 1 and 2") {
					t.Errorf("%s: %s, %v", level, got.Verdict, err)
				}
			}
		})
	}
}

// TestTellingIDsChangesNothing: where nobody was renamed, ids say what the
// logins say.
func TestTellingIDsChangesNothing(t *testing.T) {
	ids := map[string]int64{"ann": 1, "bob": 2, "cat": 3, "dan": 4, "zoe": 5, "eve[bot]": 6}
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		want := judge(t, in)
		tell := func(a approval.Account) approval.Account {
			if rapid.Bool().Draw(t, "told") {
				a.ID = ids[strings.ToLower(a.Login)]
			}
			return a
		}
		in.Author = tell(in.Author)
		in.Reviews = slices.Clone(in.Reviews)
		for i := range in.Reviews {
			in.Reviews[i].User = tell(in.Reviews[i].User)
		}
		for _, members := range in.Members {
			for i := range members {
				members[i] = tell(members[i])
			}
		}
		for _, role := range in.Governance.Roles {
			for i, u := range role.Users {
				role.Users[i] = tell(account(u)).String()
			}
		}
		if got := judge(t, in); outcomeOf(got) != outcomeOf(want) {
			t.Fatalf("%+v, with ids %+v", want, got)
		}
	})
}
