package proof

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
	"github.com/mlops-platform/mooring/test/fleet"
)

// Where the platform's kinds of models land among all of production's nodes, and
// where when nodes are gone.
func TestModelsLandOnTheirPools(t *testing.T) {
	t.Parallel()
	s := connect(t)
	namespace := cluster.Namespace(t)
	for name, test := range map[string]struct {
		accelerator string
		count       int32
		sensitivity string
		capacity    schemas.Capacity
		gone        []string // nodes, by what their names end in
		node        string   // what the node's name ends in; empty: none
	}{
		"a model without accelerator goes to a compute node":                     {node: "compute-a"},
		"a model with a GPU goes to a GPU node":                                  {accelerator: "nvidia-t4", count: 1, node: "gpu-a"},
		"a model with four GPUs goes where a node has four":                      {accelerator: "nvidia-a10g", count: 4, node: "gpu-large-a"},
		"protected data goes to its own nodes":                                   {sensitivity: "phi", node: "phi-a"},
		"spot capacity takes the spot node":                                      {capacity: schemas.CapacitySpot, node: "compute-spot-b"},
		"a GPU on spot capacity takes the spot GPU node":                         {accelerator: "nvidia-t4", count: 1, capacity: schemas.CapacitySpot, node: "gpu-spot-b"},
		"spot capacity falls back to on-demand nodes when the spot node is gone": {capacity: schemas.CapacitySpot, gone: []string{"compute-spot-b"}, node: "compute-a"},
		"on-demand capacity does not fall back to spot nodes":                    {gone: []string{"compute-a"}},
		"a model without accelerator does not fall back to other pools":          {gone: []string{"compute-a", "compute-spot-b"}},
		"protected data does not fall back to open nodes":                        {sensitivity: "phi", gone: []string{"phi-a"}},
		"a GPU model does not fall back to the larger GPU pool":                  {accelerator: "nvidia-t4", count: 1, gone: []string{"gpu-a", "gpu-spot-b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := randomName(t, "m")
			c := wholeSlot(t, s, model, test.gone)
			d := schemas.ModelDeployment{Metadata: schemas.Metadata{Name: model}, Spec: schemas.ModelDeploymentSpec{
				Team: "fleet", Environment: "edge", Model: schemas.Model{Name: model, Version: "1", Format: schemas.FormatMLflow},
				Governance: schemas.Facts{DataSensitivity: test.sensitivity},
				Serving:    schemas.Serving{Resources: small(), Capacity: test.capacity, Pool: schemas.PoolAuto},
			}}
			if test.count > 0 {
				d.Spec.Serving.Accelerator = &schemas.Accelerator{Type: test.accelerator, Count: test.count}
			}
			s.account(t, namespace, render.ServiceAccountName(model))
			pod := s.podFor(t, c, d)
			pod.Namespace = namespace
			want := ""
			if test.node != "" {
				want = c.name + "-" + test.node
			}
			expected := func(v verdict) bool {
				return v.node == want && (want != "" || !strings.Contains(v.message, "Insufficient"))
			}
			created, v, _, err := s.place(t.Context(), pod, want != "", expected)
			if err != nil {
				t.Fatal(err)
			}
			if !expected(v) {
				t.Errorf("it is on %q, want %q: %s", v.node, want, v.message)
			}
			if got := accelerators(created); got != int64(test.count) {
				t.Errorf("it takes %d accelerators, want %d", got, test.count)
			}
		})
	}
}

func small() schemas.Resources {
	cpu, memory := resource.MustParse("1"), resource.MustParse("2Gi")
	return schemas.Resources{Requests: schemas.ResourceList{CPU: &cpu, Memory: &memory}}
}

// wholeSlot has every node of production but those that are gone.
func wholeSlot(t *testing.T, s *server, name string, gone []string) *slot {
	t.Helper()
	platform, findings := schemas.LoadPlatform(fleet.Platform(t, ""))
	if findings.Failed() {
		t.Fatal(findings)
	}
	c := isolate(s, name, platform.Environments[fleet.Production].Value.Spec)
	var nodes []*corev1.Node
	there := func(n *corev1.Node) {
		for _, end := range gone {
			if n.Name == c.name+"-"+end {
				return
			}
		}
		nodes = append(nodes, n)
	}
	for _, p := range c.env.Pools {
		there(c.node(p, false, "a"))
		if p.Spot != nil {
			there(c.node(p, true, "b"))
		}
	}
	s.raise(t, nodes)
	return &c
}

// podFor places, renders and makes the pod of a manifest's predictor.
func (s *server) podFor(t *testing.T, c *slot, d schemas.ModelDeployment) *corev1.Pod {
	t.Helper()
	placed, refusals := placement.ForDeployment(c.env, d)
	if len(refusals) > 0 {
		t.Fatal(refusals)
	}
	choice, _ := placed.Of(placement.Predictor)
	objects, err := render.Model(render.ModelInput{
		Repository: "proof", Deployment: &d, Environment: &schemas.Environment{Metadata: schemas.Metadata{Name: "edge"}, Spec: c.env},
		Team:      &schemas.Team{Metadata: schemas.Metadata{Name: "fleet"}},
		Predictor: &render.Placement{Pool: *c.pool(choice.Pool), Capacity: choice.Capacity},
		Version:   "1", StorageURI: "s3://bucket/model", Level: schemas.RiskLow,
	})
	if err != nil {
		t.Fatal(err)
	}
	return podOf(t, service(t, objects), placement.Predictor)
}

// accelerators that all containers of a pod take together.
func accelerators(pod *corev1.Pod) int64 {
	var n int64
	for _, c := range pod.Spec.Containers {
		for name, quantity := range c.Resources.Limits {
			if strings.Contains(string(name), "/") {
				n += quantity.Value()
			}
		}
	}
	return n
}
