package placement

import (
	"cmp"
	"slices"

	"github.com/mlops-platform/mooring/schemas"
)

// Candidate is one of the environment's pools held against a demand.
type Candidate struct {
	Pool string
	// Against lists why the pool is not right; empty: it is.
	Against []string
	// CostPerReplicaMonth is exact, in the pool's Currency; zero where the pool
	// is not right.
	CostPerReplicaMonth Cost
	Currency            string
}

// Candidates holds every pool of the environment against a demand, also where
// the demand names one: those that are right first, the cheapest leading, then
// the others by name.
func Candidates(env schemas.EnvironmentSpec, d Demand) []Candidate {
	if d.Capacity == "" {
		d.Capacity = env.Capacity
	}
	var out []Candidate
	for _, p := range env.Pools {
		c := examine(env, d, p)
		out = append(out, Candidate{Pool: p.Name, Against: c.against, CostPerReplicaMonth: c.cost, Currency: p.Price.Currency})
	}
	slices.SortFunc(out, func(a, b Candidate) int {
		return cmp.Or(
			cmp.Compare(min(len(a.Against), 1), min(len(b.Against), 1)),
			a.CostPerReplicaMonth.Cmp(b.CostPerReplicaMonth), cmp.Compare(a.Pool, b.Pool))
	})
	return out
}
