package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// deed of a test is one record about a model, an apply unless it says otherwise.
type testDeed struct {
	model, blob, reason string
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
		e.Evidence["approved"].(map[string]any)["blob"] = d.blob
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

func TestRunningSaysNothingOfABrokenLog(t *testing.T) {
	log := runningLog(t, testDeed{model: "churn", blob: "one"}, testDeed{model: "churn", blob: "two"})
	log = bytes.Replace(log, []byte(`"two"`), []byte(`"six"`), 1)
	if runs, err := Running(bytes.NewReader(log), Filter{}); err == nil || runs != nil {
		t.Errorf("%v, %v", runs, err)
	}
}

func TestRunningForPeopleNamesPeopleAndRecords(t *testing.T) {
	log := runningLog(t, testDeed{model: "churn", blob: "two", pull: 2}, testDeed{model: "fraud", blob: "one"}, testDeed{model: "fraud", reason: "failed: Refused"})
	runs, err := Running(bytes.NewReader(log), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := WriteRunning(&out, runs); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		"data-science/churn  3        2026-03-01T09:00:01Z  c0ffee  #2, high (36)  ada (legal)",
		"trusted        nobody: named by spec.trustFrom; the newest apply failed: Refused",
	} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, out.String())
		}
	}
}
