package review

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

func TestEscape(t *testing.T) {
	const j = joiner
	for name, tc := range map[string]struct{ in, line, html string }{
		"plain text stays":           {`churn in production: "high"`, `churn in production: "high"`, `churn in production: &quot;high&quot;`},
		"a mention notifies nobody":  {"@octo-vp", "@" + j + "octo-vp", "@" + j + "octo-vp"},
		"a number links to no issue": {"#12", `\#` + j + "12", "#" + j + "12"},
		"nor does one by letters":    {"GH-12 high-12", "GH" + j + "-12 high-12", "GH" + j + "-12 high-12"},
		"nor does an advisory": {
			"GHSA-abcd-1234-efgh _cve-2024-12345", "GHSA" + j + `-abcd-1234-efgh \_cve` + j + "-2024-12345",
			"GHSA" + j + "-abcd-1234-efgh _cve" + j + "-2024-12345",
		},
		"nor does a commit, nor a part of one": {
			"200bf28 (0123456789abcdef0123456789ABCDEF01234567)",
			"200bf2" + j + `8 \(012345` + j + "6789ab" + j + "cdef01" + j + "234567" + j + "89ABCD" + j + "EF0123" + j + `4567\)`,
			"200bf2" + j + "8 (012345" + j + "6789ab" + j + "cdef01" + j + "234567" + j + "89ABCD" + j + "EF0123" + j + "4567)",
		},
		"what names no commit stays": {
			"200bf2 200bf2z8 sha256:" + strings.Repeat("0", 64), "200bf2 200bf2z8 sha256:" + strings.Repeat("0", 64),
			"200bf2 200bf2z8 sha256:" + strings.Repeat("0", 64),
		},
		"twelve digits break once":        {"200bf28a0011", "200bf2" + j + "8a0011", "200bf2" + j + "8a0011"},
		"a formula is text":               {"$x$", `\$x\$`, "$x$"},
		"an item begins no list":          {"- a", `\- a`, "- a"},
		"nor does a number":               {"12. a", `12\. a`, "12. a"},
		"a rule is text":                  {"---", `\---`, "---"},
		"an address is no link":           {"https://x.y www.z.com", "https:" + j + "//x.y www" + j + ".z.com", "https:" + j + "//x.y www" + j + ".z.com"},
		"a link is text":                  {"[a](b)", `\[a\]\(b\)`, "[a](b)"},
		"HTML is text":                    {"<img onerror=x>", `\<img onerror=x\>`, "&lt;img onerror=x&gt;"},
		"an entity is text":               {"&lt;b&#62;", `\&lt;b\&\#` + j + "62;", "&amp;lt;b&amp;#" + j + "62;"},
		"a table's cell does not end":     {"a|b", `a\|b`, "a|b"},
		"emphasis and code are text":      {"*a* _b_ `c` ~d~", "\\*a\\* \\_b\\_ \\`c\\` \\~d\\~", "*a* _b_ `c` ~d~"},
		"a backslash escapes nothing":     {`\*`, `\\\*`, `\*`},
		"a line does not end":             {"a\n\n# b", `a \#` + j + " b", "a #" + j + " b"},
		"directions do not turn around":   {"a\u202eb", "a\ufffdb", "a\ufffdb"},
		"a terminal is not told anything": {"a\x1b[31m", "a\ufffd\\[31m", "a\ufffd[31m"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := escape(tc.in); got != tc.line {
				t.Errorf("escape: %q, want %q", got, tc.line)
			}
			if got := escapeHTML(tc.in); got != tc.html {
				t.Errorf("escapeHTML: %q, want %q", got, tc.html)
			}
		})
	}
}

func TestNothingEndsAFence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("`~a \n\r"))).Draw(t, "text")
		block := fenced("text", text)
		fence, rest, _ := strings.Cut(block, "text\n")
		body, ok := strings.CutSuffix(rest, fence+"\n\n")
		if !ok || strings.Contains(body, fence) {
			t.Fatalf("%q", block)
		}
	})
}

