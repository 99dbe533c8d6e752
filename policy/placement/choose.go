package placement

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// The codes of refusals and findings.
const (
	CodeUnknownPool     = "unknown-pool"
	CodePoolUnfit       = "pool-unfit"
	CodeNoPoolFits      = "no-pool-fits"
	CodeMixedCurrencies = "mixed-currencies"
	CodePoolTooSmall    = "pool-too-small"
)

// Choice is the pool that was chosen for one part of a model.
type Choice struct {
	Pool     string           `json:"pool"`
	Capacity schemas.Capacity `json:"capacity"`
	// CostPerReplicaMonth is exact.
	CostPerReplicaMonth Cost   `json:"costPerReplicaMonth"`
	Currency            string `json:"currency"`
	// Reason says why this pool, and what it beat.
	Reason string `json:"reason"`
}

// Refusal is why no pool is right.
type Refusal struct {
	Code string
	// Component is predictor, transformer or explainer; empty from Choose.
	Component string
	// Field is the manifest's path to what has to change; empty from Choose.
	Field string
	// Message has the numbers of the closest pool.
	Message string
	Remedy  string
}

// Finding is the refusal as an error of the manifest.
func (r Refusal) Finding() policy.Finding {
	return policy.Finding{
		Severity: schemas.SeverityError, Code: r.Code, Field: r.Field, Message: r.Message, Remedy: r.Remedy,
	}
}

// candidate is a pool held against a demand.
type candidate struct {
	pool schemas.Pool
	// load is the dominant share of a node that one replica takes; nil: endless.
	load *big.Rat
	// against lists why the pool is not right; empty: it is.
	against []string
	// distance weighs the reasons: a pool of another kind is further away than
	// one of the right kind that is too small.
	distance int
	cost     Cost
}

// Choose picks the pool for one replica: the named one, or of those that offer
// the accelerator (for none: that have none), the capacity type and the data's
// sensitivity and fit one replica, the one with the lowest cost, ties by name.
// A named pool must satisfy the same. The environment is not changed.
func Choose(env schemas.EnvironmentSpec, d Demand) (Choice, *Refusal) {
	if d.Capacity == "" {
		d.Capacity = env.Capacity
	}
	pools := env.Pools
	if !d.auto() {
		i := slices.IndexFunc(pools, func(p schemas.Pool) bool { return p.Name == d.Pool })
		if i < 0 {
			return Choice{}, &Refusal{
				Code: CodeUnknownPool, Message: fmt.Sprintf("the environment has no pool %q", d.Pool),
				Remedy: "name one of its pools (" + names(pools) + ") or use auto",
			}
		}
		pools = pools[i : i+1]
	}
	return choose(env, d, pools)
}

func choose(env schemas.EnvironmentSpec, d Demand, pools []schemas.Pool) (Choice, *Refusal) {
	var fit, unfit []candidate
	for _, p := range pools {
		c := examine(env, d, p)
		if len(c.against) == 0 {
			fit = append(fit, c)
		} else {
			unfit = append(unfit, c)
		}
	}
	if len(fit) == 0 {
		return Choice{}, refuse(d, unfit)
	}
	slices.SortFunc(fit, func(a, b candidate) int {
		return cmp.Or(a.cost.Cmp(b.cost), cmp.Compare(a.pool.Name, b.pool.Name))
	})
	for _, c := range fit {
		if c.pool.Price.Currency != fit[0].pool.Price.Currency {
			return Choice{}, &Refusal{
				Code: CodeMixedCurrencies,
				Message: fmt.Sprintf("pool %s is priced in %s and pool %s in %s, so the cheaper one cannot be told",
					fit[0].pool.Name, fit[0].pool.Price.Currency, c.pool.Name, c.pool.Price.Currency),
				Remedy: "name a pool, or price the environment's pools in one currency",
			}
		}
	}
	return chosen(d, fit), nil
}

// examine holds one pool against a demand. Of the capacity's price, the cost is
// the dominant share of a node for a month.
func examine(env schemas.EnvironmentSpec, d Demand, p schemas.Pool) candidate {
	c := candidate{pool: p, load: dominant(d.shares(p))}
	for _, check := range []func() string{
		func() string { return acceleratorAgainst(d, p) },
		func() string { return sensitivityAgainst(env, d, p) },
		func() string { return capacityAgainst(d, p) },
		func() string { return sizeAgainst(d, p) },
	} {
		c.distance *= 2
		if why := check(); why != "" {
			c.against = append(c.against, why)
			c.distance++
		}
	}
	if len(c.against) == 0 {
		c.cost = monthly(p, d.Capacity, c.load)
	}
	return c
}

func monthly(p schemas.Pool, capacity schemas.Capacity, load *big.Rat) Cost {
	price := p.Price.OnDemand
	if capacity == schemas.CapacitySpot {
		price = *p.Price.Spot
	}
	return Cost{new(big.Rat).Mul(load, CostOf(price).Times(HoursPerMonth).rat())}
}

