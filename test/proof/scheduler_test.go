package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
	"github.com/mlops-platform/mooring/test/fleet"
)

const (
	schedulerCases = 500
	// schedulerSlots work at the same time, each on one case after the other.
	schedulerSlots = 12
	// hope is how long a pod that should be scheduled may be refused before.
	hope = 2 * time.Minute
)

// schedulerCase is one replica, where the gate would have it, and what the gate
// says of it.
type schedulerCase struct {
	name  string
	slot  *slot
	pod   *corev1.Pod
	pool  string
	nodes []slotNode // that the pool has for it
	// short are the resources of which the gate says that a node has too little.
	short []string
}

func (c schedulerCase) fits() bool { return len(c.short) == 0 && len(c.nodes) > 0 }

// What the gate calls unschedulable the scheduler leaves pending for that very
// reason, and what the gate accepts is scheduled, on a node of the pool that the
// gate chose.
func TestTheGateAgreesWithTheScheduler(t *testing.T) {
	t.Parallel()
	s, r := connect(t), fleet.Random(t)
	namespace := cluster.Namespace(t)
	s.account(t, namespace, render.ServiceAccountName("edge"))
	var all []*slot
	var nodes []*corev1.Node
	for i := range schedulerSlots {
		c, its := drawSlot(t, s, r, i)
		all, nodes = append(all, c), append(nodes, its...)
	}
	s.raise(t, nodes)
	bySlot := make([][]schedulerCase, schedulerSlots)
	for i := range schedulerCases {
		at := i % schedulerSlots
		bySlot[at] = append(bySlot[at], drawCase(t, r, all[at], namespace, fmt.Sprintf("case-%d", i)))
	}

	var mu sync.Mutex
	counts := map[string]int{}
	begin := time.Now()
	group, ctx := errgroup.WithContext(t.Context())
	for _, cases := range bySlot {
		group.Go(func() error {
			return s.run(ctx, cases, func(c schedulerCase, v verdict, again bool) {
				mu.Lock()
				defer mu.Unlock()
				counts[c.kind()]++
				if again {
					counts["judged twice"]++
				}
				if why := c.disagreement(v); why != "" {
					counts["disagreements"]++
					t.Errorf("%s: %s\ngate: pool %s, short of %v, nodes %v\nscheduler: %+v\n%s",
						c.name, why, c.pool, c.short, c.nodes, v, describe(c.pod))
				}
			})
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases, %d disagreements, agreement %.1f %%, in %s: %v", schedulerCases, counts["disagreements"],
		100*float64(schedulerCases-counts["disagreements"])/schedulerCases, time.Since(begin).Round(time.Second), counts)
	for _, kind := range []string{"scheduled", "no node", "cpu", "memory", "nvidia.com/gpu"} {
		if counts[kind] < schedulerCases/50 {
			t.Errorf("only %d cases of %q", counts[kind], kind)
		}
	}
}

// run judges one case after the other. A pod that is left pending stays until the
// next case is done, to see that it is pending still with the node free again.
func (s *server) run(ctx context.Context, cases []schedulerCase, report func(c schedulerCase, v verdict, again bool)) error {
	var waiting *schedulerCase
	for _, c := range cases {
		pod, v, again, err := s.place(ctx, c.pod, c.fits(), func(v verdict) bool { return c.disagreement(v) == "" })
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		c.pod = pod
		report(c, v, again)
		if err := s.clear(ctx, waiting, report); err != nil {
			return err
		}
		if waiting = nil; v.node == "" {
			waiting = &c
			continue
		}
		if err := s.remove(ctx, pod); err != nil {
			return err
		}
	}
	return s.clear(ctx, waiting, report)
}

// clear removes a pod that was pending, and reports it again should it not be.
func (s *server) clear(ctx context.Context, c *schedulerCase, report func(c schedulerCase, v verdict, again bool)) error {
	if c == nil {
		return nil
	}
	pod, err := s.typed.CoreV1().Pods(c.pod.Namespace).Get(ctx, c.pod.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if v := verdictOf(pod); v.node != "" {
		report(*c, v, false)
	}
	return s.remove(ctx, pod)
}

func (s *server) remove(ctx context.Context, pod *corev1.Pod) error {
	return s.typed.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0))
}

func (s *server) account(t *testing.T, namespace, name string) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := s.typed.CoreV1().ServiceAccounts(namespace).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (c schedulerCase) kind() string {
	switch {
	case c.fits():
		return "scheduled"
	case len(c.nodes) == 0:
		return "no node"
	default:
		return strings.Join(c.short, " and ")
	}
}

var insufficient = regexp.MustCompile(`Insufficient ([A-Za-z0-9./-]*[A-Za-z0-9])`)

// disagreement says how the scheduler's verdict differs from the gate's; empty:
// not at all.
func (c schedulerCase) disagreement(v verdict) string {
	if c.fits() {
		at := slices.IndexFunc(c.nodes, func(n slotNode) bool { return n.name == v.node })
		switch {
		case at < 0:
			return "the gate accepts it, and it is not on a node of its pool"
		case !c.nodes[at].spot && slices.ContainsFunc(c.nodes, func(n slotNode) bool { return n.spot }):
			return "it may have a spot node, and one is free, and it is on another"
		}
		return ""
	}
	if v.node != "" {
		return "the gate refuses it, and it is scheduled"
	}
	said := map[string]bool{}
	for _, match := range insufficient.FindAllStringSubmatch(v.message, -1) {
		said[match[1]] = true
	}
	var want []string
	if len(c.nodes) > 0 {
		want = c.short
	}
	if len(said) != len(want) || slices.ContainsFunc(want, func(name string) bool { return !said[name] }) {
		return "the scheduler has another reason"
	}
	if len(want) == 0 && !strings.Contains(v.message, "node affinity") && !strings.Contains(v.message, "untolerated taint") {
		return "neither a taint nor affinity keeps it from the other pools' nodes"
	}
	return ""
}

func describe(pod *corev1.Pod) string {
	var b strings.Builder
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range list {
			fmt.Fprintf(&b, "%s requests %v\n", c.Name, c.Resources.Requests)
		}
	}
	return b.String()
}

