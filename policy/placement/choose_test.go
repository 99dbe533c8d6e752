package placement_test

import (
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/podsize"
	"github.com/mlops-platform/mooring/schemas"
)

func TestChoose(t *testing.T) {
	small := pool("small", "1", "1Gi", "0.01", "0.001")
	even := pool("also-compute", "15890m", "57Gi", "0.768", "0.2304")
	dedicated := only(pool("phi", "15890m", "57Gi", "9", "8"), "phi", "pii")
	mig := gpuPool("mig", "a100-slice", "nvidia.com/mig-1g.5gb", 7, "3", "1")
	tests := map[string]struct {
		env    schemas.EnvironmentSpec
		demand placement.Demand
		pool   string
		cost   string
		reason string
	}{
		"the cpu share of a spot node": {
			environment(compute(), gpu()), demand("1", "2Gi"), "compute", "10.58", "the only pool that fits",
		},
		"the memory share where it is the larger": {
			environment(compute()), demand("1", "57Gi"), "compute", "168.19", "",
		},
		"the accelerator's share where it is the larger": {
			environment(compute(), gpu()), t4(demand("1", "2Gi"), 1), "gpu", "164.69", "",
		},
		"a whole node is one replica": {
			environment(compute()), demand("15890m", "1Gi"), "compute", "168.19", "",
		},
		"what KServe puts beside it takes room and costs nothing": {
			environment(compute()), beside(demand("1", "2Gi"), podsize.Beside{Agent: true}), "compute", "10.58", "",
		},
		"nodes and pods are counted in whole thousandths": {
			environment(pool("odd", "999.1m", "1Gi", "1", "1")), demand("999.9m", "512Mi"), "odd", "730.58", "",
		},
		"on-demand costs its own price": {
			environment(compute()), capacity(demand("1", "57Gi"), schemas.CapacityOnDemand), "compute", "560.64", "on on-demand",
		},
		"no capacity means the environment's": {
			environment(compute()), capacity(demand("1", "57Gi"), ""), "compute", "560.64", "",
		},
		"the cheapest of those that fit": {
			environment(compute(), small), demand("1", "512Mi"), "small", "0.73", "the cheapest of 2 that fit; next is compute at 10.58",
		},
		"a cheap pool that does not fit is passed over": {
			environment(compute(), small), demand("1001m", "512Mi"), "compute", "10.60", "",
		},
		"ties go by name": {
			environment(compute(), even), demand("1", "2Gi"), "also-compute", "10.58", "next is compute at 10.58",
		},
		"a cpu model never sits on a gpu pool": {
			environment(gpuPool("gpu", "nvidia-t4", "nvidia.com/gpu", 1, "0.001", "0.001"), compute()), demand("1", "2Gi"), "compute", "10.58", "",
		},
		"an accelerator is found by its resource": {
			environment(gpu(), mig), accelerator(demand("1", "2Gi"), "nvidia.com/mig-1g.5gb", 2), "mig", "208.57", "",
		},
		"data with a pool of its own runs there, whatever it costs": {
			environment(compute(), dedicated), sensitivity(demand("1", "2Gi"), "phi"), "phi", "367.53", "the only pool that fits",
		},
		"other data does not": {
			environment(only(small, "phi"), compute()), demand("1", "512Mi"), "compute", "10.58", "",
		},
		"data that no pool names runs anywhere": {
			environment(compute()), sensitivity(demand("1", "2Gi"), "phi"), "compute", "10.58", "",
		},
		"a pool that offers no spot is passed over": {
			environment(compute(), pool("steady", "100", "100Gi", "0.001", "")), demand("1", "2Gi"), "compute", "10.58", "",
		},
		"a named pool is taken though a cheaper one fits": {
			environment(compute(), small), named(demand("1", "512Mi"), "compute"), "compute", "10.58", "as the manifest says",
		},
		"auto is spelled out or left out": {
			environment(compute()), named(demand("1", "2Gi"), "auto"), "compute", "10.58", "",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := choose(t, tc.env, tc.demand)
			if c.Pool != tc.pool || c.CostPerReplicaMonth.String() != tc.cost || c.Currency != "USD" {
				t.Errorf("%s at %s %s, want %s at %s", c.Pool, c.CostPerReplicaMonth, c.Currency, tc.pool, tc.cost)
			}
			if !strings.Contains(c.Reason, tc.reason) {
				t.Errorf("no %q in %q", tc.reason, c.Reason)
			}
		})
	}
}

func capacity(d placement.Demand, c schemas.Capacity) placement.Demand {
	d.Capacity = c
	return d
}

func beside(d placement.Demand, b podsize.Beside) placement.Demand {
	d.Beside = b
	return d
}

func accelerator(d placement.Demand, kind string, count int32) placement.Demand {
	d.Accelerator = &schemas.Accelerator{Type: kind, Count: count}
	return d
}

