package quota_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy/quota"
	"github.com/mlops-platform/mooring/schemas"
)

func requests(cpu, memory string) schemas.Resources {
	c, m := resource.MustParse(cpu), resource.MustParse(memory)
	return schemas.Resources{Requests: schemas.ResourceList{CPU: &c, Memory: &m}}
}

func model(cpu, memory string, low, high int32) schemas.ModelDeployment {
	return schemas.ModelDeployment{Spec: schemas.ModelDeploymentSpec{
		Team: "ds", Environment: "production",
		Serving: schemas.Serving{Resources: requests(cpu, memory), Replicas: schemas.Replicas{Min: &low, Max: &high}},
	}}
}

func production() schemas.Environment {
	return schemas.Environment{
		Metadata: schemas.Metadata{Name: "production"},
		Spec:     schemas.EnvironmentSpec{KServe: schemas.KServe{Version: "0.20", Mode: schemas.ModeStandard}},
	}
}

func named(name string, m schemas.ModelDeployment) schemas.ModelDeployment {
	m.Metadata.Name = name
	return m
}

func edit(m schemas.ModelDeployment, change func(*schemas.ModelDeploymentSpec)) schemas.ModelDeployment {
	change(&m.Spec)
	return m
}

func TestCheck(t *testing.T) {
	limit := schemas.Quota{CPU: resource.MustParse("100"), Memory: resource.MustParse("200Gi"), GPU: 4}
	gpus := func(count int32) func(*schemas.ModelDeploymentSpec) {
		return func(s *schemas.ModelDeploymentSpec) {
			s.Serving.Accelerator = &schemas.Accelerator{Type: "nvidia.com/mig-1g.5gb", Count: count}
		}
	}
	tests := map[string]struct {
		manifests []schemas.ModelDeployment
		want      []string // severity code: part of the message
	}{
		"no models":         {nil, nil},
		"exactly the quota": {[]schemas.ModelDeployment{model("25", "50Gi", 4, 4)}, nil},
		"exactly the quota, with a rollout that needs more": {
			[]schemas.ModelDeployment{model("50", "1Gi", 1, 1), named("small", model("25", "1Gi", 2, 2))},
			[]string{"warning quota-no-room-to-roll: starts 50 cpu before the old one ends, beside the 100 that the models of team ds"},
		},
		"exactly what the largest rollout needs": {[]schemas.ModelDeployment{model("40", "1Gi", 1, 1), model("20", "1Gi", 1, 1)}, nil},
		"all parts of a model roll at once": {
			[]schemas.ModelDeployment{named("both", edit(model("30", "1Gi", 1, 1), func(s *schemas.ModelDeploymentSpec) {
				s.Serving.Transformer = &schemas.Component{Resources: requests("21", "1Gi")}
			}))},
			[]string{"warning quota-no-room-to-roll: a new version of both starts 51 cpu"},
		},
		"a single GPU needs another, several do not": {
			[]schemas.ModelDeployment{edit(model("1", "1Gi", 1, 1), gpus(1)), edit(model("1", "1Gi", 3, 3), gpus(1))},
			[]string{"warning quota-no-room-to-roll: starts 1 gpu"},
		},
		"a millicore above": {
			[]schemas.ModelDeployment{model("50", "1Gi", 1, 1), model("50001m", "1Gi", 1, 1)},
			[]string{"error quota-exceeded: request 100001m cpu at replicas.min; the quota is 100, 1m less"},
		},
		"above at max alone warns": {
			[]schemas.ModelDeployment{model("10", "1Gi", 2, 11)},
			[]string{"warning quota-exceeded-at-max: would request 110 cpu if all ran at replicas.max (20 at replicas.min); the quota is 100, 10 less"},
		},
		"each resource on its own": {
			[]schemas.ModelDeployment{edit(model("60", "201Gi", 1, 2), gpus(5))},
			[]string{
				"warning quota-exceeded-at-max: starts 60 cpu before the old one ends", "error quota-exceeded: 201Gi memory", "error quota-exceeded: request 5 gpu at replicas.min; the quota is 4, 1 less",
			},
		},
		"accelerators count by replicas, whatever their type": {
			[]schemas.ModelDeployment{edit(model("1", "1Gi", 2, 2), gpus(2)), edit(model("1", "1Gi", 1, 1), gpus(1))},
			[]string{"error quota-exceeded: request 5 gpu"},
		},
		"transformers and explainers count": {
			[]schemas.ModelDeployment{edit(model("50", "1Gi", 1, 1), func(s *schemas.ModelDeploymentSpec) {
				three := int32(3)
				s.Serving.Transformer = &schemas.Component{Resources: requests("10", "1Gi"), Replicas: schemas.Replicas{Min: &three}}
				s.Serving.Explainer = &schemas.Component{Resources: requests("21", "1Gi")}
			})},
			[]string{"error quota-exceeded: request 101 cpu"},
		},
		"the router of a graph counts": {
			[]schemas.ModelDeployment{edit(model("50", "1Gi", 2, 2), func(s *schemas.ModelDeploymentSpec) { s.Serving.Graph = &schemas.Graph{} })},
			[]string{"error quota-exceeded: request 100200m cpu at replicas.min; the quota is 100, 200m less"},
		},
		"what KServe puts into the pods counts": {
			[]schemas.ModelDeployment{edit(model("10", "1Gi", 10, 10), func(s *schemas.ModelDeploymentSpec) { s.Serving.Logger = &schemas.Logger{} })},
			[]string{"error quota-exceeded: request 101 cpu"},
		},
		"a pod counts with what fetches its artefact, where that is more": {
			[]schemas.ModelDeployment{edit(model("1m", "1Gi", 200, 200), func(s *schemas.ModelDeploymentSpec) { s.Model.Format = schemas.FormatMLflow }), model("81", "1Gi", 1, 1)},
			[]string{"error quota-exceeded: request 101 cpu", "error quota-exceeded: 201Gi memory"},
		},
		"every pod counts in whole thousandths": {
			[]schemas.ModelDeployment{model("999.1m", "1Mi", 100, 100), model("1m", "1Mi", 1, 1)},
			[]string{"error quota-exceeded: request 100100m cpu"},
		},
		"scaled to zero requests nothing": {
			[]schemas.ModelDeployment{model("1000", "1Gi", 0, 1)}, []string{"warning quota-exceeded-at-max: (0 at replicas.min)"},
		},
		"others' models do not count": {
			[]schemas.ModelDeployment{
				edit(model("1000", "1Gi", 1, 1), func(s *schemas.ModelDeploymentSpec) { s.Team = "other" }),
				edit(model("1000", "1Gi", 1, 1), func(s *schemas.ModelDeploymentSpec) { s.Environment = "staging" }),
			}, nil,
		},
		"a sum beyond 64 bits is still above": {
			[]schemas.ModelDeployment{model("9E", "9E", 1000, 1000)},
			[]string{"error quota-exceeded: cpu", "error quota-exceeded: memory"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, findings := quota.Check("ds", production(), limit, tc.manifests...)
			if len(findings) != len(tc.want) {
				t.Fatalf("%+v", findings)
			}
			for i, f := range findings {
				head, part, _ := strings.Cut(tc.want[i], ": ")
				if string(f.Severity)+" "+f.Code != head || !strings.Contains(f.Message, part) || f.Remedy == "" {
					t.Errorf("%+v\nwant %s", f, tc.want[i])
				}
			}
		})
	}
}

