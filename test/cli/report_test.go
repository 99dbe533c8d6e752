package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The JSON of plan and validate as users' programs read it.
type (
	finding struct {
		Severity, File        string
		Line, Column          int
		Code, Message, Remedy string
	}
	slot   struct{ Role, By string }
	change struct {
		Path, Team, Model, Environment, Kind, Digest string
		Risk                                         struct {
			Score   int
			Level   string
			Factors map[string]int
		}
		Approvals struct {
			Satisfied bool
			Slots     []slot
			Missing   []string
			BlockedBy []string
		}
		Cost struct {
			Currency                          string
			MonthlyBefore, MonthlyAfter       float64
			MonthlyMaxBefore, MonthlyMaxAfter float64
		}
		Findings []finding
		Diff     string
	}
	report struct {
		Verdict  string
		Stages   []struct{ Name, Verdict, Reason string }
		Changes  []change
		Findings []finding
	}
	validation struct {
		Valid     bool
		Manifests int
		Findings  []finding
	}
)

// at is the time of judging unless a case names another.
const at = "2026-06-10T12:00:00Z"

// plan runs `mlops plan -o json` over main and pr and checks what holds of every
// report: its exit code, its stages, its lists.
func (r *repo) plan(args ...string) report {
	r.t.Helper()
	p, _ := r.planRaw(args...)
	return p
}

func (r *repo) planRaw(args ...string) (report, outcome) {
	r.t.Helper()
	full := []string{"plan", "--repo", r.dir, "-o", "json"}
	for _, one := range [][2]string{{"--base", "main"}, {"--head", "pr"}, {"--at", at}} {
		if !slices.Contains(args, one[0]) {
			full = append(full, one[0], one[1])
		}
	}
	o := mlops(r.t, r.dir, "", append(full, args...)...)
	var p report
	if err := json.Unmarshal([]byte(o.stdout), &p); err != nil {
		r.t.Fatalf("no JSON (exit %d): %v\n%s%s", o.code, err, o.stdout, o.stderr)
	}
	if want := map[string]int{"pass": 0, "fail": 1, "pending": 1, "error": 3}[p.Verdict]; o.code != want {
		r.t.Errorf("verdict %s, exit %d, want %d", p.Verdict, o.code, want)
	}
	var stages []string
	for _, s := range p.Stages {
		stages = append(stages, s.Name)
		if s.Reason == "" {
			r.t.Errorf("stage %s has no reason", s.Name)
		}
	}
	if got := strings.Join(stages, " "); got != "validate security test approval build" {
		r.t.Errorf("stages are %s", got)
	}
	if strings.Contains(o.stdout, ": null") {
		r.t.Errorf("the report holds a null:\n%s", o.stdout)
	}
	return p, o
}

func (p report) stage(name string) (verdict, reason string) {
	for _, s := range p.Stages {
		if s.Name == name {
			return s.Verdict, s.Reason
		}
	}
	return "", ""
}

func (p report) change(t *testing.T, path string) change {
	t.Helper()
	for _, c := range p.Changes {
		if c.Path == path {
			return c
		}
	}
	t.Fatalf("no change of %s in %+v", path, p)
	return change{}
}

// codes are the codes of findings, with ! behind those of errors.
func codes(findings []finding) string {
	var out []string
	for _, f := range findings {
		if f.Code == "not-acted-on" { // of the example itself
			continue
		}
		c := f.Code
		if f.Severity == "error" {
			c += "!"
		}
		out = append(out, c)
	}
	return strings.Join(out, " ")
}

func find(t *testing.T, findings []finding, code string) finding {
	t.Helper()
	for _, f := range findings {
		if f.Code == code {
			return f
		}
	}
	t.Fatalf("no finding %s in %+v", code, findings)
	return finding{}
}

// seats prints slots as role=by.
func (c change) seats() string {
	var out []string
	for _, s := range c.Approvals.Slots {
		out = append(out, s.Role+"="+s.By)
	}
	return strings.Join(out, " ")
}

// summary is one line a change: kind, path, level, score.
func (p report) summary() string {
	var lines []string
	for _, c := range p.Changes {
		lines = append(lines, fmt.Sprintf("%s %s %s %d", c.Kind, c.Path, c.Risk.Level, c.Risk.Score))
	}
	return strings.Join(lines, "\n")
}

