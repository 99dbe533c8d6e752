package source

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// history is a random commit graph, stored by one `git fast-import`.
type history struct {
	g       *gitRepo
	commits []ID
	parents map[ID][]ID
}

// newHistory draws n commits. Dates follow ancestry where honest is set and are
// arbitrary otherwise, as on machines whose clocks are wrong.
func newHistory(g *gitRepo, rng *rand.Rand, n int, honest bool) history {
	date := func(i int) int64 { return 1_700_000_000 + int64(i)*60 }
	if !honest {
		date = func(int) int64 { return 1_700_000_000 + rng.Int64N(1000) }
	}
	g.gitIn(draw(rng, n, date), "fast-import", "--quiet", "--force")
	h := history{g: g, parents: map[ID][]ID{}}
	names := []string{"rev-parse"}
	for i := range n {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	for _, id := range strings.Fields(g.git(names...)) {
		h.commits = append(h.commits, ID(id))
	}
	for line := range strings.Lines(g.git("rev-list", "--parents", "--all")) {
		ids := strings.Fields(line)
		for _, p := range ids[1:] {
			h.parents[ID(ids[0])] = append(h.parents[ID(ids[0])], ID(p))
		}
	}
	return h
}

// draw writes n commits with random parents for git fast-import.
func draw(rng *rand.Rand, n int, date func(i int) int64) string {
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "commit refs/heads/c%d\nmark :%d\ncommitter C <c@x> %d +0000\ndata 2\nm%d\n", i, i+1, date(i), i%10)
		for k, p := range drawParents(rng, i) {
			fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge"}[min(k, 1)], p+1)
		}
		fmt.Fprintf(&in, "M 100644 inline teams/f%d.yaml\ndata 1\n%d\n\n", i%50, i%10)
	}
	return in.String()
}

// drawParents picks up to three of the commits before the i-th, mostly recent ones.
func drawParents(rng *rand.Rand, i int) []int {
	var parents []int
	for range []int{0, 1, 1, 1, 1, 2, 2, 3}[rng.IntN(8)] {
		if p := i - 1 - rng.IntN(min(max(i, 1), 5)); p >= 0 && !slices.Contains(parents, p) {
			parents = append(parents, p)
		}
	}
	return parents
}

func TestHistoryQuestionsAreAnsweredAsGitDoes(t *testing.T) {
	for seed := range uint64(12) {
		honest := seed%2 == 0
		t.Run(fmt.Sprintf("random history %d, clocks right: %v", seed, honest), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			h := newHistory(newGitRepo(t), rng, 40, honest)
			r := h.g.open()
			for range 25 {
				a, b := h.commits[rng.IntN(40)], h.commits[rng.IntN(40)]
				h.compareMergeBase(t, r, a, b)
				h.compareAncestor(t, r, a, b)
				h.compareCommits(t, r, a, b)
			}
		})
	}
}

func (h history) compareMergeBase(t *testing.T, r *Repository, a, b ID) {
	t.Helper()
	// merge-base exits with 1 where there is none.
	want := strings.Fields(h.g.git("-c", "alias.mb=!git merge-base --all "+string(a)+" "+string(b)+" || true", "mb"))
	got, err := r.mergeBases(t.Context(), a.hash(), b.hash())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, id := range got {
		names = append(names, id.String())
	}
	slices.Sort(want)
	slices.Sort(names)
	if diff := cmp.Diff(want, names, equateEmpty); diff != "" {
		t.Errorf("merge bases of %s and %s (-git +got):\n%s", a, b, diff)
	}
}

var equateEmpty = cmp.Transformer("nilToEmpty", func(s []string) string { return strings.Join(s, "\n") })

// ancestors is the plain closure over parents. `git rev-list A ^B` is no oracle
// here: where clocks are wrong it forgets commits.
func (h history) ancestors(id ID) map[ID]bool {
	seen := map[ID]bool{}
	for queue := []ID{id}; len(queue) > 0; queue = queue[1:] {
		if !seen[queue[0]] {
			seen[queue[0]] = true
			queue = append(queue, h.parents[queue[0]]...)
		}
	}
	return seen
}

func (h history) compareAncestor(t *testing.T, r *Repository, a, b ID) {
	t.Helper()
	want := h.ancestors(b)[a]
	got, err := r.IsAncestor(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("IsAncestor(%s, %s) = %v, git says %v", a, b, got, want)
	}
}

// compareCommits looks below the exclusion of base merges, at plain reachability.
func (h history) compareCommits(t *testing.T, r *Repository, a, b ID) {
	t.Helper()
	want, without := h.ancestors(b), h.ancestors(a)
	maps.DeleteFunc(want, func(id ID, _ bool) bool { return without[id] })
	w, err := r.walk(t.Context(), a.hash(), b.hash())
	if err == nil {
		err = w.settle(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[ID]bool{}
	for id, v := range w.seen {
		if v.only(fromTwo) {
			got[idOf(id)] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s..%s (-want +got):\n%s", a, b, diff)
	}
}

func TestLogFollowsFirstParents(t *testing.T) {
	g := newGitRepo(t)
	start := g.commit("start")
	one := g.commit("one")
	g.git("checkout", "--quiet", "-b", "side", string(start))
	g.commit("side work", "teams/a.yaml")
	g.git("checkout", "--quiet", "main")
	two := g.merge("two", "side")
	three := g.commit("three")
	r := g.open()
	log, err := r.Log(t.Context(), start, three)
	if err != nil {
		t.Fatal(err)
	}
	var got []ID
	for _, c := range log {
		got = append(got, c.ID)
	}
	if diff := cmp.Diff([]ID{one, two, three}, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if none, err := r.Log(t.Context(), three, three); err != nil || len(none) != 0 {
		t.Errorf("nothing happened: got %v, %v", none, err)
	}
	if _, err := r.Log(t.Context(), three, one); !errors.Is(err, ErrNotAncestor) {
		t.Errorf("a branch that went backwards: got %v, want ErrNotAncestor", err)
	}
}

func TestShallowHistoryIsRefusedWhereItMatters(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "teams/a.yaml")
	g.commit("two", "teams/a.yaml")
	g.git("branch", "old")
	g.commit("three", "teams/a.yaml")
	dir := t.TempDir()
	g.git("clone", "--quiet", "--depth=2", "--branch=main", "file://"+g.dir, dir)
	r := openDir(t, dir)
	d, err := r.Changes(t.Context(), g.rev("main~1"), g.rev("main"))
	if err != nil || len(d.Files) != 1 {
		t.Errorf("what the clone holds can be compared: got %v, %v", d.Files, err)
	}
	if _, err := r.Resolve(t.Context(), "main~2"); !errors.Is(err, ErrShallow) {
		t.Errorf("behind the cut: got %v, want ErrShallow", err)
	}
	unrelated := g.rawCommit(g.rev("main^{tree}"))
	g.git("push", "--quiet", dir, string(unrelated)+":refs/heads/island")
	if _, err := openDir(t, dir).MergeBase(t.Context(), g.rev("main"), unrelated); !errors.Is(err, ErrShallow) {
		t.Errorf("ancestry that the cut hides: got %v, want ErrShallow", err)
	}
}
