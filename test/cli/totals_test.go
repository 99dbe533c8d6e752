package cli

import (
	"fmt"
	"strings"
	"testing"
)

// asking changes manifest's requests and replicas.
func asking(cpu, memory, replicas string) []string {
	return []string{`requests: {cpu: "1", memory: 2Gi}`, fmt.Sprintf(`requests: {cpu: %q, memory: %s}`, cpu, memory), "{min: 1, max: 2}", replicas}
}

func TestCost(t *testing.T) {
	// A node of the compute pool has 15890m and 57Gi; it costs 0.768 an hour on
	// demand and 0.2304 spot; a month has 730 hours.
	const compute, spot = 0.768 * 730, 0.2304 * 730
	cents := func(f float64) float64 { return float64(int64(f*100+0.5)) / 100 }
	for name, tc := range map[string]struct {
		head                               func(*repo)
		path                               string
		before, after, maxBefore, maxAfter float64
	}{
		"cpu that dominates is priced by cpu, at min and at max": {
			func(r *repo) { r.add("data-science", "a", "production", asking("4", "1Gi", "{min: 2, max: 5}")...) },
			manifestPath("data-science", "a", "production"), 0, cents(compute * 2 * 4 / 15.89), 0, cents(compute * 5 * 4 / 15.89),
		},
		"memory that dominates is priced by memory": {
			func(r *repo) { r.add("data-science", "a", "production", asking("1", "30Gi", "{min: 1, max: 1}")...) },
			manifestPath("data-science", "a", "production"), 0, cents(compute * 30 / 57), 0, cents(compute * 30 / 57),
		},
		"spot costs the spot price": {
			func(r *repo) {
				r.add("data-science", "a", "production", append(asking("4", "1Gi", "{min: 1, max: 1}"), "capacity: on-demand", "capacity: spot")...)
			},
			manifestPath("data-science", "a", "production"), 0, cents(spot * 4 / 15.89), 0, cents(spot * 4 / 15.89),
		},
		"a whole accelerator is a whole node": {
			func(r *repo) { r.edit(tagger, "max: 2", "max: 3") }, tagger, 548.96, 548.96, 1097.92, 1646.88,
		},
		"predictor, transformer and explainer are added up before rounding": {
			bump(fraud), fraud, cents(compute * (2*2/57. + 2*1/31.78*2 + 2*0 + 0) / 1), 0, 0, 0,
		},
		"a removal costs nothing after": {
			func(r *repo) { r.remove(ranker) }, ranker, cents(compute * 2 / 15.89), 0, cents(compute * 8 / 15.89), 0,
		},
		"switching to spot shows before and after": {
			func(r *repo) { r.edit(ranker, "    autoscaling:", "    capacity: spot\n    autoscaling:") }, ranker,
			cents(compute * 2 / 15.89), cents(spot * 2 / 15.89), cents(compute * 8 / 15.89), cents(spot * 8 / 15.89),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(tc.head)
			c := r.plan().change(t, tc.path).Cost
			if tc.path == fraud {
				// predictor 2×1 cpu, transformer 2×500m, explainer 1×1 cpu: 4 cpu in all.
				tc.before = cents(compute * 4 / 15.89)
				tc.after = tc.before
				// 6×1, 4×500m, 1×1: 9 cpu.
				tc.maxBefore = cents(compute * 9 / 15.89)
				tc.maxAfter = tc.maxBefore
			}
			got := [4]float64{c.MonthlyBefore, c.MonthlyAfter, c.MonthlyMaxBefore, c.MonthlyMaxAfter}
			want := [4]float64{tc.before, tc.after, tc.maxBefore, tc.maxAfter}
			if got != want || c.Currency != "USD" {
				t.Errorf("got %v %s, want %v", got, c.Currency, want)
			}
		})
	}
}

