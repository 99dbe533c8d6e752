package quota

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/podsize"
	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings.
const (
	CodeExceeded      = "quota-exceeded"
	CodeExceededAtMax = "quota-exceeded-at-max"
	CodeNoRoomToRoll  = "quota-no-room-to-roll"
)

// Totals is what is requested in sum.
type Totals struct {
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory"`
	// GPU counts accelerators of every type.
	GPU int64 `json:"gpu"`
}

// Usage is what a team's models request in one environment.
type Usage struct {
	AtMin Totals `json:"atMin"`
	AtMax Totals `json:"atMax"`
}

// Check sums the requests of the team's manifests in the environment and holds
// them against the quota. Manifests of other teams and environments are left
// out. Exactly the quota is allowed.
func Check(team string, env schemas.Environment, quota schemas.Quota, manifests ...schemas.ModelDeployment) (Usage, []policy.Finding) {
	var usage Usage
	var rolls []rollout
	environment := env.Metadata.Name
	for _, m := range manifests {
		if m.Spec.Team != team || m.Spec.Environment != environment {
			continue
		}
		roll := rollout{model: m.Metadata.Name}
		for _, part := range placement.Parts(env.Spec, m) {
			usage.AtMin.add(part.Demand, part.Min)
			usage.AtMax.add(part.Demand, part.Max)
			roll.more.add(part.Demand, surge(&env.Spec, &m.Spec, part))
		}
		rolls = append(rolls, roll)
	}
	var findings []policy.Finding
	for _, d := range []dimension{
		{"cpu", usage.AtMin.CPU, usage.AtMax.CPU, podsize.Stored(&quota.CPU), func(t Totals) resource.Quantity { return t.CPU }},
		{"memory", usage.AtMin.Memory, usage.AtMax.Memory, podsize.Stored(&quota.Memory), func(t Totals) resource.Quantity { return t.Memory }},
		{"gpu", count(usage.AtMin.GPU), count(usage.AtMax.GPU), count(int64(quota.GPU)), func(t Totals) resource.Quantity { return count(t.GPU) }},
	} {
		f, exceeded := d.judge(team, environment)
		hang, hangs := d.judgeRollouts(team, environment, rolls)
		switch {
		case exceeded && hangs: // one finding for each resource
			f.Message += "; " + hang.Message
			findings = append(findings, f)
		case exceeded:
			findings = append(findings, f)
		case hangs:
			findings = append(findings, hang)
		}
	}
	return usage, findings
}

func (t *Totals) add(replica placement.Demand, replicas int32) {
	pod, n := replica.Pod(), int64(replicas)
	pod.CPU.Mul(n)
	pod.Memory.Mul(n)
	t.CPU.Add(pod.CPU)
	t.Memory.Add(pod.Memory)
	if a := replica.Accelerator; a != nil {
		t.GPU += n * int64(a.Count)
	}
}

func count(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.DecimalSI) }

// dimension is one resource's requests and limit.
type dimension struct {
	resource            string
	atMin, atMax, limit resource.Quantity
	of                  func(Totals) resource.Quantity
}

func (d dimension) judge(team, environment string) (policy.Finding, bool) {
	f := policy.Finding{Field: "spec.serving.replicas"}
	asked := d.atMin
	switch {
	case d.atMin.Cmp(d.limit) > 0:
		f.Severity, f.Code = schemas.SeverityError, CodeExceeded
		f.Message = fmt.Sprintf("the models of team %s in %s request %s %s at replicas.min",
			team, environment, text(d.atMin), d.resource)
		f.Remedy = "lower requests or replicas.min of the team's models there, or ask for a higher quota in the team's file"
	case d.atMax.Cmp(d.limit) > 0:
		asked = d.atMax
		f.Severity, f.Code = schemas.SeverityWarning, CodeExceededAtMax
		f.Message = fmt.Sprintf("the models of team %s in %s would request %s %s if all ran at replicas.max (%s at replicas.min)",
			team, environment, text(d.atMax), d.resource, text(d.atMin))
		f.Remedy = "they cannot all scale out at once; lower replicas.max or ask for a higher quota"
	default:
		return policy.Finding{}, false
	}
	over := asked.DeepCopy()
	over.Sub(d.limit)
	f.Message += fmt.Sprintf("; the quota is %s, %s less", text(d.limit), text(over))
	return f, true
}

// rollout is what a model requests more while a new version replaces the old one.
type rollout struct {
	model string
	more  Totals
}

// withoutSurge is the least number of replicas of which Kubernetes ends one before
// a new one is there: a quarter of them, rounded down, may be missing.
const withoutSurge = 4

// surge is how many pods of a part have to start before one of the old ones ends.
func surge(env *schemas.EnvironmentSpec, m *schemas.ModelDeploymentSpec, part placement.Part) int32 {
	release, err := schemas.ParseKServeVersion(env.KServe.Version)
	switch {
	case env.KServe.Mode == schemas.ModeKnative:
		return max(part.Min, 1) // a revision has all its pods before it has traffic
	case env.SplitsTraffic(m) && part.Name != placement.Router:
		// The second service has its share of the replicas, most at the last step.
		steps := m.Rollout.Canary.Steps
		return max((part.Min*steps[len(steps)-1]+99)/100, 1)
	case part.Min >= withoutSurge, err == nil && part.Demand.Accelerator.RollsInPlace(part.Min, release):
		return 0
	default:
		return 1
	}
}

// judgeRollouts warns of the model whose rollout needs most, where the quota has
// no room for it: its new pods are refused, and the old ones stay.
func (d dimension) judgeRollouts(team, environment string, rolls []rollout) (policy.Finding, bool) {
	if d.atMin.Cmp(d.limit) > 0 || len(rolls) == 0 {
		return policy.Finding{}, false
	}
	most := slices.MaxFunc(rolls, func(a, b rollout) int {
		x, y := d.of(a.more), d.of(b.more)
		return cmp.Or(x.Cmp(y), strings.Compare(b.model, a.model))
	})
	more := d.of(most.more)
	asked := d.atMin.DeepCopy()
	asked.Add(more)
	if asked.Cmp(d.limit) <= 0 {
		return policy.Finding{}, false
	}
	return policy.Finding{
		Severity: schemas.SeverityWarning, Code: CodeNoRoomToRoll, Field: "spec.serving.replicas",
		Message: fmt.Sprintf("a new version of %s starts %s %s before the old one ends, beside the %s that the models of team %s in %s request at replicas.min; the quota is %s, so the rollout hangs",
			most.model, text(more), d.resource, text(d.atMin), team, environment, text(d.limit)),
		Remedy: "leave room for it in the quota, or lower requests or replicas.min",
	}, true
}

// text formats a copy: Quantity.String stores what it formats, and quantities
// are shared between goroutines.
func text(q resource.Quantity) string {
	q = q.DeepCopy()
	return q.String()
}