// anyReport draws reports of all sizes and verdicts, with unfriendly texts.
func anyReport(t *rapid.T) *Report {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"@octo-vp", "```", "</details>", "| a |", strings.Repeat("x", 3000), strings.Repeat("é🙂", 900)}))
	verdict := rapid.SampledFrom([]policy.Verdict{policy.Pass, policy.Pending, policy.Fail, policy.Error})
	findings := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) schemas.Finding {
		return schemas.Finding{Severity: schemas.SeverityError, File: text.Draw(t, "file"), Message: text.Draw(t, "message"), Remedy: text.Draw(t, "remedy")}
	}), 0, 60)
	r := &Report{Verdict: verdict.Draw(t, "verdict"), Findings: findings.Draw(t, "findings"), Base: source.ID(strings.Repeat("a", 40)), Head: source.ID(strings.Repeat("b", 40))}
	for _, s := range policy.ReviewStages() {
		r.Stages = append(r.Stages, policy.StageResult{Name: s, Verdict: r.Verdict, Reason: text.Draw(t, "reason")})
	}
	one := rapid.Custom(func(t *rapid.T) *Change {
		c := newChange(source.FileChange{Path: text.Draw(t, "path"), Kind: source.Modified}, func(s string) string { return s })
		c.Team, c.Model, c.Environment = "team", rapid.SampledFrom([]string{"", "model"}).Draw(t, "model"), "production"
		c.Verdict, c.Findings = verdict.Draw(t, "v"), findings.Draw(t, "f")
		c.Risk = riskOf(risk.Platform(c.Path))
		c.Diff = strings.Repeat(text.Draw(t, "diff")+"\n", rapid.IntRange(0, 200).Draw(t, "lines"))
		c.Approvals.Missing = rapid.SliceOfN(text, 0, 4).Draw(t, "missing")
		return c
	})
	r.Changes = rapid.SliceOfN(one, 0, 12).Draw(t, "changes")
	for range rapid.SampledFrom([]int{0, 0, 1, 50}).Draw(t, "repeated") {
		r.Changes = append(r.Changes, r.Changes...)
		if len(r.Changes) > 2000 {
			break
		}
	}
	return r
}

func TestACommentAlwaysFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyReport(t)
		body := Comment(r)
		if utf8.RuneCountInString(body) > 65_536 || len(body) > MaxComment {
			t.Fatalf("%d characters, %d bytes", utf8.RuneCountInString(body), len(body))
		}
		if !utf8.ValidString(body) {
			t.Fatal("not valid UTF-8")
		}
		if opened, closed := strings.Count(body, "\n<details"), strings.Count(body, "\n</details>\n"); opened != closed && !strings.Contains(body, "</details>`") && opened > closed {
			t.Fatalf("%d sections are opened, %d closed", opened, closed)
		}
		if h := Headline(r); utf8.RuneCountInString(h) > 140 {
			t.Fatalf("a headline of %d characters: %s", utf8.RuneCountInString(h), h)
		}
	})
}

// The sentence that tells of what does not fit needs room of its own: where the
// rest leaves less than that, the comment is the short one.
func TestACommentFitsWhateverTheRestLeaves(t *testing.T) {
	r := manyChanges(12, 10_000)
	for range maxFindings {
		r.Findings = append(r.Findings, schemas.Finding{Severity: schemas.SeverityError, File: "f", Message: strings.Repeat("x", 1000)})
	}
	tight := 0
	for left := omission; left >= 0; {
		left = MaxComment - len(opening(r)) - len(stagesTable(r))
		if left >= 0 && left <= omission {
			tight++
		}
		if n := len(Comment(r)); n > MaxComment {
			t.Errorf("%d bytes, where the rest leaves %d", n, left)
		}
		grown := &r.Findings[len(r.Findings)-1].Message
		*grown += strings.Repeat("x", max(1, (left-omission)/2))
		if len(*grown) > MaxComment {
			t.Fatal("a finding is clipped, so this proves nothing")
		}
	}
	if tight < omission {
		t.Errorf("%d comments left little room", tight)
	}
}