func TestPlacement(t *testing.T) {
	with := func(pairs ...string) func(*repo) {
		return func(r *repo) {
			r.add("data-science", "a", "production", pairs...)
			r.edit(manifestPath("data-science", "a", "production"), "{min: 1, max: 2}", "{min: 2, max: 2}")
		}
	}
	accelerator := func(kind string, count int) string {
		return fmt.Sprintf("capacity: on-demand\n    accelerator: {type: %s, count: %d}", kind, count)
	}
	for name, tc := range map[string]struct {
		base, head func(*repo)
		pool       string // of the rendered nodeSelector
		code       string
		say        []string
	}{
		"CPU manifests run on a pool without an accelerator": {nil, with(), "compute", "", nil},
		"ties are broken by name": {
			func(r *repo) {
				twin := "    - name: alike\n      labels: {workload-type: alike}\n      taints: []\n      nodes: {min: 0, max: 20, instance: m5.4xlarge}\n      allocatable: {cpu: 15890m, memory: 57Gi}\n      price: {onDemand: \"0.768\", currency: USD, per: hour, source: list, date: 2026-07-20}\n"
				text := r.read("environments/production.yaml")
				r.write("environments/production.yaml", text+twin)
			}, with(), "alike", "", nil,
		},
		"an accelerator's name picks its pool":         {nil, with("capacity: on-demand", accelerator("nvidia-a10g", 2)), "gpu-large", "", nil},
		"an accelerator's resource picks the cheapest": {nil, with("capacity: on-demand", accelerator("nvidia.com/gpu", 1)), "gpu", "", nil},
		"more accelerators than a node has is refused with the numbers": {
			nil, with("capacity: on-demand", accelerator("nvidia-t4", 2)), "", "no-pool-fits", []string{"2", "1", "nvidia-t4", "gpu"},
		},
		"a replica larger than a node is refused with the numbers of the closest pool": {
			nil, with(asking("16", "2Gi", "{min: 1, max: 2}")...), "", "no-pool-fits", []string{"16", "15890m", "compute"},
		},
		"a capacity that the pool does not offer is refused": {
			nil, with("capacity: on-demand", "capacity: spot\n    accelerator: {type: nvidia-a10g, count: 1}"), "", "no-pool-fits", []string{"spot", "gpu-large"},
		},
		"a named pool must fit too": {
			nil, with("capacity: on-demand", "capacity: on-demand\n    pool: gpu"), "", "pool-unfit", []string{"gpu"},
		},
		"only PHI runs on the PHI pool": {
			nil, with("capacity: on-demand", "capacity: on-demand\n    pool: phi"), "", "pool-unfit", []string{"phi"},
		},
		"PHI runs on the PHI pool": {
			nil, with("dataSensitivity: internal", "dataSensitivity: phi", "regulations: []", "regulations: [hipaa]"), "phi", "", nil,
		},
		"PHI runs nowhere else": {
			nil, with("dataSensitivity: internal", "dataSensitivity: phi", "regulations: []", "regulations: [hipaa]", "capacity: on-demand", "capacity: on-demand\n    pool: compute"),
			"", "pool-unfit", []string{"phi"},
		},
		"an unknown accelerator is one finding": {
			nil, with("capacity: on-demand", accelerator("nvidia-t5", 1)), "", "unknown-accelerator", []string{"no pool of production offers"},
		},
		"an unknown pool is one finding": {nil, with("capacity: on-demand", "capacity: on-demand\n    pool: nowhere"), "", "unknown-pool", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			// The base's large model takes all the gpus that the team may have.
			r.base(func(r *repo) { r.remove("models/data-science/support-assistant") })
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			c := p.change(t, manifestPath("data-science", "a", "production"))
			if tc.code == "" {
				if !strings.Contains(c.Diff, "              - "+tc.pool+"\n") {
					t.Errorf("not on %s: %+v", tc.pool, c)
				}
				return
			}
			if p.Verdict != "fail" || codes(c.Findings) != tc.code+"!" {
				t.Errorf("%s %s", p.Verdict, codes(c.Findings))
			}
			f := find(t, c.Findings, tc.code)
			for _, say := range tc.say {
				if !strings.Contains(f.Message, say) {
					t.Errorf("%q does not say %s", f.Message, say)
				}
			}
			if v := r.validate(); !strings.Contains(codes(v.Findings), tc.code+"!") {
				t.Errorf("validate: %s", codes(v.Findings))
			}
		})
	}
}

