package review

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	tokens "golang.org/x/net/html"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/policy/budget"
	"github.com/mlops-platform/mooring/policy/metrics"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/quota"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// FuzzReadPeople: what is accepted means the same when it is written and read
// again, so that no field is half understood.
func FuzzReadPeople(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, ``, `{"author":"ada","reviews":[],"teams":{}}`,
		`{"author":"ada","committers":["bo"],"coAuthors":["cy"],"unattributed":["1234567"],"teams":{"acme/leads":["Lea"]},"files_truncated":true,
		 "reviews":[{"user":"lea","type":"User","state":"APPROVED","commit_id":"0123456789012345678901234567890123456789","submitted_at":"2026-03-02T09:00:00Z","body":"ok"}]}`,
		`{"reviews":[{"user":"lea"}]}`, `{"committer":["bo"]}`, `{"Author":"ada"}`, `{"author":"7+ada","author":"bo"}`, `{"author":"7+7+ada","committers":["0+bo"],"requested":"2026-03-02T09:00:00Z","reviews":[{"user":"8+lea","user_id":9}]}`, `{"author":1}`,
		`{"author":"ada","committers":["bo"],"committers":[]}`, `{"author":"ada","teams":{"a":["x"]},"teams":{"b":["y"]}}`,
		`{"author":"\ud800","reviews":[{"User":"a","user":"b","submitted_at":"2026-03-02T09:00:00.123456789+23:59"}]}`,
		`{"author":"ada"}{"author":"bo"}`, `{"author":"ada","reviews":[null]}`, "\ufeff{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadPeople(bytes.NewReader(data))
		if err != nil {
			if err.Error() == "" || !utf8.ValidString(err.Error()) {
				t.Errorf("the error is %q", err)
			}
			return
		}
		if p.Author.Login == "" && len(p.Reviews) > 0 || p.nobody || len(p.TeamErrors) > 0 {
			t.Errorf("accepted %+v", p)
		}
		written, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ReadPeople(bytes.NewReader(written))
		if err != nil || !samePeople(p, again) {
			t.Errorf("%s\nreads as %+v\nthen as  %+v, %v", data, p, again, err)
		}
	})
}

// samePeople compares meanings: no list and an empty one are the same.
func samePeople(a, b People) bool {
	sameReview := func(x, y Review) bool {
		same := x.SubmittedAt.Equal(y.SubmittedAt)
		x.SubmittedAt, y.SubmittedAt = time.Time{}, time.Time{}
		return same && x == y
	}
	return a.Author == b.Author && a.Requested.Equal(b.Requested) && a.FilesTruncated == b.FilesTruncated &&
		slices.Equal(a.Committers, b.Committers) && slices.Equal(a.CoAuthors, b.CoAuthors) && slices.Equal(a.Unattributed, b.Unattributed) &&
		slices.EqualFunc(a.Reviews, b.Reviews, sameReview) && len(a.Teams) == len(b.Teams) &&
		(len(a.Teams) == 0 || reflect.DeepEqual(a.Teams, b.Teams))
}

