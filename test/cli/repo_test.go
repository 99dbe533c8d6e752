package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// template is a Git repository with example-repo as its one commit on main.
var template string

var gitEnv = append(os.Environ(),
	"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
	"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_AUTHOR_DATE=2026-06-01T12:00:00Z",
	"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com", "GIT_COMMITTER_DATE=2026-06-01T12:00:00Z",
)

func newTemplate(dir string) (string, error) {
	if err := os.CopyFS(dir, os.DirFS("../../example-repo")); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "base"}} {
		if out, err := runGit(dir, "", args...); err != nil {
			return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return dir, nil
}

func runGit(dir, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, gitEnv, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// repo is a model repository with a branch main and, once edited, pr.
type repo struct {
	t       *testing.T
	dir     string
	commits int
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	r := &repo{t: t, dir: t.TempDir()}
	if err := os.CopyFS(r.dir, os.DirFS(template)); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	return r.pipe("", args...)
}

func (r *repo) pipe(stdin string, args ...string) string {
	r.t.Helper()
	out, err := runGit(r.dir, stdin, args...)
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (r *repo) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *repo) read(name string) string {
	r.t.Helper()
	data, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

func (r *repo) write(name, content string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// edit replaces a text that the file holds exactly once.
func (r *repo) edit(name, old, replacement string) {
	r.t.Helper()
	text := r.read(name)
	if n := strings.Count(text, old); n != 1 {
		r.t.Fatalf("%s holds %q %d times", name, old, n)
	}
	r.write(name, strings.Replace(text, old, replacement, 1))
}

func (r *repo) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits everything on the current branch.
func (r *repo) commit() string {
	r.t.Helper()
	r.git("add", "-A")
	// The dates are fixed, so only the message keeps equal changes apart.
	r.commits++
	r.git("commit", "-q", "--allow-empty", "-m", fmt.Sprintf("change %d", r.commits))
	return r.git("rev-parse", "HEAD")
}

// branch starts the pull request's branch.
func (r *repo) branch() { r.t.Helper(); r.git("checkout", "-q", "-B", "pr") }

// on runs an edit on main and commits it, so that it is part of the base.
func (r *repo) base(edit func(r *repo)) {
	r.t.Helper()
	if edit != nil {
		edit(r)
		r.commit()
	}
}

// head runs an edit on the branch pr and commits it.
func (r *repo) head(edit func(r *repo)) string {
	r.t.Helper()
	r.branch()
	if edit != nil {
		edit(r)
	}
	return r.commit()
}

const (
	ranker     = "models/data-science/product-ranker/production/deployment.yaml"
	churn      = "models/data-science/churn-predictor/production/deployment.yaml"
	churnStage = "models/data-science/churn-predictor/staging/deployment.yaml"
	forecast   = "models/data-science/demand-forecast/development/deployment.yaml"
	tagger     = "models/data-science/image-tagger/staging/deployment.yaml"
	classifier = "models/data-science/email-classifier/staging/deployment.yaml"
	clinical   = "models/clinical-ai/readmission-risk/production/deployment.yaml"
	fraud      = "models/data-science/fraud-score/production/deployment.yaml"
)

// manifest is a small low-risk manifest, changed by pairs of old and new text.
func manifest(team, model, environment string, pairs ...string) string {
	text := fmt.Sprintf(`apiVersion: mlops-platform.com/v1alpha1
kind: ModelDeployment
metadata:
  name: %[2]s
spec:
  team: %[1]s
  environment: %[3]s
  model:
    name: %[2]s
    version: "1"
    format: sklearn
  serving:
    replicas: {min: 1, max: 2}
    resources:
      requests: {cpu: "1", memory: 2Gi}
    capacity: on-demand
  governance:
    businessImpact: low
    customerExposure: none
    dataSensitivity: internal
    regulations: []
    explainability: none
`, team, model, environment)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			panic("the manifest does not hold " + pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func manifestPath(team, model, environment string) string {
	return "models/" + team + "/" + model + "/" + environment + "/deployment.yaml"
}

// add writes a manifest of manifest at its place.
func (r *repo) add(team, model, environment string, pairs ...string) {
	r.t.Helper()
	r.write(manifestPath(team, model, environment), manifest(team, model, environment, pairs...))
}