func TestCheckReportsUsage(t *testing.T) {
	usage, _ := quota.Check("ds", production(), schemas.Quota{}, model("1500m", "1Gi", 2, 4), model("1", "512Mi", 1, 1))
	if cpu, mem := usage.AtMin.CPU.String(), usage.AtMax.Memory.String(); cpu != "4" || mem != "4608Mi" {
		t.Errorf("%s cpu at min, %s memory at max", cpu, mem)
	}
}

// Knative's proxy stands in the pods of every part, the router's among them.
func TestKnativesProxyCountsInEveryPod(t *testing.T) {
	env := production()
	env.Spec.KServe.Mode = schemas.ModeKnative
	usage, _ := quota.Check("ds", env, schemas.Quota{}, edit(model("1", "1Gi", 1, 1), func(s *schemas.ModelDeploymentSpec) {
		s.Serving.Transformer = &schemas.Component{Resources: requests("2", "1Gi")}
		s.Serving.Graph = &schemas.Graph{}
	}))
	if cpu, memory := usage.AtMin.CPU.String(), usage.AtMin.Memory.String(); cpu != "3175m" || memory != "2476Mi" {
		t.Errorf("%s cpu, %s memory", cpu, memory)
	}
}

// A revision of Knative has all its pods before it has traffic.
func TestARolloutInKnativeModeNeedsAllPodsTwice(t *testing.T) {
	env := production()
	limit := schemas.Quota{CPU: resource.MustParse("50"), Memory: resource.MustParse("200Gi")}
	for mode, want := range map[schemas.KServeMode]bool{schemas.ModeStandard: false, schemas.ModeKnative: true} {
		env.Spec.KServe.Mode = mode
		_, findings := quota.Check("ds", env, limit, model("8", "1Gi", 5, 5))
		if got := len(findings) == 1 && findings[0].Code == quota.CodeNoRoomToRoll; got != want {
			t.Errorf("%s: %+v", mode, findings)
		}
	}
}

// The second service of a canary has its share of the replicas of every part,
// where the environment's gateway splits the traffic.
func TestACanaryNeedsItsShareOfEveryPart(t *testing.T) {
	gateway := &schemas.Gateway{Name: "models"}
	canary := edit(model("2", "1Gi", 5, 5), func(s *schemas.ModelDeploymentSpec) {
		s.Rollout.Canary = &schemas.Canary{Steps: []int32{10, 50}}
		s.Serving.Transformer = &schemas.Component{Resources: requests("1", "1Gi")}
		s.Serving.Graph = &schemas.Graph{}
	})
	// At replicas.min it requests 11.2 CPUs; the share of a half is 3 and 1 pods.
	for name, c := range map[string]struct {
		gateway  *schemas.Gateway
		protocol schemas.Protocol
		quota    string
		warns    bool
	}{
		"exactly its share beside the old version": {gateway, "", "18300m", false},
		"less than its share":                      {gateway, "", "18299m", true},
		"nothing that splits the traffic":          {nil, "", "14500m", false},
		"a gateway that carries no gRPC":           {gateway, schemas.ProtocolGRPCV2, "14500m", false},
	} {
		env := production()
		env.Spec.Gateway = c.gateway
		m := canary
		m.Spec.Serving.Protocol = c.protocol
		_, findings := quota.Check("ds", env, schemas.Quota{CPU: resource.MustParse(c.quota), Memory: resource.MustParse("200Gi")}, m)
		if got := len(findings) == 1 && findings[0].Code == quota.CodeNoRoomToRoll; got != c.warns || len(findings) > 1 {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}