// FuzzComment puts texts of users wherever a comment shows one, and reads the
// comment as a browser would see it.
func FuzzComment(f *testing.F) {
	for _, s := range []string{
		"churn", "@octo-vp", "#1", "GH-1", "acme/models#1", "a@b.com", "https://evil.example", "www.evil.example", "Www.Evil.example", "www", "ftp://evil.example", "mailto:a@b.com", "Http://Evil.example",
		"[a](https://b)", "![a](b)", "[a]: https://b", "<https://b>", "<a@b.com>", "<img src=x onerror=y>", "</details>", "<!-- mooring:review -->", "<!--", "-->", "<?", "<![CDATA[",
		"```\n@octo-vp", "~~~~", "`", "``` text\n", "`````````", "    code", "\t", "| a | b |", "a|b", "- x", "+ x", "* x", "1. x", "1) x", "# x", "===", "---", "***", "> x", "\\", "\\\\`",
		"1234567", "200bf28a00112233445566778899aabbccddeeff", "acme/models@200bf28", "x_200bf28_", "GHSA-abcd-1234-efgh", "_CVE-2024-12345", "gh-gh-1",
		"&lt;b&gt;", "&#64;octo-vp", "&commat;octo-vp", "*a*", "__a__", "~~a~~", "[ ] x", "[x] x", "[^1]", "[^1]: x", "$x$", "$$x$$", ":smile:",
		"a\u202eb", "a\u2028b", "\x00", "\xff", "a\r\nb", "\u00a0@octo-vp", strings.Repeat("`", 200), "\ufeff@a",
	} {
		f.Add(s, s, s, uint16(0x0102))
		f.Add("models", s, "a reason", uint16(0x019f))
	}
	f.Add("x", strings.Repeat("é", 90), "```", uint16(0xffff))
	f.Fuzz(func(t *testing.T, one, two, three string, shape uint16) {
		if len(one)+len(two)+len(three) > 1000 {
			t.Skip("what matters is short; the shape makes it long")
		}
		if long := int(shape >> 12); long == 15 {
			two = strings.Repeat(two, 500)
		}
		r := reportOf(one, two, three, shape)
		body := Comment(r)
		if n := utf8.RuneCountInString(body); n > 65_536 || len(body) > MaxComment || !utf8.ValidString(body) {
			t.Fatalf("%d characters, %d bytes, valid: %v", n, len(body), utf8.ValidString(body))
		}
		checkPage(t, body)
	})
}

// reportOf is a report with three texts in every place where a user's can be.
func reportOf(one, two, three string, shape uint16) *Report {
	verdicts := []policy.Verdict{policy.Pass, policy.Pending, policy.Fail, policy.Error}
	finding := schemas.Finding{Severity: schemas.SeverityError, File: one, Line: 1, Column: 1, Code: "code", Message: two, Remedy: three}
	r := &Report{Verdict: verdicts[shape%4], Base: source.ID(strings.Repeat("a", 40)), Head: source.ID(strings.Repeat("b", 40)), Findings: schemas.Findings{finding}}
	for _, s := range policy.ReviewStages() {
		r.Stages = append(r.Stages, policy.StageResult{Name: s, Verdict: verdicts[shape>>2%4], Reason: three})
	}
	doc := &deployment{}
	doc.Value.Spec.Justification = two
	for i := range int(shape>>4%8) + 1 {
		c := newChange(source.FileChange{Path: one, Kind: source.Modified}, func(s string) string { return s })
		if i%2 == 0 {
			c.Team, c.Model, c.Environment = two, "m"+one, three
			c.Placement, c.after = three, doc
			c.Cost.Currency = two
		}
		c.Verdict, c.Findings, c.Digest = r.Verdict, schemas.Findings{finding, finding}, "sha256:00"
		c.Risk = riskOf(risk.Platform(c.Path))
		for j := range c.Risk.factors {
			c.Risk.factors[j].Reason = three
		}
		c.Diff = strings.Repeat("+ "+one+"\n- "+two+"\n", int(shape>>7%32))
		c.Approvals = Approvals{
			Missing: []string{one, two}, BlockedBy: []string{three}, Reasons: []string{two + " approved", three, one},
			Slots: []approval.Slot{{Role: one, By: two}},
		}
		c.need = approval.Need{Quorum: 2}
		tellOfChange(c, one, two, three)
		r.Changes = append(r.Changes, c)
	}
	r.BrokenGlass = []BrokenGlass{{By: one, Reason: two, Change: three, Lifted: []string{one, two}}}
	r.Meetings = []Meeting{{Board: one, BoardMeeting: schemas.BoardMeeting{From: metav1.NewTime(asked), To: metav1.NewTime(asked), TimeZone: two}}}
	priced := &schemas.Document[schemas.Environment]{}
	priced.Value.Spec.Pools = []schemas.Pool{{Name: one, Price: schemas.Price{Source: two}}}
	r.world = &world{World: desired.World{Platform: &schemas.Platform{Environments: map[string]*schemas.Document[schemas.Environment]{three: priced}}}}
	return r
}

