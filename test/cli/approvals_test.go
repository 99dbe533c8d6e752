package cli

import (
	"strings"
	"testing"
	"time"
)

// approvalCase is one pull request, its people, and what becomes of its seats.
type approvalCase struct {
	base, head func(*repo)
	people     func(r *repo) people
	path       string
	verdict    string
	seats      string
	missing    string
	blockedBy  string
}

const (
	board   = "vp-engineering ml-architect senior-data-scientist product-manager legal security"
	members = "ml-architect senior-data-scientist product-manager legal security"
	medium  = "manager senior-data-scientist"
	seated  = "manager=mia senior-data-scientist=sam"
	lowSeat = "team-lead=automatic"
)

func just(p people) func(*repo) people { return func(*repo) people { return p } }

func (tc approvalCase) run(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.base(tc.base)
	r.head(tc.head)
	p := r.planWith(tc.people(r))
	c := p.change(t, tc.path)
	got := [4]string{p.Verdict, c.seats(), strings.Join(c.Approvals.Missing, " "), strings.Join(c.Approvals.BlockedBy, " ")}
	want := [4]string{tc.verdict, tc.seats, tc.missing, tc.blockedBy}
	if got != want {
		_, reason := p.stage("approval")
		t.Errorf("verdict, seats, missing, blocked\n got %q\nwant %q\n%s", got, want, reason)
	}
	if satisfied := tc.missing == "" && tc.verdict != "error"; c.Approvals.Satisfied != satisfied {
		t.Errorf("satisfied %v", c.Approvals.Satisfied)
	}
}

func TestApprovalsByLevel(t *testing.T) {
	for name, tc := range map[string]approvalCase{
		"low is automatic on the team lead's behalf": {
			nil, bump(forecast), just(reviewed()), forecast, "pass", lowSeat, "", "",
		},
		"low is blocked by the automatic role's holder, the team's own": {
			nil, bump(forecast), just(reviewed(gave("octo-lead", "CHANGES_REQUESTED", 5))), forecast, "fail", lowSeat, "", "octo-lead",
		},
		"low is not blocked by a holder whom the team replaced": {
			nil, bump(forecast), just(reviewed(gave("lea", "CHANGES_REQUESTED", 5))), forecast, "pass", lowSeat, "", "",
		},
		"low is not blocked by others": {
			nil, bump(forecast), just(reviewed(gave("mia", "CHANGES_REQUESTED", 5))), forecast, "pass", lowSeat, "", "",
		},
		"the automatic slot's role is whatever automatic names": {
			func(r *repo) { r.edit("governance.yaml", "automatic: team-lead", "automatic: manager") }, bump(forecast),
			just(reviewed()), forecast, "pass", "manager=automatic", "", "",
		},
		"medium without reviews waits for both seats": {
			nil, bump(ranker), just(reviewed()), ranker, "pending", "", medium, "",
		},
		"medium is satisfied by a person in each seat": {
			nil, bump(ranker), just(reviewed(approve("sam", "mia")...)), ranker, "pass", seated, "", "",
		},
		"one person fills one seat": {
			nil, bump(ranker), just(reviewed(approve("max")...)), ranker, "pending", "manager=max", "senior-data-scientist", "",
		},
		"people are matched to seats, whatever the order of their reviews": {
			nil, bump(ranker), just(reviewed(approve("max", "mia")...)), ranker, "pass", "manager=mia senior-data-scientist=max", "", "",
		},
		"high without reviews misses the chair and all members": {
			nil, bump(churn), just(reviewed()), churn, "pending", "", board, "",
		},
		"high is satisfied by the chair and three members": {
			nil, bump(churn), just(reviewed(approve("octo-vp", "ari", "sam", "lou")...)), churn, "pass",
			"vp-engineering=octo-vp ml-architect=ari senior-data-scientist=sam legal=lou", "", "",
		},
		"a quorum without the chair misses the chair alone": {
			nil, bump(churn), just(reviewed(approve("ari", "sam", "lou", "sec")...)), churn, "pending",
			"ml-architect=ari senior-data-scientist=sam legal=lou security=sec", "vp-engineering", "",
		},
		"the chair without a quorum misses the open members": {
			nil, bump(churn), just(reviewed(approve("octo-vp", "ari")...)), churn, "pending",
			"vp-engineering=octo-vp ml-architect=ari", "senior-data-scientist product-manager legal security", "",
		},
		"all six seats may be filled": {
			nil, bump(churn), just(reviewed(approve("octo-vp", "ari", "max", "pat", "lou", "sec")...)), churn, "pass",
			"vp-engineering=octo-vp ml-architect=ari senior-data-scientist=max product-manager=pat legal=lou security=sec", "", "",
		},
		"a platform change needs the board": {
			nil, bump("teams/data-science.yaml"), just(reviewed(approve("octo-vp", "ari", "sam", "lou")...)), "teams/data-science.yaml", "pass",
			"vp-engineering=octo-vp ml-architect=ari senior-data-scientist=sam legal=lou", "", "",
		},
		"a removal needs what its level needs": {
			nil, func(r *repo) { r.remove(ranker) }, just(reviewed(approve("sam", "mia")...)), ranker, "pass", seated, "", "",
		},
		"a team's role replaces the governance's for its manifests": {
			func(r *repo) {
				r.edit("teams/data-science.yaml", "  roles:\n", "  roles:\n    manager: {users: [boss]}\n")
			}, bump(ranker),
			just(reviewed(approve("mia", "sam", "boss")...)), ranker, "pass", "manager=boss senior-data-scientist=sam", "", "",
		},
		"one review serves several changes": {
			nil, both(bump(ranker), bump(forecast), func(r *repo) {
				r.add("clinical-ai", "mid", "staging", "none\n    dataSensitivity: internal", "public\n    dataSensitivity: internal")
			}),
			just(reviewed(approve("mia", "sam")...)), manifestPath("clinical-ai", "mid", "staging"), "pass", seated, "", "",
		},
	} {
		t.Run(name, tc.run)
	}
}

