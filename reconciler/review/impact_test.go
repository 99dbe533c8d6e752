package review

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// edited judges a pull request over example-repo that replaces text in files; a
// file that is not there yet is written whole.
func edited(t *testing.T, edits map[string][2]string) *Report {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../example-repo")); err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-qm", "base")
	git("checkout", "-qb", "pr")
	for name, edit := range edits {
		file := filepath.Join(dir, name)
		text, err := os.ReadFile(file)
		if err != nil && edit[0] != "" {
			t.Fatal(err)
		}
		after := edit[1]
		if edit[0] != "" {
			if after = strings.ReplaceAll(string(text), edit[0], edit[1]); after == string(text) {
				t.Fatalf("%s does not hold %q", name, edit[0])
			}
		}
		if err := os.WriteFile(file, []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("add", "-A")
	git("commit", "-qm", "change")
	repo, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close() // opened for reading
	req := Request{People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)}
	for ref, id := range map[string]*source.ID{"main": &req.Base, "pr": &req.Head} {
		if *id, err = repo.Resolve(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Evaluate(t.Context(), repo, req)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestAGoverningFilesChangeSaysWhatItReaches(t *testing.T) {
	const production, team = "environments/production.yaml", "teams/data-science.yaml"
	for _, tc := range []struct {
		name       string
		edits      map[string][2]string
		path       string
		models     int
		rerendered []string
		levels     []LevelChange
		broken     int
		says       string
	}{
		{"a comment changes nothing", map[string][2]string{production: {"kind: Environment", "kind: Environment # ours"}}, production, 5, nil, nil, 0, ""},
		{"a renamed accelerator breaks who asks for it", map[string][2]string{production: {"nvidia-a10g", "nvidia-a100"}}, production, 5, nil, nil, 1, "no longer be right"},
		{"a smaller quota breaks the team's models and renders its tenancies", map[string][2]string{team: {`cpu: "100"`, `cpu: "1"`}}, team, 8,
			[]string{"tenancy data-science in development", "tenancy data-science in production", "tenancy data-science in staging"}, nil, 7, "the quota is 1"},
		{"a rule that denies breaks what it denies", map[string][2]string{"policy/none.rego": {"", "package mooring\n\nimport rego.v1\n\ndeny contains {\"msg\": \"no sklearn\"} if input.manifest.spec.model.format == \"sklearn\"\n"}},
			"policy/none.rego", 9, nil, nil, 2, "no sklearn"},
		{"a label of the overlay renders its environment anew", map[string][2]string{"overlays/production/kustomization.yaml": {"tier: production", "tier: gold"}},
			"overlays/production/kustomization.yaml", 5,
			[]string{"tenancy clinical-ai in production", "tenancy data-science in production", "clinical-ai/readmission-risk in production",
				"data-science/churn-predictor in production", "data-science/fraud-score in production", "data-science/product-ranker in production",
				"data-science/support-assistant in production"}, nil, 0, "rendered anew: data-science/churn-predictor in production"},
		{"another threshold rates models anew", map[string][2]string{"governance.yaml": {"medium: 15, high: 30", "medium: 15, high: 20"}}, "governance.yaml", 9,
			[]string{"data-science/support-assistant in production"}, []LevelChange{{"data-science/support-assistant in production", "medium", "high"}}, 0, "risk medium → high"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := edited(t, tc.edits)
			at := slices.IndexFunc(report.Changes, func(c *Change) bool { return c.Path == tc.path })
			i := report.Changes[at].Impact
			if i.Models != tc.models || i.Broken != tc.broken || !slices.Equal(i.Rerendered, tc.rerendered) || !slices.Equal(i.Levels, tc.levels) {
				t.Errorf("%+v", *i)
			}
			if report.Verdict != policy.Pending {
				t.Errorf("an impact is a warning, yet the verdict is %s: %s", report.Verdict, Headline(report))
			}
			if comment := Comment(report); !strings.Contains(comment, tc.says) || !strings.Contains(comment, "**Impact:** it governs") {
				t.Errorf("the comment lacks %q:\n%s", tc.says, comment)
			}
		})
	}
}
