package approval_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

const outage = "/break-glass payments are down, INC-4711"

func saying(body string, r approval.Review) approval.Review {
	r.Body = body
	return r
}

// emergency is a change of which root may break the glass.
func emergency(reviews ...approval.Review) approval.Input {
	in := input(schemas.RiskMedium, reviews...)
	in.Governance.Roles["platform-admin"] = schemas.RoleHolders{
		Users: []string{"root", "author"}, Teams: []string{"acme/platform"}, Alternates: &schemas.Alternates{Users: []string{"deputy"}},
	}
	in.Governance.BreakGlass = &schemas.BreakGlass{Role: "platform-admin"}
	in.Members["acme/platform"] = accounts("pat")
	return in
}

func TestWhoBreaksTheGlass(t *testing.T) {
	tests := map[string]struct {
		in     approval.Input
		by     string
		reason string // why not, or why
	}{
		"a named user":            {emergency(saying(outage, approve("Root"))), "Root", "payments are down, INC-4711"},
		"a member of a team":      {emergency(saying("Go.\r\n\r\n  "+outage+"  \r\nThanks.", approve("pat"))), "pat", "payments are down, INC-4711"},
		"a tab before the reason": {emergency(saying("/break-glass\tpayments  are\tdown", approve("pat"))), "pat", "payments are down"},
		"nobody who says nothing": {emergency(approve("root")), "", ""},
		"a request for changes":   {emergency(saying(outage, reject("root"))), "", ""},
		"a comment":               {emergency(saying(outage, ago(1, "root", "COMMENTED"))), "", ""},
		"who approves again without the line": {
			emergency(saying(outage, ago(2*time.Hour, "root", "APPROVED")), approve("root")), "", "",
		},
		"a dismissed review":           {emergency(saying(outage, ago(1, "root", "DISMISSED"))), "", ""},
		"a quotation":                  {emergency(saying("> "+outage, approve("root"))), "", ""},
		"a quotation of several lines": {emergency(saying("> Ann wrote:\n> "+outage+"\n\nNo.", approve("root"))), "", ""},
		"a line that GitHub shows as part of a quotation": {
			emergency(saying("> Ann wrote:\n"+outage, approve("root"))), "", "",
		},
		"the line below a quotation": {
			emergency(saying("> Shall I?\n\n"+outage, approve("root"))), "root", "payments are down, INC-4711",
		},
		"a code block":                  {emergency(saying("Write\n\n```\n"+outage+"\n```\n", approve("root"))), "", ""},
		"a code block by tildes":        {emergency(saying("~~~text\r\n"+outage+"\r\n~~~", approve("root"))), "", ""},
		"a code block that never ends":  {emergency(saying("```\n"+outage, approve("root"))), "", ""},
		"a code block by indentation":   {emergency(saying("Write:\n\n    "+outage, approve("root"))), "", ""},
		"code over several lines":       {emergency(saying("Write `so:\n"+outage+"\n`", approve("root"))), "", ""},
		"a comment nobody sees":         {emergency(saying("<!--\n"+outage+"\n-->\nFine.", approve("root"))), "", ""},
		"a comment with empty lines":    {emergency(saying("<!--\n\n"+outage+"\n\n-->", approve("root"))), "", ""},
		"a comment that never ends":     {emergency(saying("<!--\n"+outage, approve("root"))), "", ""},
		"a comment within a paragraph":  {emergency(saying("Fine. <!-- so:\n"+outage+"\n-->", approve("root"))), "", ""},
		"an element of HTML":            {emergency(saying("<details>\n"+outage+"\n</details>", approve("root"))), "", ""},
		"a list":                        {emergency(saying("- "+outage, approve("root"))), "", ""},
		"a table":                       {emergency(saying("| a |\n|---|\n"+outage, approve("root"))), "", ""},
		"crossed out":                   {emergency(saying("~~Not:\n"+outage+"~~", approve("root"))), "", ""},
		"the text of a link":            {emergency(saying("[No\n"+outage+"](https://example.com)", approve("root"))), "", ""},
		"a command after a code block":  {emergency(saying("```\nx\n```\n"+outage, approve("root"))), "root", "payments are down, INC-4711"},
		"a command after a quoted one":  {emergency(saying("```\n/break-glass not this one\n```\n"+outage, approve("root"))), "root", "payments are down, INC-4711"},
		"a review that is too long":     {emergency(saying(outage+"\n\n"+strings.Repeat("x", 9000), approve("root"))), "", ""},
		"a reason with marks":           {emergency(saying("/break-glass *payments* are `down`", approve("root"))), "root", "*payments* are `down`"},
		"a review edited by somebody":   {emergency(saying(outage, with(approve("root"), func(r *approval.Review) { r.EditedBy = "mia" }))), "", "was edited by mia"},
		"an edited review of no holder": {emergency(saying(outage, with(approve("mia"), func(r *approval.Review) { r.EditedBy = "root" }))), "", "does not hold"},
		"another command":               {emergency(saying("/break-glasses are cheap today", approve("root"))), "", ""},
		"a line without reason":         {emergency(saying("/break-glass", approve("root"))), "", "no reason of at least 10 characters"},
		"a reason too short":            {emergency(saying("/break-glass   urgent!!! ", approve("root"))), "", "no reason of at least 10 characters"},
		"a reason on the next line": {
			emergency(saying("/break-glass\npayments are down", approve("root"))), "", "on the same line",
		},
		"somebody without the role":  {emergency(saying(outage, approve("mia"))), "", "does not hold the role platform-admin"},
		"an alternate":               {emergency(saying(outage, approve("deputy"))), "", "does not hold the role platform-admin"},
		"a maker of the change":      {emergency(saying(outage, approve("author"))), "", "is the author of the change"},
		"a bot":                      {emergency(saying(outage, with(approve("root"), func(r *approval.Review) { r.Type = "Bot" }))), "", "a bot cannot approve"},
		"a review of other content":  {emergency(saying(outage, with(approve("root"), func(r *approval.Review) { r.CommitID = older }))), "", "a different one"},
		"a review of a lost commit":  {emergency(saying(outage, with(approve("root"), func(r *approval.Review) { r.CommitID = "gone" }))), "", "no longer in the repository"},
		"a review that has expired":  {emergency(saying(outage, ago(expiry, "root", "APPROVED"))), "", "has expired"},
		"a review yet to come":       {emergency(saying(outage, ago(-time.Hour, "root", "APPROVED"))), "", ""},
		"a governance without glass": {edit(emergency(saying(outage, approve("root"))), func(in *approval.Input) { in.Governance.BreakGlass = nil }), "", "names no role"},
		"who took over the login": {
			edit(emergency(saying(outage, approve("2+root"))), func(in *approval.Input) {
				in.Governance.Roles["platform-admin"] = users("1+root")
			}), "", "does not hold",
		},
		"a holder by the team's own roles": {
			edit(emergency(saying(outage, approve("mole"))), func(in *approval.Input) {
				in.TeamRoles = map[string]schemas.RoleHolders{"platform-admin": users("mole")}
			}), "", "does not hold",
		},
		"a member, where another team cannot be read": {
			edit(emergency(saying(outage, approve("root"))), func(in *approval.Input) { delete(in.Members, "acme/platform") }),
			"root", "payments",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := approval.BreakGlass(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			by, reason := "", strings.Join(got.Reasons, "\n")
			for _, g := range got.Broken {
				by, reason = g.By.Login, g.Reason
				if !g.Expires.Equal(g.At.Add(expiry)) {
					t.Errorf("it expires at %v", g.Expires)
				}
			}
			if by != tc.by || !strings.Contains(reason, tc.reason) || tc.reason == "" && reason != "" {
				t.Errorf("by %q: %q, want %q: %q", by, reason, tc.by, tc.reason)
			}
		})
	}
}