// tellOfChange adds what is told of a change beside its manifest: what registry,
// cluster, quota and clock say, and what it reaches.
func tellOfChange(c *Change, one, two, three string) {
	value, field := 0.5, LiveField{Path: one, Before: two, After: three}
	c.Approvals.Voided = []string{one, two}
	c.Approvals.SLA, c.Approvals.Due, c.Approvals.Expires = schemas.Duration(time.Hour), asked, asked
	if c.Platform() {
		c.Impact = &Impact{
			Models: 3, Unread: 1, Rendered: 2, Rerendered: []string{one, two}, Broken: 1,
			Levels: []LevelChange{{three, schemas.RiskLevel(one), schemas.RiskLevel(two)}},
		}
		return
	}
	c.Opens = asked
	c.Registered = &RegisteredModel{Version: one}
	c.Metrics = []metrics.Row{{Name: one, Value: &value, Verdict: policy.Fail, Reason: two}, {Name: three, Baseline: &value, Verdict: policy.Pass, Reason: three}}
	c.Live = &LiveDiff{
		Phase: schemas.ReleasePhase(three), Version: two, Revision: one, Unchanged: 1,
		Objects: []LiveObject{{Object: one, Action: "change", Fields: []LiveField{field, field}}, {Object: two, Action: "refused", Refusal: three}},
	}
	c.placed = placement.Placement{Components: []placement.Component{{Name: one, Choice: placement.Choice{Pool: one}}}}
	c.totals = &totals{team: &schemas.Team{}, usage: map[string]quota.Usage{}, budgeted: budget.Total{Currency: one}}
}

var (
	gfm = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote), goldmark.WithRendererOptions(html.WithUnsafe()))
	// What Mooring itself writes, with the attributes that it gives.
	elements = map[string]string{
		"h2": "", "p": "", "table": "", "thead": "", "tbody": "", "tr": "", "th": "", "td": "", "ul": "", "li": "",
		"strong": "", "b": "", "details": "open", "summary": "", "pre": "", "code": "class", "br": "", "sub": "",
	}
	// live is what GitHub turns into a notification or a link wherever it stands
	// in text: a mention, an issue by number, an advisory, a commit, an address.
	live = regexp.MustCompile(`(?i)(^|[^\w/@])@[a-z0-9]|(^|[^\w])(#|gh-)[0-9]|(^|[^0-9a-z])(ghsa|cve)-\w|(^|[^0-9a-z])[0-9a-f]{7,40}($|[^0-9a-z])|[a-z]://|\bwww\.\S|\w@\w`)
)

// checkPage renders a comment and refuses whatever only a user could have
// brought: an element that Mooring does not write, a section that is not closed,
// or text outside code of which GitHub makes something.
func checkPage(t *testing.T, body string) {
	t.Helper()
	var page bytes.Buffer
	if err := gfm.Convert([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	var open []string
	var text strings.Builder
	summaries := 0
	z := tokens.NewTokenizer(&page)
	for kind := z.Next(); kind != tokens.ErrorToken; kind = z.Next() {
		token := z.Token()
		switch kind {
		case tokens.StartTagToken, tokens.SelfClosingTagToken:
			attribute, known := elements[token.Data]
			for _, a := range token.Attr {
				known = known && a.Key == attribute
			}
			if !known {
				t.Fatalf("the comment has %s\n%s", token, excerpt(body))
			}
			if token.Data == "summary" {
				summaries++
			}
			if kind == tokens.StartTagToken && token.Data != "br" {
				open = append(open, token.Data)
			}
		case tokens.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v\n%s", token.Data, open, excerpt(body))
			}
			open = open[:len(open)-1]
			text.WriteByte('\n')
		case tokens.TextToken:
			if !slices.Contains(open, "code") {
				text.WriteString(token.Data)
			}
		default:
			t.Fatalf("the comment has %s\n%s", token, excerpt(body))
		}
	}
	if len(open) > 0 || summaries == 0 && strings.Contains(body, "<summary>") {
		t.Fatalf("%v stay open, %d sections\n%s", open, summaries, excerpt(body))
	}
	if found := live.FindString(text.String()); found != "" {
		t.Fatalf("%q is live\n%s", found, excerpt(body))
	}
	if strings.Contains(body, "Judged: base") && !strings.Contains(text.String(), "Judged: base ") {
		t.Fatalf("the end of the comment is inside a block of code\n%s", excerpt(body))
	}
}

func excerpt(body string) string { return body[:min(len(body), 4000)] }
