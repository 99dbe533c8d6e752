package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestOpenFindsTheRepository(t *testing.T) {
	tests := []struct {
		name string
		dir  func(t *testing.T, g *gitRepo) string // where to open
	}{
		{"in its working tree", func(_ *testing.T, g *gitRepo) string { return g.dir }},
		{"from a folder inside the working tree", func(_ *testing.T, g *gitRepo) string { return filepath.Join(g.dir, "teams") }},
		{"in its git directory", func(_ *testing.T, g *gitRepo) string { return filepath.Join(g.dir, ".git") }},
		{"packed", func(_ *testing.T, g *gitRepo) string { g.git("gc", "--quiet"); return g.dir }},
		{"in a bare clone", func(t *testing.T, g *gitRepo) string {
			dir := t.TempDir()
			g.git("clone", "--quiet", "--bare", g.dir, dir)
			return dir
		}},
		{"in a bare clone that lies inside another working tree", func(t *testing.T, g *gitRepo) string {
			dir := filepath.Join(newGitRepo(t).dir, "inner")
			g.git("clone", "--quiet", "--bare", g.dir, dir)
			return dir
		}},
		{"in a linked worktree", func(t *testing.T, g *gitRepo) string {
			dir := filepath.Join(t.TempDir(), "linked")
			g.git("worktree", "add", "--quiet", "--detach", dir)
			return dir
		}},
		{"in a clone that borrows objects", func(t *testing.T, g *gitRepo) string {
			dir := t.TempDir()
			g.git("clone", "--quiet", "--shared", g.dir, dir)
			return dir
		}},
		{"in a clone that borrows from one that borrows", func(t *testing.T, g *gitRepo) string {
			dir, next := t.TempDir(), t.TempDir()
			g.git("clone", "--quiet", "--shared", g.dir, dir)
			g.git("clone", "--quiet", "--shared", dir, next)
			return next
		}},
		{"in a worktree linked to a clone that borrows", func(t *testing.T, g *gitRepo) string {
			dir, linked := t.TempDir(), filepath.Join(t.TempDir(), "linked")
			g.git("clone", "--quiet", "--shared", g.dir, dir)
			g.git("-C", dir, "worktree", "add", "--quiet", "--detach", linked)
			return linked
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("one", "teams/a.yaml")
			tip := g.commit("two", "teams/b.yaml")
			r := openDir(t, tc.dir(t, g))
			id, err := r.Resolve(t.Context(), "HEAD")
			if err != nil || id != tip {
				t.Fatalf("HEAD: got %s, %v, want %s", id, err, tip)
			}
			tree, err := r.Tree(t.Context(), id)
			if err != nil || len(tree.Files()) != 2 {
				t.Errorf("tree: got %v, %v", tree, err)
			}
		})
	}
}

