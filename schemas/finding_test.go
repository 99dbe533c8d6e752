package schemas

import (
	"slices"
	"strings"
	"testing"
)

func TestAFindingAboutAWholeFileHasNoLine(t *testing.T) {
	f := Finding{Severity: SeverityError, File: GovernancePath, Message: "it is missing", Remedy: "add it"}
	if got := f.String(); got != "governance.yaml: it is missing; add it" {
		t.Error(got)
	}
	f.Line, f.Column, f.Severity = 3, 7, SeverityWarning
	if got := f.String(); got != "governance.yaml:3:7: warning: it is missing; add it" {
		t.Error(got)
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
		`teams/data-science.yaml:11:21: spec.budget.monthly is not an amount; write a decimal number with at most six decimals, such as "0.2304"`,
		`models/data-science/a/production/deployment.yaml:7:9: the team "data-science" has errors of its own; mend teams/data-science.yaml first (2 more say so)`,
	}
	if got := findings.Lines(); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
