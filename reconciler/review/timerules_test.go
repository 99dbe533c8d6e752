package review

import (
	"context"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy"
)

const (
	officeHours = `
  windows: [{environments: [production], weekdays: [Monday, Tuesday, Wednesday, Thursday, Friday], from: "09:00", to: "17:00", timeZone: America/New_York}]
`
	payments = "/break-glass payments are down <!-- @here -->"
)

// timed is a change of the ranker under a governance with change windows, which
// manager and senior have approved. Asked is Monday 09:00 in New York.
func timed(t *testing.T) *judgement {
	return timedBy(t, func(governance string) string { return strings.TrimSpace(governance) + officeHours })
}

func timedBy(t *testing.T, govern func(string) string) *judgement {
	t.Helper()
	repo, pr, base := pullRequestOf(t, "change", func(files map[string]string) {
		files["governance.yaml"] = govern(files["governance.yaml"])
	}, func(files map[string]string) {
		files[rankerPath] = strings.Replace(files[rankerPath], `"9"`, `"10"`, 1)
	})
	people := People{Author: Account{Login: "ada"}, Teams: map[string][]Account{
		"acme/ml-managers": {{Login: "mia"}}, "acme/senior-ds": {{Login: "sam"}}, "acme/platform": {{Login: "root"}},
	}}
	j := &judgement{t, repo, Request{Base: base, Head: pr.Head, People: people, Repository: "models"}}
	j.review("mia", "APPROVED", -time.Hour)
	j.review("sam", "APPROVED", -time.Hour)
	return j
}

func (j *judgement) glass(user string) {
	j.review(user, "APPROVED", -time.Hour)
	j.req.People.Reviews[len(j.req.People.Reviews)-1].Body = payments
}

// date moves all reviews to one time.
func (j *judgement) date(after time.Duration) {
	for i := range j.req.People.Reviews {
		j.req.People.Reviews[i].SubmittedAt = asked.Add(after)
	}
}

const (
	weekend = 5*24*time.Hour + time.Hour
	xmas    = 31*24*time.Hour + 2*time.Hour // a Thursday, 11:00 in New York, in the freeze
)

func TestAChangeWaitsForItsWindow(t *testing.T) {
	j := timed(t)
	report := j.at(weekend)
	const opens = "production opens Monday 2026-11-30 09:00 America/New_York"
	if report.Verdict != policy.Pending || !report.Changes[0].Approvals.Satisfied || len(report.Changes[0].Findings) > 0 {
		t.Errorf("%s: %+v", report.Verdict, report.Changes[0])
	}
	expect(t, Headline(report), "waiting for the change window: "+opens)
	expect(t, Comment(report), "**Next:** wait until "+escape(opens)+", or have it merged by break-glass: an approving review by `platform-admin` (team `acme/platform`) with the line `/break-glass REASON`.")
	expectNot(t, Comment(report), "approving reviews", "correct the problems")
	if want := asked.Add(7 * 24 * time.Hour); !report.Until.Equal(want) {
		t.Errorf("it holds until %v, want the opening at %v", report.Until, want)
	}
	if report := j.at(7 * 24 * time.Hour); report.Verdict != policy.Pass {
		t.Errorf("the moment it opens: %s", report.Verdict)
	}
	if report := j.at(7*24*time.Hour - 1); report.Verdict != policy.Pending {
		t.Errorf("the moment before: %s", report.Verdict)
	}
	j.req.People.Reviews = nil
	expect(t, Headline(j.at(weekend)), "manager, senior-data-scientist; production opens")
	expect(t, Comment(j.at(weekend)), "**Next:** approving reviews by each", "**Then:** wait until "+escape(opens))
}

func TestAFreezeIsWaitedForAndNotCorrected(t *testing.T) {
	const newYear, ends = "Sat 2027-01-02 00:00 UTC", ", or have it merged by break-glass"
	for name, tc := range map[string]struct {
		windows, breakGlass string
		headline, says      string
	}{
		"the freeze alone":               {"", "", "production is frozen until " + newYear, "**Next:** wait until " + newYear + ", when the freeze of production ends" + ends},
		"a window opens after it":        {officeHours, "", "production is frozen until " + newYear, "**Next:** wait until production opens Monday 2027-01-04 09:00 America/New\\_York, after the freeze that ends " + newYear + ends},
		"nobody may lift it":             {"", "  breakGlass: {role: platform-admin}\n", "production is frozen", "when the freeze of production ends. Mooring"},
		"a window that never stays open": {strings.Replace(officeHours, `"17:00"`, `"09:00"`, 1), "", "production is frozen", "**Next:** wait until "},
	} {
		t.Run(name, func(t *testing.T) {
			j := timedBy(t, func(governance string) string {
				return strings.Replace(strings.TrimSpace(governance)+"\n", tc.breakGlass, "", 1) + strings.TrimPrefix(tc.windows, "\n")
			})
			j.date(xmas - time.Hour)
			report := j.at(xmas)
			if report.Verdict != policy.Fail {
				t.Errorf("it is %s", report.Verdict)
			}
			expect(t, Headline(report), tc.headline)
			expect(t, Comment(report), tc.says)
			expectNot(t, Comment(report), "to correct", "correct the problems")
		})
	}
}

