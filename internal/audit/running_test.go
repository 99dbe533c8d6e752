package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// deed of a test is one record about a model, an apply unless it says otherwise.
type testDeed struct {
	model, blob, reason string
	repository, glass   string
	action              Action
	phase               Phase
	pull                int
}

func runningLog(t *testing.T, deeds ...testDeed) []byte {
	t.Helper()
	path := logPath(t)
	l := open(t, path, Options{})
	for i, d := range deeds {
		e := entry(i)
		e.Subject.Model, e.Evidence, e.Reason = d.model, approvedBy(d.pull), d.reason
		if d.pull != 0 {
			e.Evidence = approvedBy(d.pull, map[string]any{"login": "ada", "role": "legal"})
		}
		approved := e.Evidence["approved"].(map[string]any)
		if approved["blob"] = d.blob; d.glass != "" {
			approved["brokenGlass"] = map[string]any{"by": d.glass, "reason": "patients wait"}
		}
		if strings.HasPrefix(d.reason, release.FailedPrefix) {
			delete(e.Evidence, "approved") // as the release engine writes it
		}
		if d.repository != "" {
			e.Subject.Repository = d.repository
		}
		if d.action != "" {
			e.Action = d.action
		}
		if d.phase != "" {
			e.Phase = d.phase
		}
		mustAppend(t, l, e)
	}
	return read(t, path)
}

func TestRunningIsWhatTheLastGoodOutcomesLeft(t *testing.T) {
	log := runningLog(t,
		testDeed{model: "churn", blob: "one"},
		testDeed{model: "churn", blob: "two", pull: 2, phase: PhaseIntent},
		testDeed{model: "churn", blob: "two", pull: 2},
		testDeed{model: "churn", blob: "two", pull: 2}, // once more, after an upgrade
		testDeed{model: "fraud", blob: "one"},
		testDeed{model: "fraud", reason: "failed: Refused"},
		testDeed{model: "gone", blob: "one"},
		testDeed{model: "gone", action: ActionPrune},
		testDeed{model: "stays", blob: "one"},
		testDeed{model: "stays", action: ActionPrune, reason: "failed: ApplyFailed"},
		testDeed{model: "never", reason: "failed: Refused"},
		testDeed{model: "churn", blob: "two", action: ActionHeal},
		testDeed{blob: "a team's"},
	)
	for name, c := range map[string]struct {
		filter Filter
		want   string
	}{
		"everything":      {Filter{}, "churn 3 #2 ; fraud 5 #0 Refused; stays 9 #0 "},
		"a model":         {Filter{Model: "fraud"}, "fraud 5 #0 Refused"},
		"of a person":     {Filter{Person: "Ada"}, "churn 3 #2 "},
		"of nobody":       {Filter{Person: "sam"}, ""},
		"at another team": {Filter{Team: "risk"}, ""},
		"at an earlier time": {
			Filter{Until: time.Date(2026, 3, 1, 9, 0, 8, 0, time.UTC)}, "churn 3 #2 ; fraud 5 #0 Refused; gone 7 #0 ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			runs, err := Running(bytes.NewReader(log), c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				got = append(got, fmt.Sprintf("%s %d #%d %s", r.Model, r.Record, r.PullRequest, r.Failed))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got %q, want %q", strings.Join(got, "; "), c.want)
			}
		})
	}
}

func TestRunningListsWhatMayBeDeployedInPart(t *testing.T) {
	begin := testDeed{model: "churn", blob: "one", pull: 2, phase: PhaseIntent}
	fail := func(reason string) testDeed { return testDeed{model: "churn", reason: release.FailedPrefix + reason} }
	for name, c := range map[string]struct {
		deeds []testDeed
		want  string
	}{
		"some of it":                 {[]testDeed{begin, fail("PartlyApplied")}, "2 #2 PartlyApplied true"},
		"nobody knows":               {[]testDeed{begin, fail("Unavailable")}, "2 #2 Unavailable true"},
		"another failure":            {[]testDeed{begin, fail("ApplyFailed"), fail("PartlyApplied")}, "2 #2 PartlyApplied true"},
		"refused from then on":       {[]testDeed{begin, fail("PartlyApplied"), fail("Refused")}, "2 #2 Refused true"},
		"refused at once":            {[]testDeed{begin, fail("Refused"), fail("PruneGuard")}, ""},
		"without its intent":         {[]testDeed{fail("ApplyFailed")}, "1 #0 ApplyFailed true"},
		"whole at last":              {[]testDeed{begin, fail("PartlyApplied"), {model: "churn", blob: "one", pull: 2}}, "3 #2  false"},
		"whole before":               {[]testDeed{{model: "churn", blob: "zero"}, begin, fail("PartlyApplied")}, "1 #0 PartlyApplied false"},
		"removed":                    {[]testDeed{begin, fail("PartlyApplied"), {model: "churn", action: ActionPrune}}, ""},
		"taken to another one's":     {[]testDeed{{model: "churn", blob: "one", repository: "old"}, {model: "churn", blob: "two", repository: "new"}}, "2 #0  false"},
		"removed by another one":     {[]testDeed{{model: "churn", blob: "one", repository: "old"}, {model: "churn", action: ActionPrune, repository: "new"}}, ""},
		"taken back after a refusal": {[]testDeed{{model: "churn", blob: "one"}, fail("Refused"), {model: "churn", blob: "one"}}, "1 #0  false"},
	} {
		t.Run(name, func(t *testing.T) {
			runs, err := Running(bytes.NewReader(runningLog(t, c.deeds...)), Filter{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				got = append(got, fmt.Sprintf("%d #%d %s %t", r.Record, r.PullRequest, r.Failed, r.Partly))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRunningSaysNothingOfABrokenLog(t *testing.T) {
	log := runningLog(t, testDeed{model: "churn", blob: "one"}, testDeed{model: "churn", blob: "two"})
	log = bytes.Replace(log, []byte(`"two"`), []byte(`"six"`), 1)
	if runs, err := Running(bytes.NewReader(log), Filter{}); err == nil || runs != nil {
		t.Errorf("%v, %v", runs, err)
	}
}

func TestRunningForPeopleNamesPeopleAndRecords(t *testing.T) {
	log := runningLog(t, testDeed{model: "churn", blob: "two", pull: 2, glass: "octo-vp"},
		testDeed{model: "fraud", blob: "one"}, testDeed{model: "fraud", reason: "failed: Refused"},
		testDeed{model: "score", reason: "failed: Unavailable"})
	runs, err := Running(bytes.NewReader(log), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := WriteRunning(&out, runs); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		"data-science/churn  3        2026-03-01T09:00:01Z  c0ffee                                    #2, high (36)  ada (legal); octo-vp broke the glass ",
		"trusted        nobody: named by spec.trustFrom; the newest apply failed: Refused",
		"not on record  not on record; never applied as a whole: Unavailable",
	} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, out.String())
		}
	}
	if runs, err := Running(bytes.NewReader(log), Filter{Person: "Octo-VP"}); err != nil || len(runs) != 1 || runs[0].BrokenGlass.Reason != "patients wait" {
		t.Errorf("what rests on a broken glass: %+v, %v", runs, err)
	}
}
