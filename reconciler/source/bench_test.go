package source

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// fleet is a repository of 1,000 manifests of 10 teams, packed, whose branch pr
// changes one of them.
func fleet(b *testing.B) *gitRepo {
	b.Helper()
	g := newGitRepo(b)
	manifest := strings.Repeat("# a line of an ordinary manifest\n", 60)
	var in strings.Builder
	in.WriteString("commit refs/heads/main\ncommitter C <c@x> 1700000000 +0000\ndata 1\nm\n")
	for i := range 1000 {
		text := fmt.Sprintf("name: m%d\n%s", i, manifest)
		fmt.Fprintf(&in, "M 100644 inline models/team%d/model%d/%s/deployment.yaml\ndata %d\n%s\n",
			i%10, i/2, []string{"staging", "production"}[i%2], len(text), text)
	}
	fmt.Fprint(&in, "\ncommit refs/heads/pr\ncommitter C <c@x> 1700000060 +0000\ndata 1\nm\nfrom refs/heads/main\n",
		"M 100644 inline models/team2/model1/staging/deployment.yaml\ndata 3\nnew\n\n")
	g.gitIn(in.String(), "fast-import", "--quiet")
	g.git("gc", "--quiet")
	return g
}

func BenchmarkChangesOfOneManifestCold(b *testing.B) {
	g := fleet(b)
	base, head := g.rev("main"), g.rev("pr")
	for b.Loop() {
		r := g.openOnce(b)
		d, err := r.Changes(b.Context(), base, head)
		if err != nil || len(d.Files) != 1 {
			b.Fatal(d.Files, err)
		}
		g.closeOnce(b, r)
	}
}

func BenchmarkFilesCold(b *testing.B) {
	g := fleet(b)
	base := g.rev("main")
	for b.Loop() {
		r := g.openOnce(b)
		g.list(b, r, base)
		g.closeOnce(b, r)
	}
}

// The first commit has been listed; the second touches one manifest of it.
func BenchmarkFilesOfASecondCommit(b *testing.B) {
	g := fleet(b)
	base, head := g.rev("main"), g.rev("pr")
	for b.Loop() {
		b.StopTimer()
		r := g.openOnce(b)
		g.list(b, r, base)
		b.StartTimer()
		g.list(b, r, head)
		b.StopTimer()
		g.closeOnce(b, r)
		b.StartTimer()
	}
}

func BenchmarkFilesWarm(b *testing.B) {
	g := fleet(b)
	base, r := g.rev("main"), g.openOnce(b)
	g.list(b, r, base)
	for b.Loop() {
		g.list(b, r, base)
	}
	g.closeOnce(b, r)
}

// A branch of three commits that left main 20 commits ago, of 5,000 in all.
func BenchmarkMergeBaseCold(b *testing.B) { benchmarkMergeBase(b, 20) }

// The worst case: the branch left at the root.
func BenchmarkMergeBaseAtTheRootCold(b *testing.B) { benchmarkMergeBase(b, 4999) }

func benchmarkMergeBase(b *testing.B, ago int) {
	g := newGitRepo(b)
	g.linear("main", "", 5000)
	fork := g.rev(fmt.Sprintf("main~%d", ago))
	g.now = g.now.Add(5000 * time.Minute)
	g.linear("pr", string(fork), 3)
	g.git("gc", "--quiet")
	base, head := g.rev("main"), g.rev("pr")
	for b.Loop() {
		r := g.openOnce(b)
		if got, err := r.MergeBase(b.Context(), base, head); err != nil || got != fork {
			b.Fatal(got, err)
		}
		g.closeOnce(b, r)
	}
}

// Merges all over: 5,000 commits of random shape.
func BenchmarkMergeBaseInABraidedHistoryCold(b *testing.B) {
	g := newGitRepo(b)
	rng := rand.New(rand.NewPCG(1, 1))
	g.gitIn(draw(rng, 5000, func(i int) int64 { return 1_700_000_000 + int64(i)*60 }), "fast-import", "--quiet", "--force")
	g.git("gc", "--quiet")
	base, head := g.rev("c4990"), g.rev("c4999")
	for b.Loop() {
		r := g.openOnce(b)
		if _, err := r.mergeBases(b.Context(), base.hash(), head.hash()); err != nil {
			b.Fatal(err)
		}
		g.closeOnce(b, r)
	}
}

func (g *gitRepo) list(b *testing.B, r *Repository, id ID) {
	b.Helper()
	tree, err := r.Tree(b.Context(), id)
	if err != nil || len(tree.Files()) != 1000 {
		b.Fatal(len(tree.Files()), err)
	}
}

func (g *gitRepo) openOnce(b *testing.B) *Repository {
	b.Helper()
	r, err := Open(g.dir)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func (g *gitRepo) closeOnce(b *testing.B, r *Repository) {
	b.Helper()
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
