package schemas

import (
	"reflect"
	"testing"
	"time"
	"unicode/utf8"
)

// fuzzParser asserts what holds for every parser and every input: it returns in
// bounded time, the document is nil if and only if there is an error, every
// finding has a place inside the file, and no message is broken text.
func fuzzParser[T any](f *testing.F, example string, parse func(string, []byte) (*Document[T], Findings)) {
	f.Add([]byte(fixture(f, example)))
	for _, m := range map[string][]mutation{
		"deployment.yaml": manifestFields, "governance.yaml": governanceRules, "environment.yaml": environmentRules, "team.yaml": teamRules,
		"governance_test.yaml": governanceTestRules,
	}[example] {
		text, _ := m.apply(f, fixture(f, example))
		f.Add([]byte(text))
	}
	for _, s := range []string{"", "---", "{", "&a [*a]", "? [a]\n: b", "a: !!str b", "%YAML 1.1\n---\na: b", "\xff", "a: 1\r\nb: \"\\ud800\"", "<<: {}", "- - - -"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		start := time.Now()
		doc, findings := parse("f.yaml", content)
		const bound = 20 * time.Second // seen: 0.5 s for the worst file at the cap
		if d := time.Since(start); d > bound {
			t.Errorf("took %s", d)
		}
		if (doc == nil) != findings.Failed() {
			t.Errorf("document is nil: %v, findings: %v", doc == nil, findings)
		}
		starts := lineStarts(content)
		for _, x := range findings {
			if x.Line < 0 || x.Line > len(starts)+1 || x.Column < 0 || (x.Line == 0) != (x.Column == 0) ||
				x.Code == "" || x.Message == "" || !utf8.ValidString(x.String()) {
				t.Errorf("finding %+v", x)
			}
		}
		if doc != nil {
			again, _ := parse("f.yaml", content)
			if !reflect.DeepEqual(doc.Value, again.Value) {
				t.Error("the same text gives another value the second time")
			}
		}
	})
}

func FuzzParseModelDeployment(f *testing.F) {
	fuzzParser(f, "deployment.yaml", ParseModelDeployment)
}

func FuzzParseGovernance(f *testing.F) { fuzzParser(f, "governance.yaml", ParseGovernance) }

func FuzzParseEnvironment(f *testing.F) { fuzzParser(f, "environment.yaml", ParseEnvironment) }

func FuzzParseTeam(f *testing.F) { fuzzParser(f, "team.yaml", ParseTeam) }

func FuzzScalars(f *testing.F) {
	for _, s := range []string{"5m", "1h30m", "0s", "1.5h", "5%", "100%", "0.0001%", "19000", "0.2304", "-1", "1e9", "4Gi", "500m", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDuration(s); err == nil {
			if again, err := ParseDuration(d.String()); err != nil || again != d {
				t.Errorf("duration %q reads back as %v: %v", s, again, err)
			}
		}
		if p, err := ParsePercent(s); err == nil {
			if again, err := ParsePercent(p.String()); err != nil || again != p || p.Fraction() < 0 || p.Fraction() > 1 {
				t.Errorf("percentage %q reads back as %v: %v", s, again, err)
			}
		}
		if m, err := ParseMoney(s); err == nil {
			if again, err := ParseMoney(m.String()); err != nil || again != m || m < 0 {
				t.Errorf("amount %q reads back as %v: %v", s, again, err)
			}
		}
		if q, err := parseQuantity(s); err == nil && q.Sign() <= 0 {
			t.Errorf("quantity %q is not above zero", s)
		}
	})
}

func FuzzPositions(f *testing.F) {
	f.Add("spec.serving.replicas.min")
	f.Add("spec.pools[0].labels.app.kubernetes.io/name")
	f.Add("[")
	f.Add("spec.rollout.canary.steps[99999999999999999999]")
	doc, findings := ParseModelDeployment("f.yaml", []byte(fixture(f, "deployment.yaml")))
	if doc == nil {
		f.Fatal(findings)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if at := doc.Position(field); at.Line < 1 || at.Column < 1 {
			t.Errorf("%q is at %v", field, at)
		}
	})
}