func TestQuotaAndBudget(t *testing.T) {
	// The team has 100 cpu, 200Gi, 4 gpu in each environment but production, and 19,000 USD a month.
	add := func(name, environment, cpu, memory, replicas string) func(*repo) {
		return func(r *repo) { r.add("data-science", name, environment, asking(cpu, memory, replicas)...) }
	}
	path := manifestPath("data-science", "big", "development")
	for name, tc := range map[string]struct {
		base, head func(*repo)
		path       string
		verdict    string
		codes      string
	}{
		"exactly the quota is allowed": { // the base's forecast takes 500m and 1Gi at min, twice that at max
			nil, add("big", "development", "9.95", "1Gi", "{min: 10, max: 10}"), path, "pass", "quota-exceeded-at-max",
		},
		"above the quota at min fails": {
			nil, add("big", "development", "9.96", "1Gi", "{min: 10, max: 10}"), path, "fail", "quota-exceeded!",
		},
		"above the quota at max is a warning": {
			nil, add("big", "development", "10", "1Gi", "{min: 1, max: 12}"), path, "pass", "quota-exceeded-at-max",
		},
		"memory counts too": {
			nil, add("big", "development", "1", "40Gi", "{min: 5, max: 5}"), path, "fail", "quota-exceeded!",
		},
		"all the team's manifests at the head count": {
			nil, both(add("big", "development", "10", "1Gi", "{min: 5, max: 5}"), add("bigger", "development", "10", "1Gi", "{min: 5, max: 5}")), path, "fail", "quota-exceeded!",
		},
		"a manifest that the same pull request removes does not count": {
			add("old", "development", "10", "1Gi", "{min: 5, max: 5}"),
			both(add("big", "development", "10", "1Gi", "{min: 5, max: 5}"), func(r *repo) { r.remove("models/data-science/old") }), path, "pass", "",
		},
		"each environment has its own quota": {
			add("old", "staging", "10", "1Gi", "{min: 5, max: 5}"), add("big", "development", "10", "1Gi", "{min: 6, max: 6}"), path, "pass", "",
		},
		"another team's manifests do not count": {
			func(r *repo) { r.add("clinical-ai", "old", "development", asking("10", "1Gi", "{min: 4, max: 4}")...) },
			add("big", "development", "10", "1Gi", "{min: 9, max: 9}"), path, "pass", "",
		},
		"gpus are counted": {
			nil, func(r *repo) { r.edit(tagger, "{min: 1, max: 2}", "{min: 5, max: 5}") }, tagger, "fail", "quota-exceeded!",
		},
		"a quota of one environment overrides": { // 192Gi in production, 128Gi elsewhere
			nil, func(r *repo) { r.edit(clinical, "{min: 2, max: 4}", "{min: 2, max: 24}") }, clinical, "pending", "",
		},
		"above warn of the budget is a warning": {
			func(r *repo) { r.edit("teams/data-science.yaml", `monthly: "19000"`, `monthly: "6000"`) }, bump(forecast), forecast, "pass", "budget-near",
		},
		"above deny of the budget fails, whatever environment it is spent in": {
			func(r *repo) { r.edit("teams/data-science.yaml", `monthly: "19000"`, `monthly: "4000"`) }, bump(forecast), forecast, "fail", "budget-exceeded!",
		},
		"a removal is not held against quota or budget": {
			func(r *repo) { r.edit("teams/data-science.yaml", `monthly: "19000"`, `monthly: "4000"`) },
			func(r *repo) { r.remove(forecast) }, forecast, "pass", "",
		},
		"a broken manifest of the team is said to be left out": {
			func(r *repo) { r.write(classifier, "kind: [") }, bump(forecast), forecast, "pass", "not-counted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			c := p.change(t, tc.path)
			var got []finding
			for _, f := range c.Findings {
				if f.Code != "pool-too-small" {
					got = append(got, f)
				}
			}
			if p.Verdict != tc.verdict || codes(got) != tc.codes {
				t.Errorf("%s %q, want %s %q: %+v", p.Verdict, codes(got), tc.verdict, tc.codes, got)
			}
		})
	}
}
