package placement_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/schemas"
)

// manifest is a T4 model with a transformer and an explainer on spot.
func manifest() schemas.ModelDeployment {
	return schemas.ModelDeployment{Spec: schemas.ModelDeploymentSpec{
		Governance: schemas.Facts{DataSensitivity: "internal"},
		Serving: schemas.Serving{
			Replicas: replicas(2, 10), Resources: requests("1", "2Gi"),
			Accelerator: &schemas.Accelerator{Type: "nvidia-t4", Count: 1}, Capacity: schemas.CapacitySpot,
			Transformer: component("1", "2Gi", 1, 3), Explainer: component("500m", "1Gi", 0, 1),
		},
	}}
}

func TestForDeploymentSumsExactlyAndRoundsOnce(t *testing.T) {
	p, refusals := placement.ForDeployment(environment(compute(), gpu()), manifest())
	if len(refusals) > 0 {
		t.Fatal(refusals)
	}
	// 2 × 0.2256 × 730 + 1 × (1000/15890) × 0.2304 × 730 = 329.376 + 10.58477…
	if got := p.MonthlyMin.String(); got != "339.96" {
		t.Errorf("at min %s", got)
	}
	// 10 × 164.688 + 3 × 10.58477… + 1 × 5.29238…
	if got := p.MonthlyMax.String(); got != "1683.93" {
		t.Errorf("at max %s", got)
	}
	var pools []string
	for _, c := range p.Components {
		pools = append(pools, c.Name+"="+c.Choice.Pool)
	}
	if got := strings.Join(pools, " "); got != "predictor=gpu transformer=compute explainer=compute" {
		t.Error(got)
	}
	if c, ok := p.Of(placement.Transformer); !ok || c.Capacity != schemas.CapacitySpot {
		t.Errorf("transformer %+v", c)
	}
	if _, ok := p.Of("router"); ok {
		t.Error("there is no router")
	}
}

func TestForDeploymentTakesTheEnvironmentsCapacity(t *testing.T) {
	d := manifest()
	d.Spec.Serving.Capacity = ""
	p, refusals := placement.ForDeployment(environment(compute(), gpu()), d)
	if len(refusals) > 0 || p.Components[1].Choice.Capacity != schemas.CapacityOnDemand {
		t.Errorf("%+v %v", p.Components, refusals)
	}
}

func TestForDeploymentRefusesPartByPart(t *testing.T) {
	d := manifest()
	d.Spec.Serving.Pool = "compute"
	d.Spec.Serving.Explainer.Resources = requests("99", "1Gi")
	_, refusals := placement.ForDeployment(environment(compute(), gpu()), d)
	if len(refusals) != 2 {
		t.Fatalf("%+v", refusals)
	}
	first, second := refusals[0].Finding(), refusals[1].Finding()
	if first.Field != "spec.serving.pool" || !strings.HasPrefix(first.Message, "predictor: ") || first.Severity != schemas.SeverityError {
		t.Errorf("%+v", first)
	}
	if second.Field != "spec.serving.explainer.resources.requests" || refusals[1].Component != placement.Explainer {
		t.Errorf("%+v", second)
	}
}

func TestForDeploymentRefusesTwoCurrencies(t *testing.T) {
	euro := compute()
	euro.Price.Currency = "EUR"
	_, refusals := placement.ForDeployment(environment(euro, gpu()), manifest())
	if len(refusals) != 2 || refusals[0].Code != placement.CodeMixedCurrencies {
		t.Errorf("%+v", refusals)
	}
}