func manyChanges(n, diffLines int) *Report {
	r := &Report{Verdict: policy.Pending, Findings: schemas.Findings{}}
	for i := range n {
		c := newChange(source.FileChange{Path: fleetPath(i), Kind: source.Modified}, func(s string) string { return s })
		c.Team, c.Model, c.Environment = "t", fmt.Sprintf("model-%d", i), "production"
		c.Risk, c.Verdict = riskOf(risk.Platform(c.Path)), policy.Pending
		c.Approvals.Missing = []string{"manager", "senior-data-scientist"}
		c.need = approval.Need{Quorum: 2}
		c.Diff = strings.Repeat("+ a line of a diff\n", diffLines+i)
		r.Changes = append(r.Changes, c)
	}
	return r
}

func TestACommentLeavesOutTheLeast(t *testing.T) {
	for name, tc := range map[string]struct {
		report *Report
		has    []string
		not    []string
	}{
		"all of it where there is room": {manyChanges(3, 10), []string{"+ a line of a diff", "model-2 in production"}, []string{"does not fit", "do not fit"}},
		"the largest diffs go first":    {manyChanges(12, 500), []string{"+ a line of a diff", "The diff of the rendered objects (511 lines) does not fit"}, []string{"The diff of the rendered objects (500 lines)", "do not fit"}},
		"then the details":              {manyChanges(120, 10), []string{"model-119 in production", "do not fit here"}, nil},
		"then the rows":                 {manyChanges(500, 0), []string{"And 350 more changes", "approving reviews by each of these roles"}, []string{"model-499"}},
	} {
		t.Run(name, func(t *testing.T) {
			body := Comment(tc.report)
			for _, s := range tc.has {
				if !strings.Contains(body, s) {
					t.Errorf("no %q", s)
				}
			}
			for _, s := range tc.not {
				if strings.Contains(body, s) {
					t.Errorf("%q is there", s)
				}
			}
		})
	}
}

// frozenUntil is a change in a freeze for which approvals may be missing.
func frozenUntil(ends time.Time, missing []string) *Change {
	c := newChange(source.FileChange{}, nil)
	c.Environment, c.Approvals.Missing, c.need = "production", missing, approval.Need{Quorum: len(missing)}
	c.hold = hold{freezes: 1, thaws: ends, free: ends}
	c.Findings = schemas.Findings{{Severity: schemas.SeverityError, Code: CodeFreeze}}
	return c
}

