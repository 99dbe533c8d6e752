package docs_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	yamlv3 "gopkg.in/yaml.v3"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/schemas"
)

// parsers load a whole file of each kind and say what is wrong with it.
var parsers = map[schemas.Kind]func(string, []byte) schemas.Findings{
	schemas.KindModelDeployment: findings(schemas.ParseModelDeployment),
	schemas.KindGovernance:      findings(schemas.ParseGovernance),
	schemas.KindEnvironment:     findings(schemas.ParseEnvironment),
	schemas.KindTeam:            findings(schemas.ParseTeam),
	schemas.KindGovernanceTest:  findings(schemas.ParseGovernanceTest),
	schemas.KindModelRepository: strictly[schemas.ModelRepository],
}

func findings[T any](parse func(string, []byte) (*schemas.Document[T], schemas.Findings)) func(string, []byte) schemas.Findings {
	return func(file string, content []byte) schemas.Findings {
		_, found := parse(file, content)
		return found
	}
}

func strictly[T any](file string, content []byte) schemas.Findings {
	var v T
	if err := yaml.UnmarshalStrict(content, &v); err != nil {
		return schemas.Findings{{Severity: schemas.SeverityError, File: file, Message: err.Error()}}
	}
	return nil
}

func TestManifestsInThePagesAreValid(t *testing.T) {
	seen := map[schemas.Kind]int{}
	for _, page := range pages(t) {
		blocks, _ := split(t, page)
		for _, b := range blocks {
			if b.language != "yaml" {
				continue
			}
			content := []byte(strings.Join(b.lines, "\n") + "\n")
			var any struct {
				Kind       schemas.Kind `yaml:"kind"`
				APIVersion string       `yaml:"apiVersion"`
			}
			if b.marked("fragment") {
				var tree yamlv3.Node
				if err := yamlv3.Unmarshal(content, &tree); err != nil {
					t.Errorf("%s:%d: %v", page, b.line, err)
				}
				continue
			}
			if err := yamlv3.Unmarshal(content, &any); err != nil || any.Kind == "" {
				t.Errorf("%s:%d: a whole object is expected (else mark it as a fragment): %v", page, b.line, err)
				continue
			}
			parse := parsers[any.Kind]
			if parse == nil {
				if any.APIVersion == schemas.APIVersion {
					t.Errorf("%s:%d: there is no kind %s", page, b.line, any.Kind)
				}
				continue
			}
			seen[any.Kind]++
			for _, f := range parse(page, content) {
				t.Errorf("%s:%d: %s", page, b.line+f.Line, f)
			}
		}
	}
	for kind := range parsers {
		if seen[kind] == 0 {
			t.Errorf("no page shows a %s", kind)
		}
	}
}

// workshop is where the commands of the pages run: a copy of the example in Git
// with a branch that proposes a change, an audit log, and mlops on the path.
func workshop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	buildMlops(t, dir)
	repo := filepath.Join(dir, "models")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join(root(t), "example-repo"))); err != nil {
		t.Fatal(err)
	}
	script := `git init --quiet --initial-branch=main
git config maintenance.auto false # it would still be at work when the folder is copied
git add --all
git commit --quiet --message='Start the model repository'
git switch --quiet --create=churn-v3
sed -i 's/version: "2"/version: "3"/' models/data-science/churn-predictor/staging/deployment.yaml
git commit --quiet --all --message='Serve churn-predictor v3'
git switch --quiet main
cp -R . ../example-repo && mv ../example-repo example-repo && rm -rf example-repo/.git`
	if out, code := sh(t, dir, repo, script); code != 0 {
		t.Fatalf("prepare the example: %s", out)
	}
	writeAudit(t, filepath.Join(repo, "audit.jsonl"))
	return dir
}

func buildMlops(t *testing.T, workshop string) {
	t.Helper()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(workshop, "bin", "mlops"), "./cmd/mlops")
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build mlops: %v\n%s", err, out)
	}
}

func writeAudit(t *testing.T, file string) {
	t.Helper()
	log, err := audit.Open(file, audit.Options{Now: func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []audit.Phase{audit.PhaseIntent, audit.PhaseOutcome} {
		_, err := log.Append(t.Context(), audit.Entry{
			Key: "apply/" + string(phase), Phase: phase, Action: audit.ActionApply, Actor: "mooring", Reason: "the approved content changed",
			Subject: audit.Subject{Repository: "models", Team: "data-science", Model: "churn-predictor", Environment: "production"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// sh runs one script in a folder, with the workshop's mlops first on the path.
func sh(t *testing.T, workshop, dir, script string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euc", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+workshop+"/bin:"+os.Getenv("PATH"),
		"GIT_AUTHOR_NAME=dana", "GIT_AUTHOR_EMAIL=dana@example.com", "GIT_COMMITTER_NAME=dana", "GIT_COMMITTER_EMAIL=dana@example.com")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out.String(), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), 0
}

func TestCommandsInThePagesWork(t *testing.T) {
	dir := workshop(t)
	count := 0
	for _, page := range pages(t) {
		blocks, _ := split(t, page)
		output := ""
		for _, b := range blocks {
			switch {
			case b.language == "sh" && b.marked("run"):
				count++
				output = runBlock(t, dir, filepath.Join(dir, "models"), b)
			case b.language == "text" && b.marked("output"):
				checkOutput(t, b, output)
			case b.language == "sh" && strings.Contains(strings.Join(b.lines, "\n"), "mlops ") && !b.marked("not-run"):
				t.Errorf("%s:%d: a command of mlops is shown and not run: mark the block run or not-run", page, b.line)
			}
		}
	}
	if count < 5 {
		t.Errorf("only %d blocks are run; are the pages' marks still right?", count)
	}
}

func runBlock(t *testing.T, workshop, dir string, b fence) string {
	t.Helper()
	want := 0
	if text := b.mark("exit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s:%d: %v", b.page, b.line, err)
		}
		want = n
	}
	out, code := sh(t, workshop, dir, strings.Join(b.lines, "\n"))
	if code != want {
		t.Errorf("%s:%d: exit code %d, want %d:\n%s", b.page, b.line, code, want, out)
	}
	return out
}

// checkOutput looks for each line of a block, in order, in what was printed.
func checkOutput(t *testing.T, b fence, printed string) {
	t.Helper()
	rest := printed
	for i, line := range b.lines {
		wanted := strings.TrimSpace(line)
		if wanted == "" || wanted == "…" {
			continue
		}
		_, after, ok := strings.Cut(rest, wanted)
		if !ok {
			t.Errorf("%s:%d: the command does not print this line here: %s\nit printed:\n%s", b.page, b.line+i+1, wanted, printed)
			return
		}
		rest = after
	}
}

// The excerpt of the demo in the README has the names of the steps as they are.
func TestTheReadmeTellsTheDemoAsItIs(t *testing.T) {
	page := read(t, "README.md")
	told := 0
	for i, step := range demo.Story {
		title := strconv.Itoa(i+1) + "/" + strconv.Itoa(len(demo.Story)) + " " + step.Name + "\n"
		if strings.Contains(page, title) {
			told++
		}
	}
	if told < 3 {
		t.Errorf("the README shows %d of the demo's steps under their names; take a new excerpt of `make demo`", told)
	}
}
