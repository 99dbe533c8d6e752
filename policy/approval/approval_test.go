package approval_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// outcome is what the tables compare: who sits where, who is missing, who
// blocks, and the verdict.
type outcome struct {
	Slots, Missing, BlockedBy string
	Verdict                   policy.Verdict
}

func outcomeOf(r approval.Result) outcome {
	var slots []string
	for _, s := range r.Slots {
		slots = append(slots, s.Role+"="+s.By)
		if s.Alternate {
			slots = append(slots, "(alternate)")
		}
	}
	return outcome{
		strings.Join(slots, " "), strings.Join(r.Missing, " "), strings.Join(r.BlockedBy, " "), r.Verdict,
	}
}

const (
	bothMedium  = "manager senior-data-scientist"
	members     = "ml-architect senior-data-scientist product-manager legal security"
	lowSlot     = "team-lead=automatic"
	mediumSlots = "manager=mia senior-data-scientist=sam"
)

var decisions = map[string]struct {
	in   approval.Input
	want outcome
}{
	"low passes with nobody": {
		input(schemas.RiskLow), outcome{Slots: lowSlot, Verdict: policy.Pass},
	},
	"low passes without knowing a team when nobody requests changes": {
		edit(input(schemas.RiskLow, approve("mia")), func(in *approval.Input) {
			in.TeamRoles = map[string]schemas.RoleHolders{"team-lead": {Teams: []string{"acme/unknown"}}}
		}),
		outcome{Slots: lowSlot, Verdict: policy.Pass},
	},
	"low is blocked by the automatic role": {
		input(schemas.RiskLow, reject("Lead")),
		outcome{Slots: lowSlot, BlockedBy: "Lead", Verdict: policy.Fail},
	},
	"low is not blocked by another role": {
		input(schemas.RiskLow, reject("mia"), reject("octo-vp")),
		outcome{Slots: lowSlot, Verdict: policy.Pass},
	},
	"medium waits for both seats": {
		input(schemas.RiskMedium), outcome{Missing: bothMedium, Verdict: policy.Pending},
	},
	"medium passes with a person in each seat": {
		input(schemas.RiskMedium, approve("sam"), approve("mia")),
		outcome{Slots: mediumSlots, Verdict: policy.Pass},
	},
	"one person with both roles fills only one seat": {
		input(schemas.RiskMedium, approve("max")),
		outcome{Slots: "manager=max", Missing: "senior-data-scientist", Verdict: policy.Pending},
	},
	"a person with both roles makes room for one with a single role": {
		input(schemas.RiskMedium, ago(3*time.Hour, "max", "APPROVED"), approve("mia")),
		outcome{Slots: "manager=mia senior-data-scientist=max", Verdict: policy.Pass},
	},
	"of two who could sit the earlier approval does": {
		input(schemas.RiskMedium, approve("mia"), ago(2*time.Hour, "max", "APPROVED"), approve("sam")),
		outcome{Slots: "manager=max senior-data-scientist=sam", Verdict: policy.Pass},
	},
	"of two at the same time the first login does": {
		input(schemas.RiskMedium, approve("mia"), approve("max"), approve("sam")),
		outcome{Slots: "manager=max senior-data-scientist=sam", Verdict: policy.Pass},
	},
	"logins and teams compare case-insensitively and print as the review has them": {
		edit(input(schemas.RiskMedium, approve("SAM"), approve("MIA")), func(in *approval.Input) {
			in.Members = map[string][]approval.Account{"ACME/ML-Managers": accounts("Mia"), "acme/Senior-DS": accounts("sAm")}
		}),
		outcome{Slots: "manager=MIA senior-data-scientist=SAM", Verdict: policy.Pass},
	},
	"a team's own role counts for its changes": {
		edit(input(schemas.RiskMedium, approve("boss"), approve("mia"), approve("sam")), func(in *approval.Input) {
			in.TeamRoles = map[string]schemas.RoleHolders{"manager": users("boss")}
		}),
		outcome{Slots: "manager=boss senior-data-scientist=sam", Verdict: policy.Pass},
	},
	"an alternate fills a seat that no holder does": {
		edit(input(schemas.RiskMedium, approve("deputy"), approve("sam")), alternates("manager", "deputy")),
		outcome{Slots: "manager=deputy (alternate) senior-data-scientist=sam", Verdict: policy.Pass},
	},
	"a holder sits before an alternate who approved earlier": {
		edit(input(schemas.RiskMedium, ago(3*time.Hour, "deputy", "APPROVED"), approve("mia"), approve("sam")), alternates("manager", "deputy")),
		outcome{Slots: mediumSlots, Verdict: policy.Pass},
	},
	"an alternate makes room for a holder who is needed elsewhere": {
		edit(input(schemas.RiskMedium, approve("max"), approve("deputy")), alternates("manager", "deputy")),
		outcome{Slots: "manager=deputy (alternate) senior-data-scientist=max", Verdict: policy.Pass},
	},
	"an alternate who holds another role fills one seat": {
		edit(input(schemas.RiskMedium, approve("sam")), alternates("manager", "sam")),
		outcome{Slots: "manager=sam (alternate)", Missing: "senior-data-scientist", Verdict: policy.Pending},
	},
	"an alternate blocks like a holder": {
		edit(input(schemas.RiskMedium, approve("mia"), approve("sam"), reject("deputy")), alternates("manager", "deputy")),
		outcome{Slots: mediumSlots, BlockedBy: "deputy", Verdict: policy.Fail},
	},
	"a satisfied change that somebody with a seat blocks fails": {
		input(schemas.RiskMedium, approve("sam"), approve("mia"), reject("max")),
		outcome{Slots: mediumSlots, BlockedBy: "max", Verdict: policy.Fail},
	},
	"an unsatisfied change that is blocked fails": {
		input(schemas.RiskMedium, reject("mia")),
		outcome{Missing: bothMedium, BlockedBy: "mia", Verdict: policy.Fail},
	},
	"somebody without a seat does not block": {
		input(schemas.RiskMedium, approve("sam"), approve("mia"), reject("law"), reject("stranger")),
		outcome{Slots: mediumSlots, Verdict: policy.Pass},
	},
	"high waits for the chair and every member": {
		input(schemas.RiskHigh), outcome{Missing: "vp-engineering " + members, Verdict: policy.Pending},
	},
	"high passes with the chair and three members": {
		input(schemas.RiskHigh, approve("octo-vp"), approve("sec"), approve("law"), approve("pm")),
		outcome{Slots: "vp-engineering=octo-vp product-manager=pm legal=law security=sec", Verdict: policy.Pass},
	},
	"four members without the chair lack only the chair": {
		input(schemas.RiskHigh, approve("arch"), approve("sec"), approve("law"), approve("pm")),
		outcome{
			Slots: "ml-architect=arch product-manager=pm legal=law security=sec", Missing: "vp-engineering", Verdict: policy.Pending,
		},
	},
	"the chair and two members lack every open member seat": {
		input(schemas.RiskHigh, approve("octo-vp"), approve("sec"), approve("pm")),
		outcome{
			Slots:   "vp-engineering=octo-vp product-manager=pm security=sec",
			Missing: "ml-architect senior-data-scientist legal", Verdict: policy.Pending,
		},
	},
	"all six seats are shown when all approve": {
		input(schemas.RiskHigh, approve("sec"), approve("law"), approve("pm"), approve("sam"), approve("arch"), approve("octo-vp")),
		outcome{
			Slots:   "vp-engineering=octo-vp ml-architect=arch senior-data-scientist=sam product-manager=pm legal=law security=sec",
			Verdict: policy.Pass,
		},
	},
	"a manager has no seat on the board and does not block it": {
		input(schemas.RiskHigh, approve("octo-vp"), approve("sec"), approve("law"), approve("pm"), reject("mia")),
		outcome{Slots: "vp-engineering=octo-vp product-manager=pm legal=law security=sec", Verdict: policy.Pass},
	},
	"a platform change is judged as high whatever level it says": {
		edit(input(schemas.RiskLow), func(in *approval.Input) { in.Platform = true }),
		outcome{Missing: "vp-engineering " + members, Verdict: policy.Pending},
	},
	"a platform change is judged by the governance's roles": {
		edit(input(schemas.RiskHigh, approve("octo-vp"), approve("sec"), approve("law"), approve("mole")), func(in *approval.Input) {
			in.Platform = true
			in.TeamRoles = map[string]schemas.RoleHolders{"product-manager": users("mole")}
		}),
		outcome{
			Slots:   "vp-engineering=octo-vp legal=law security=sec",
			Missing: "ml-architect senior-data-scientist product-manager", Verdict: policy.Pending,
		},
	},
}

