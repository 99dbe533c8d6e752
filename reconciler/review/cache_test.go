package review

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlops-platform/mooring/policy/secrets"
	"github.com/mlops-platform/mooring/reconciler/lru"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// edits are what a commit of the property does to a file of the fleet, good or
// bad, as lines of fast-import.
var edits = []func(b *bytes.Buffer, r *rand.Rand){
	func(b *bytes.Buffer, r *rand.Rand) {
		n := r.IntN(30)
		writeFile(b, fleetPath(n), fleetManifest(n, r.IntN(3)))
	},
	func(b *bytes.Buffer, r *rand.Rand) {
		n := 30 + r.IntN(5)
		writeFile(b, fleetPath(n), fleetManifest(n, 1))
	},
	func(b *bytes.Buffer, r *rand.Rand) { // another name for an old model
		n := r.IntN(30)
		text := strings.Replace(fleetManifest(n+30, 1), fmt.Sprintf("    name: model-%d", n+30), fmt.Sprintf("    name: \"model-%d\"", n), 1)
		writeFile(b, fleetPath(n+30), text)
	},
	func(b *bytes.Buffer, r *rand.Rand) { fmt.Fprintf(b, "D %s\n", fleetPath(r.IntN(30))) },
	func(b *bytes.Buffer, r *rand.Rand) { // the same content at another path
		n := r.IntN(30)
		writeFile(b, fleetPath(n), fleetManifest(n+10, 1))
	},
	func(b *bytes.Buffer, r *rand.Rand) { writeFile(b, fleetPath(r.IntN(30)), "broken: [") },
	func(b *bytes.Buffer, r *rand.Rand) {
		n := r.IntN(30)
		writeFile(b, fleetPath(n), fleetManifest(n, 1)+"# AKIA"+"QWERTYUIOPASDFGH\n")
	},
	func(b *bytes.Buffer, r *rand.Rand) {
		fmt.Fprintf(b, "M 120000 inline %s\ndata 4\n/etc\n", fleetPath(r.IntN(30)))
	},
	func(b *bytes.Buffer, r *rand.Rand) {
		writeFile(b, "policy/more.rego", fmt.Sprintf("package mooring\n\nimport rego.v1\n\nwarn contains {\"msg\": \"number %d\"} if input.risk.score > %d\n", r.IntN(3), r.IntN(20)))
	},
	func(b *bytes.Buffer, r *rand.Rand) {
		editExample(b, "environments/production.yaml", "0.768", fmt.Sprintf("0.%d", 500+r.IntN(3)))
	},
	func(b *bytes.Buffer, r *rand.Rand) {
		editExample(b, "governance.yaml", "moderate: 5", fmt.Sprintf("moderate: %d", r.IntN(10)))
	},
	func(b *bytes.Buffer, r *rand.Rand) {
		editExample(b, "overlays/production/scrape.yaml", `"true"`, fmt.Sprintf(`"%d"`, r.IntN(3)))
	},
	func(b *bytes.Buffer, _ *rand.Rand) { writeFile(b, "environments/staging.yaml", "kind: Environment\n") },
}

func editExample(b *bytes.Buffer, path, old, new string) {
	text, err := os.ReadFile("../../example-repo/" + path)
	if err != nil {
		panic(err)
	}
	writeFile(b, path, strings.Replace(string(text), old, new, 1))
}

