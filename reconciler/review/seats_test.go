package review

import (
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// seatsSaid are the findings about seats, one a line.
func seatsSaid(findings schemas.Findings) string {
	var lines []string
	for _, f := range findings {
		if f.Code == CodeSeats {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, "\n")
}

// everySeatBob has bob alone hold every role of the example's board.
func everySeatBob(text string) string {
	for _, team := range []string{"teams: [acme/ml-architects]", "teams: [acme/senior-ds]", "teams: [acme/product]", "teams: [acme/legal]", "teams: [acme/security]", "users: [octo-vp]"} {
		text = strings.Replace(text, team, "users: [bob]", 1)
	}
	return text
}

func TestSeatsThatNobodyCanFillAreRefused(t *testing.T) {
	const team = "teams/data-science.yaml"
	type edits map[string]func(string) string
	roles := func(pairs ...string) edits {
		return edits{schemas.GovernancePath: strings.NewReplacer(pairs...).Replace}
	}
	const manager, senior = "teams: [acme/ml-managers]", "teams: [acme/senior-ds]"
	for name, tc := range map[string]struct {
		edits edits
		want  string // empty: nothing is said
	}{
		"one person in both seats of level medium": {roles(manager, "users: [bob]", senior, "users: [Bob]"),
			"governance.yaml:34:14: nothing can be approved by level medium: even if everybody who holds a role approved, nobody would be left for senior-data-scientist"},
		"one person in every seat of the board": {edits{schemas.GovernancePath: everySeatBob}, "governance.yaml:38:5: nothing can be approved by the board cab: "},
		"a board that no level needs": {roles("  expiry:", "    ethics: {chair: vp-engineering, members: [auditor], quorum: 2, meets: {weekday: Monday, from: \"14:00\", to: \"16:00\", timeZone: UTC}}\n\n  expiry:",
			"    security:", "    auditor: {users: [octo-vp]}\n    security:"), "warning: nothing can be approved by the board ethics: "},
		"a team whose own manager is the only other": {edits{
			schemas.GovernancePath: strings.NewReplacer(senior, "users: [bob]").Replace,
			team:                   strings.NewReplacer("team-lead: {users: [octo-lead]}", "manager: {users: [bob]}").Replace,
		}, team + ":15:3: nothing can be approved by level medium for the team data-science: "},
		"two people":             {roles(manager, "users: [bob]", senior, "users: [eve]"), ""},
		"a team may fill a seat": {roles(manager, "users: [bob]", senior, "users: [bob], alternates: {teams: [acme/senior-ds]}"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := exampleFiles(t)
			for i, f := range files {
				if edit := tc.edits[f.Path]; edit != nil {
					files[i].Content = []byte(edit(string(f.Content)))
				}
			}
			result, err := Validate(t.Context(), files)
			if err != nil {
				t.Fatal(err)
			}
			said := seatsSaid(result.Findings)
			if (tc.want == "") != (said == "") || !strings.Contains(said, tc.want) {
				t.Errorf("%q, want %q", said, tc.want)
			}
			if wrong := tc.want != "" && !strings.HasPrefix(tc.want, "warning"); result.Valid == wrong {
				t.Errorf("valid: %v: %v", result.Valid, result.Findings)
			}
		})
	}
}

func TestAPullRequestIsToldOfSeatsThatNobodyCanFill(t *testing.T) {
	const anybody = "acme/ml-managers"
	edit := func(old, new string) func(map[string]string) {
		return func(files map[string]string) {
			files[schemas.GovernancePath] = strings.ReplaceAll(files[schemas.GovernancePath], old, new)
		}
	}
	teams := func(seniors ...Account) People {
		p := People{Author: Account{Login: "ada"}, Teams: map[string][]Account{anybody: {{Login: "bob"}}, "acme/senior-ds": seniors}}
		for _, team := range []string{"ds-leads", "ml-architects", "product", "legal", "security", "platform"} {
			p.Teams["acme/"+team] = []Account{{Login: team}}
		}
		return p
	}
	for name, tc := range map[string]struct {
		change func(map[string]string)
		people People
		want   string
		fails  bool
	}{
		"users alone hold the roles": {func(files map[string]string) {
			files[schemas.GovernancePath] = everySeatBob(files[schemas.GovernancePath])
		}, Nobody(),
			"governance.yaml:38:5: nothing can be approved by the board cab", true},
		"the teams have the same member": {edit("expiry: 720h", "expiry: 700h"), teams(Account{Login: "bob"}),
			"governance.yaml:34:14: warning: as the members of teams are now, nothing can be approved by level medium", false},
		"the teams have members enough": {edit("expiry: 720h", "expiry: 700h"), teams(Account{Login: "bob"}, Account{Login: "eve"}), "", false},
		"another governing file":        {func(files map[string]string) { files["teams/data-science.yaml"] += "# ours\n" }, teams(Account{Login: "bob"}), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			repo, pr, base := pullRequestOf(t, "change", nil, tc.change)
			report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, People: tc.people, Now: benchTime})
			if err != nil {
				t.Fatal(err)
			}
			said := seatsSaid(append(report.Changes[0].Findings, report.Findings...))
			if (tc.want == "") != (said == "") || !strings.Contains(said, tc.want) {
				t.Errorf("%q, want %q", said, tc.want)
			}
			if failed := report.Verdict == policy.Fail; failed != tc.fails {
				t.Errorf("the verdict is %s: %s", report.Verdict, Headline(report))
			}
		})
	}
}

// TestSeatsThatNobodyCouldFillBeforeMayBeMendedInSteps: the first step leaves a gap.
func TestSeatsThatNobodyCouldFillBeforeMayBeMendedInSteps(t *testing.T) {
	bob := everySeatBob(exampleFile(t, schemas.GovernancePath))
	report := judgedOf(t, nil, func(files map[string]string) { files[schemas.GovernancePath] = bob },
		func(files map[string]string) {
			files[schemas.GovernancePath] = strings.Replace(bob, "users: [bob]", "users: [bob, eve]", 1)
		})
	said := seatsSaid(report.Changes[0].Findings)
	if report.Changes[0].Findings.Failed() || !strings.Contains(said, "warning: nothing can be approved by the board cab") {
		t.Errorf("%s: %s", report.Verdict, said)
	}
}
