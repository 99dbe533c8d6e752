package source

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func changed(d Diff) []string {
	var out []string
	for _, f := range d.Files {
		out = append(out, fmt.Sprintf("%s %s", f.Kind, f.Path))
	}
	return out
}

func TestChanges(t *testing.T) {
	const manifest = "models/ds/churn/staging/deployment.yaml"
	tests := []struct {
		name string
		do   func(g *gitRepo) // from a main that holds manifest, to main and branch pr
		want []string
	}{
		{"an added, a changed and a removed file are each reported once, sorted by path", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			g.write(manifest, "changed")
			g.write("models/ds/new/staging/deployment.yaml", "new")
			g.git("rm", "--quiet", "teams/ds.yaml")
			g.commit("edit")
		}, []string{"modified " + manifest, "added models/ds/new/staging/deployment.yaml", "removed teams/ds.yaml"}},
		{"a rename is a removal and an addition", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			g.git("mv", "teams/ds.yaml", "teams/aa.yaml")
			g.commit("move")
		}, []string{"added teams/aa.yaml", "removed teams/ds.yaml"}},
		{"a change of mode alone is none", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			g.git("update-index", "--chmod=+x", manifest)
			g.git("commit", "--quiet", "-m", "chmod")
		}, nil},
		{"what lies outside the known folders is no change", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			g.commit("docs", "README.md", "src/models/x.yaml", "Models/x.yaml")
		}, nil},
		{"what only the base changed is not the branch's change", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			g.commit("edit", manifest)
			g.git("checkout", "--quiet", "main")
			g.commit("other", "teams/ds.yaml")
		}, []string{"modified " + manifest}},
		{"a file replaced by a folder is a removal and additions below it", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			g.git("rm", "--quiet", "teams/ds.yaml")
			g.commit("swap", "teams/ds.yaml/inner")
		}, []string{"removed teams/ds.yaml", "added teams/ds.yaml/inner"}},
		{"a file replaced by a symbolic link is a change", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "pr")
			id := g.git("hash-object", "teams/ds.yaml")
			g.git("update-index", "--cacheinfo", "120000,"+id+",teams/ds.yaml")
			g.git("commit", "--quiet", "-m", "link")
		}, []string{"modified teams/ds.yaml"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("start", manifest, "teams/ds.yaml", "governance.yaml")
			tc.do(g)
			d, err := g.open().Changes(t.Context(), g.rev("main"), g.rev("pr"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, changed(d)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangesCarriesTheThreeSides(t *testing.T) {
	g := newGitRepo(t)
	fork := g.commit("one", "teams/ds.yaml")
	g.git("checkout", "--quiet", "-b", "pr")
	head := g.commit("two", "teams/ds.yaml")
	g.git("checkout", "--quiet", "main")
	base := g.commit("three", "teams/ds.yaml")
	d, err := g.open().Changes(t.Context(), base, head)
	if err != nil {
		t.Fatal(err)
	}
	file := func(rev ID, size int64) File {
		return File{Path: "teams/ds.yaml", Blob: g.rev(string(rev) + ":teams/ds.yaml"), Size: size}
	}
	want := Diff{Base: base, Head: head, MergeBase: fork, Files: []FileChange{{
		Path: "teams/ds.yaml", Kind: Modified, Before: file(fork, 4), Base: file(base, 6), After: file(head, 4)}}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
	if !d.Files[0].Diverged() {
		t.Error("a file that the base changed since must count as diverged")
	}
}

func TestChangesRefusesUnclearAncestry(t *testing.T) {
	g := newGitRepo(t)
	g.commit("root", "teams/a.yaml")
	g.git("checkout", "--quiet", "-b", "pr")
	x := g.commit("x", "teams/x.yaml")
	g.git("checkout", "--quiet", "main")
	y := g.commit("y", "teams/y.yaml")
	g.merge("criss", string(x))
	g.git("checkout", "--quiet", "pr")
	g.merge("cross", string(y))
	g.git("checkout", "--quiet", "--orphan", "island")
	g.commit("island")
	r := g.open()
	if _, err := r.Changes(t.Context(), g.rev("main"), g.rev("pr")); !errors.Is(err, ErrMergeBases) {
		t.Errorf("criss-cross merges: got %v, want ErrMergeBases", err)
	}
	if _, err := r.Changes(t.Context(), g.rev("main"), g.rev("island")); !errors.Is(err, ErrNoMergeBase) {
		t.Errorf("unrelated histories: got %v, want ErrNoMergeBase", err)
	}
}