// history is a base branch with some tips, and pull requests off each of them.
func history(tb testing.TB, r *rand.Rand) (dir string, bases, heads []string) {
	tb.Helper()
	dir = fleet(tb, 30, 1)
	var b bytes.Buffer
	commit := func(name, from string, changes int) {
		fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter Ada <ada@example.com> 1780000000 +0000\ndata 1\nx\nfrom refs/heads/%s\n", name, from)
		for range changes {
			edits[r.IntN(len(edits))](&b, r)
		}
	}
	bases = []string{"main"}
	for i := range 4 {
		name := fmt.Sprintf("base-%d", i)
		commit(name, bases[len(bases)-1], 1+r.IntN(2))
		bases = append(bases, name)
	}
	for i := range 12 {
		name := fmt.Sprintf("head-%d", i)
		commit(name, bases[r.IntN(len(bases))], 1+r.IntN(3))
		heads = append(heads, name)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return dir, bases, heads
}

// small drops almost everything at once.
func small() *Cache {
	return &Cache{
		worlds: lru.New[worldKey, *world](60_000), manifests: lru.New[fileKey, parsed](5000),
		scans: lru.New[fileKey, secrets.Report](7), names: lru.New[fileKey, string](9), sets: lru.New[setKey, rendering](30_000),
		diffs: lru.New[commits, source.Diff](5), forks: lru.New[commits, source.ID](2), trees: lru.New[source.ID, *source.Tree](100),
		fits:    lru.New[fitKey, fit](7),
		lasting: true,
	}
}

// TestAnEvaluationWithACacheIsThatWithoutOne judges random pull requests against
// random tips, several at a time, and holds every report against that of an
// evaluation that shares nothing.
func TestAnEvaluationWithACacheIsThatWithoutOne(t *testing.T) {
	for name, empty := range map[string]func() *Cache{"large": NewCache, "small": small} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0))
			dir, bases, heads := history(t, r)
			repo, err := source.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { repo.Close() }) // opened for reading
			cache := empty()
			var judged errgroup.Group
			judged.SetLimit(4)
			for range 12 {
				req := Request{
					Base: resolve(t, repo, bases[r.IntN(len(bases))]), Head: resolve(t, repo, heads[r.IntN(len(heads))]),
					Now: benchTime.Add(time.Duration(r.IntN(3)) * time.Hour), Repository: fmt.Sprintf("bench-%d", r.IntN(2)),
					People: People{Author: Account{Login: "opener"}, Teams: map[string][]Account{
						"acme/ml-managers": {{Login: "mo"}}, "acme/senior-data-scientists": {{Login: "sam"}},
					}},
				}
				for _, who := range []string{"mo", "sam"} {
					at := resolve(t, repo, heads[r.IntN(len(heads))])
					req.People.Reviews = append(req.People.Reviews, Review{User: who, Type: "User", State: "APPROVED", CommitID: at.String(), SubmittedAt: benchTime.Add(-time.Hour)})
				}
				judged.Go(func() error { return sameWithCache(repo, cache, req) })
			}
			if err := judged.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func sameWithCache(repo *source.Repository, cache *Cache, req Request) error {
	var texts [2]string
	for i, c := range []*Cache{nil, cache} {
		req.Cache = c
		report, err := Evaluate(context.Background(), repo, req)
		if err != nil {
			return err
		}
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		texts[i] = string(text) + Comment(report)
	}
	if texts[0] != texts[1] {
		return fmt.Errorf("%s against %s without a cache:\n%s\nwith one:\n%s", req.Head.Short(), req.Base.Short(), texts[0], texts[1])
	}
	return nil
}

// TestACacheMakesTheSecondLookCheap holds a ratio of one run, which the load of
// the machine does not change: a pull request that is judged against governing
// files that were read already costs far less.
func TestACacheMakesTheSecondLookCheap(t *testing.T) {
	dir := fleet(t, 1000, 1)
	pulls(t, dir, 20)
	repo, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() }) // opened for reading
	base, head := resolve(t, repo, "main"), resolve(t, repo, "pr-1")
	allocs := func(cache *Cache) float64 {
		return testing.AllocsPerRun(1, func() { judge(t, repo, cache, base, head) })
	}
	shared := NewCache()
	judge(t, repo, shared, base, resolve(t, repo, "pr-0"))
	if with, without := allocs(shared), allocs(nil); with > without/3 {
		t.Errorf("%.0f allocations with a cache, %.0f without", with, without)
	}
}
