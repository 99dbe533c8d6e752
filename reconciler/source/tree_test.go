package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"
)

const gone = ID("1111111111111111111111111111111111111111")

// listing renders a tree's files as "path" or "path: cause".
func listing(tree *Tree) []string {
	var out []string
	for _, f := range tree.Files() {
		if f.Refused != nil {
			out = append(out, fmt.Sprintf("%s: %s", f.Path, f.Refused.Cause))
			continue
		}
		out = append(out, f.Path)
	}
	return out
}

func TestTreeRefusesHostileEntriesAndReadsTheRest(t *testing.T) {
	type build func(g *gitRepo, blob ID) []rawEntry // entries of models/
	file := func(name string) build {
		return func(_ *gitRepo, blob ID) []rawEntry { return []rawEntry{{"100644", name, blob}} }
	}
	entry := func(mode, name string, id ID) build {
		return func(_ *gitRepo, blob ID) []rawEntry {
			if id == "" {
				return []rawEntry{{mode, name, blob}}
			}
			return []rawEntry{{mode, name, id}}
		}
	}
	tests := []struct {
		name  string
		build build
		want  []string
	}{
		{"an ordinary file is read", file("a"), []string{"models/a"}},
		{"an executable file is a file", entry("100755", "a", ""), []string{"models/a"}},
		{"a symbolic link is refused", entry("120000", "a", ""), []string{"models/a: symlink"}},
		{"a submodule is refused", entry("160000", "a", gone), []string{"models/a: submodule"}},
		{"a dot is refused", file("."), []string{"models/.: name"}},
		{"two dots are refused", file(".."), []string{"models/..: name"}},
		{".git is refused", file(".git"), []string{"models/.git: name"}},
		{".GIT is refused", file(".GIT"), []string{"models/.GIT: name"}},
		{"the short name of .git is refused", file("GIT~1"), []string{"models/GIT~1: name"}},
		{".git with trailing dots and blanks is refused", file(".git . "), []string{"models/.git . : name"}},
		{"a stream of .git is refused", file(".git::$INDEX_ALLOCATION"), []string{"models/.git::$INDEX_ALLOCATION: name"}},
		{".git with an invisible letter is refused", file(".g\u200cit"), []string{`models/.g\u{200c}it: name`}},
		{".gitignore is read", file(".gitignore"), []string{"models/.gitignore"}},
		{"a name with a slash is refused", file("../x"), []string{`models/..\x2fx: name`}},
		{"a name with a backslash is refused", file(`..\x`), []string{`models/..\\x: name`}},
		{"an empty name is refused", file(""), []string{`models/\empty: name`}},
		{"a name that is not UTF-8 is refused", file("a\xff"), []string{`models/a\xff: name`}},
		{"a name with a line break is refused", file("a\nb"), []string{`models/a\u{a}b: name`}},
		{"a name that reverses text is refused", file("a\u202eb"), []string{`models/a\u{202e}b: name`}},
		{"a mode that Git does not know is refused", entry("777", "a", ""), []string{"models/a: mode"}},
		{"an entry that names no object is refused", entry("100644", "a", ID(strings.Repeat("0", 40))), []string{"models/a: malformed"}},
		{"a name that appears twice is refused, whatever it names", func(g *gitRepo, blob ID) []rawEntry {
			return []rawEntry{{"100644", "a", blob}, {"100644", "a.b", blob}, {"40000", "a", g.rawTree(rawEntry{"100644", "x", blob})}}
		}, []string{"models/a: duplicate", "models/a.b"}},
		{"a folder out of order is refused as a whole", func(_ *gitRepo, blob ID) []rawEntry {
			return []rawEntry{{"100644", "b", blob}, {"100644", "a", blob}}
		}, []string{"models: malformed"}},
		{"a folder that is a file is refused", func(_ *gitRepo, blob ID) []rawEntry {
			return []rawEntry{{"40000", "a", blob}}
		}, []string{"models/a: type"}},
		{"a path of 512 bytes is read, one of 513 is refused", func(_ *gitRepo, blob ID) []rawEntry {
			return []rawEntry{{"100644", strings.Repeat("x", 505), blob}, {"100644", strings.Repeat("y", 506), blob}}
		}, []string{"models/" + strings.Repeat("x", 505), "models/" + strings.Repeat("y", 506) + ": path-long"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := newGitRepo(t)
			blob := g.blob("content")
			models := g.rawTree(tc.build(g, blob)...)
			team := g.rawTree(rawEntry{"100644", "ds.yaml", blob})
			commit := g.rawCommit(g.rawTree(rawEntry{"40000", "models", models}, rawEntry{"40000", "teams", team}))
			tree, err := g.open().Tree(t.Context(), commit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append(tc.want, "teams/ds.yaml"), listing(tree)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if data, err := tree.Read(t.Context(), "teams/ds.yaml"); err != nil || string(data) != "content" {
				t.Errorf("the file beside it: got %q, %v", data, err)
			}
			for _, f := range tree.Files() {
				var refused *Refused
				if _, err := tree.Read(t.Context(), f.Path); f.Refused != nil && !errors.As(err, &refused) {
					t.Errorf("reading %s: got %v, want *Refused", f.Path, err)
				}
			}
			// What is refused is also seen as a change against a tree without it.
			base := g.rawCommit(g.rawTree())
			d, err := g.open().Changes(t.Context(), base, g.rawCommit(g.rev(string(commit)+"^{tree}"), base))
			if err != nil {
				t.Fatal(err)
			}
			var changed []string
			for _, f := range d.Files {
				if f.After.Refused != nil {
					changed = append(changed, fmt.Sprintf("%s: %s", f.Path, f.After.Refused.Cause))
				} else {
					changed = append(changed, f.Path)
				}
			}
			if diff := cmp.Diff(listing(tree), changed); diff != "" {
				t.Errorf("changes against nothing (-files +changes):\n%s", diff)
			}
		})
	}
}

func TestTreeKnowsOnlyItsFolders(t *testing.T) {
	g := newGitRepo(t)
	g.commit("start", "governance.yaml", "environments/dev.yaml", "teams/ds.yaml", "overlays/dev/kustomization.yaml",
		"policy/a.rego", "models/ds/m/dev/deployment.yaml", "README.md", "Models/x", "docs/models/x", "governance.yml")
	tree, err := g.open().Tree(t.Context(), g.rev("HEAD"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"environments/dev.yaml", "governance.yaml", "models/ds/m/dev/deployment.yaml",
		"overlays/dev/kustomization.yaml", "policy/a.rego", "teams/ds.yaml"}
	if diff := cmp.Diff(want, listing(tree)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got, want := tree.Folder("overlays/dev"), g.rev("HEAD:overlays/dev"); got != want {
		t.Errorf("folder: got %s, want %s", got, want)
	}
	if _, err := tree.Read(t.Context(), "README.md"); !errors.Is(err, ErrNoFile) {
		t.Errorf("outside the known folders: got %v, want ErrNoFile", err)
	}
}

func TestTreeRefusesTheWrongKindAtTheRoot(t *testing.T) {
	g := newGitRepo(t)
	blob := g.blob("x")
	inner := g.rawTree(rawEntry{"100644", "x", blob})
	commit := g.rawCommit(g.rawTree(rawEntry{"100644", ".git", blob}, rawEntry{"40000", "governance.yaml", inner},
		rawEntry{"100644", "models", blob}, rawEntry{"120000", "teams", blob}))
	tree, err := g.open().Tree(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"governance.yaml: not-file", "models: not-folder", "teams: symlink"}
	if diff := cmp.Diff(want, listing(tree)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestTreeCaps(t *testing.T) {
	g := newGitRepo(t)
	g.write("models/big.yaml", strings.Repeat("x", MaxFile+1))
	g.write("models/fits.yaml", strings.Repeat("x", MaxFile))
	g.write("policy/big.rego", strings.Repeat("x", MaxRego+1))
	g.write("policy/fits.rego", strings.Repeat("x", MaxRego))
	deep := "models" + strings.Repeat("/d", MaxDepth-1)
	g.write(deep+"/e", "too deep")
	g.write(strings.TrimSuffix(deep, "/d")+"/f", "deep enough")
	g.commit("caps")
	tree, err := g.open().Tree(t.Context(), g.rev("HEAD"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"models/big.yaml: size", deep + "/e: path-deep", strings.TrimSuffix(deep, "/d") + "/f",
		"models/fits.yaml", "policy/big.rego: size", "policy/fits.rego"}
	slices.Sort(want)
	got := listing(tree)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	var refused *Refused
	if _, err := g.open().ReadBlob(t.Context(), g.rev("HEAD:policy/big.rego")); !errors.As(err, &refused) {
		t.Errorf("a blob over the cap: got %v, want *Refused", err)
	}
}

// A few objects that name one another describe a tree of any size.
func TestATreeOfTooManyEntriesIsRefused(t *testing.T) {
	g := newGitRepo(t)
	level := g.rawTree(rawEntry{"100644", "a", g.blob("x")})
	for range 12 {
		var entries []rawEntry
		for i := range 10 {
			entries = append(entries, rawEntry{"40000", fmt.Sprintf("d%d", i), level})
		}
		level = g.rawTree(entries...)
	}
	base := g.rawCommit(g.rawTree())
	bomb := g.rawCommit(g.rawTree(rawEntry{"40000", "models", level}), base)
	r := g.open()
	if _, err := r.Tree(t.Context(), bomb); !errors.Is(err, ErrTreeTooLarge) {
		t.Errorf("Tree: got %v, want ErrTreeTooLarge", err)
	}
	if _, err := r.Changes(t.Context(), base, bomb); !errors.Is(err, ErrTreeTooLarge) {
		t.Errorf("Changes: got %v, want ErrTreeTooLarge", err)
	}
}

func TestAnObjectOfAnotherTypeIsRefusedWhenItIsRead(t *testing.T) {
	g := newGitRepo(t)
	inner := g.rawTree(rawEntry{"100644", "x", g.blob("x")})
	commit := g.rawCommit(g.rawTree(rawEntry{"40000", "models", g.rawTree(rawEntry{"100644", "a", inner})}))
	tree, err := g.open().Tree(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	var refused *Refused
	if _, err := tree.Read(t.Context(), "models/a"); !errors.As(err, &refused) || refused.Cause != CauseType {
		t.Errorf("a folder that claims to be a file: got %v, want *Refused of cause type", err)
	}
}

func TestAMalformedRootIsRefused(t *testing.T) {
	g := newGitRepo(t)
	commit := g.rawCommit(g.rawObject("tree", "100644 short\x00abc"))
	var refused *Refused
	if _, err := g.open().Tree(t.Context(), commit); !errors.As(err, &refused) || refused.Cause != CauseMalformed {
		t.Errorf("got %v, want *Refused of cause malformed", err)
	}
}

func TestAMissingObjectIsAnErrorAndNoFinding(t *testing.T) {
	g := newGitRepo(t)
	commit := g.rawCommit(g.rawTree(rawEntry{"40000", "models", g.rawTree(rawEntry{"100644", "a", gone})}))
	if _, err := g.open().Tree(t.Context(), commit); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
}

func TestTreeHeedsItsContext(t *testing.T) {
	g := newGitRepo(t)
	g.commit("start", "models/a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.open().Tree(ctx, g.rev("HEAD")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func FuzzNode(f *testing.F) {
	f.Add([]byte("100644 a\x0012345678901234567890"), true)
	f.Add([]byte("40000 models\x0012345678901234567890120000 teams\x0012345678901234567890"), true)
	f.Add([]byte("160000 .git\x0012345678901234567890"), false)
	f.Fuzz(func(t *testing.T, data []byte, root bool) {
		names := map[string]bool{}
		for _, e := range parseNode(data, root).entries {
			if names[e.name] {
				t.Errorf("%q appears twice", e.name)
			}
			names[e.name] = true
			if e.kind == kindNone || (e.kind == kindRefused) != (e.cause != "") {
				t.Errorf("%q: kind %d, cause %q", e.name, e.kind, e.cause)
			}
			checkName(t, e)
		}
	})
}

// checkName: what passes is harmless, and every path that is shown is one line.
func checkName(t *testing.T, e entry) {
	t.Helper()
	lower := strings.ToLower(e.name)
	if e.kind != kindRefused && (lower == ".git" || lower == "." || lower == ".." || strings.ContainsAny(e.name, "/\\\x00\n")) {
		t.Errorf("%q passed", e.name)
	}
	path := place{path: "models", depth: 1}.child(e).path
	if strings.ContainsFunc(path, forgesOutput) || len(path) > 10*MaxPath {
		t.Errorf("path %q", path)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a", ".git", "git~1", ".git ", ".g\u200cit", "a/b", "\xff", "a\\b", "..", "a\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		e := treeLine{mode: "100644", name: name, id: plumbing.NewHash(string(gone))}.judge()
		checkName(t, e)
		if len(name) <= MaxPath && e.kind == kindFile && e.shown != name {
			t.Errorf("the harmless name %q is shown as %q", name, e.shown)
		}
	})
}
