package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What people look up at night stands in docs/operations under the name that the
// program uses.
var lookedUp = []struct {
	what string
	// in lists files whose matches of the pattern's one group are the names.
	in      string
	pattern *regexp.Regexp
}{
	{"a condition's reason", "reconciler/release/*.go", regexp.MustCompile(`(?m)^\s+Reason\w+\s*= "(\w+)"`)},
	{"a condition's reason", "reconciler/controller/*.go", regexp.MustCompile(`conditions\.Mark\w+\(\w+, (?:[\w.]+|"\w+"), "(\w+)"`)},
	{"a condition's reason", "reconciler/controller/*.go", regexp.MustCompile(`conditions\.Mark(?:Stalled|Reconciling)\(\w+, "(\w+)"`)},
	{"why a fetch failed", "reconciler/controller/repositories.go", regexp.MustCompile(`source\.Err\w+, "(\w+)"\}`)},
	{"an event", "reconciler/*/*.go", regexp.MustCompile(`Events\.Eventf\([^"]*"(\w+)", "`)},
	{"a cause", "reconciler/apply/errors.go", regexp.MustCompile(`Cause = "(\w+)"`)},
	{"an action on record", "reconciler/release/auditor.go", regexp.MustCompile(`Action = "(\w+)"`)},
	{"a phase", "schemas/cluster.go", regexp.MustCompile(`ReleasePhase = "(\w+)"`)},
	{"a flag", "cmd/mooring-controller/main.go", regexp.MustCompile(`flag\.\w+Var\([^"]*"([a-z-]+)"`)},
	{"a key of the Secret", "internal/remote/remote.go", regexp.MustCompile(`(?m)^\s+Key\w+\s*= "([\w.]+)"`)},
	{"a metric", "reconciler/release/metrics.go", regexp.MustCompile(`//\s+(mooring_\w+)`)},
	{"a metric", "reconciler/controller/deliveries.go", regexp.MustCompile(`//\s+(mooring_\w+)`)},
	{"a webhook's result", "reconciler/controller/deliveries.go", regexp.MustCompile(`(?m)^\s+hook\w+\s*= "([\w-]+)"`)},
}

func TestTheRunbookKnowsEveryName(t *testing.T) {
	page := read(t, "docs/operations/README.md") + read(t, "docs/operations/runbook.md")
	for _, l := range lookedUp {
		found := 0
		files, err := filepath.Glob(filepath.Join(root(t), l.in))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range l.pattern.FindAllStringSubmatch(string(content), -1) {
				found++
				if !regexp.MustCompile("`-{0,2}"+regexp.QuoteMeta(m[1])+"\\b").MatchString(page) && !strings.Contains(page, "| "+m[1]+" |") {
					t.Errorf("docs/operations does not explain %s: %s", l.what, m[1])
				}
			}
		}
		if found == 0 {
			t.Errorf("no %s is found in %s; is the pattern still right?", l.what, l.in)
		}
	}
}

// An alert leads to its heading by the name alone.
func TestEveryAlertHasARunbook(t *testing.T) {
	page := read(t, "docs/operations/observability.md")
	alerts := regexp.MustCompile(`o\.alert\("(\w+)"`).FindAllStringSubmatch(read(t, "render/alerts.go"), -1)
	if len(alerts) < 6 {
		t.Errorf("%d alerts are found; is the pattern still right?", len(alerts))
	}
	for _, m := range alerts {
		if !strings.Contains(page, "\n## "+m[1]+"\n") {
			t.Errorf("docs/operations/observability.md has no heading %s", m[1])
		}
	}
}