func TestCapacityWarnsWithNumbers(t *testing.T) {
	env := environment(compute(), gpu())
	d := manifest()
	place := func(low, high int32) placement.Placement {
		d.Spec.Serving.Replicas = replicas(low, high)
		p, refusals := placement.ForDeployment(env, d)
		if len(refusals) > 0 {
			t.Fatal(refusals)
		}
		return p
	}
	tests := map[string]struct {
		placements []placement.Placement
		want       string
	}{
		"just as many nodes as there may be":  {[]placement.Placement{place(2, 10)}, ""},
		"one replica more than nodes":         {[]placement.Placement{place(2, 11)}, "pool gpu has at most 10 nodes (m5.4xlarge each), and 11 replicas at replicas.max need at least 11"},
		"too many even at min":                {[]placement.Placement{place(12, 12)}, "even 12 replicas at replicas.min need 12"},
		"two models that fill the pool alone": {[]placement.Placement{place(1, 6), place(1, 5)}, "11 replicas of all models together at replicas.max need at least 11"},
		"no model at all":                     {nil, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := placement.Capacity(env, tc.placements...)
			if tc.want == "" {
				if len(got) > 0 {
					t.Errorf("%+v", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0].Finding.Message, tc.want) || got[0].Finding.Severity != schemas.SeverityWarning {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestCapacityCountsReplicasThatDoNotShareANode(t *testing.T) {
	half := pool("half", "3", "100Gi", "1", "1")
	half.Nodes.Max = 2
	d := manifest()
	// Each replica takes two of three cpus: 3 × 2/3 is two nodes' worth, and
	// still one replica a node.
	d.Spec.Serving = schemas.Serving{Replicas: replicas(1, 3), Resources: requests("2", "1Gi"), Capacity: schemas.CapacitySpot}
	env := environment(half)
	p, refusals := placement.ForDeployment(env, d)
	if len(refusals) > 0 {
		t.Fatal(refusals)
	}
	if got := placement.Capacity(env, p); len(got) != 1 || !strings.Contains(got[0].Finding.Message, "need at least 3") {
		t.Errorf("%+v", got)
	}
}

func TestCostRoundsHalvesUp(t *testing.T) {
	tests := map[string]string{
		"0": "0.00", "0.004999": "0.00", "0.005": "0.01", "0.014999": "0.01", "0.015": "0.02", "168.192": "168.19", "1.999999": "2.00",
	}
	for in, want := range tests {
		c := placement.CostOf(money(in))
		if c.String() != want {
			t.Errorf("%s rounds to %s, want %s", in, c, want)
		}
		b, err := json.Marshal(c)
		if err != nil || strings.Contains(string(b), "e") {
			t.Errorf("%s (%v)", b, err)
		}
	}
	huge := placement.CostOf(math.MaxInt64).Times(1000).Rounded()
	if huge <= 0 || huge%10_000 != 0 {
		t.Errorf("beyond what money can hold: %d", huge)
	}
	var zero placement.Cost
	if zero.Sign() != 0 || zero.Add(zero).Cmp(zero) != 0 || zero.String() != "0.00" {
		t.Error("the zero cost is not zero")
	}
}

// TestCostIsTheWrittenFormula recomputes cost from whole milli-cpus and bytes
// in integers and compares exactly.
func TestCostIsTheWrittenFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := compute()
		cpu := rapid.Int64Range(1, 15890).Draw(t, "millicpu")
		mem := rapid.Int64Range(1, 57<<30).Draw(t, "bytes")
		d := demand("1", "1")
		d.CPU.SetMilli(cpu)
		d.Memory.Set(mem)
		c, refusal := placement.Choose(environment(p), d)
		if refusal != nil {
			t.Fatal(refusal.Message)
		}
		share := big.NewRat(cpu, 15890)
		if m := big.NewRat(mem, 57<<30); m.Cmp(share) > 0 {
			share = m
		}
		micros := share.Mul(share, big.NewRat(230_400*730, 1))
		cents := micros.Mul(micros, big.NewRat(1, 10_000))
		cents.Add(cents, big.NewRat(1, 2))
		want := new(big.Int).Div(cents.Num(), cents.Denom()).Int64()
		if got := int64(c.CostPerReplicaMonth.Rounded()) / 10_000; got != want {
			t.Fatalf("%d cents, want %d", got, want)
		}
	})
}
