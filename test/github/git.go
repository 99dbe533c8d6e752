package githubtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// gitRepo is one bare repository on disk.
type gitRepo struct{ dir string }

// signature is who made a commit, and when.
type signature struct {
	name, email string
	when        time.Time
}

// webFlow is the committer of everything that GitHub itself commits.
func webFlow(when time.Time) signature {
	return signature{"GitHub", "noreply@github.com", when}
}

func (sig signature) env(role string) []string {
	return []string{
		"GIT_" + role + "_NAME=" + sig.name,
		"GIT_" + role + "_EMAIL=" + sig.email,
		fmt.Sprintf("GIT_%s_DATE=@%d +0000", role, sig.when.Unix()),
	}
}

// gitEnv keeps the machine's own Git configuration, and its prompts, out.
func gitEnv() []string {
	return append(os.Environ(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
}

// errConflict says that a merge, squash or rebase would not apply.
var errConflict = errors.New("merge conflict")

type gitError struct {
	args   []string
	stderr string
	err    error
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: %v: %s", strings.Join(e.args, " "), e.err, strings.TrimSpace(e.stderr))
}

func (e *gitError) Unwrap() error { return e.err }

func (e *gitError) exitCode() int {
	var exit *exec.ExitError
	if errors.As(e.err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// git runs one command. The context is not the caller's: a client that hangs up must not leave
// a merge half done.
func (g gitRepo) git(env []string, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", g.dir}, args...)...)
	cmd.Env = append(gitEnv(), env...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), &gitError{args, errs.String(), err}
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func (g gitRepo) run(args ...string) (string, error) { return g.git(nil, nil, args...) }

// preReceive refuses pushes to the protected branches that the server names in the environment.
const preReceive = `#!/bin/sh
while read -r old new ref; do
  case " $GITHUB_PROTECTED " in
    *" $ref "*) echo "error: GH006: Protected branch update failed for $ref." >&2; exit 1 ;;
  esac
done
`

// initRepo makes the bare repository as GitHub has it: refs/pull is readable but nobody pushes there,
// and any commit may be fetched by its id.
func initRepo(dir, defaultBranch string) (gitRepo, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return gitRepo{}, fmt.Errorf("make the repository's directory: %w", err)
	}
	g := gitRepo{dir}
	if _, err := g.run("init", "--quiet", "--bare", "--initial-branch="+defaultBranch, "."); err != nil {
		return g, err
	}
	for _, kv := range [][2]string{
		{"http.receivepack", "true"}, {"receive.hideRefs", "refs/pull"}, {"uploadpack.allowAnySHA1InWant", "true"},
		{"gc.auto", "0"}, {"receive.autogc", "false"}, {"core.logAllRefUpdates", "false"},
	} {
		if _, err := g.run("config", kv[0], kv[1]); err != nil {
			return g, err
		}
	}
	hook := filepath.Join(dir, "hooks", "pre-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		return g, fmt.Errorf("make the hooks directory: %w", err)
	}
	if err := os.WriteFile(hook, []byte(preReceive), 0o755); err != nil { // a hook must be executable
		return g, fmt.Errorf("write the pre-receive hook: %w", err)
	}
	return g, nil
}

// resolve gives the commit of a revision, "" when there is none.
func (g gitRepo) resolve(rev string) (string, error) {
	if rev == "" || strings.HasPrefix(rev, "-") {
		return "", nil
	}
	out, err := g.run("rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	var ge *gitError
	if errors.As(err, &ge) && (ge.exitCode() == 1 || ge.exitCode() == 128) {
		return "", nil
	}
	return out, err
}

// refs lists every ref below a prefix with its object.
func (g gitRepo) refs(prefix string) (map[string]string, error) {
	out, err := g.run("for-each-ref", "--format=%(refname) %(objectname)", prefix)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for _, line := range lines(out) {
		name, sha, _ := strings.Cut(line, " ")
		refs[name] = sha
	}
	return refs, nil
}

func (g gitRepo) setRef(ref, sha string) error {
	_, err := g.run("update-ref", ref, sha)
	return err
}

func (g gitRepo) deleteRef(ref string) error {
	_, err := g.run("update-ref", "-d", ref)
	return err
}

// mergeBase gives the common ancestor, "" when the histories share none.
func (g gitRepo) mergeBase(a, b string) (string, error) {
	out, err := g.run("merge-base", a, b)
	var ge *gitError
	if errors.As(err, &ge) && ge.exitCode() == 1 {
		return "", nil
	}
	return out, err
}

func (g gitRepo) isAncestor(a, b string) (bool, error) {
	_, err := g.run("merge-base", "--is-ancestor", a, b)
	var ge *gitError
	if errors.As(err, &ge) && ge.exitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// mergeTree merges two commits and gives the resulting tree, or errConflict.
func (g gitRepo) mergeTree(ours, theirs string) (string, error) {
	out, err := g.run("merge-tree", "--write-tree", "--no-messages", ours, theirs)
	var ge *gitError
	if errors.As(err, &ge) && ge.exitCode() == 1 {
		return "", errConflict
	}
	if err != nil {
		return "", err
	}
	tree, _, _ := strings.Cut(out, "\n")
	return tree, nil
}

func (g gitRepo) commitTree(tree, message string, author, committer signature, parents ...string) (string, error) {
	args := []string{"commit-tree", tree}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	return g.git(append(author.env("AUTHOR"), committer.env("COMMITTER")...), []byte(message), args...)
}

func lines(out string) []string {
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// httpBackend finds the program with which Git serves repositories over HTTP.
func httpBackend() (string, error) {
	out, err := exec.CommandContext(context.Background(), "git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("git is needed on the PATH: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("git was installed without its HTTP backend: %w", err)
	}
	return path, nil
}