// drawSlot draws pools like the environments' and which of their nodes are there:
// in two slots of three all of them.
func drawSlot(t *testing.T, s *server, r *rand.Rand, i int) (*slot, []*corev1.Node) {
	t.Helper()
	platform, findings := schemas.LoadPlatform(fleet.Platform(t, ""))
	if findings.Failed() {
		t.Fatal(findings)
	}
	env := platform.Environments[fleet.Production].Value.Spec
	env.Pools = append(slices.Clone(env.Pools), platform.Environments[fleet.Slices].Value.Spec.Pools[1:]...)
	c := isolate(s, fmt.Sprintf("s%d", i), env)
	for i := range c.env.Pools {
		if p := &c.env.Pools[i]; r.IntN(2) == 0 {
			p.Allocatable.CPU = *resource.NewMilliQuantity(500+r.Int64N(100_000), resource.DecimalSI)
			p.Allocatable.Memory = *resource.NewQuantity(1<<29+r.Int64N(1<<38), resource.BinarySI)
		}
	}
	var nodes []*corev1.Node
	whole := r.IntN(3) > 0
	for _, p := range c.env.Pools {
		if whole || r.IntN(2) == 0 {
			nodes = append(nodes, c.node(p, false, "us-east-1a"))
		}
		if p.Spot != nil && (whole || r.IntN(2) == 0) {
			nodes = append(nodes, c.node(p, true, "us-east-1b"))
		}
	}
	return &c, nodes
}

