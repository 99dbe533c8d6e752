package review

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

const (
	rankerPath = "models/data-science/product-ranker/production/deployment.yaml"
	churnPath  = "models/data-science/churn-predictor/production/deployment.yaml"
)

// asked is a Monday; the level's time is 48 hours for the ranker, 120 for the churn predictor.
var asked = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

// judgement evaluates one pull request at many times.
type judgement struct {
	testing.TB
	repo *source.Repository
	req  Request
}

func judgementOf(t *testing.T, path, before, after string) *judgement {
	t.Helper()
	repo, pr, base := pullRequestOf(t, "change", nil, func(files map[string]string) {
		if !strings.Contains(files[path], before) {
			t.Fatalf("%s has no %s", path, before)
		}
		files[path] = strings.Replace(files[path], before, after, 1)
	})
	people := People{Author: Account{Login: "ada"}, Requested: asked, Teams: map[string][]Account{
		"acme/ml-managers": {{Login: "mia"}}, "acme/senior-ds": {{Login: "sam"}}, "acme/ds-leads": nil,
		"acme/ml-architects": {{Login: "ari"}}, "acme/product": nil, "acme/legal": {{Login: "lou"}}, "acme/security": nil,
	}}
	return &judgement{t, repo, Request{Base: base, Head: pr.Head, People: people, Repository: "models"}}
}

func (j *judgement) at(after time.Duration) *Report {
	j.Helper()
	j.req.Now = asked.Add(after)
	report, err := Evaluate(context.Background(), j.repo, j.req)
	if err != nil {
		j.Fatal(err)
	}
	if len(report.Changes) != 1 {
		j.Fatalf("%d changes", len(report.Changes))
	}
	return report
}

func (j *judgement) review(user, state string, after time.Duration) {
	j.req.People.Reviews = append(j.req.People.Reviews, Review{
		User: user, Type: "User", State: state, CommitID: j.req.Head.String(), SubmittedAt: asked.Add(after),
	})
}

func expect(t *testing.T, text string, says ...string) {
	t.Helper()
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
}

func expectNot(t *testing.T, text string, says ...string) {
	t.Helper()
	for _, s := range says {
		if strings.Contains(text, s) {
			t.Errorf("it says %q:\n%s", s, text)
		}
	}
}

func TestTheTimeToApproveIsShown(t *testing.T) {
	j := judgementOf(t, rankerPath, `"9"`, `"10"`)
	for _, tc := range []struct {
		name      string
		after     time.Duration
		says      string
		overdue   bool
		holdsFor  time.Duration // until, after asked
		otherwise string
	}{
		{"at the start", 0, "due Wed 2026-11-25 14:00 UTC", false, 36 * time.Hour, "quarter"},
		{"after three quarters", 36 * time.Hour, "due Wed 2026-11-25 14:00 UTC, less than a quarter of 48h is left", false, 48 * time.Hour, "overdue"},
		{"at the end", 48 * time.Hour, "overdue since Wed 2026-11-25 14:00 UTC", true, 0, "; due"},
		{"long after", 300 * time.Hour, "overdue since Wed 2026-11-25 14:00 UTC", true, 0, "; due"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := j.at(tc.after)
			c := report.Changes[0]
			if c.Approvals.Overdue != tc.overdue || !c.Waits() || report.Verdict != policy.Pending {
				t.Errorf("overdue %t, waits %t, %s", c.Approvals.Overdue, c.Waits(), report.Verdict)
			}
			if want := asked.Add(tc.holdsFor); tc.holdsFor != 0 && !report.Until.Equal(want) {
				t.Errorf("it holds until %v, want %v", report.Until, want)
			}
			comment := Comment(report)
			expect(t, comment, "**Next:** approving reviews by each of these roles; **"+escape(tc.says)+"**:", "Approvals \\(48h\\) are "+escape(tc.says))
			expectNot(t, comment, tc.otherwise)
			var text bytes.Buffer
			if err := report.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			expect(t, text.String(), "  Approvals (48h) are "+tc.says)
		})
	}
}

func TestTheCommentStaysTheSameUntilTheReportSaysSo(t *testing.T) {
	j := judgementOf(t, churnPath, `version: "2"`, `version: "3"`)
	j.review("ari", "APPROVED", time.Hour)
	for now := time.Hour; now < 1000*time.Hour; {
		report := j.at(now)
		if report.Until.IsZero() {
			return
		}
		holds := report.Until.Sub(asked)
		if holds <= now {
			t.Fatalf("at %v it holds until %v", now, holds)
		}
		if a, b := Comment(report), Comment(j.at(holds-1)); a != b {
			t.Fatalf("the comment changes between %v and %v:\n%s\n%s", now, holds, a, b)
		}
		now = holds
	}
}

