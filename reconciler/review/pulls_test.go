package review

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/source"
)

// pullKinds are what the pull requests of a fleet change: how many out of fifty,
// and the lines of fast-import that do it.
var pullKinds = []struct {
	name   string
	often  int
	change func(b *bytes.Buffer, i int)
}{
	{"one manifest", 25, func(b *bytes.Buffer, i int) { writeFile(b, fleetPath(i), fleetManifest(i, 2)) }},
	{"several manifests", 10, func(b *bytes.Buffer, i int) {
		for k := range 4 {
			writeFile(b, fleetPath(i+10*k), fleetManifest(i+10*k, 2))
		}
	}},
	{"an addition", 5, func(b *bytes.Buffer, i int) { writeFile(b, fleetPath(5000+i), fleetManifest(5000+i, 1)) }},
	{"a removal", 5, func(b *bytes.Buffer, i int) { fmt.Fprintf(b, "D %s\n", fleetPath(i)) }},
	{"a rule", 1, func(b *bytes.Buffer, i int) {
		writeFile(b, fmt.Sprintf("policy/rule_%d.rego", i), fmt.Sprintf("package mooring\n\nimport rego.v1\n\ndeny contains {\"msg\": \"no\"} if input.manifest.metadata.name == \"none-%d\"\n", i))
	}},
	{"an environment", 1, func(b *bytes.Buffer, i int) {
		editExample(b, "environments/production.yaml", "0.768", fmt.Sprintf("0.7%03d", i))
	}},
	{"a team", 1, func(b *bytes.Buffer, i int) {
		writeFile(b, fleetTeamPath(i), strings.Replace(fleetTeam(i), `"1900000"`, fmt.Sprintf(`"19%05d"`, i), 1))
	}},
	{"an overlay", 1, func(b *bytes.Buffer, i int) {
		editExample(b, "overlays/production/scrape.yaml", `"true"`, fmt.Sprintf(`"%d"`, i))
	}},
	{"the governance", 1, func(b *bytes.Buffer, i int) {
		editExample(b, "governance.yaml", "moderate: 5", fmt.Sprintf("moderate: %d", i/50%4))
	}},
}

func writeFile(b *bytes.Buffer, path, text string) {
	fmt.Fprintf(b, "M 644 inline %s\ndata %d\n%s\n", path, len(text), text)
}

// pulls adds that many pull requests to a fleet, each a branch pr-N off main,
// and returns the kind of each.
func pulls(tb testing.TB, dir string, n int) []string {
	tb.Helper()
	var b bytes.Buffer
	var kinds []string
	for i := range n {
		slot, kind := i%50, 0
		for slot >= pullKinds[kind].often {
			slot -= pullKinds[kind].often
			kind++
		}
		kinds = append(kinds, pullKinds[kind].name)
		fmt.Fprintf(&b, "commit refs/heads/pr-%d\ncommitter Ada <ada@example.com> 1780000000 +0000\ndata 2\npr\nfrom refs/heads/main\n", i)
		pullKinds[kind].change(&b, i*3)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return kinds
}

// cpuTime is what the process has used so far, of all its threads.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// percentiles is what the middle one, the one of twenty, and the dearest took.
func percentiles(took []time.Duration) (p50, p95, longest float64) {
	slices.Sort(took)
	at := func(percent int) float64 { return took[(len(took)*percent+99)/100-1].Seconds() * 1000 }
	return at(50), at(95), at(100)
}

var benchTime = time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)

// BenchmarkPullRequests judges 200 open pull requests of all kinds over 1,000
// manifests, one after the other, in processor time. The limit for p95 is 150 ms.
func BenchmarkPullRequests(b *testing.B) {
	const open = 200
	dir := fleet(b, 1000, 1)
	kinds := pulls(b, dir, open)
	b.ReportAllocs()
	var took []time.Duration
	byKind := map[string][]time.Duration{}
	for b.Loop() {
		repo, err := source.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		cache, base, empty := NewCache(), resolve(b, repo, "main"), heap()
		for i := range open {
			before := cpuTime(b)
			judge(b, repo, cache, base, resolve(b, repo, fmt.Sprintf("pr-%d", i)))
			spent := cpuTime(b) - before
			took, byKind[kinds[i]] = append(took, spent), append(byKind[kinds[i]], spent)
		}
		b.ReportMetric(heap()-empty, "heap-MiB")
		runtime.KeepAlive(cache)
		if err := repo.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for _, k := range pullKinds {
		p50, p95, longest := percentiles(byKind[k.name])
		b.Logf("%-18s p50 %4.0f ms, p95 %4.0f ms, max %4.0f ms", k.name, p50, p95, longest)
	}
	p50, p95, longest := percentiles(took)
	b.ReportMetric(p50, "p50-ms")
	b.ReportMetric(p95, "p95-ms")
	b.ReportMetric(longest, "max-ms")
}

// heap is what is reachable, in MiB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func resolve(tb testing.TB, repo *source.Repository, name string) source.ID {
	tb.Helper()
	id, err := repo.Resolve(context.Background(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func judge(tb testing.TB, repo *source.Repository, cache *Cache, base, head source.ID) *Report {
	tb.Helper()
	report, err := Evaluate(context.Background(), repo, Request{Base: base, Head: head, People: Nobody(), Now: benchTime, Repository: "bench", Cache: cache})
	if err != nil {
		tb.Fatal(err)
	}
	return report
}
