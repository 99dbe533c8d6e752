package quota

import (
	"fmt"

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
	environment := env.Metadata.Name
	for _, m := range manifests {
		if m.Spec.Team != team || m.Spec.Environment != environment {
			continue
		}
		for _, part := range placement.Parts(env.Spec, m) {
			usage.AtMin.add(part.Demand, part.Min)
			usage.AtMax.add(part.Demand, part.Max)
		}
	}
	var findings []policy.Finding
	for _, d := range []dimension{
		{"cpu", usage.AtMin.CPU, usage.AtMax.CPU, podsize.Stored(&quota.CPU)},
		{"memory", usage.AtMin.Memory, usage.AtMax.Memory, podsize.Stored(&quota.Memory)},
		{"gpu", count(usage.AtMin.GPU), count(usage.AtMax.GPU), count(int64(quota.GPU))},
	} {
		if f, exceeded := d.judge(team, environment); exceeded {
			findings = append(findings, f)
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

// text formats a copy: Quantity.String stores what it formats, and quantities
// are shared between goroutines.
func text(q resource.Quantity) string {
	q = q.DeepCopy()
	return q.String()
}
