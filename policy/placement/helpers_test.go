package placement_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/schemas"
)

func money(s string) schemas.Money {
	m, err := schemas.ParseMoney(s)
	if err != nil {
		panic(err)
	}
	return m
}

func pool(name, cpu, memory, onDemand, spot string) schemas.Pool {
	p := schemas.Pool{
		Name: name, Nodes: schemas.Nodes{Max: 10, Instance: "m5.4xlarge"},
		Allocatable: schemas.Allocatable{CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory)},
		Price:       schemas.Price{OnDemand: money(onDemand), Currency: "USD", Per: "hour"},
	}
	if spot != "" {
		m := money(spot)
		p.Price.Spot = &m
	}
	return p
}

func gpuPool(name, accelerator, res string, perNode int32, onDemand, spot string) schemas.Pool {
	p := pool(name, "7910m", "29636Mi", onDemand, spot)
	p.Accelerator = &schemas.PoolAccelerator{Name: accelerator, Resource: res, PerNode: perNode}
	return p
}

func only(p schemas.Pool, sensitivity ...string) schemas.Pool {
	p.OnlyFor = &schemas.OnlyFor{DataSensitivity: sensitivity}
	return p
}

func compute() schemas.Pool { return pool("compute", "15890m", "57Gi", "0.768", "0.2304") }

func gpu() schemas.Pool {
	return gpuPool("gpu", "nvidia-t4", "nvidia.com/gpu", 1, "0.752", "0.2256")
}

func environment(pools ...schemas.Pool) schemas.EnvironmentSpec {
	return schemas.EnvironmentSpec{Capacity: schemas.CapacityOnDemand, Pools: pools}
}

func demand(cpu, memory string) placement.Demand {
	return placement.Demand{
		CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory),
		Capacity: schemas.CapacitySpot, DataSensitivity: "internal",
	}
}

func t4(d placement.Demand, count int32) placement.Demand {
	d.Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: count}
	return d
}

func requests(cpu, memory string) schemas.Resources {
	c, m := resource.MustParse(cpu), resource.MustParse(memory)
	return schemas.Resources{Requests: schemas.ResourceList{CPU: &c, Memory: &m}}
}

func replicas(low, high int32) schemas.Replicas { return schemas.Replicas{Min: &low, Max: &high} }

func component(cpu, memory string, low, high int32) *schemas.Component {
	return &schemas.Component{Resources: requests(cpu, memory), Replicas: replicas(low, high)}
}

func choose(t *testing.T, env schemas.EnvironmentSpec, d placement.Demand) placement.Choice {
	t.Helper()
	c, refusal := placement.Choose(env, d)
	if refusal != nil {
		t.Fatal(refusal.Message)
	}
	return c
}
