package cli

import (
	"fmt"
	"testing"
	"time"
)

// TestPlanIsQuickAndSmall runs the real program on 1,000 manifests. The limits
// are wide, because tests share their machine; BenchmarkEvaluate in
// reconciler/review has the figures.
func TestPlanIsQuickAndSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a repository of 1,000 manifests")
	}
	r := newRepo(t)
	r.base(func(r *repo) {
		for i := range 1000 {
			r.add([]string{"data-science", "clinical-ai"}[i%2], fmt.Sprintf("model-%d", i), []string{"development", "staging"}[i%4/2],
				asking("10m", "16Mi", "{min: 1, max: 1}")...)
		}
	})
	r.head(bump(forecast))
	p, o := r.planRaw()
	if p.Verdict != "pass" || len(p.Changes) != 1 {
		t.Fatalf("%s: %+v", p.Verdict, p.Changes)
	}
	t.Logf("%s, peak %d MiB", o.worked, o.maxRSS>>20)
	const mebibyte = 1 << 20
	if o.worked > 5*time.Second || o.maxRSS > 200*mebibyte {
		t.Errorf("%s, peak %d MiB", o.worked, o.maxRSS/mebibyte)
	}
}
