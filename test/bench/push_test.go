// Package bench measures Mooring from end to end on the real parts. It holds
// benchmarks only: `make bench` runs them, and nothing here fails for being slow.
package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/internal/demo"
)

// pushes is how many pushes are measured; the 95th percentile of fewer says little.
const pushes = 50

// BenchmarkPushToCluster measures the time from a commit reaching the branch to
// its content standing in the cluster: webhook, fetch, judging the merged pull
// request, audit, dry run and apply. Run it with -benchtime=1x.
func BenchmarkPushToCluster(b *testing.B) {
	ctx := context.Background()
	root, err := controlplane.ModuleRoot()
	if err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(root, "bin", "mooring-controller")
	if _, err := os.Stat(program); err != nil {
		b.Fatalf("%v; run make build", err)
	}
	w, err := demo.Start(ctx, demo.Options{Example: filepath.Join(root, "example-repo"), Controller: program, Out: os.Stderr})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Stop(); err != nil {
			b.Error(err)
		}
	})
	if _, err := demo.Story[0].Run(ctx, w); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		measure(b, w)
	}
}

func measure(b *testing.B, w *demo.World) {
	var took []time.Duration
	for i := range pushes {
		d, err := w.MeasurePush(b.Context(), i)
		if err != nil {
			b.Fatalf("push %d: %v", i, err)
		}
		took = append(took, d)
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1] }
	b.ReportMetric(at(50).Seconds(), "p50-s")
	b.ReportMetric(at(95).Seconds(), "p95-s")
	b.ReportMetric(took[len(took)-1].Seconds(), "max-s")
	fmt.Fprintf(os.Stderr, "%d pushes to the cluster: p50 %v, p95 %v, max %v (the limit for p95 is 3 s)\n",
		pushes, at(50).Round(time.Millisecond), at(95).Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}
