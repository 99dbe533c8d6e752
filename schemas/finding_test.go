package schemas

import (
	"slices"
	"strings"
	"testing"
)

func TestAFindingIsPrintedInOneWay(t *testing.T) {
	for name, tc := range map[string]struct {
		finding Finding
		want    string
	}{
		"an error":             {Finding{SeverityError, "a.yaml", 3, 4, "quota-exceeded", "too much", "ask for less"}, "a.yaml:3:4: too much; ask for less [quota-exceeded]"},
		"a warning":            {Finding{SeverityWarning, "a.yaml", 3, 4, "stray", "is not read", ""}, "a.yaml:3:4: warning: is not read [stray]"},
		"one about the file":   {Finding{Severity: SeverityError, File: "a.yaml", Message: "it is missing", Remedy: "add it"}, "a.yaml: it is missing; add it"},
		"one of no known rule": {Finding{Severity: SeverityError, File: "a.yaml", Line: 1, Column: 1, Message: "is not read"}, "a.yaml:1:1: is not read"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.finding.String(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestACauseComesBeforeWhatRefersToIt(t *testing.T) {
	files := exampleTree(t)
	files[3].Content = []byte(strings.Replace(string(files[3].Content), `"19000"`, `"19,000"`, 1))
	for _, name := range []string{"a", "b"} {
		text := strings.ReplaceAll(string(files[4].Content), "churn-predictor", name)
		files = append(files, File{Path: Unit{Team: "data-science", Model: name, Environment: "production"}.Path(), Content: []byte(text)})
	}
	_, findings := LoadRepository(files)
	if len(findings) != 4 {
		t.Fatalf("%d findings: %v", len(findings), findings)
	}
	want := []string{
		`teams/data-science.yaml:11:21: spec.budget.monthly is not an amount; write a decimal number with at most six decimals, such as "0.2304" [invalid-value]`,
		`models/data-science/a/production/deployment.yaml:7:9: the team "data-science" has errors of its own; mend teams/data-science.yaml first [broken-reference] (2 more say so)`,
	}
	if got := findings.Lines(); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