func TestHeadline(t *testing.T) {
	seats := []approval.Seat{{Role: "chair", Chair: true}, {Role: "a"}, {Role: "b"}, {Role: "c"}, {Role: "d"}, {Role: "e"}}
	board := func(missing []string, filled int) *Change {
		c := newChange(source.FileChange{}, nil)
		c.need = approval.Need{Seats: seats, Quorum: 4}
		c.Approvals.Missing, c.Approvals.Slots = missing, make([]approval.Slot, filled)
		return c
	}
	medium := func() *Change {
		c := board([]string{"manager", "senior"}, 0)
		c.need = approval.Need{Seats: []approval.Seat{{Role: "manager"}, {Role: "senior"}}, Quorum: 2}
		return c
	}
	wrong := schemas.Findings{{Severity: schemas.SeverityError}}
	blocked := &Change{Approvals: Approvals{BlockedBy: []string{"mia"}}}
	for name, tc := range map[string]struct {
		report Report
		want   string
	}{
		"nothing changed":               {Report{Verdict: policy.Pass}, "nothing to approve: no manifest and no platform file is changed"},
		"approved":                      {Report{Verdict: policy.Pass, Changes: []*Change{medium()}}, "approved: ready to merge"},
		"both seats":                    {Report{Verdict: policy.Pending, Changes: []*Change{medium()}}, "waiting for manager, senior"},
		"the whole board":               {Report{Verdict: policy.Pending, Changes: []*Change{board([]string{"chair", "a", "b", "c", "d", "e"}, 0)}}, "waiting for chair and 3 of a, b, c, d, e"},
		"the chair alone":               {Report{Verdict: policy.Pending, Changes: []*Change{board([]string{"chair"}, 4)}}, "waiting for chair"},
		"members alone":                 {Report{Verdict: policy.Pending, Changes: []*Change{board([]string{"c", "d", "e"}, 3)}}, "waiting for 1 of c, d, e"},
		"the chair and the last member": {Report{Verdict: policy.Pending, Changes: []*Change{board([]string{"chair", "e"}, 2)}}, "waiting for chair, e"},
		"several changes":               {Report{Verdict: policy.Pending, Changes: []*Change{medium(), board([]string{"chair"}, 4)}}, "waiting for manager, senior, chair"},
		"a freeze is nothing to correct": {
			Report{Verdict: policy.Fail, Changes: []*Change{frozenUntil(asked, nil), frozenUntil(asked, nil)}},
			"production is frozen until Mon 2026-11-23 14:00 UTC",
		},
		"a freeze and approvals": {
			Report{Verdict: policy.Fail, Changes: []*Change{frozenUntil(asked, []string{"manager"})}},
			"production is frozen until Mon 2026-11-23 14:00 UTC; waiting for manager",
		},
		"a freeze and a problem": {
			Report{Verdict: policy.Fail, Findings: wrong, Changes: []*Change{frozenUntil(asked, []string{"manager"})}},
			"1 problem to correct; production is frozen until Mon 2026-11-23 14:00 UTC",
		},
		"one problem":           {Report{Verdict: policy.Fail, Findings: wrong}, "1 problem to correct"},
		"a block":               {Report{Verdict: policy.Fail, Changes: []*Change{blocked}}, "changes requested by mia"},
		"a problem and a block": {Report{Verdict: policy.Fail, Findings: wrong, Changes: []*Change{blocked}}, "1 problem to correct; changes requested by mia"},
		"an error":              {Report{Verdict: policy.Error, Stages: []policy.StageResult{{Verdict: policy.Pass}, {Verdict: policy.Error, Reason: "why"}}}, "could not be judged: why"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Headline(&tc.report); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestStageReason(t *testing.T) {
	for name, tc := range map[string]struct {
		say  func(e *evaluation)
		want string
	}{
		"nothing to say": {func(*evaluation) {}, "passed"},
		"one error": {func(e *evaluation) {
			e.find(nil, "s", schemas.Finding{Severity: schemas.SeverityError, File: "f", Message: "m"})
		}, "f: m"},
		"errors, the first": {func(e *evaluation) {
			e.find(nil, "s", schemas.Finding{Severity: schemas.SeverityError, File: "f", Message: "m"}, schemas.Finding{Severity: schemas.SeverityError, File: "g"})
		}, "2 errors; the first: f: m"},
		"a warning is counted": {func(e *evaluation) { e.find(nil, "s", schemas.Finding{Severity: schemas.SeverityWarning}) }, "passed (1 warning)"},
		"an error of judging is first": {func(e *evaluation) {
			e.note("s", policy.Pending, "p")
			e.find(nil, "s", schemas.Finding{Severity: schemas.SeverityError})
			e.note("s", policy.Error, "why")
		}, "why"},
		"many notes are cut": {func(e *evaluation) {
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				e.note("s", policy.Pending, n)
			}
		}, "a; b; c; and 2 more"},
		"a block is said, not who else": {func(e *evaluation) { e.note("s", policy.Pending, "p"); e.note("s", policy.Fail, "blocked") }, "blocked"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &evaluation{report: &Report{}, stages: map[policy.Stage]*stageNotes{}, hideBase: func(s string) string { return s }}
			tc.say(e)
			if got := e.stage("s").reason("passed"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
