package source

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// gitRepo is a repository built by the real git binary.
type gitRepo struct {
	t   testing.TB
	dir string
	now time.Time // of the next commit; each is a minute later than the last
}

// newGitRepo creates an empty repository with a working tree on branch main.
func newGitRepo(t testing.TB) *gitRepo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	g := &gitRepo{t: t, dir: t.TempDir(), now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	g.git("init", "--quiet", "--initial-branch=main")
	return g
}

func (g *gitRepo) git(args ...string) string {
	g.t.Helper()
	return g.gitIn("", args...)
}

// gitIn runs git with an environment of its own, so that no configuration of
// the machine or variable of the caller changes what a test sees.
func (g *gitRepo) gitIn(stdin string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	stamp := fmt.Sprintf("%d +0000", g.now.Unix())
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_AUTHOR_DATE=" + stamp,
		"GIT_COMMITTER_NAME=Grace", "GIT_COMMITTER_EMAIL=grace@example.com", "GIT_COMMITTER_DATE=" + stamp,
	}
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (g *gitRepo) write(path, content string) {
	g.t.Helper()
	full := filepath.Join(g.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gitRepo) commit(message string, paths ...string) ID {
	g.t.Helper()
	for _, p := range paths {
		g.write(p, message+"\n")
	}
	g.git("add", "--all")
	g.git("commit", "--quiet", "--allow-empty", "-m", message)
	g.now = g.now.Add(time.Minute)
	return g.rev("HEAD")
}

func (g *gitRepo) merge(message string, revs ...string) ID {
	g.t.Helper()
	g.git(append([]string{"merge", "--quiet", "--no-ff", "-m", message}, revs...)...)
	g.now = g.now.Add(time.Minute)
	return g.rev("HEAD")
}

func (g *gitRepo) rev(rev string) ID { g.t.Helper(); return ID(g.git("rev-parse", rev)) }

func (g *gitRepo) open() *Repository {
	g.t.Helper()
	return openDir(g.t, g.dir)
}

func openDir(t testing.TB, dir string) *Repository {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// rawEntry is one line of a tree object as a hostile client would write it.
type rawEntry struct {
	mode, name string
	id         ID
}

// rawTree stores a tree object without any check and returns its name.
func (g *gitRepo) rawTree(entries ...rawEntry) ID {
	g.t.Helper()
	var b strings.Builder
	for _, e := range entries {
		h := plumbing.NewHash(string(e.id))
		fmt.Fprintf(&b, "%s %s\x00%s", e.mode, e.name, h[:])
	}
	return g.rawObject("tree", b.String())
}

func (g *gitRepo) rawObject(kind, content string) ID {
	g.t.Helper()
	return ID(g.gitIn(content, "hash-object", "-t", kind, "-w", "--stdin", "--literally"))
}

func (g *gitRepo) blob(content string) ID { g.t.Helper(); return g.rawObject("blob", content) }

// rawCommit commits a tree with any parents.
func (g *gitRepo) rawCommit(tree ID, parents ...ID) ID {
	g.t.Helper()
	args := []string{"commit-tree", string(tree), "-m", "raw"}
	for _, p := range parents {
		args = append(args, "-p", string(p))
	}
	id := g.git(args...)
	g.now = g.now.Add(time.Minute)
	return ID(id)
}
