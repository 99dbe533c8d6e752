package placement

import (
	"fmt"
	"math/big"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy/podsize"
	"github.com/mlops-platform/mooring/schemas"
)

// Demand is what one replica asks of a node.
type Demand struct {
	CPU    resource.Quantity
	Memory resource.Quantity
	// Accelerator nil: a CPU pool.
	Accelerator *schemas.Accelerator
	// Pool is a pool's name, or empty or "auto" for the cheapest that fits.
	Pool string
	// Capacity is resolved: the manifest's, else the environment's.
	Capacity schemas.Capacity
	// DataSensitivity is the fact that the manifest declares.
	DataSensitivity string
	// Beside is what KServe and Knative put into the pod. It takes room on the node; what a
	// replica costs is counted without it.
	Beside podsize.Beside
}

func (d Demand) auto() bool { return d.Pool == "" || d.Pool == schemas.PoolAuto }

// gpus is the number of accelerators of one replica.
func (d Demand) gpus() int32 {
	if d.Accelerator == nil {
		return 0
	}
	return d.Accelerator.Count
}

// String is "2 cpu, 4Gi memory, 1 nvidia-t4".
func (d Demand) String() string {
	s := size(d.CPU, d.Memory)
	if d.Accelerator != nil {
		s += fmt.Sprintf(", %d %s", d.Accelerator.Count, d.Accelerator.Type)
	}
	return s
}

func offer(p schemas.Pool) string {
	s := size(p.Allocatable.CPU, p.Allocatable.Memory)
	if p.Accelerator != nil {
		s += fmt.Sprintf(", %d %s", p.Accelerator.PerNode, p.Accelerator.Name)
	}
	return s
}

func size(cpu, memory resource.Quantity) string {
	return fmt.Sprintf("%s cpu, %s memory", text(cpu), text(memory))
}

// text formats a copy: Quantity.String stores what it formats, and quantities
// are shared between goroutines.
func text(q resource.Quantity) string {
	q = q.DeepCopy()
	return q.String()
}

// exact is the quantity as a rational number of whole units.
func exact(q resource.Quantity) *big.Rat {
	q = q.DeepCopy()
	dec := q.AsDec()
	r := new(big.Rat).SetInt(dec.UnscaledBig())
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(dec.Scale(), -dec.Scale()))), nil)
	if dec.Scale() < 0 {
		return r.Mul(r, new(big.Rat).SetInt(scale))
	}
	return r.Quo(r, new(big.Rat).SetInt(scale))
}

// shares are one replica's shares of a node as they are paid for, by dimension:
// cpu, memory and, where asked for, accelerator. A dimension that the node has
// nothing of is left nil: no replica fits there.
func (d Demand) shares(p schemas.Pool) []*big.Rat {
	return d.sharesOf(p, exact(d.CPU), exact(p.Allocatable.CPU), exact(d.Memory), exact(p.Allocatable.Memory))
}

// podShares are the shares that the replica's pod takes, as the scheduler counts
// them: cpu in thousandths and memory in bytes, both rounded up.
func (d Demand) podShares(p schemas.Pool) []*big.Rat {
	pod := d.Pod()
	return d.sharesOf(p, milli(pod.CPU), milli(p.Allocatable.CPU), whole(pod.Memory), whole(p.Allocatable.Memory))
}

// Pod is what the replica's pod requests.
func (d Demand) Pod() podsize.Size {
	return d.Beside.Pod(schemas.ResourceList{CPU: &d.CPU, Memory: &d.Memory})
}

func (d Demand) sharesOf(p schemas.Pool, cpu, cpuOf, memory, memoryOf *big.Rat) []*big.Rat {
	s := []*big.Rat{ratio(cpu, cpuOf), ratio(memory, memoryOf)}
	if d.Accelerator == nil {
		return s
	}
	perNode := new(big.Rat)
	if p.Accelerator != nil {
		perNode.SetInt64(int64(p.Accelerator.PerNode))
	}
	return append(s, ratio(new(big.Rat).SetInt64(int64(d.gpus())), perNode))
}

// resource is the name in Kubernetes of the i-th of the shares.
func (d Demand) resource(i int, p schemas.Pool) string {
	switch {
	case i == 0:
		return string(corev1.ResourceCPU)
	case i == 1:
		return string(corev1.ResourceMemory)
	case p.Accelerator != nil:
		return p.Accelerator.Resource
	default:
		return d.Accelerator.Type
	}
}

func milli(q resource.Quantity) *big.Rat { return rounded(q, resource.Milli) }

func whole(q resource.Quantity) *big.Rat { return rounded(q, 0) }

func rounded(q resource.Quantity, scale resource.Scale) *big.Rat {
	q = q.DeepCopy()
	q.RoundUp(scale)
	return exact(q)
}

func ratio(part, whole *big.Rat) *big.Rat {
	if whole.Sign() <= 0 {
		return nil
	}
	return part.Quo(part, whole)
}

// dominant is the largest of the shares; nil where no replica can fit at all.
func dominant(shares []*big.Rat) *big.Rat {
	if slices.Contains(shares, nil) {
		return nil
	}
	return slices.MaxFunc(shares, (*big.Rat).Cmp)
}