func TestTheReportHasTheDeadline(t *testing.T) {
	j := judgementOf(t, rankerPath, `"9"`, `"10"`)
	j.review("mia", "APPROVED", time.Hour)
	encode := func(r *Report) string {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text := encode(j.at(50 * time.Hour))
	expect(t, text, `"sla":"48h"`, `"due":"2026-11-25T14:00:00Z"`, `"overdue":true`, `"expires":"2026-12-23T15:00:00Z"`)

	j.review("sam", "APPROVED", 51*time.Hour)
	report := j.at(52 * time.Hour)
	text = encode(report)
	expectNot(t, text, `"due"`, `"overdue"`)
	if report.Verdict != policy.Pass || report.Changes[0].Waits() {
		t.Errorf("approved late, it is %s", report.Verdict)
	}
	expect(t, Comment(report), "The first approval counts until Wed 2026-12-23 15:00 UTC")
	if !report.Until.Equal(asked.Add(721 * time.Hour)) {
		t.Errorf("it holds until %v, not until the first approval expires", report.Until)
	}
}

func TestWhoIsNotAskedHasNoDeadline(t *testing.T) {
	j := judgementOf(t, churnPath, `version: "2"`, `version: "3"`)
	j.req.People.Requested = time.Time{} // a draft
	report := j.at(1000 * time.Hour)
	comment := Comment(report)
	expectNot(t, comment, "due", "agenda")
	if report.Changes[0].Approvals.Overdue || len(report.Meetings) != 0 || report.Verdict != policy.Pending {
		t.Errorf("%s: %+v", report.Verdict, report.Changes[0].Approvals)
	}
}

func TestLowRiskIsNeverDue(t *testing.T) {
	const forecastPath = "models/data-science/demand-forecast/development/deployment.yaml"
	j := judgementOf(t, forecastPath, "min: 1", "min: 2")
	report := j.at(1000 * time.Hour)
	if c := report.Changes[0]; c.Approvals.Overdue || !c.Approvals.Due.IsZero() || c.Waits() {
		t.Errorf("%+v", c.Approvals)
	}
}

func TestAChangeOnlyWaitsForOthersWhenItsAuthorIsDone(t *testing.T) {
	j := judgementOf(t, churnPath, `version: "2"`, `version: "3"`)
	if report := j.at(0); !report.Changes[0].Waits() || len(report.Meetings) != 1 {
		t.Fatalf("waits %t, %d meetings", report.Changes[0].Waits(), len(report.Meetings))
	}
	j.review("lou", "CHANGES_REQUESTED", time.Hour)
	if report := j.at(2 * time.Hour); report.Changes[0].Waits() || len(report.Meetings) != 1 {
		t.Errorf("with changes requested by the board: waits %t, %d meetings", report.Changes[0].Waits(), len(report.Meetings))
	}
	j.req.People.Reviews = nil
	frozen := j.at(time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC).Sub(asked))
	if frozen.Verdict != policy.Fail || !frozen.Changes[0].Waits() || len(frozen.Meetings) != 1 {
		t.Errorf("in a freeze: %s, waits %t", frozen.Verdict, frozen.Changes[0].Waits())
	}
	broken := judgementOf(t, churnPath, "spec:\n", "spec:\n  unknown: field\n").at(0)
	if broken.Changes[0].Waits() || len(broken.Meetings) != 0 {
		t.Errorf("a broken manifest waits for the board")
	}
}

func TestTheCommentNamesTheMeeting(t *testing.T) {
	j := judgementOf(t, churnPath, `version: "2"`, `version: "3"`)
	thursday := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		asked:                          "On the agenda of cab: Thu 2026-11-26 14:00–16:00 America/New\\_York",
		thursday.Add(21*time.Hour - 1): "Thu 2026-11-26 14:00",
		thursday.Add(21 * time.Hour):   "Thu 2026-12-03 14:00", // 16:00 there: the meeting is over
	} {
		expect(t, Comment(j.at(at.Sub(asked))), want)
	}
}

// timedForge also knows since when a pull request is ready.
type timedForge struct {
	*fakeForge
	since time.Time
	asked int
}

func (f *timedForge) ReadySince(context.Context, PullRequest) (time.Time, error) {
	f.asked++
	return f.since, f.fail("clock")
}

func TestTheClockRunsFromReadyForReview(t *testing.T) {
	repo, pr, base := pullRequest(t, "change")
	gather := func(pr PullRequest, failing string) (time.Time, int, error) {
		forge := &timedForge{&fakeForge{commits: attributed("ada", "ada"), own: []source.ID{pr.Head}, failing: failing}, asked.In(time.FixedZone("", 3600)), 0}
		people, err := GatherPeople(t.Context(), forge, repo, nil, pr, base)
		return people.Requested, forge.asked, err
	}
	if since, _, err := gather(pr, ""); err != nil || since != asked {
		t.Errorf("ready since %v: %v", since, err)
	}
	if _, _, err := gather(pr, "clock"); err == nil || !strings.Contains(err.Error(), "ready for review") {
		t.Errorf("a forge that does not answer: %v", err)
	}
	draft, merged := pr, pr
	draft.Draft, merged.MergedAt = true, asked
	for name, pr := range map[string]PullRequest{"a draft": draft, "a merged one": merged} {
		if since, calls, err := gather(pr, "clock"); err != nil || !since.IsZero() || calls != 0 {
			t.Errorf("%s: since %v, %d requests, %v", name, since, calls, err)
		}
	}
}

func TestPeopleFilesMaySayWhenReviewWasRequested(t *testing.T) {
	people, err := ReadPeople(strings.NewReader(`{"author":"ada","requested":"2026-11-23T15:00:00+01:00"}`))
	if err != nil || !people.Requested.Equal(asked) {
		t.Errorf("%v: %v", people.Requested, err)
	}
	if _, err := ReadPeople(strings.NewReader(`{"author":"ada","requested":"yesterday"}`)); err == nil {
		t.Error("yesterday is no time")
	}
	text, err := json.Marshal(Nobody())
	if err != nil || strings.Contains(string(text), "requested") {
		t.Errorf("%s: %v", text, err)
	}
}
