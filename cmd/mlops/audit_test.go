package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/audit"
)

// trail is an audit log of two records, one on each of two days.
func trail(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	log, err := audit.Open(path, audit.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	approved := map[string]any{"pullRequest": 2, "level": "high", "score": 36, "commit": "c0ffee", "by": []any{map[string]any{"login": "ada", "role": "legal"}}}
	for _, key := range []string{"first", "second"} {
		_, err := log.Append(t.Context(), audit.Entry{
			Key: key, Phase: audit.PhaseOutcome, Action: audit.ActionApply, Actor: "mooring", Reason: "the approved content changed", Commit: "c0ffee",
			Subject:  audit.Subject{Repository: "models", Team: "risk", Model: key, Environment: "production"},
			Evidence: map[string]any{"version": "3", "approved": approved},
		})
		if err != nil {
			t.Fatal(err)
		}
		at = at.AddDate(0, 0, 1)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// asked runs one command.
func asked(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, told bytes.Buffer
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&told)
	err = root.ExecuteContext(t.Context())
	return out.String(), told.String(), err
}

func TestAnAuditQuestionIsAnsweredForPeople(t *testing.T) {
	log := trail(t)
	for name, c := range map[string]struct {
		args []string
		says []string
		not  string
	}{
		"what runs": {[]string{"running"}, []string{"risk/first", "#2, high (36)", "ada (legal)", "risk/second"}, "trusted"},
		"what ran":  {[]string{"running", "--until", "2026-03-02"}, []string{"risk/first"}, "risk/second"},
		"what happened on a day": {
			[]string{"export", "-o", "text", "--since", "2026-03-02", "--until", "2026-03-03"}, []string{"record 2  apply done  risk/second"}, "record 1",
		},
		"what a person approved": {[]string{"export", "-o", "text", "--person", "ADA"}, []string{"record 1", "record 2"}, "record 3"},
		"whether it is whole": {
			[]string{"verify"}, []string{"unbroken: 2 records from 2026-03-01T09:00:00Z to 2026-03-02T09:00:00Z, head 2:"}, "BROKEN",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, told, err := asked(t, append([]string{"audit", c.args[0], log}, c.args[1:]...)...)
			if err != nil || told != "" {
				t.Fatal(err, told)
			}
			for _, s := range c.says {
				if !strings.Contains(out, s) {
					t.Errorf("it does not say %q:\n%s", s, out)
				}
			}
			if strings.Contains(out, c.not) {
				t.Errorf("it says %q:\n%s", c.not, out)
			}
		})
	}
}

func TestRunningForProgramsIsAListEvenWithoutAny(t *testing.T) {
	for model, want := range map[string]int{"first": 1, "none": 0} {
		out, _, err := asked(t, "audit", "running", trail(t), "-o", "json", "--model", model)
		var runs []audit.Run
		if err != nil || json.Unmarshal([]byte(out), &runs) != nil || runs == nil || len(runs) != want {
			t.Errorf("%s: %v %s", model, err, out)
		}
	}
}

func TestNothingIsNeverTakenForAnAnswer(t *testing.T) {
	log := trail(t)
	for _, wrong := range [][]string{
		{"--action", "brake-glass"}, {"--action", "rollback"}, {"--since", "March"}, {"--until", "2026-3-1"}, {"-o", "xml"},
	} {
		out, _, err := asked(t, append([]string{"audit", "export", log}, wrong...)...)
		if usage := (usageError{}); !errors.As(err, &usage) || out != "" {
			t.Errorf("%q: %v, %q", wrong, err, out)
		}
	}
	out, told, err := asked(t, "audit", "export", log, "--action", "break-glass")
	if err != nil || out != "" || told != "mlops: no record matches\n" {
		t.Errorf("%v, %q, %q", err, out, told)
	}
}

func TestWithoutAHeadItIsSaidWhatIsProvenAndWhatNot(t *testing.T) {
	log := trail(t)
	head, _, err := asked(t, "audit", "verify", log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(log + ".head"); err != nil {
		t.Fatal(err)
	}
	_, _, err = asked(t, "audit", "verify", log)
	for _, s := range []string{"2 records are unbroken, to 2:", "not proven", "head file is missing: " + log + ".head", "give --head"} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("it does not say %q: %v", s, err)
		}
	}
	noted := strings.TrimSpace(head[strings.LastIndex(head, " ")+1:])
	if out, _, err := asked(t, "audit", "verify", log, "--head", noted); err != nil || !strings.Contains(out, "unbroken") {
		t.Errorf("with the head that was noted: %v %s", err, out)
	}
}

func TestALogThatWasCutOffGivesNoAnswer(t *testing.T) {
	log := trail(t)
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, content[:bytes.IndexByte(content, '\n')+1], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"running", "export"} {
		if _, _, err := asked(t, "audit", question, log); !errors.Is(err, audit.ErrBroken) || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%s: %v", question, err)
		}
	}
	if err := os.Remove(log + ".head"); err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"running", "export"} {
		out, told, err := asked(t, "audit", question, log)
		if err != nil || !strings.Contains(out, "first") {
			t.Errorf("%s: %v, %q", question, err, out)
		}
		for _, s := range []string{"mlops: ", "not proven", "head file is missing: " + log + ".head", "--head"} {
			if !strings.Contains(told, s) {
				t.Errorf("%s does not say %q beside its answer: %s", question, s, told)
			}
		}
	}
	if err := os.WriteFile(log+".head", []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"running", "export"} {
		if out, _, err := asked(t, "audit", question, log); err == nil || out != "" {
			t.Errorf("%s: %v, %q", question, err, out)
		}
	}
}
