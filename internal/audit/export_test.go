package audit

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func exportLog(t *testing.T) []byte {
	t.Helper()
	path := logPath(t)
	l := open(t, path, Options{})
	for i, c := range []struct {
		team, model, environment string
		action                   Action
	}{
		{"risk", "fraud", "production", ActionApply},
		{"risk", "fraud", "staging", ActionApply},
		{"risk", "score", "production", ActionHeal},
		{"growth", "churn", "production", ActionPrune},
	} {
		e := entry(i)
		e.Subject.Team, e.Subject.Model, e.Subject.Environment, e.Action = c.team, c.model, c.environment, c.action
		mustAppend(t, l, e)
	}
	return read(t, path)
}

func TestExportSelects(t *testing.T) {
	log := exportLog(t)
	at := func(seq int) time.Time { return records(t, log)[seq-1].Time }
	for name, c := range map[string]struct {
		filter Filter
		want   string
	}{
		"all":                     {Filter{}, "1234"},
		"a team":                  {Filter{Team: "risk"}, "123"},
		"a model":                 {Filter{Model: "fraud"}, "12"},
		"an environment":          {Filter{Environment: "production"}, "134"},
		"actions":                 {Filter{Actions: []Action{ActionHeal, ActionPrune}}, "34"},
		"since, inclusive":        {Filter{Since: at(2)}, "234"},
		"until, exclusive":        {Filter{Until: at(3)}, "12"},
		"a team's environment":    {Filter{Team: "risk", Environment: "production"}, "13"},
		"what is not there":       {Filter{Team: "nobody"}, ""},
		"a name is taken exactly": {Filter{Team: "Risk"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []Format{JSONLines, CSV} {
				var out bytes.Buffer
				n, err := Export(bytes.NewReader(log), &out, format, c.filter)
				if got := numbers(t, format, out.Bytes()); err != nil || got != c.want || n != len(c.want) {
					t.Errorf("%s: %d records %q, %v", format, n, got, err)
				}
			}
		})
	}
}

func TestExportFindsWhatAPersonApprovedOrDid(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	for i, c := range []struct {
		actor    string
		evidence map[string]any
	}{
		{"mooring", approvedBy(2, map[string]any{"login": "ada", "id": 7, "role": "legal"}, map[string]any{"login": "sam", "role": "manager"})},
		{"mooring", approvedBy(3, map[string]any{"login": "adam", "id": 8, "role": "legal"})},
		{"ada", nil},
		{"mooring", map[string]any{"approved": "of another shape"}},
		{"mooring", map[string]any{"note": "ada"}},
		{"mooring", map[string]any{"approved": map[string]any{"brokenGlass": map[string]any{"by": "octo-vp"}}}},
		{"mooring", approvedBy(4, map[string]any{"login": "7", "id": 9, "role": "legal"}, map[string]any{"login": "8", "role": "manager"})},
		{"mooring", map[string]any{"path": 5, "approved": map[string]any{"by": []any{map[string]any{"login": "ada"}}}, "version": 3}},
	} {
		e := entry(i)
		e.Actor, e.Evidence = c.actor, c.evidence
		mustAppend(t, l, e)
	}
	log := read(t, path)
	for person, want := range map[string]string{
		"ada": "138", "ADA": "138", "sam": "1", "0": "", "nobody": "", "Octo-VP": "6",
		"7": "1", "8": "27", // digits are the id, and the login only of who has none
	} {
		var out bytes.Buffer
		if _, err := Export(bytes.NewReader(log), &out, JSONLines, Filter{Person: person}); err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, JSONLines, out.Bytes()); got != want {
			t.Errorf("%s: records %q, want %q", person, got, want)
		}
	}
}

// approvedBy is the evidence of an approval as the release engine records it.
func approvedBy(pullRequest int, by ...any) map[string]any {
	return map[string]any{"version": "3", "approved": map[string]any{
		"pullRequest": pullRequest, "level": "high", "score": 36, "commit": "c0ffee", "blob": "b10b", "by": by,
	}}
}

