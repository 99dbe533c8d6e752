// Package nodes holds the machines of the cluster: the built-in set, which mirrors the node
// pools of the platform, and sets read from files. Nodes are objects only; KWOK plays the
// kubelet on them.
package nodes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const region = "us-east-1"

var zones = []string{"a", "b", "c"}

// machine is an instance type: what it has, and what is left of that for pods after the
// operating system, the kubelet and the eviction threshold have taken their share.
type machine struct {
	instanceType        string
	cpu, memory         string
	freeCPU, freeMemory string
	gpus                string // Empty for none.
}

var (
	m5x2   = machine{"m5.2xlarge", "8", "32Gi", "7910m", "29636Mi", ""}
	m5x4   = machine{"m5.4xlarge", "16", "64Gi", "15890m", "57Gi", ""}
	g4dnx2 = machine{"g4dn.2xlarge", "8", "32Gi", "7910m", "29636Mi", "1"}
	g5x12  = machine{"g5.12xlarge", "48", "192Gi", "47810m", "180Gi", "4"}
)

// pool is a number of equal nodes.
type pool struct {
	name    string // Value of the label workload-type, and first part of the nodes' names.
	machine machine
	spot    bool
	count   int
	taint   string // Key of a taint with value true and effect NoSchedule.
}

// The platform's pools. Every spot node is tainted besides, so that only what tolerates the
// loss of its machine lands there.
var pools = []pool{
	{name: "system", machine: m5x2, count: 3},
	{name: "compute", machine: m5x4, count: 3},
	{name: "compute", machine: m5x4, count: 2, spot: true},
	{name: "gpu", machine: g4dnx2, count: 2, taint: "nvidia.com/gpu"},
	{name: "gpu", machine: g4dnx2, count: 1, spot: true, taint: "nvidia.com/gpu"},
	{name: "gpu-large", machine: g5x12, count: 2, taint: "nvidia.com/gpu"},
	{name: "phi", machine: m5x4, count: 2, taint: "phi"},
}

// Default is the built-in set of nodes.
func Default() []corev1.Node {
	var all []corev1.Node
	for _, p := range pools {
		for i := range p.count {
			all = append(all, p.node(i))
		}
	}
	return all
}

func (p pool) node(i int) corev1.Node {
	name, capacity := p.name, "ON_DEMAND"
	if p.spot {
		name, capacity = p.name+"-spot", "SPOT"
	}
	name = fmt.Sprintf("%s-%d", name, i+1)
	return corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				"workload-type":                p.name,
				"capacity":                     capacity,
				corev1.LabelInstanceTypeStable: p.machine.instanceType,
				corev1.LabelTopologyZone:       region + zones[i%len(zones)],
				corev1.LabelTopologyRegion:     region,
				corev1.LabelHostname:           name,
				corev1.LabelOSStable:           "linux",
				corev1.LabelArchStable:         "amd64",
			},
		},
		Spec: corev1.NodeSpec{Taints: p.taints()},
		Status: corev1.NodeStatus{
			Capacity:    resources(p.machine.cpu, p.machine.memory, p.machine.gpus),
			Allocatable: resources(p.machine.freeCPU, p.machine.freeMemory, p.machine.gpus),
		},
	}
}

func (p pool) taints() []corev1.Taint {
	var taints []corev1.Taint
	if p.taint != "" {
		taints = append(taints, corev1.Taint{Key: p.taint, Value: "true", Effect: corev1.TaintEffectNoSchedule})
	}
	if p.spot {
		taints = append(taints, corev1.Taint{Key: "spot-instance", Value: "true", Effect: corev1.TaintEffectNoSchedule})
	}
	return taints
}

func resources(cpu, memory, gpus string) corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse(cpu),
		corev1.ResourceMemory:           resource.MustParse(memory),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
	if gpus != "" {
		list["nvidia.com/gpu"] = resource.MustParse(gpus)
	}
	return list
}