func (r *repo) validate() validation {
	r.t.Helper()
	o := mlops(r.t, r.dir, "", "validate", r.dir, "-o", "json")
	var v validation
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
		r.t.Fatalf("no JSON (exit %d): %v\n%s%s", o.code, err, o.stdout, o.stderr)
	}
	if v.Valid != (o.code == 0) || o.code > 1 {
		r.t.Errorf("valid %v, exit %d", v.Valid, o.code)
	}
	if strings.Contains(o.stdout, ": null") {
		r.t.Errorf("the result holds a null:\n%s", o.stdout)
	}
	return v
}

// people is a reviews file in the making.
type people struct {
	Author         string              `json:"author"`
	Committers     []string            `json:"committers"`
	CoAuthors      []string            `json:"coAuthors"`
	Reviews        []review            `json:"reviews"`
	Teams          map[string][]string `json:"teams"`
	FilesTruncated bool                `json:"files_truncated"`
}

type review struct {
	User        string `json:"user"`
	Type        string `json:"type"`
	State       string `json:"state"`
	CommitID    string `json:"commit_id"`
	SubmittedAt string `json:"submitted_at"`
}

// reviewed are the people of the example repository, with reviews of the head.
func reviewed(reviews ...review) people {
	return people{
		Author: "ada", Committers: []string{}, CoAuthors: []string{}, Reviews: reviews,
		Teams: map[string][]string{
			"acme/ds-leads": {"lea"}, "acme/ml-managers": {"mia", "max"}, "acme/senior-ds": {"sam", "max"},
			"acme/ml-architects": {"ari"}, "acme/product": {"pat"}, "acme/legal": {"lou"},
			"acme/security": {"sec"}, "acme/platform": {"plo"},
		},
	}
}

// gave is a review of the head, minutes before the time of judging.
func gave(user, state string, minutesBefore int) review {
	return review{User: user, Type: "User", State: state, CommitID: "HEAD", SubmittedAt: before(time.Duration(minutesBefore) * time.Minute)}
}

func before(d time.Duration) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return t.Add(-d).Format(time.RFC3339)
}

func approve(users ...string) []review {
	var out []review
	for _, u := range users {
		out = append(out, gave(u, "APPROVED", 60))
	}
	return out
}

func (v review) on(commit string) review { v.CommitID = commit; return v }
func (v review) ago(d time.Duration) review {
	v.SubmittedAt = before(d)
	return v
}

// planWith plans with a reviews file; HEAD stands for the head's commit.
func (r *repo) planWith(p people, args ...string) report {
	r.t.Helper()
	head := r.git("rev-parse", "pr")
	for i := range p.Reviews {
		if p.Reviews[i].CommitID == "HEAD" {
			p.Reviews[i].CommitID = head
		}
	}
	if p.Reviews == nil {
		p.Reviews = []review{}
	}
	data, err := json.Marshal(p)
	if err != nil {
		r.t.Fatal(err)
	}
	file := filepath.Join(r.t.TempDir(), "reviews.json")
	write(r.t, file, string(data))
	return r.plan(append(args, "--reviews", file)...)
}

// "Valid" is no promise that the gate passes it.
func TestValidateSaysWhatItDoesNotAsk(t *testing.T) {
	const line = "; 'mlops plan' asks them of a committed change\n"
	r := newRepo(t)
	r.write(ranker, strings.Replace(r.read(ranker), "  serving:\n", "  serving:\n    env: [{name: LD_PRELOAD, value: /x.so}]\n", 1))
	o := mlops(t, r.dir, "", "validate")
	if !strings.HasSuffix(o.stdout, line) || !strings.Contains(o.stdout, "valid\nnot asked: ") || o.code != 0 {
		t.Errorf("exit %d: %s", o.code, o.all())
	}
	if o := mlops(t, r.dir, "", "validate", "-o", "json"); strings.Contains(o.all(), "not asked") {
		t.Errorf("it stands in the JSON: %s", o.all())
	}
	r.head(nil)
	if p := r.plan(); !strings.Contains(fmt.Sprint(p.change(t, ranker).Findings), "LD_PRELOAD") {
		t.Errorf("plan does not ask it: %+v", p)
	}
	r.write(ranker, "kind: [")
	if o := mlops(t, r.dir, "", "validate"); strings.Contains(o.stdout, "not asked") || o.code != 1 {
		t.Errorf("what is broken is said to be broken, and no more: %s", o.all())
	}
}