func TestEvaluate(t *testing.T) {
	for name, tc := range decisions {
		t.Run(name, func(t *testing.T) {
			got, err := approval.Evaluate(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, outcomeOf(got)); diff != "" {
				t.Errorf("(-want +got)\n%s%s", diff, strings.Join(got.Reasons, "\n"))
			}
		})
	}
}

func edit(in approval.Input, change func(*approval.Input)) approval.Input {
	change(&in)
	return in
}

func alternates(role, login string) func(*approval.Input) {
	return func(in *approval.Input) {
		r := in.Governance.Roles[role]
		r.Alternates = &schemas.Alternates{Users: []string{login}}
		in.Governance.Roles[role] = r
	}
}

func TestWhoseReviewCounts(t *testing.T) {
	sam := approve("sam")
	tests := map[string]struct {
		reviews []approval.Review
		slots   string
		blocked string
		reason  string
	}{
		"an approval of head counts":     {[]approval.Review{sam, approve("mia")}, mediumSlots, "", "mia approved as manager"},
		"lower-case states are the same": {[]approval.Review{sam, ago(1, "mia", "approved")}, mediumSlots, "", ""},
		"a comment after an approval changes nothing": {
			[]approval.Review{sam, approve("mia"), ago(1, "mia", "COMMENTED"), ago(0, "mia", "PENDING")}, mediumSlots, "", "",
		},
		"a comment alone says nothing": {[]approval.Review{sam, ago(1, "mia", "COMMENTED")}, "senior-data-scientist=sam", "", ""},
		"a later request for changes takes an approval back": {
			[]approval.Review{sam, ago(1, "mia", "CHANGES_REQUESTED"), approve("mia")}, "senior-data-scientist=sam", "mia", "which blocks",
		},
		"a later approval lifts a request for changes": {
			[]approval.Review{sam, ago(1, "mia", "APPROVED"), reject("mia")}, mediumSlots, "", "",
		},
		"a dismissed approval revives no earlier one": {
			[]approval.Review{sam, ago(2*time.Hour, "mia", "APPROVED"), ago(time.Hour, "mia", "DISMISSED")},
			"senior-data-scientist=sam", "", "mia has a review that was dismissed",
		},
		"a dismissed request for changes no longer blocks": {
			[]approval.Review{sam, ago(1, "mia", "DISMISSED")}, "senior-data-scientist=sam", "", "",
		},
		"of two in the same second the later in the list holds": {
			[]approval.Review{sam, reject("mia"), approve("mia")}, mediumSlots, "", "",
		},
		"also where the clock has fractions of a second": {
			[]approval.Review{
				sam,
				with(reject("mia"), func(r *approval.Review) { r.SubmittedAt = now.Add(-time.Hour + 900*time.Millisecond) }),
				with(approve("mia"), func(r *approval.Review) { r.SubmittedAt = now.Add(-time.Hour + 100*time.Millisecond) }),
			}, mediumSlots, "", "",
		},
		"one person under two spellings is one person": {
			[]approval.Review{sam, approve("mia"), ago(1, "MIA", "DISMISSED")}, "senior-data-scientist=sam", "", "",
		},
		"a review from the future does not exist yet": {
			[]approval.Review{sam, approve("mia"), ago(-time.Second, "mia", "CHANGES_REQUESTED")}, mediumSlots, "", "",
		},
		"a review of this very moment does": {
			[]approval.Review{sam, approve("mia"), ago(0, "mia", "CHANGES_REQUESTED")}, "senior-data-scientist=sam", "mia", "",
		},
		"an approval exactly as old as the expiry no longer counts": {
			[]approval.Review{sam, ago(expiry, "mia", "APPROVED")}, "senior-data-scientist=sam", "", "has expired",
		},
		"an approval a second younger does": {
			[]approval.Review{sam, ago(expiry-time.Second, "mia", "APPROVED")}, mediumSlots, "", "",
		},
		"a request for changes never expires": {
			[]approval.Review{sam, ago(10*expiry, "mia", "CHANGES_REQUESTED")}, "senior-data-scientist=sam", "mia", "",
		},
		"an approval of other content does not count": {
			[]approval.Review{sam, with(approve("mia"), func(r *approval.Review) { r.CommitID = older })},
			"senior-data-scientist=sam", "", "was a different one",
		},
		"an approval of a commit that is gone does not count": {
			[]approval.Review{sam, with(approve("mia"), func(r *approval.Review) { r.CommitID = "gone" })},
			"senior-data-scientist=sam", "", "no longer in the repository",
		},
		"a request for changes blocks whatever commit it was made at": {
			[]approval.Review{sam, with(reject("mia"), func(r *approval.Review) { r.CommitID = "gone" })},
			"senior-data-scientist=sam", "mia", "",
		},
		"a bot's approval does not count": {
			[]approval.Review{sam, with(approve("mia"), func(r *approval.Review) { r.Type = "Bot" })},
			"senior-data-scientist=sam", "", "a bot cannot approve",
		},
		"a bot with a seat blocks": {
			[]approval.Review{sam, with(reject("mia"), func(r *approval.Review) { r.Type = "Bot" })},
			"senior-data-scientist=sam", "mia", "",
		},
		"an account that no longer exists says nothing": {
			[]approval.Review{sam, approve("mia"), reject("")}, mediumSlots, "", "",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := approval.Evaluate(input(schemas.RiskMedium, tc.reviews...))
			if err != nil {
				t.Fatal(err)
			}
			o := outcomeOf(got)
			if o.Slots != tc.slots || o.BlockedBy != tc.blocked {
				t.Errorf("slots %q blocked %q, want %q and %q", o.Slots, o.BlockedBy, tc.slots, tc.blocked)
			}
			if reasons := strings.Join(got.Reasons, "\n"); !strings.Contains(reasons, tc.reason) {
				t.Errorf("no %q in\n%s", tc.reason, reasons)
			}
		})
	}
}