// fromMia is an approval of an hour ago.
var fromMia = gave("mia", "APPROVED", 60)

// fromA is an approval by an account of a kind.
func fromA(login, kind string) review {
	v := gave(login, "APPROVED", 5)
	v.Type = kind
	return v
}

// edited are the people of a reviews file after an edit.
func edited(p people, edit func(p *people)) func(*repo) people {
	edit(&p)
	return just(p)
}

var reviewers = map[string]approvalCase{
	"logins compare case-insensitively": {
		nil, bump(ranker), just(reviewed(approve("MIA", "Sam")...)), ranker, "pass", "manager=MIA senior-data-scientist=Sam", "", "",
	},
	"team slugs compare case-insensitively": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) {
			p.Teams["ACME/ML-Managers"] = []string{"Mia"}
			delete(p.Teams, "acme/ml-managers")
		}), ranker, "pass", seated, "", "",
	},
	"the author does not count": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) { p.Author = "Mia" }), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"a committer does not count": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) { p.Committers = []string{"MIA"} }), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"a co-author does not count": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) { p.CoAuthors = []string{"Sam"} }), ranker, "pending", "manager=mia", "senior-data-scientist", "",
	},
	"a bot by type does not count": {
		nil, bump(ranker), just(reviewed(fromA("mia", "Bot"), gave("sam", "APPROVED", 5))), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"a bot by name does not count": {
		nil, bump(ranker), edited(reviewed(fromA("rob[BOT]", "User"), gave("sam", "APPROVED", 5)), func(p *people) {
			p.Teams["acme/ml-managers"] = []string{"rob[bot]"}
		}), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"the latest review wins, whatever the order of the list": {
		nil, bump(ranker), just(reviewed(gave("mia", "APPROVED", 5), gave("mia", "CHANGES_REQUESTED", 9), gave("sam", "APPROVED", 5))),
		ranker, "pass", seated, "", "",
	},
	"of two reviews in the same second the later in the list is the latest": {
		nil, bump(ranker), just(reviewed(gave("mia", "CHANGES_REQUESTED", 5), gave("Mia", "APPROVED", 5), gave("sam", "APPROVED", 5))),
		ranker, "pass", "manager=Mia senior-data-scientist=sam", "", "",
	},
	"a comment or a pending review changes nothing": {
		nil, bump(ranker), just(reviewed(fromMia, gave("mia", "COMMENTED", 5), gave("mia", "PENDING", 4), gave("sam", "APPROVED", 5))),
		ranker, "pass", seated, "", "",
	},
	"a dismissed review revives nothing": {
		nil, bump(ranker), just(reviewed(fromMia, gave("mia", "DISMISSED", 5), gave("sam", "APPROVED", 5))),
		ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"a dismissed request for changes blocks no longer": {
		nil, bump(ranker), just(reviewed(gave("max", "CHANGES_REQUESTED", 9), gave("max", "DISMISSED", 5), fromMia, gave("sam", "APPROVED", 5))),
		ranker, "pass", seated, "", "",
	},
	"a holder of a seat blocks": {
		nil, bump(ranker), just(reviewed(fromMia, gave("sam", "APPROVED", 5), gave("max", "CHANGES_REQUESTED", 5))), ranker, "fail", seated, "", "max",
	},
	"who has no seat does not block": {
		nil, bump(ranker), just(reviewed(fromMia, gave("sam", "APPROVED", 5), gave("lou", "CHANGES_REQUESTED", 5))), ranker, "pass", seated, "", "",
	},
	"a member of the board blocks at high": {
		nil, bump(churn), just(reviewed(append(approve("octo-vp", "ari", "sam", "lou"), gave("pat", "CHANGES_REQUESTED", 5))...)), churn, "fail",
		"vp-engineering=octo-vp ml-architect=ari senior-data-scientist=sam legal=lou", "", "pat",
	},
	"a committer with a seat blocks": {
		nil, bump(ranker), edited(reviewed(fromMia, gave("sam", "APPROVED", 5), gave("max", "CHANGES_REQUESTED", 5)), func(p *people) { p.Committers = []string{"max"} }),
		ranker, "fail", seated, "", "max",
	},
	"a bot with a seat blocks": {
		nil, bump(ranker), edited(reviewed(fromMia, gave("sam", "APPROVED", 5), review{"guard[bot]", "Bot", "CHANGES_REQUESTED", "HEAD", before(time.Hour)}), func(p *people) {
			p.Teams["acme/ml-managers"] = append(p.Teams["acme/ml-managers"], "guard[bot]")
		}), ranker, "fail", seated, "", "guard[bot]",
	},
	"a block stands at whatever commit and age": {
		nil, bump(ranker), just(reviewed(fromMia, gave("sam", "APPROVED", 5), gave("max", "CHANGES_REQUESTED", 0).on(strings.Repeat("0", 40)).ago(9000*time.Hour))),
		ranker, "fail", seated, "", "max",
	},
	"an approval exactly as old as the expiry no longer counts": {
		nil, bump(ranker), just(reviewed(fromMia.ago(720*time.Hour), gave("sam", "APPROVED", 5))), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"an approval a second younger than the expiry counts": {
		nil, bump(ranker), just(reviewed(fromMia.ago(720*time.Hour-time.Second), gave("sam", "APPROVED", 5))), ranker, "pass", seated, "", "",
	},
	"a review later than the time of judging does not exist yet": {
		nil, bump(ranker), just(reviewed(fromMia.ago(-time.Second), gave("sam", "APPROVED", 5))), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"a later dismissal does not exist yet": {
		nil, bump(ranker), just(reviewed(fromMia, gave("mia", "DISMISSED", 0).ago(-time.Second), gave("sam", "APPROVED", 5))), ranker, "pass", seated, "", "",
	},
	"an unknown commit does not count": {
		nil, bump(ranker), just(reviewed(fromMia.on(strings.Repeat("a", 40)), gave("sam", "APPROVED", 5))), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"an empty commit does not count": {
		nil, bump(ranker), just(reviewed(fromMia.on(""), gave("sam", "APPROVED", 5))), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"an object that is no commit does not count": {
		nil, bump(ranker), func(r *repo) people {
			return reviewed(fromMia.on(r.git("rev-parse", "pr:"+ranker)), gave("sam", "APPROVED", 5))
		}, ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
	"a role's team that is missing from the file is an error where its seat is needed": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) { delete(p.Teams, "acme/ml-managers") }), ranker, "error", "", "", "",
	},
	"a team missing from the file whose seat is not needed is none": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) { delete(p.Teams, "acme/legal") }), ranker, "pass", seated, "", "",
	},
	"a team that is listed with nobody has no members": {
		nil, bump(ranker), edited(reviewed(approve("mia", "sam")...), func(p *people) { p.Teams["acme/ml-managers"] = []string{} }), ranker, "pending", "senior-data-scientist=sam", "manager", "",
	},
}

func TestWhoseReviewCounts(t *testing.T) {
	for name, tc := range reviewers {
		t.Run(name, tc.run)
	}
}

func TestApprovalsAreOfTheDigest(t *testing.T) {
	second := func(r *repo, path, from, to string) string {
		r.edit(path, from, to)
		return r.commit()
	}
	for name, tc := range map[string]struct {
		after func(r *repo, first string) // what happens after the review of the first commit
		pass  bool
	}{
		"an approval of an older commit with the same content counts": {
			func(r *repo, _ string) { r.write("README.md", "more"); r.commit() }, true,
		},
		"an approval of other content does not": {
			func(r *repo, _ string) { second(r, ranker, `version: "10"`, `version: "11"`) }, false,
		},
		"content that came back is approved again": {
			func(r *repo, _ string) {
				second(r, ranker, `version: "10"`, `version: "11"`)
				second(r, ranker, `version: "11"`, `version: "10"`)
			}, true,
		},
		"a squash of the branch keeps the approval": {
			func(r *repo, first string) {
				r.git("reset", "-q", "--soft", "main")
				r.commit()
				if r.git("rev-parse", "pr") == first {
					r.t.Fatal("nothing was rewritten")
				}
			}, true,
		},
		"a rebase onto a base that changed other files keeps the approval": {
			func(r *repo, _ string) {
				r.git("checkout", "-q", "main")
				r.base(bump(churn))
				r.git("checkout", "-q", "pr")
				r.git("rebase", "-q", "main")
			}, true,
		},
		"a merge of the base that changed the file before voids it": {
			func(r *repo, _ string) {
				r.git("checkout", "-q", "main")
				r.base(func(r *repo) { r.edit(ranker, "max: 8", "max: 9") })
				r.git("checkout", "-q", "pr")
				r.git("merge", "-q", "-X", "ours", "-m", "update", "main")
			}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			first := r.head(func(r *repo) { r.edit(ranker, `version: "9"`, `version: "10"`) })
			tc.after(r, first)
			p := r.planWith(reviewed(gave("mia", "APPROVED", 9).on(first), gave("sam", "APPROVED", 9).on(first)))
			if (p.Verdict == "pass") != tc.pass {
				t.Errorf("%+v", p)
			}
		})
	}
	t.Run("the digest is of identity, before, after and level", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(ranker))
		one := r.plan().change(t, ranker).Digest
		r.git("checkout", "-q", "pr")
		r.write("README.md", "x")
		r.commit()
		if two := r.plan().change(t, ranker).Digest; two != one {
			t.Error("another commit with the same content has another digest")
		}
		r.git("checkout", "-q", "main")
		r.base(func(r *repo) { r.edit("governance.yaml", "{medium: 15, high: 30}", "{medium: 15, high: 16}") })
		p := r.plan()
		if three := p.change(t, ranker).Digest; three == one {
			t.Error("another level has the same digest")
		}
	})
}