func TestAWindowInALaterFreezeIsNotWaitedFor(t *testing.T) {
	j := timed(t)
	christmasEve := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC).Sub(asked) - time.Hour // after hours in New York
	j.date(christmasEve - time.Hour)
	report := j.at(christmasEve)
	if report.Verdict != policy.Pending {
		t.Errorf("it is %s", report.Verdict)
	}
	expect(t, Comment(report), "**Next:** wait until production opens Monday 2027-01-04 09:00 America/New\\_York, since it is frozen before")
}

func TestAMergeIsNotHeldUpByAWindow(t *testing.T) {
	j := timed(t)
	j.req.Merged = true
	if report := j.at(weekend); report.Verdict != policy.Pass {
		t.Errorf("%s: %s", report.Verdict, Headline(report))
	}
	j.glass("root")
	if report := j.at(weekend); len(report.Changes[0].Glass()) != 1 {
		t.Error("the broken glass is not known at the merge")
	}
}

func TestABrokenGlassLiftsTheRulesOfTimeAndNothingElse(t *testing.T) {
	for name, at := range map[string]time.Duration{"outside of the window": weekend, "in a freeze": xmas} {
		t.Run(name, func(t *testing.T) {
			j := timed(t)
			j.date(at - time.Hour)
			closed := j.at(at)
			if closed.Verdict == policy.Pass {
				t.Fatalf("without it: %s", closed.Verdict)
			}
			j.glass("root")
			j.date(at - time.Hour)
			report := j.at(at)
			if report.Verdict != policy.Pass || len(report.BrokenGlass) != 1 {
				t.Fatalf("%s: %+v", report.Verdict, report.BrokenGlass)
			}
			if g := report.BrokenGlass[0]; g.By != "root" || g.Change != rankerPath || len(g.Lifted) != 1 || !strings.Contains(g.Reason, "payments are down") {
				t.Errorf("%+v", g)
			}
			comment := Comment(report)
			expect(t, strings.SplitN(comment, "\n", 2)[0], escape("BREAK-GLASS by root"))
			expectNot(t, comment, "<!-- @here")
			statuses := Statuses(report, "")
			expect(t, statuses[len(statuses)-1].Description, "BREAK-GLASS by root; approved")

			j.req.People.Reviews = j.req.People.Reviews[1:] // the manager's is gone
			if report := j.at(at); report.Verdict != policy.Pending || len(report.Changes[0].Approvals.Missing) != 1 {
				t.Errorf("with an approval missing: %s", report.Verdict)
			}
		})
	}
	t.Run("nobody needs it while it is open", func(t *testing.T) {
		j := timed(t)
		j.glass("root")
		if report := j.at(time.Hour); report.Verdict != policy.Pass || len(report.BrokenGlass) != 0 {
			t.Errorf("%s: %+v", report.Verdict, report.BrokenGlass)
		}
	})
	t.Run("whoever may not is told so", func(t *testing.T) {
		j := timed(t)
		j.glass("mia")
		report := j.at(weekend)
		if report.Verdict != policy.Pending || len(report.BrokenGlass) != 0 {
			t.Errorf("%s", report.Verdict)
		}
		expect(t, Comment(report), "does not hold the role platform-admin")
	})
	t.Run("a team that is not known is an error", func(t *testing.T) {
		j := timed(t)
		j.glass("root")
		delete(j.req.People.Teams, "acme/platform")
		if report := j.at(weekend); report.Verdict != policy.Error {
			t.Errorf("%s", report.Verdict)
		}
		if report := j.at(time.Hour); report.Verdict != policy.Pass {
			t.Errorf("while it is open: %s", report.Verdict)
		}
	})
}

// TestTheVerdictHoldsUntilTheReportSaysSo: between now and Until time alone
// changes no verdict.
func TestTheVerdictHoldsUntilTheReportSaysSo(t *testing.T) {
	j := timed(t)
	users := []string{"mia", "sam", "root", "ada"}
	rapid.Check(t, func(t *rapid.T) {
		j.req.People.Reviews = nil
		for range rapid.IntRange(0, 5).Draw(t, "reviews") {
			j.review(rapid.SampledFrom(users).Draw(t, "user"), rapid.SampledFrom([]string{"APPROVED", "APPROVED", "CHANGES_REQUESTED", "DISMISSED"}).Draw(t, "state"),
				time.Duration(rapid.IntRange(-720, 900).Draw(t, "hour"))*time.Hour)
			if rapid.Bool().Draw(t, "glass") {
				j.req.People.Reviews[len(j.req.People.Reviews)-1].Body = payments
			}
		}
		verdict := func(at time.Time) (*Report, policy.Verdict) {
			j.req.Now = at
			report, err := Evaluate(context.Background(), j.repo, j.req)
			if err != nil {
				t.Fatal(err)
			}
			return report, report.Verdict
		}
		now := asked.Add(time.Duration(rapid.IntRange(0, 1000*60).Draw(t, "minute")) * time.Minute)
		report, want := verdict(now)
		last := now.Add(2000 * time.Hour)
		if !report.Until.IsZero() {
			last = report.Until
		}
		if !last.After(now) {
			t.Fatalf("at %v it holds until %v", now, last)
		}
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		for _, at := range []time.Time{now.Add(time.Duration(share * float64(last.Sub(now)-1))), last.Add(-1)} {
			if _, got := verdict(at); got != want {
				t.Fatalf("%s at %v, %s at %v, and it holds until %v", want, now, got, at, last)
			}
		}
	})
}