func TestMakersCannotApproveButBlock(t *testing.T) {
	makers := map[string]func(*approval.Input){
		"the author":  func(in *approval.Input) { in.Author = account("MAX") },
		"a committer": func(in *approval.Input) { in.Committers = accounts("Max") },
		"a co-author": func(in *approval.Input) { in.CoAuthors = accounts("max") },
		"a named bot": func(in *approval.Input) { in.Governance.Roles["manager"] = users("max[bot]") },
	}
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			user := "max"
			if name == "a named bot" {
				user = "Max[Bot]"
			}
			in := edit(input(schemas.RiskMedium, approve(user)), make)
			got, err := approval.Evaluate(in)
			if err != nil || len(got.Slots) != 0 {
				t.Errorf("approval: slots %v, error %v", got.Slots, err)
			}
			in.Reviews = []approval.Review{reject(user)}
			got, err = approval.Evaluate(in)
			if err != nil || len(got.BlockedBy) != 1 || got.Verdict != policy.Fail {
				t.Errorf("request for changes: blocked by %v, error %v", got.BlockedBy, err)
			}
		})
	}
}

func TestEvaluateFailsClosed(t *testing.T) {
	tests := map[string]struct {
		in   approval.Input
		want string
	}{
		"a seat's team that could not be read": {
			edit(input(schemas.RiskMedium), func(in *approval.Input) { delete(in.Members, "acme/senior-ds") }),
			"who holds the role senior-data-scientist: the members of acme/senior-ds are not known",
		},
		"a team of alternates that could not be read": {
			edit(input(schemas.RiskMedium), func(in *approval.Input) {
				r := in.Governance.Roles["manager"]
				r.Alternates = &schemas.Alternates{Teams: []string{"acme/deputies"}}
				in.Governance.Roles["manager"] = r
			}),
			"who holds the role manager: the members of acme/deputies are not known",
		},
		"a board member's team that could not be read": {
			edit(input(schemas.RiskHigh), func(in *approval.Input) { in.Members = nil }),
			"acme/senior-ds",
		},
		"an unknown team where its member might block a low change": {
			edit(input(schemas.RiskLow, reject("stranger")), func(in *approval.Input) {
				in.TeamRoles = map[string]schemas.RoleHolders{"team-lead": {Teams: []string{"acme/unknown"}}}
			}), "acme/unknown",
		},
		"a level that does not exist": {input("mediocre"), `unknown risk level "mediocre"`},
		"a state that GitHub does not have": {
			input(schemas.RiskLow, ago(1, "mia", "MAYBE")), `unknown state "MAYBE"`,
		},
		"a board that is not defined": {
			edit(input(schemas.RiskHigh), func(in *approval.Input) { in.Governance.Boards = nil }), `no board "cab"`,
		},
		"a role that is not defined": {
			edit(input(schemas.RiskLow), func(in *approval.Input) { in.Governance.Roles = nil }), `does not define role "team-lead"`,
		},
		"a level without seats": {
			edit(input(schemas.RiskMedium), func(in *approval.Input) { in.Governance.Approvals.Medium.Seats = nil }), "no seat",
		},
		"a quorum of nobody": {
			edit(input(schemas.RiskHigh), func(in *approval.Input) {
				in.Governance.Boards["cab"] = schemas.Board{Chair: "legal", Quorum: 0}
			}), "quorum of 0 of 1 seats",
		},
		"a quorum above the seats": {
			edit(input(schemas.RiskHigh), func(in *approval.Input) {
				in.Governance.Boards["cab"] = schemas.Board{Chair: "legal", Quorum: 2}
			}), "quorum of 2 of 1 seats",
		},
		"a team that takes over a board's role": {
			edit(input(schemas.RiskMedium), func(in *approval.Input) {
				in.TeamRoles = map[string]schemas.RoleHolders{"senior-data-scientist": users("mole")}
			}), `overrides role "senior-data-scientist", which has a seat on board "cab"`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := approval.Evaluate(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if got.Verdict != policy.Error || got.Satisfied {
				t.Errorf("verdict %q, satisfied %v", got.Verdict, got.Satisfied)
			}
		})
	}
}