// drawCase draws a manifest whose replica is about as large as a node, and asks
// the gate. A refusal that the scheduler knows nothing of (a price, the
// sensitivity of data) is drawn again; where a pool is merely too small, the
// manifest is rendered for it all the same.
func drawCase(t *testing.T, r *rand.Rand, c *slot, namespace, name string) schedulerCase {
	t.Helper()
	for {
		p := c.env.Pools[r.IntN(len(c.env.Pools))]
		d := drawEdge(r, p)
		parts := placement.Parts(c.env, d)
		part := parts[r.IntN(len(parts))]
		target, short, ok := ask(c, part.Demand, p.Name)
		if !ok {
			continue
		}
		in := render.ModelInput{
			Repository: "proof", Deployment: &d, Environment: &schemas.Environment{Metadata: schemas.Metadata{Name: "edge"}, Spec: c.env},
			Team:    &schemas.Team{Metadata: schemas.Metadata{Name: "fleet"}},
			Version: "1", StorageURI: "s3://bucket/model", Level: schemas.RiskLow,
		}
		at := &render.Placement{Pool: *c.pool(target), Capacity: part.Demand.Capacity}
		in.Predictor = at
		if part.Name != placement.Predictor {
			// The predictor has to be somewhere, and is not looked at.
			in.Predictor, in.Transformer = &render.Placement{Pool: p, Capacity: part.Demand.Capacity}, at
		} else if d.Spec.Serving.Transformer != nil {
			in.Transformer = at
		}
		objects, err := render.Model(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pod := podOf(t, service(t, objects), part.Name)
		pod.Name, pod.Namespace = name, namespace
		// Pods of other cases are no replicas of this one.
		pod.Labels["serving.kserve.io/inferenceservice"] = name
		return schedulerCase{
			name: name, slot: c, pod: pod, pool: target, short: short, nodes: c.admissible(target, part.Demand.Capacity),
		}
	}
}

// ask asks the gate for a pool, and for what a replica is too large. It is not ok
// where the gate has reasons that are not the scheduler's.
func ask(c *slot, d placement.Demand, drawn string) (pool string, short []string, ok bool) {
	if choice, refusal := placement.Choose(c.env, d); refusal == nil {
		return choice.Pool, nil, true
	}
	for _, candidate := range placement.Candidates(c.env, d) {
		if candidate.Pool != drawn || len(candidate.Against) != 1 {
			continue
		}
		_, list, tooSmall := strings.Cut(candidate.Against[0], "too little ")
		list, _, _ = strings.Cut(list, ";")
		return drawn, strings.Split(list, ", "), tooSmall
	}
	return "", nil, false
}

// drawEdge draws a manifest whose replica fills a node of the pool, or just does
// not, or leaves just what KServe's own containers need.
func drawEdge(r *rand.Rand, p schemas.Pool) schemas.ModelDeployment {
	one := func(n int) bool { return r.IntN(n) == 0 }
	d := schemas.ModelDeployment{Metadata: schemas.Metadata{Name: "edge"}, Spec: schemas.ModelDeploymentSpec{
		Team: "fleet", Environment: "edge", Model: schemas.Model{Name: "edge", Version: "1", Format: schemas.FormatMLflow},
		Governance: schemas.Facts{DataSensitivity: "internal"},
	}}
	serving := &d.Spec.Serving
	serving.Resources = edgeResources(r, p)
	serving.Pool, serving.Capacity = schemas.PoolAuto, schemas.CapacityOnDemand
	if one(2) {
		serving.Pool = p.Name
	}
	if p.OffersSpot() && one(2) {
		serving.Capacity = schemas.CapacitySpot
	}
	if p.OnlyFor != nil {
		d.Spec.Governance.DataSensitivity = p.OnlyFor.DataSensitivity[0]
	}
	if a := p.Accelerator; a != nil {
		serving.Accelerator = &schemas.Accelerator{Type: a.Name, Count: max(1, a.PerNode-1+r.Int32N(3))}
	}
	if one(4) {
		d.Spec.Model.Format, serving.Container = schemas.FormatCustom, &schemas.Container{Image: "registry.example.com/x"}
		if one(2) {
			d.Spec.Model.URI = "s3://bucket/model"
		}
	}
	switch r.IntN(4) {
	case 0:
		serving.Batcher = &schemas.Batcher{MaxBatchSize: 2, MaxLatency: 2}
	case 1:
		serving.Logger = &schemas.Logger{URL: "http://broker", Mode: schemas.LogAll}
	}
	if p.Accelerator == nil && one(4) {
		serving.Transformer = &schemas.Component{Image: "registry.example.com/x", Resources: edgeResources(r, p)}
	}
	return d
}

func edgeResources(r *rand.Rand, p schemas.Pool) schemas.Resources {
	milli, bytes := p.Allocatable.CPU.MilliValue(), p.Allocatable.Memory.Value()
	const agentCPU, agentMemory = 100, 100 << 20
	cpu := edge(r, milli, agentCPU, "m", "u", 1000)
	memory := edge(r, bytes, agentMemory, "", "m", 1000)
	return schemas.Resources{Requests: schemas.ResourceList{CPU: &cpu, Memory: &memory}}
}

// edge draws a quantity around a limit, in a unit or in thousandths of it.
func edge(r *rand.Rand, limit, agent int64, unit, fraction string, parts int64) resource.Quantity {
	base := []int64{limit, limit, limit - agent, limit / 2, 1}[r.IntN(5)]
	value := max(1, base+int64(r.IntN(3))-1)
	if r.IntN(4) == 0 {
		return resource.MustParse(fmt.Sprintf("%d%s", value*parts-1+r.Int64N(3), fraction))
	}
	return resource.MustParse(fmt.Sprintf("%d%s", value, unit))
}