func TestAGlassOfWhichNobodyKnowsIsAnError(t *testing.T) {
	in := emergency(saying(outage, approve("pat")))
	delete(in.Members, "acme/platform")
	if got, err := approval.BreakGlass(in); err == nil || len(got.Broken) > 0 || !strings.Contains(err.Error(), "acme/platform") {
		t.Errorf("%+v, %v", got, err)
	}
	in.Reviews = []approval.Review{approve("pat")}
	if _, err := approval.BreakGlass(in); err != nil {
		t.Errorf("nobody asks, and yet: %v", err)
	}
}

func TestALongReasonIsCut(t *testing.T) {
	got, err := approval.BreakGlass(emergency(saying("/break-glass "+strings.Repeat("ä", 501), approve("root"))))
	if err != nil || len([]rune(got.Broken[0].Reason)) != approval.MaxGlassReason {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestABrokenGlassApprovesNothing: whatever is said in reviews, the decision
// about approvals is the same, and who breaks the glass holds the role.
func TestABrokenGlassApprovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := world(t)
		in.Governance.BreakGlass = &schemas.BreakGlass{Role: "s0"}
		want := judge(t, in)
		for i := range in.Reviews {
			in.Reviews[i].Body = rapid.SampledFrom([]string{"", outage, "/break-glass short"}).Draw(t, "body")
		}
		got, err := approval.BreakGlass(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got.Broken {
			if !holds(t, in, in.Governance.Roles["s0"], g.By.Login) {
				t.Fatalf("%s does not hold the role", g.By)
			}
		}
		after := judge(t, in)
		if outcomeOf(want) != outcomeOf(after) || want.Verdict != policy.Pass && after.Verdict == policy.Pass {
			t.Fatalf("before %+v\nafter %+v", want, after)
		}
	})
}