func TestNeededNamesTheTeamsToList(t *testing.T) {
	in := input(schemas.RiskMedium)
	in.Members, in.Reviews = nil, nil
	need, err := approval.Needed(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"acme/ml-managers", "acme/senior-ds"}, need.Teams()); diff != "" {
		t.Error(diff)
	}
}

func TestDueAndExpires(t *testing.T) {
	in := input(schemas.RiskMedium, ago(3*time.Hour, "mia", "APPROVED"))
	in.Requested = now.Add(-time.Hour)
	got, err := approval.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Add(47 * time.Hour); !got.Due.Equal(want) {
		t.Errorf("due %v, want %v", got.Due, want)
	}
	if want := now.Add(expiry - 3*time.Hour); !got.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", got.Expires, want)
	}
	in.Reviews = append(in.Reviews, approve("sam"))
	if got, err = approval.Evaluate(in); err != nil || !got.Due.IsZero() {
		t.Errorf("a satisfied change is due %v (error %v)", got.Due, err)
	}
}

func TestResultEncodesEmptyLists(t *testing.T) {
	in := input(schemas.RiskLow)
	for _, in := range []approval.Input{in, edit(in, func(in *approval.Input) { in.Level = "" })} {
		got, _ := approval.Evaluate(in)
		b, err := json.Marshal(got)
		if err != nil || strings.Contains(string(b), "null") {
			t.Errorf("%s (error %v)", b, err)
		}
	}
}

// Logins change hands: a seat keeps whose it was.
func TestASeatKeepsTheAccount(t *testing.T) {
	in := input(schemas.RiskMedium, approve("7+mia"), approve("8+sen"))
	in.Members = map[string][]approval.Account{"acme/ml-managers": accounts("7+mia"), "acme/senior-ds": accounts("8+sen")}
	got, err := approval.Evaluate(in)
	if err != nil || len(got.Slots) != 2 || got.Slots[0].ID != 7 || got.Slots[0].By != "mia" || got.Slots[1].ID != 8 {
		t.Errorf("%+v, %v", got.Slots, err)
	}
}
