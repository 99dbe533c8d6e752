package render

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// The greatest weight that Kubernetes knows, for both of what is preferred.
const (
	spotPreference  = 100
	apartPreference = 100
)

// affinity sends pods to the nodes of their pool and, where there may be several,
// prefers that no two of them share a node. It is nil where there is neither.
func affinity(p Placement, replicas int32, pods map[string]string) *corev1.Affinity {
	out := corev1.Affinity{NodeAffinity: nodeAffinity(p)}
	if replicas >= 2 {
		out.PodAntiAffinity = apart(pods)
	}
	if out.NodeAffinity == nil && out.PodAntiAffinity == nil {
		return nil
	}
	return &out
}

// nodeAffinity are the nodes of a pool.
//
//   - The pool's labels are required. Pools for GPUs and for protected data work
//     by nothing else.
//   - With spot capacity the pool's spot nodes are preferred, so that a replica
//     which finds none falls back to the pool's on-demand nodes.
//   - With on-demand capacity the pool's spot nodes are ruled out by their
//     labels too, since spot nodes need not have a taint.
//
// It is nil for a pool without labels and spot nodes.
func nodeAffinity(p Placement) *corev1.NodeAffinity {
	required := matchLabels(p.Pool.Labels, corev1.NodeSelectorOpIn)
	var preferred []corev1.PreferredSchedulingTerm
	if spot := spotLabels(p.Pool); len(spot) > 0 {
		if p.Capacity == schemas.CapacitySpot {
			preferred = []corev1.PreferredSchedulingTerm{{
				Weight:     spotPreference,
				Preference: corev1.NodeSelectorTerm{MatchExpressions: matchLabels(spot, corev1.NodeSelectorOpIn)},
			}}
		} else {
			required = append(required, matchLabels(spot, corev1.NodeSelectorOpNotIn)...)
		}
	}
	if len(required) == 0 && len(preferred) == 0 {
		return nil
	}
	node := &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred}
	if len(required) > 0 {
		node.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: required}},
		}
	}
	return node
}

// spotLabels are the labels that tell the pool's spot nodes from its others. A
// label that the whole pool carries tells nothing, and ruling it out would rule
// out the pool.
func spotLabels(pool schemas.Pool) map[string]string {
	if pool.Spot == nil {
		return nil
	}
	labels := maps.Clone(pool.Spot.Labels)
	maps.DeleteFunc(labels, func(k, v string) bool {
		whole, ok := pool.Labels[k]
		return ok && whole == v
	})
	return labels
}

func matchLabels(labels map[string]string, operator corev1.NodeSelectorOperator) []corev1.NodeSelectorRequirement {
	var out []corev1.NodeSelectorRequirement
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, corev1.NodeSelectorRequirement{Key: key, Operator: operator, Values: []string{labels[key]}})
	}
	return out
}

// tolerations admit a component to its pool's nodes and, with spot capacity, to
// its spot nodes. Their order is the file's, and a taint named twice counts once.
func tolerations(p Placement) []corev1.Toleration {
	taints := slices.Clone(p.Pool.Taints)
	if p.Capacity == schemas.CapacitySpot && p.Pool.Spot != nil {
		taints = append(taints, p.Pool.Spot.Taints...)
	}
	var out []corev1.Toleration
	for _, taint := range taints {
		t := corev1.Toleration{
			Key: taint.Key, Operator: corev1.TolerationOpEqual, Value: taint.Value, Effect: corev1.TaintEffect(taint.Effect),
		}
		if taint.Value == "" {
			t.Operator = corev1.TolerationOpExists
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// spread keeps replicas apart without ever leaving one unscheduled: losing a
// zone, or two minutes' notice on one spot node, then takes some of them and not
// all.
func spread(service, component string) []corev1.TopologySpreadConstraint {
	var out []corev1.TopologySpreadConstraint
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelHostname} {
		out = append(out, corev1.TopologySpreadConstraint{
			MaxSkew:           1,
			TopologyKey:       key,
			WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:     &metav1.LabelSelector{MatchLabels: podLabels(service, component)},
		})
	}
	return out
}

// apart prefers a node of its own for each of the pods. The scheduler weighs the
// spread over zones and nodes as one sum; this weighs the node by itself. Knative
// admits it by the flag by which it admits the rest of the affinity.
func apart(pods map[string]string) *corev1.PodAntiAffinity {
	return &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
		Weight: apartPreference,
		PodAffinityTerm: corev1.PodAffinityTerm{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: pods},
		},
	}}}
}

// podLabels select the pods of a component.
func podLabels(service, component string) map[string]string {
	return map[string]string{podLabelService: service, podLabelComponent: component}
}