func sensitivity(d placement.Demand, s string) placement.Demand {
	d.DataSensitivity = s
	return d
}

func named(d placement.Demand, pool string) placement.Demand {
	d.Pool = pool
	return d
}

func TestChooseRefuses(t *testing.T) {
	euro := compute()
	euro.Name, euro.Price.Currency = "euro", "EUR"
	tests := map[string]struct {
		env    schemas.EnvironmentSpec
		demand placement.Demand
		code   string
		want   []string
	}{
		"an environment without pools": {environment(), demand("1", "1Gi"), placement.CodeNoPoolFits, []string{"no pools"}},
		"more cpu than any node, with the numbers of the closest": {
			environment(compute(), pool("small", "1", "1Gi", "0.01", "0.01")), demand("16", "8Gi"), placement.CodeNoPoolFits,
			[]string{"16 cpu, 8Gi memory", "the closest is compute (15890m cpu, 57Gi memory allocatable a node)", "does not fit on a node: too little cpu"},
		},
		"more accelerators than a node has": {
			environment(compute(), gpu()), t4(demand("1", "1Gi"), 2), placement.CodeNoPoolFits,
			[]string{"2 nvidia-t4", "gpu (7910m cpu, 29636Mi memory, 1 nvidia-t4 allocatable a node)", "does not fit on a node: too little nvidia.com/gpu"},
		},
		"a replica that fills a node and has KServe's agent beside it": {
			environment(compute()), beside(demand("15890m", "8Gi"), podsize.Beside{Agent: true}), placement.CodeNoPoolFits,
			[]string{"too little cpu; with KServe's own containers its pod requests 15990m cpu, 8292Mi memory"},
		},
		"a byte too much, begun": {
			environment(compute()), demand("1", "61203283968001m"), placement.CodeNoPoolFits, []string{"too little memory"},
		},
		"an accelerator that nobody offers": {
			environment(compute(), gpu()), accelerator(demand("1", "1Gi"), "nvidia-h100", 1), placement.CodeNoPoolFits,
			[]string{"the closest is gpu", "it has nvidia-t4, not nvidia-h100"},
		},
		"a cpu model where there are only gpus": {
			environment(gpu()), demand("1", "1Gi"), placement.CodeNoPoolFits, []string{"kept for models that ask for nvidia-t4"},
		},
		"spot where nobody offers it": {
			environment(pool("steady", "8", "8Gi", "1", "")), demand("1", "1Gi"), placement.CodeNoPoolFits, []string{"no spot capacity"},
		},
		"dedicated data on a named open pool": {
			environment(compute(), only(pool("phi", "8", "8Gi", "1", "1"), "phi")),
			named(sensitivity(demand("1", "1Gi"), "phi"), "compute"), placement.CodePoolUnfit,
			[]string{"data of sensitivity phi may run only on phi"},
		},
		"open data on a named dedicated pool": {
			environment(compute(), only(pool("phi", "8", "8Gi", "1", "1"), "phi")),
			named(demand("1", "1Gi"), "phi"), placement.CodePoolUnfit, []string{"only for data of sensitivity phi, not internal"},
		},
		"a named pool that is too small": {
			environment(compute()), named(demand("1", "58Gi"), "compute"), placement.CodePoolUnfit, []string{"57Gi", "58Gi"},
		},
		"a pool that is not there": {
			environment(gpu(), compute()), named(demand("1", "1Gi"), "tpu"), placement.CodeUnknownPool, []string{`no pool "tpu"`},
		},
		"a capacity that is neither": {
			environment(compute()), capacity(demand("1", "1Gi"), "reserved"), placement.CodeNoPoolFits, []string{`"reserved"`},
		},
		"pools that cannot be compared": {
			environment(compute(), euro), demand("1", "1Gi"), placement.CodeMixedCurrencies, []string{"USD", "EUR"},
		},
		"a replica that asks for nothing": {
			environment(compute()), placement.Demand{Capacity: schemas.CapacitySpot}, placement.CodeNoPoolFits, []string{"above zero"},
		},
		"a node that has nothing": {
			environment(gpuPool("gpu", "nvidia-t4", "nvidia.com/gpu", 0, "1", "1"), pool("empty", "0", "1Gi", "1", "1")),
			t4(demand("1", "1Gi"), 1), placement.CodeNoPoolFits, []string{"the closest is gpu", "does not fit"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c, refusal := placement.Choose(tc.env, tc.demand)
			if refusal == nil {
				t.Fatalf("chose %+v", c)
			}
			if refusal.Code != tc.code || refusal.Remedy == "" {
				t.Errorf("code %q, remedy %q, want %q", refusal.Code, refusal.Remedy, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(refusal.Message, want) {
					t.Errorf("no %q in %q", want, refusal.Message)
				}
			}
		})
	}
}