func acceleratorAgainst(d Demand, p schemas.Pool) string {
	switch {
	case d.Accelerator == nil && p.Accelerator != nil:
		return "it is kept for models that ask for " + p.Accelerator.Name
	case d.Accelerator != nil && p.Accelerator == nil:
		return "it has no " + d.Accelerator.Type
	case d.Accelerator != nil && d.Accelerator.Type != p.Accelerator.Name && d.Accelerator.Type != p.Accelerator.Resource:
		return fmt.Sprintf("it has %s, not %s", p.Accelerator.Name, d.Accelerator.Type)
	default:
		return ""
	}
}

// sensitivityAgainst keeps a dedicated pool for its data and its data there.
func sensitivityAgainst(env schemas.EnvironmentSpec, d Demand, p schemas.Pool) string {
	if p.OnlyFor != nil {
		if slices.Contains(p.OnlyFor.DataSensitivity, d.DataSensitivity) {
			return ""
		}
		return fmt.Sprintf("it is only for data of sensitivity %s, not %s",
			strings.Join(p.OnlyFor.DataSensitivity, ", "), d.DataSensitivity)
	}
	var dedicated []schemas.Pool
	for _, other := range env.Pools {
		if other.OnlyFor != nil && slices.Contains(other.OnlyFor.DataSensitivity, d.DataSensitivity) {
			dedicated = append(dedicated, other)
		}
	}
	if len(dedicated) == 0 {
		return ""
	}
	return fmt.Sprintf("data of sensitivity %s may run only on %s", d.DataSensitivity, names(dedicated))
}

func capacityAgainst(d Demand, p schemas.Pool) string {
	switch d.Capacity {
	case schemas.CapacityOnDemand:
		return ""
	case schemas.CapacitySpot:
		if p.OffersSpot() {
			return ""
		}
		return "it has no spot price, so it offers no spot capacity"
	default:
		return fmt.Sprintf("capacity %q is neither spot nor on-demand", d.Capacity)
	}
}

// sizeAgainst names what a node has too little of, by the resources' names in
// Kubernetes, as the scheduler would.
func sizeAgainst(d Demand, p schemas.Pool) string {
	if d.CPU.Sign() <= 0 || d.Memory.Sign() <= 0 || d.Accelerator != nil && d.Accelerator.Count < 1 {
		return "one replica must ask for cpu, memory and accelerators above zero"
	}
	var short []string
	for i, share := range d.podShares(p) {
		if share == nil || share.Cmp(big.NewRat(1, 1)) > 0 {
			short = append(short, d.resource(i, p))
		}
	}
	if len(short) == 0 {
		return ""
	}
	why := "one replica (" + d.String() + ") does not fit on a node: too little " + strings.Join(short, ", ")
	if pod := d.Pod(); pod.CPU.Cmp(d.CPU) > 0 || pod.Memory.Cmp(d.Memory) > 0 {
		why += fmt.Sprintf("; with KServe's own containers its pod requests %s", size(pod.CPU, pod.Memory))
	}
	return why
}

// refuse names the closest pool: one with the accelerator, for the data, with
// the capacity, in this order of weight; then the one that a replica would load
// least, then by name.
func refuse(d Demand, unfit []candidate) *Refusal {
	if len(unfit) == 0 {
		return &Refusal{
			Code: CodeNoPoolFits, Message: "the environment has no pools", Remedy: "ask the platform team for a pool",
		}
	}
	closest := slices.MinFunc(unfit, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), compareLoad(a.load, b.load), cmp.Compare(a.pool.Name, b.pool.Name))
	})
	detail := fmt.Sprintf("%s (%s allocatable a node): %s",
		closest.pool.Name, offer(closest.pool), strings.Join(closest.against, "; "))
	if !d.auto() {
		return &Refusal{
			Code: CodePoolUnfit, Message: "the model cannot run on the pool it names, " + detail,
			Remedy: "ask for what the pool offers, or use auto",
		}
	}
	return &Refusal{
		Code:    CodeNoPoolFits,
		Message: fmt.Sprintf("no pool is right for %s on %s capacity; the closest is %s", d, d.Capacity, detail),
		Remedy:  "ask for what a pool offers, or ask the platform team for a pool that fits",
	}
}

func compareLoad(a, b *big.Rat) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	default:
		return a.Cmp(b)
	}
}

func chosen(d Demand, fit []candidate) Choice {
	best := fit[0]
	currency := best.pool.Price.Currency
	reason := fmt.Sprintf("%s at %s %s a replica and month on %s", best.pool.Name, best.cost, currency, d.Capacity)
	switch {
	case !d.auto():
		reason += ", as the manifest says"
	case len(fit) == 1:
		reason += ", the only pool that fits"
	default:
		reason += fmt.Sprintf(", the cheapest of %d that fit; next is %s at %s", len(fit), fit[1].pool.Name, fit[1].cost)
	}
	return Choice{
		Pool: best.pool.Name, Capacity: d.Capacity, CostPerReplicaMonth: best.cost, Currency: currency, Reason: reason,
	}
}

func names(pools []schemas.Pool) string {
	ns := make([]string, len(pools))
	for i, p := range pools {
		ns[i] = p.Name
	}
	slices.Sort(ns)
	return strings.Join(ns, ", ")
}