func TestTruncatedFileList(t *testing.T) {
	for name, head := range map[string]func(*repo){
		"truncation is an error whatever changed": bump(forecast),
		"truncation is an error without changes":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(head)
			people := reviewed()
			people.FilesTruncated = true
			p := r.planWith(people)
			if v, _ := p.stage("approval"); v != "error" || p.Verdict != "error" {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestFreeze(t *testing.T) {
	for name, tc := range map[string]struct{ at, path, verdict string }{
		"a change in a frozen environment fails":          {"2026-12-24T00:00:00Z", ranker, "fail"},
		"the last second before is not frozen":            {"2026-12-23T23:59:59Z", ranker, "pending"},
		"the end itself is not frozen":                    {"2027-01-02T00:00:00Z", ranker, "pending"},
		"another environment is not frozen":               {"2026-12-25T00:00:00Z", forecast, "pass"},
		"the time of judging may be of another time zone": {"2026-12-24T01:00:00+02:00", ranker, "pending"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(bump(tc.path))
			p := r.plan("--at", tc.at)
			if p.Verdict != tc.verdict {
				t.Errorf("%+v", p)
			}
			if tc.verdict == "fail" {
				if f := find(t, p.change(t, tc.path).Findings, "freeze"); !strings.Contains(f.Message+f.Remedy, "year end") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
