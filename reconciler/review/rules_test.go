package review

import (
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

func TestNothingIsJudgedByRulesThatAreNotApproved(t *testing.T) {
	repo, pr, base := pullRequest(t, "change")
	tree, err := repo.Tree(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	approved := func(change func(map[string]source.ID)) map[string]source.ID {
		rules := map[string]source.ID{}
		for _, f := range tree.Files() {
			if schemas.IsPlatform(f.Path) {
				rules[f.Path] = f.Blob
			}
		}
		change(rules)
		return rules
	}
	for _, tc := range []struct {
		name   string
		rules  map[string]source.ID
		judged bool
	}{
		{"the base holds what is approved", approved(func(map[string]source.ID) {}), true},
		{"nothing is known of approvals", nil, true},
		{"another governance is approved", approved(func(r map[string]source.ID) { r[schemas.GovernancePath] = pr.Head }), false},
		{"the base holds a rule that is not approved", approved(func(r map[string]source.ID) { delete(r, "policy/phi.rego") }), false},
		{"the base lacks a rule that is approved", approved(func(r map[string]source.ID) { r["policy/more.rego"] = pr.Head }), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report, err := Evaluate(t.Context(), repo, Request{
				Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC), Approved: tc.rules,
			})
			if err != nil {
				t.Fatal(err)
			}
			if refused := report.Verdict == policy.Error; refused == tc.judged {
				t.Errorf("%s: %s", report.Verdict, Headline(report))
			}
			if !tc.judged && !strings.Contains(report.Stages[0].Reason, "is not approved") {
				t.Errorf("the reason is %q", report.Stages[0].Reason)
			}
		})
	}
}

func TestWhatChangesNothingNeedsNoGovernance(t *testing.T) {
	repo, pr, base := pullRequestOf(t, "change",
		func(files map[string]string) { files[schemas.GovernancePath] = "not: [a governance" },
		func(files map[string]string) { files["NOTES.yaml"] = "text" })
	report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)})
	if err != nil || report.Verdict != policy.Pass {
		t.Errorf("%+v: %v", report, err)
	}
}
