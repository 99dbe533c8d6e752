package schemas

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

const manifestPath = "models/data-science/churn-predictor/production/deployment.yaml"

// fixture is a file of testdata: each is a valid example of its kind.
func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exampleTree is a small, valid model repository.
func exampleTree(t testing.TB) []File {
	t.Helper()
	staging := strings.NewReplacer("name: production", "name: staging", "  promotion: {after: staging}\n", "").Replace(fixture(t, "environment.yaml"))
	return []File{
		{Path: GovernancePath, Content: []byte(fixture(t, "governance.yaml"))},
		{Path: "environments/production.yaml", Content: []byte(fixture(t, "environment.yaml"))},
		{Path: "environments/staging.yaml", Content: []byte(staging)},
		{Path: "teams/data-science.yaml", Content: []byte(fixture(t, "team.yaml"))},
		{Path: manifestPath, Content: []byte(fixture(t, "deployment.yaml"))},
	}
}

// mutation is a way to break a valid example. The mark ¦ in to stands where the
// finding is expected, and is taken out of the text.
type mutation struct {
	name     string
	from, to string
	code     string
}

const mark = "¦"

// apply breaks the text and says where the finding is expected.
func (m mutation) apply(t testing.TB, text string) (string, Position) {
	t.Helper()
	if strings.Count(text, m.from) != 1 {
		t.Fatalf("%q stands %d times in the example", m.from, strings.Count(text, m.from))
	}
	text = strings.Replace(text, m.from, m.to, 1)
	before, after, marked := strings.Cut(text, mark)
	if !marked {
		return text, Position{}
	}
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return before + after, Position{line, column}
}

// parserOf reads the example of that name.
func parserOf(fixture string) func(string, []byte) Findings {
	return map[string]func(string, []byte) Findings{
		"deployment.yaml":      findingsOf(ParseModelDeployment),
		"governance.yaml":      findingsOf(ParseGovernance),
		"environment.yaml":     findingsOf(ParseEnvironment),
		"team.yaml":            findingsOf(ParseTeam),
		"governance_test.yaml": findingsOf(ParseGovernanceTest),
	}[fixture]
}

func findingsOf[T any](parse func(string, []byte) (*Document[T], Findings)) func(string, []byte) Findings {
	return func(file string, content []byte) Findings {
		_, findings := parse(file, content)
		return findings
	}
}

// expectBroken holds each mutation of an example against its one finding.
func expectBroken(t *testing.T, name string, mutations []mutation) {
	t.Helper()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			text, at := m.apply(t, fixture(t, name))
			expectOne(t, parserOf(name)("f.yaml", []byte(text)), m.code, at)
		})
	}
}

// expectOne asserts exactly one finding: one mistake is reported once.
func expectOne(t *testing.T, findings Findings, code string, at Position) {
	t.Helper()
	if code == "" {
		if len(findings) != 0 {
			t.Errorf("unexpected: %v", findings)
		}
		return
	}
	if len(findings) != 1 {
		t.Fatalf("%d findings instead of one %s: %v", len(findings), code, findings)
	}
	if f := findings[0]; f.Code != code || f.Line != at.Line || f.Column != at.Column || f.Message == "" || f.Remedy == "" {
		t.Errorf("got %s at %d:%d, want %s at %d:%d\n%s", f.Code, f.Line, f.Column, code, at.Line, at.Column, f)
	}
}
