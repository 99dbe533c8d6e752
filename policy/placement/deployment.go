package placement

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy/podsize"
	"github.com/mlops-platform/mooring/schemas"
)

// The parts of a model that run as pods of their own.
const (
	Predictor   = "predictor"
	Transformer = "transformer"
	Explainer   = "explainer"
	// Router asks the models of a graph.
	Router = "router"
)

// Component is one part of a model as it is placed.
type Component struct {
	// Name is Predictor, Transformer, Explainer or Router.
	Name   string `json:"name"`
	Choice Choice `json:"choice"`
	// Min and Max are the replicas.
	Min int32 `json:"min"`
	Max int32 `json:"max"`

	demand Demand
}

// Placement is where all parts of a model run and what they cost together.
type Placement struct {
	// Components are the predictor and, where there are any, the transformer, the
	// explainer and the router, in that order.
	Components []Component `json:"components"`
	// MonthlyMin and MonthlyMax are the exact costs at replicas.min and
	// replicas.max, summed over the components.
	MonthlyMin Cost   `json:"monthlyMin"`
	MonthlyMax Cost   `json:"monthlyMax"`
	Currency   string `json:"currency"`
}

// Of is the choice for a component, if the model has it.
func (p Placement) Of(component string) (Choice, bool) {
	for _, c := range p.Components {
		if c.Name == component {
			return c.Choice, true
		}
	}
	return Choice{}, false
}

// Part is one part of a manifest that runs as pods of its own, before it is
// placed.
type Part struct {
	Name string
	// Field is the manifest's path to the part.
	Field    string
	Demand   Demand
	Min, Max int32
}

// Parts lists a manifest's predictor, transformer, explainer and router with what
// one replica of each demands. All but the predictor run on CPU pools, chosen
// automatically, with the model's capacity and data sensitivity. An empty
// capacity is the environment's.
func Parts(env schemas.EnvironmentSpec, d schemas.ModelDeployment) []Part {
	s := d.Spec.Serving
	capacity := s.Capacity
	if capacity == "" {
		capacity = env.Capacity
	}
	demand := func(r schemas.Resources) Demand {
		return Demand{
			CPU: quantity(r.Requests.CPU), Memory: quantity(r.Requests.Memory),
			Capacity: capacity, DataSensitivity: d.Spec.Governance.DataSensitivity, Beside: podsize.Of(env),
		}
	}
	main := demand(s.Resources)
	main.Accelerator, main.Pool, main.Beside = s.Accelerator, s.Pool, podsize.OfPredictor(env, d.Spec)
	parts := []Part{{Predictor, "spec.serving", main, s.Replicas.Low(), s.Replicas.High()}}
	beside := func(name string, c *schemas.Component) {
		if c != nil {
			parts = append(parts, Part{name, "spec.serving." + name, demand(c.Resources), c.Replicas.Low(), c.Replicas.High()})
		}
	}
	beside(Transformer, s.Transformer)
	beside(Explainer, s.Explainer)
	if g := s.Graph; g != nil {
		cpu, memory := resource.MustParse(schemas.RouterCPU), resource.MustParse(schemas.RouterMemory)
		router := demand(schemas.Resources{Requests: schemas.ResourceList{CPU: &cpu, Memory: &memory}})
		parts = append(parts, Part{Router, "spec.serving.graph", router, g.Replicas(s.Replicas), g.Replicas(s.Replicas)})
	}
	return parts
}

func quantity(q *resource.Quantity) resource.Quantity {
	if q == nil {
		return resource.Quantity{}
	}
	return *q
}

// ForDeployment places all parts of a manifest. With any refusal the placement
// is not complete and its costs mean nothing.
func ForDeployment(env schemas.EnvironmentSpec, d schemas.ModelDeployment) (Placement, []Refusal) {
	var placed Placement
	var refusals []Refusal
	for _, part := range Parts(env, d) {
		choice, refusal := Choose(env, part.Demand)
		if refusal != nil {
			refusals = append(refusals, refusal.of(part))
			continue
		}
		if placed.Currency != "" && placed.Currency != choice.Currency {
			r := Refusal{
				Code: CodeMixedCurrencies,
				Message: fmt.Sprintf("pool %s is priced in %s and the rest of the model in %s, so they cannot be added up",
					choice.Pool, choice.Currency, placed.Currency),
				Remedy: "price the environment's pools in one currency",
			}
			refusals = append(refusals, r.of(part))
			continue
		}
		placed.Currency = choice.Currency
		placed.Components = append(placed.Components, Component{
			Name: part.Name, Choice: choice, Min: part.Min, Max: part.Max, demand: part.Demand,
		})
		placed.MonthlyMin = placed.MonthlyMin.Add(choice.CostPerReplicaMonth.Times(part.Min))
		placed.MonthlyMax = placed.MonthlyMax.Add(choice.CostPerReplicaMonth.Times(part.Max))
	}
	return placed, refusals
}

// of says which part of the manifest was refused, and where it stands.
func (r Refusal) of(part Part) Refusal {
	r.Component = part.Name
	r.Message = part.Name + ": " + r.Message
	r.Field = part.Field + ".resources.requests"
	if part.Name == Router {
		r.Field = part.Field
	}
	if part.Name == Predictor && !part.Demand.auto() {
		r.Field = part.Field + ".pool"
	}
	return r
}
