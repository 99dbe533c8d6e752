package proof

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

// The marks of a test's own nodes: a label by which its pools find them, and a
// taint that keeps everybody else's pods away.
const (
	labelSlot  = "proof.mooring/slot"
	taintProof = "proof.mooring/test"
)

// slot is a cluster of its own in the shared one: pools, and some of their nodes.
type slot struct {
	name  string
	env   schemas.EnvironmentSpec
	nodes []slotNode
}

// slotNode is a node of a pool, or a spot node of it.
type slotNode struct {
	name string
	pool string
	spot bool
}

// isolate gives the slot's pools the marks, so that what is rendered for them
// goes to this slot alone.
func isolate(s *server, name string, env schemas.EnvironmentSpec) slot {
	env.Pools = slices.Clone(env.Pools)
	for i := range env.Pools {
		p := &env.Pools[i]
		p.Labels = maps.Clone(p.Labels)
		p.Labels[labelSlot] = s.id + "-" + name
		p.Taints = append(slices.Clone(p.Taints), schemas.Taint{Key: taintProof, Value: s.id, Effect: schemas.NoSchedule})
	}
	return slot{name: s.id + "-" + name, env: env}
}

func (c *slot) pool(name string) *schemas.Pool {
	i := slices.IndexFunc(c.env.Pools, func(p schemas.Pool) bool { return p.Name == name })
	return &c.env.Pools[i]
}

// admissible are the slot's nodes for a pool and capacity: with spot capacity the
// pool's on-demand nodes will do, with on-demand capacity its spot nodes will not.
func (c *slot) admissible(pool string, capacity schemas.Capacity) []slotNode {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n slotNode) bool {
		return n.pool != pool || n.spot && capacity != schemas.CapacitySpot
	})
}

// node is a Node as the pool's description says that it is.
func (c *slot) node(p schemas.Pool, spot bool, zone string) *corev1.Node {
	name := c.name + "-" + p.Name
	labels, taints := maps.Clone(p.Labels), slices.Clone(p.Taints)
	if spot {
		name += "-spot"
		maps.Copy(labels, p.Spot.Labels)
		taints = append(taints, p.Spot.Taints...)
	}
	name += "-" + zone
	labels[corev1.LabelHostname], labels[corev1.LabelTopologyZone] = name, zone
	labels[corev1.LabelOSStable], labels[corev1.LabelArchStable] = "linux", "amd64"
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	for _, taint := range taints {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: taint.Key, Value: taint.Value, Effect: corev1.TaintEffect(taint.Effect)})
	}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: p.Allocatable.CPU, corev1.ResourceMemory: p.Allocatable.Memory, corev1.ResourcePods: resource.MustParse("110"),
	}
	if a := p.Accelerator; a != nil {
		node.Status.Allocatable[corev1.ResourceName(a.Resource)] = *resource.NewQuantity(int64(a.PerNode), resource.DecimalSI)
	}
	node.Status.Capacity = node.Status.Allocatable
	c.nodes = append(c.nodes, slotNode{name, p.Name, spot})
	return node
}

// raise creates nodes and waits until pods may be scheduled on them.
func (s *server) raise(t *testing.T, nodes []*corev1.Node) {
	t.Helper()
	api := s.typed.CoreV1().Nodes()
	t.Cleanup(func() {
		// Not the test's context, which has ended by now.
		err := api.DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: labelSlot + " in (" + slots(nodes) + ")"})
		if err != nil {
			t.Errorf("removing the nodes: %v", err)
		}
	})
	forEach(t, nodes, func(ctx context.Context, _ int, n *corev1.Node) {
		if _, err := api.Create(ctx, n, metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
	})
	cluster.Eventually(t, patience, "the nodes to be ready", func() error {
		list, err := api.List(t.Context(), metav1.ListOptions{LabelSelector: labelSlot + " in (" + slots(nodes) + ")"})
		if err != nil {
			return err
		}
		ready := 0
		for _, n := range list.Items {
			if isReady(n) {
				ready++
			}
		}
		if ready < len(nodes) {
			return fmt.Errorf("%d of %d are", ready, len(nodes))
		}
		return nil
	})
}

func isReady(n corev1.Node) bool {
	untainted := !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
	return untainted && slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func slots(nodes []*corev1.Node) string {
	names := map[string]bool{}
	for _, n := range nodes {
		names[n.Labels[labelSlot]] = true
	}
	out := ""
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out += "," + name
	}
	return out[1:]
}

// verdict is what the scheduler says of a pod: its node, or why there is none.
type verdict struct {
	node, message string
}

func verdictOf(pod *corev1.Pod) verdict {
	for _, c := range pod.Status.Conditions {
		if pod.Spec.NodeName == "" && c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return verdict{message: c.Message}
		}
	}
	return verdict{node: pod.Spec.NodeName}
}

var errNoVerdict = errors.New("the scheduler says nothing")

// place creates a pod and gives the scheduler's verdict. Where that is not the one
// expected, it tries a second time: the scheduler hears of pods that go, of nodes
// that become ready and of new pods one apart from the other.
func (s *server) place(ctx context.Context, pod *corev1.Pod, hoped bool, expected func(verdict) bool) (created *corev1.Pod, v verdict, again bool, err error) {
	for {
		if created, err = s.typed.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return created, v, again, err
		}
		if v, err = s.judge(ctx, created, hoped); err != nil || again || expected(v) {
			return created, v, again, err
		}
		again = true
		if err = s.remove(ctx, created); err != nil {
			return created, v, again, err
		}
	}
}

// judge waits for the scheduler's verdict. Where a node is hoped for, a refusal
// is taken for final only when none follows: the scheduler may not have seen yet
// that the pod before is gone.
func (s *server) judge(ctx context.Context, pod *corev1.Pod, hoped bool) (verdict, error) {
	limit := patience
	if hoped {
		limit = hope
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	api := s.typed.CoreV1().Pods(pod.Namespace)
	watch, err := api.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + pod.Name, ResourceVersion: pod.ResourceVersion})
	if err != nil {
		return verdict{}, err
	}
	defer watch.Stop()
	last := verdictOf(pod)
	for last.node == "" && (hoped || last.message == "") {
		select {
		case event, open := <-watch.ResultChan():
			changed, ok := event.Object.(*corev1.Pod)
			if !open || !ok {
				return last, fmt.Errorf("watching %s: %v", pod.Name, event.Object)
			}
			last = verdictOf(changed)
		case <-ctx.Done():
			if last.message == "" {
				return last, errNoVerdict
			}
			return last, nil
		}
	}
	return last, nil
}
