package placement

import (
	"fmt"
	"math/big"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// Shortage is a pool that would need more nodes than it may have.
type Shortage struct {
	Pool    string
	Finding policy.Finding
}

// Capacity warns where the placements together would need more nodes of a pool
// than the pool may have, at replicas.max; the message says so too where
// replicas.min is already too much. Give one placement to hold a model against
// its pools alone, or all of an environment's.
//
// The number of nodes is a lower bound (what the requests add up to, and how
// many replicas of one part a node takes), so a warning is never wrong, but a
// pool may run full before.
func Capacity(env schemas.EnvironmentSpec, placements ...Placement) []Shortage {
	var shortages []Shortage
	for _, pool := range env.Pools {
		atMin, atMax := newLoad(pool), newLoad(pool)
		for _, p := range placements {
			for _, c := range p.Components {
				if c.Choice.Pool == pool.Name {
					atMin.add(c.demand, c.Min)
					atMax.add(c.demand, c.Max)
				}
			}
		}
		most := big.NewInt(int64(pool.Nodes.Max))
		if atMax.nodes.Cmp(most) <= 0 {
			continue
		}
		of := ""
		if len(placements) > 1 {
			of = " of all models together"
		}
		message := fmt.Sprintf("pool %s has at most %d nodes (%s each), and %d replicas%s at replicas.max need at least %d",
			pool.Name, pool.Nodes.Max, pool.Nodes.Instance, atMax.replicas, of, atMax.nodes)
		if atMin.nodes.Cmp(most) > 0 {
			message += fmt.Sprintf("; even %d replicas at replicas.min need %d", atMin.replicas, atMin.nodes)
		}
		shortages = append(shortages, Shortage{pool.Name, policy.Finding{
			Severity: schemas.SeverityWarning, Code: CodePoolTooSmall, Field: "spec.serving.replicas.max",
			Message: message, Remedy: "lower replicas.max, or ask the platform team to let the pool grow",
		}})
	}
	return shortages
}

// load is what is asked of one pool.
type load struct {
	pool schemas.Pool
	// total shares of a node, by dimension: cpu, memory, accelerator.
	total    []*big.Rat
	replicas int64
	// nodes that are needed at least.
	nodes *big.Int
}

func newLoad(p schemas.Pool) *load {
	return &load{pool: p, total: []*big.Rat{new(big.Rat), new(big.Rat), new(big.Rat)}, nodes: new(big.Int)}
}

func (l *load) add(d Demand, replicas int32) {
	if replicas == 0 {
		return
	}
	l.replicas += int64(replicas)
	shares := d.podShares(l.pool)
	for i, s := range shares {
		if s == nil {
			return
		}
		l.total[i].Add(l.total[i], new(big.Rat).Mul(s, new(big.Rat).SetInt64(int64(replicas))))
		l.raise(ceil(l.total[i]))
	}
	if share := dominant(shares); share.Sign() > 0 {
		perNode := new(big.Int).Div(share.Denom(), share.Num())
		if perNode.Sign() > 0 {
			l.raise(ceil(new(big.Rat).SetFrac(big.NewInt(int64(replicas)), perNode)))
		}
	}
}

func (l *load) raise(nodes *big.Int) {
	if nodes.Cmp(l.nodes) > 0 {
		l.nodes = nodes
	}
}

func ceil(r *big.Rat) *big.Int {
	n := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	return n.Div(n, r.Denom())
}