func TestOpenRefusesWhatIsNoRepository(t *testing.T) {
	dangling := t.TempDir()
	if err := os.WriteFile(filepath.Join(dangling, ".git"), []byte("gitdir: /nowhere/at/all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"an empty folder": t.TempDir(), "a folder that is not there": "/nowhere/at/all", "a .git file that leads nowhere": dangling,
	} {
		if _, err := Open(dir); !errors.Is(err, ErrNotRepository) {
			t.Errorf("%s: got %v, want ErrNotRepository", name, err)
		}
	}
}

func TestOpenSeesARepositoryThatGitRepacksMeanwhile(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("one", "teams/a.yaml")
	g.git("gc", "--quiet")
	r := g.open()
	if _, err := r.Tree(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := g.commit("two", "teams/b.yaml")
	g.git("gc", "--quiet", "--prune=now")
	if tree, err := r.Tree(t.Context(), second); err != nil || len(tree.Files()) != 2 {
		t.Errorf("got %v, %v", tree, err)
	}
}

func TestResolve(t *testing.T) {
	g := newGitRepo(t)
	one := g.commit("one", "teams/a.yaml")
	two := g.commit("two", "teams/a.yaml")
	g.git("tag", "light", string(one))
	g.git("tag", "-a", "-m", "x", "annotated", string(one))
	g.git("tag", "-a", "-m", "x", "twice", "annotated")
	g.git("tag", "tree-tag", "HEAD^{tree}")
	g.git("checkout", "--quiet", "-b", "side/branch", string(one))
	side := g.commit("side", "teams/b.yaml")
	g.git("checkout", "--quiet", "main")
	merged := g.merge("merge", "side/branch")
	g.git("update-ref", "refs/remotes/origin/main", string(two))
	g.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	g.git("update-ref", "refs/pull/7/head", string(side))
	g.git("branch", string(two[:8]), string(one)) // a branch in disguise
	r := g.open()

	tests := []struct {
		rev  string
		want ID
		err  error
	}{
		{rev: "HEAD", want: merged}, {rev: "@", want: merged}, {rev: "main", want: merged},
		{rev: "side/branch", want: side}, {rev: "refs/heads/main", want: merged}, {rev: "heads/main", want: merged},
		{rev: "light", want: one}, {rev: "annotated", want: one}, {rev: "twice", want: one}, {rev: "tags/annotated", want: one},
		{rev: "origin/main", want: two}, {rev: "origin", want: two}, {rev: "refs/pull/7/head", want: side}, {rev: "pull/7/head", want: side},
		{rev: string(one), want: one}, {rev: strings.ToUpper(string(one)), want: one}, {rev: string(side[:7]), want: side},
		{rev: "HEAD~1", want: two}, {rev: "HEAD~", want: two}, {rev: "HEAD^", want: two}, {rev: "HEAD^1", want: two},
		{rev: "HEAD^2", want: side}, {rev: "HEAD~2", want: one}, {rev: "HEAD^2~1", want: one}, {rev: "HEAD^^", want: one},
		{rev: "HEAD^0", want: merged}, {rev: "annotated^{commit}", want: one}, {rev: "annotated^{commit}~0", want: one},
		{rev: string(two[:8]), want: one}, // as in git, a reference goes before an abbreviation

		{rev: "HEAD^3", err: ErrRevision}, {rev: "HEAD~3", err: ErrRevision}, {rev: "HEAD~99999999999", err: ErrRevision},
		{rev: "nowhere", err: ErrRevision}, {rev: "", err: ErrRevision}, {rev: "~1", err: ErrRevision}, {rev: "^main", err: ErrRevision},
		{rev: "-main", err: ErrRevision}, {rev: "main..side", err: ErrRevision}, {rev: "main:teams/a.yaml", err: ErrRevision},
		{rev: "main@{1}", err: ErrRevision}, {rev: "HEAD^{tree}", err: ErrRevision}, {rev: "HEAD^{/two}", err: ErrRevision},
		{rev: "tree-tag", err: ErrRevision}, {rev: "refs/heads/../../config", err: ErrRevision}, {rev: "a\nb", err: ErrRevision},
		{rev: string(gone), err: ErrRevision}, {rev: string(g.rev("HEAD^{tree}")), err: ErrRevision}, {rev: "abc", err: ErrRevision},
	}
	for _, tc := range tests {
		got, err := r.Resolve(t.Context(), tc.rev)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%q: got %q, %v; want %q, %v", tc.rev, got, err, tc.want, tc.err)
		}
	}
}

func TestAnAbbreviationThatFitsTwoCommitsIsAmbiguous(t *testing.T) {
	g := newGitRepo(t)
	g.linear("main", "", 900)
	seen := map[string]int{}
	for _, id := range strings.Fields(g.git("rev-list", "main")) {
		seen[id[:4]]++
	}
	r := g.open()
	for prefix, n := range seen {
		if _, err := r.Resolve(t.Context(), prefix); n > 1 {
			if !errors.Is(err, ErrAmbiguous) {
				t.Errorf("%s: got %v, want ErrAmbiguous", prefix, err)
			}
			return
		}
	}
	t.Fatal("no two of 900 commits share four digits; change the commits")
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"HEAD~1^2", "main^{commit}", "~~~", "abcd", "@", "refs/heads/x", "^", "a\x00"} {
		f.Add(s)
	}
	g := newGitRepo(f)
	only := g.commit("one", "teams/a.yaml")
	r := openDir(f, g.dir)
	f.Fuzz(func(t *testing.T, rev string) {
		id, err := r.Resolve(t.Context(), rev)
		if err == nil && id != only {
			t.Errorf("%q: got %s", rev, id)
		}
		if err != nil && !errors.Is(err, ErrRevision) && !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%q: %v", rev, err)
		}
	})
}

func TestParseID(t *testing.T) {
	id := ID(strings.Repeat("ab", 20))
	if got, err := ParseID(strings.ToUpper(string(id))); err != nil || got != id {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "abcd", strings.Repeat("g", 40), strings.Repeat("a", 41), strings.Repeat("a", 64)} {
		if _, err := ParseID(bad); !errors.Is(err, ErrRevision) {
			t.Errorf("%q: got %v, want ErrRevision", bad, err)
		}
	}
	if !ID("").IsZero() || !ID(strings.Repeat("0", 40)).IsZero() || id.IsZero() {
		t.Error("IsZero")
	}
	if id.Short() != "abababababab" || ID("ab").Short() != "ab" || fmt.Sprint(id) != string(id) {
		t.Error("Short or String")
	}
}

// What is read of a fresh repository, whose objects are files of their own, is
// closed at once and not when the garbage collector happens to come by.
func TestNothingStaysOpenOfObjectsInFilesOfTheirOwn(t *testing.T) {
	const descriptors = "/proc/self/fd"
	count := func() int {
		open, err := os.ReadDir(descriptors)
		if err != nil && os.Getenv("CI") == "true" {
			t.Fatalf("what is open cannot be counted: %v", err)
		}
		if err != nil {
			t.Skipf("what is open cannot be counted here: %v", err)
		}
		return len(open)
	}
	g := newGitRepo(t)
	for i := range 200 {
		g.write(fmt.Sprintf("models/team/m%d/production/deployment.yaml", i), fmt.Sprint(i))
	}
	tip := g.commit("Many")
	r := g.open()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := count()
	tree, err := r.Tree(t.Context(), tip)
	if err != nil || len(tree.Files()) != 200 {
		t.Fatalf("%d files, %v", len(tree.Files()), err)
	}
	if after := count(); after > before+10 {
		t.Errorf("%d files are open, and %d were before", after, before)
	}
}