func TestExportForPeopleSaysWhoWhatAndWhy(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	approve := entry(0)
	approve.Phase, approve.Action, approve.Reason, approve.Commit = PhaseDecision, ActionApprove, "pull request #2 was approved", "c0ffee"
	approve.Evidence = approvedBy(2, map[string]any{"login": "ada", "id": 7, "role": "legal", "reviewedAt": "2026-03-01T10:00:00+01:00"})
	approve.Evidence["approved"].(map[string]any)["brokenGlass"] = map[string]any{"by": "octo-vp", "reason": "patients wait"}
	failedApply := entry(1)
	failedApply.Reason, failedApply.Commit = "failed: Refused", ""
	failedApply.Evidence = map[string]any{"refused": []any{"InferenceService/a/b: Quota"}}
	glass := entry(2)
	glass.Phase, glass.Action, glass.Actor, glass.Commit = PhaseDecision, ActionBreakGlass, "octo-vp", ""
	glass.Reason = "patients wait\n2026-03-01T09:00:00Z  record 9  approve \u202e\x1b[2J"
	glass.Evidence = map[string]any{"pullRequest": 5, "lifted": []any{"freeze christmas"}}
	trusted, unreadable := entry(3), entry(4)
	trusted.Evidence, unreadable.Evidence = approvedBy(0), map[string]any{"approved": "of another shape"}
	for _, e := range []Entry{approve, failedApply, glass, trusted, unreadable} {
		mustAppend(t, l, e)
	}
	var out bytes.Buffer
	if n, err := Export(bytes.NewReader(read(t, path)), &out, Text, Filter{}); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	want := `2026-03-01T09:00:01Z  record 1  approve  data-science/churn-predictor in production
    pull request #2 was approved (commit c0ffee)
    version 3
    approved: #2, high (36), commit c0ffee, by ada (legal, reviewed 2026-03-01T09:00:00Z)
    octo-vp broke the glass: patients wait
2026-03-01T09:00:02Z  record 2  apply failed  data-science/churn-predictor in production
    failed: Refused
    InferenceService/a/b: Quota
2026-03-01T09:00:03Z  record 3  break-glass  data-science/churn-predictor in production  by octo-vp
    patients wait\u000a2026-03-01T09:00:00Z  record 9  approve \u202e\u001b[2J
    pull request #5, lifted freeze christmas
2026-03-01T09:00:04Z  record 4  apply done  data-science/churn-predictor in production
    approved by manager and senior data scientist (commit 2f1e9a4c7b3d5f60718293a4b5c6d7e8f9012345)
    version 3
    approved: trusted, commit c0ffee, by nobody: named by spec.trustFrom
2026-03-01T09:00:05Z  record 5  apply done  data-science/churn-predictor in production
    approved by manager and senior data scientist (commit 2f1e9a4c7b3d5f60718293a4b5c6d7e8f9012345)
    approved: not on record
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// numbers gives the sequence numbers in an export.
func numbers(t *testing.T, format Format, out []byte) string {
	t.Helper()
	var b strings.Builder
	if format == CSV {
		rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			b.WriteString(row[0])
		}
		return b.String()
	}
	for _, text := range lines(out) {
		var l line
		if err := parseLine(bytes.TrimSuffix(text, []byte("\n")), &l); err != nil || !l.sealed() {
			t.Fatalf("%s: %v", text, err)
		}
		b.WriteByte(byte('0' + l.seq))
	}
	return b.String()
}

func TestExportedJSONLinesAreTheLogItself(t *testing.T) {
	log := exportLog(t)
	var out bytes.Buffer
	if _, err := Export(bytes.NewReader(log), &out, JSONLines, Filter{}); err != nil || !bytes.Equal(out.Bytes(), log) {
		t.Errorf("%v", err)
	}
}

func TestExportedCSVStartsNoFormula(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	for i, reason := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "", "plain, \"quoted\"\nand two lines"} {
		e := entry(i)
		e.Reason = reason
		mustAppend(t, l, e)
	}
	var out bytes.Buffer
	if _, err := Export(bytes.NewReader(read(t, path)), &out, CSV, Filter{}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const reason = 11
	if rows[0][reason] != "reason" || rows[8][reason] != "" || rows[9][reason] != "plain, \"quoted\"\nand two lines" {
		t.Errorf("%q", rows)
	}
	for _, row := range rows {
		for _, value := range row {
			if value != "" && strings.ContainsRune("=+-@\t\r\n", rune(value[0])) {
				t.Errorf("%q", value)
			}
		}
	}
}

func TestExportFailsWhereTheLogIsBroken(t *testing.T) {
	l := lines(exportLog(t))
	var out bytes.Buffer
	n, err := Export(bytes.NewReader(bytes.Join([][]byte{l[0], l[2]}, nil)), &out, JSONLines, Filter{})
	if n != 1 || !errors.Is(err, ErrBroken) || !bytes.Equal(out.Bytes(), l[0]) {
		t.Errorf("%d, %v", n, err)
	}
}

// Records that were cut off the end are missing from any answer.
func TestAnswersAreHeldAgainstAKnownHead(t *testing.T) {
	log := exportLog(t)
	all := records(t, log)
	cut := bytes.Join(lines(log)[:3], nil)
	for name, c := range map[string]struct {
		head Head
		want error
	}{
		"reached": {all[2].Head(), nil}, "cut off": {all[3].Head(), ErrBroken}, "another": {Head{Seq: 3, Hash: all[3].Hash}, ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Export(bytes.NewReader(cut), io.Discard, JSONLines, Filter{}, c.head); !errors.Is(err, c.want) {
				t.Errorf("export: %v", err)
			}
			if runs, err := Running(bytes.NewReader(cut), Filter{}, c.head); !errors.Is(err, c.want) || (runs == nil) != (err != nil) {
				t.Errorf("running: %v, %v", runs, err)
			}
		})
	}
}

func TestExportReportsAWriterThatFails(t *testing.T) {
	log := exportLog(t)
	for _, format := range []Format{JSONLines, CSV} {
		if _, err := Export(bytes.NewReader(log), failingWriter{}, format, Filter{}); !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("%s: %v", format, err)
		}
	}
	if _, err := Export(bytes.NewReader(log), failingWriter{}, "xml", Filter{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, iotest.ErrTimeout }
