package render

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

func quantity(s string) *resource.Quantity { return ptr(resource.MustParse(s)) }

func resources(cpu, memory string) schemas.Resources {
	return schemas.Resources{Requests: schemas.ResourceList{CPU: quantity(cpu), Memory: quantity(memory)}}
}

func replicas(low, high int32) schemas.Replicas { return schemas.Replicas{Min: &low, Max: &high} }

func pool(name string, edit func(*schemas.Pool)) schemas.Pool {
	p := schemas.Pool{Name: name, Labels: map[string]string{"workload-type": name}}
	if edit != nil {
		edit(&p)
	}
	return p
}

var (
	spotTaints = []schemas.Taint{{Key: "spot-instance", Value: "true", Effect: schemas.NoSchedule}}
	gpuTaints  = []schemas.Taint{{Key: "nvidia.com/gpu", Value: "true", Effect: schemas.NoSchedule}}

	computePool = pool("compute", func(p *schemas.Pool) {
		p.Spot = &schemas.SpotNodes{Labels: map[string]string{"capacity": "SPOT"}, Taints: spotTaints}
	})
	phiPool = pool("phi", func(p *schemas.Pool) {
		p.Taints = []schemas.Taint{{Key: "phi", Value: "true", Effect: schemas.NoSchedule}}
		p.OnlyFor = &schemas.OnlyFor{DataSensitivity: []string{"phi"}}
	})
	gpuPool = pool("gpu", func(p *schemas.Pool) {
		p.Taints = gpuTaints
		p.Spot = &schemas.SpotNodes{Labels: map[string]string{"capacity": "SPOT"}, Taints: spotTaints}
		p.Accelerator = &schemas.PoolAccelerator{Name: "nvidia-t4", Resource: "nvidia.com/gpu", PerNode: 1}
	})
	llmPool = pool("llm", func(p *schemas.Pool) {
		p.Taints = []schemas.Taint{{Key: "nvidia.com/gpu", Effect: schemas.NoSchedule}}
		p.Accelerator = &schemas.PoolAccelerator{Name: "nvidia-a10g", Resource: "nvidia.com/gpu", PerNode: 4}
	})
)

func environment() *schemas.Environment {
	return &schemas.Environment{
		Metadata: schemas.Metadata{Name: "production"},
		Spec: schemas.EnvironmentSpec{
			Namespace: "{team}-{environment}",
			KServe:    schemas.KServe{Version: "0.20", Mode: schemas.ModeStandard},
			Overlay:   "overlays/production",
			Pools:     []schemas.Pool{computePool, gpuPool, llmPool, phiPool},
		},
	}
}

func team() *schemas.Team {
	return &schemas.Team{
		Metadata: schemas.Metadata{Name: "data-science"},
		Spec: schemas.TeamSpec{
			CostCenter: "CC-1001",
			Quota:      schemas.Quota{CPU: resource.MustParse("100"), Memory: resource.MustParse("200Gi"), GPU: 4},
		},
	}
}

// churn is the platform's example: churn-predictor, version 2, on spot nodes.
func churn() ModelInput {
	d := &schemas.ModelDeployment{
		Metadata: schemas.Metadata{Name: "churn-predictor"},
		Spec: schemas.ModelDeploymentSpec{
			Team: "data-science", Environment: "production",
			Model: schemas.Model{Name: "churn-predictor", Version: "2", Format: schemas.FormatMLflow},
			Serving: schemas.Serving{
				Replicas:  replicas(2, 10),
				Resources: resources("1", "2Gi"),
				Capacity:  schemas.CapacitySpot,
			},
		},
	}
	d.Spec.Serving.Resources.Limits = &schemas.ResourceList{CPU: quantity("4"), Memory: quantity("8Gi")}
	return input(d, Placement{Pool: computePool, Capacity: schemas.CapacitySpot}, schemas.RiskHigh)
}

func input(d *schemas.ModelDeployment, p Placement, level schemas.RiskLevel) ModelInput {
	env := environment()
	return ModelInput{
		Repository: "acme/models", Deployment: d, Team: team(), Environment: env, Predictor: &p, Level: level,
		Version: d.Spec.Model.Version, StorageURI: StorageURI(env, d.Spec, d.Spec.Model.Version),
	}
}

// modelCase is a model with a golden file.
type modelCase struct {
	name  string
	input ModelInput
}

func simple(name string, format schemas.ModelFormat, p Placement, edit func(*ModelInput)) ModelInput {
	d := &schemas.ModelDeployment{
		Metadata: schemas.Metadata{Name: name},
		Spec: schemas.ModelDeploymentSpec{
			Team: "data-science", Environment: "production",
			Model:   schemas.Model{Name: name, Version: "1", Format: format},
			Serving: schemas.Serving{Replicas: replicas(1, 1), Resources: resources("500m", "1Gi")},
		},
	}
	in := input(d, p, schemas.RiskLow)
	if edit != nil {
		edit(&in)
	}
	return in
}

func modelCases() []modelCase {
	onDemand := func(p schemas.Pool) Placement { return Placement{Pool: p, Capacity: schemas.CapacityOnDemand} }
	spot := func(p schemas.Pool) Placement { return Placement{Pool: p, Capacity: schemas.CapacitySpot} }
	serving := func(in *ModelInput) *schemas.Serving { return &in.Deployment.Spec.Serving }
	return []modelCase{
		{"low-risk-sklearn", simple("iris", schemas.FormatSKLearn, onDemand(computePool), nil)},
		{"churn-predictor", churn()},
		{"phi", simple("readmission", schemas.FormatXGBoost, onDemand(phiPool), func(in *ModelInput) {
			in.Level = schemas.RiskHigh
			serving(in).Replicas = replicas(2, 2)
			serving(in).ServiceAccountRole = "arn:aws:iam::123456789012:role/readmission"
		})},
		{"gpu-t4-onnx", simple("vision", schemas.FormatONNX, spot(gpuPool), func(in *ModelInput) {
			serving(in).Replicas = replicas(2, 4)
			serving(in).Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: 1}
			serving(in).Resources = resources("3", "12Gi")
		})},
		{"llm-vllm", simple("assistant", schemas.FormatVLLM, onDemand(llmPool), func(in *ModelInput) {
			in.Level = schemas.RiskMedium
			serving(in).Accelerator = &schemas.Accelerator{Type: "nvidia-a10g", Count: 4}
			serving(in).Resources = resources("40", "150Gi")
			serving(in).TimeoutSeconds = ptr[int64](600)
			serving(in).Env = []schemas.EnvVar{{Name: "HF_TOKEN", ValueFrom: &schemas.EnvVarSource{
				SecretKeyRef: &schemas.KeyRef{Name: "hugging-face", Key: "token"},
			}}}
		})},
		{"transformer-explainer", withComponents(simple("credit", schemas.FormatLightGBM, onDemand(computePool), nil))},
		{"custom-container", simple("rules", schemas.FormatCustom, onDemand(computePool), func(in *ModelInput) {
			serving(in).Container = &schemas.Container{
				Image: "registry.example.com/rules@sha256:aaaa", Args: []string{"--threads=2"},
				Env: []schemas.EnvVar{{Name: "POD", ValueFrom: &schemas.EnvVarSource{
					FieldRef: &schemas.FieldRef{FieldPath: "metadata.name"},
				}}},
			}
			serving(in).Env = []schemas.EnvVar{{Name: "LOG_LEVEL", Value: ptr("info")}}
			serving(in).Protocol = schemas.ProtocolV2
			in.Deployment.Spec.Model.URI = "s3://bucket/rules"
			in.StorageURI = "s3://bucket/rules"
		})},
		{"knative", simple("bursty", schemas.FormatSKLearn, spot(computePool), func(in *ModelInput) {
			in.Environment.Spec.KServe.Mode = schemas.ModeKnative
			serving(in).Replicas = replicas(0, 5)
			serving(in).Autoscaling = &schemas.Autoscaling{Metric: schemas.ScaleConcurrency, Target: 8}
		})},
		{"canary-standard", canary(churn(), 10)},
		{"canary-explainer", func() ModelInput {
			in := withComponents(churn())
			serving(&in).TimeoutSeconds = ptr[int64](120)
			return canary(in, 10)
		}()},
		{"canary-knative", func() ModelInput {
			in := churn()
			in.Environment.Spec.KServe.Mode = schemas.ModeKnative
			return canary(withComponents(in), 25)
		}()},
		{"grpc-triton", simple("vision", schemas.FormatTriton, onDemand(computePool), func(in *ModelInput) {
			serving(in).Protocol = schemas.ProtocolGRPCV2
		})},
		{"grpc-knative", simple("wide", schemas.FormatTensorFlow, onDemand(computePool), func(in *ModelInput) {
			in.Environment.Spec.KServe.Mode = schemas.ModeKnative
			serving(in).Protocol = schemas.ProtocolGRPCV1
		})},
		{"keda", func() ModelInput {
			in := withComponents(churn())
			in.Environment.Spec.KServe.KEDA = &schemas.KEDA{Prometheus: "http://prometheus.monitoring:9090"}
			serving(&in).Autoscaling = &schemas.Autoscaling{Metric: schemas.ScalePrometheus, Target: 20, Query: `sum(rate(requests_total{model="churn"}[1m]))`}
			return in
		}()},
		{"graph", graph(churn())},
		{"observability", observe(churn(), nil)},
		{"observability-gpu", observe(simple("vision", schemas.FormatONNX, spot(gpuPool), func(in *ModelInput) {
			serving(in).Replicas = replicas(2, 4)
			serving(in).Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: 1}
		}), &schemas.Observability{
			Interval: schemas.Duration(2 * time.Minute), Labels: map[string]string{"release": "prometheus"}, DashboardLabels: map[string]string{"dashboards": "models"},
		})},
		{"kserve-0.11", func() ModelInput {
			in := churn()
			in.Environment.Spec.KServe.Version = "0.11"
			return in
		}()},
	}
}

// canary makes the input the second version of a rollout, in an environment with
// a gateway where it needs one.
func canary(in ModelInput, percent int32) ModelInput {
	in.Deployment.Spec.Rollout.Canary = &schemas.Canary{Steps: []int32{percent}}
	if in.Environment.Spec.KServe.Mode == schemas.ModeStandard {
		in.Environment.Spec.Gateway = &schemas.Gateway{Name: "models", Namespace: "gateway-system", Hostname: "{model}.{team}.models.example.com"}
	}
	stable := in
	stable.Version, stable.StorageURI = "1", "s3://mlops-models/churn-predictor/v1"
	in.Canary = &Canary{Percent: percent, Stable: &stable}
	return in
}

// observe declares observability, by default as an environment that says nothing
// more of it, and the limits that a manifest has by default.
func observe(in ModelInput, o *schemas.Observability) ModelInput {
	if o == nil {
		o = &schemas.Observability{Interval: schemas.DefaultScrapeInterval}
	}
	in.Environment.Spec.Observability = o
	in.Deployment.Spec.Rollout.Rollback = schemas.Rollback{
		ErrorRate: percent("5%"), LatencyP95Factor: 2, Availability: percent("99%"), For: schemas.Duration(5 * time.Minute),
	}
	return in
}

func percent(s string) schemas.Percent {
	p, err := schemas.ParsePercent(s)
	if err != nil {
		panic(err)
	}
	return p
}

func graph(in ModelInput) ModelInput {
	in.Deployment.Spec.Serving.Graph = &schemas.Graph{Router: schemas.GraphSequence, Steps: []schemas.GraphStep{
		{Model: "churn-predictor"}, {Model: "next-best-offer", Data: schemas.GraphResponse, Optional: ptr(true)},
	}}
	in.Router = &Placement{Pool: computePool, Capacity: schemas.CapacitySpot}
	return in
}

func withComponents(in ModelInput) ModelInput {
	s := &in.Deployment.Spec.Serving
	s.Replicas = replicas(2, 6)
	s.Autoscaling = &schemas.Autoscaling{Metric: schemas.ScaleMemory, Target: 70}
	s.Batcher = &schemas.Batcher{MaxBatchSize: 32, MaxLatency: 500}
	s.Logger = &schemas.Logger{URL: "http://broker.logging.svc/default", Mode: schemas.LogAll}
	s.Transformer = &schemas.Component{
		Image: "registry.example.com/credit-features@sha256:bbbb", Args: []string{"--store=online"},
		Resources: resources("250m", "512Mi"), Replicas: replicas(1, 3),
	}
	s.Explainer = &schemas.Component{
		Image: "registry.example.com/credit-shap@sha256:cccc", Resources: resources("1", "1Gi"),
		Env: []schemas.EnvVar{{Name: "SAMPLES", Value: ptr("100")}},
	}
	in.Transformer = &Placement{Pool: computePool, Capacity: schemas.CapacityOnDemand}
	in.Explainer = &Placement{Pool: computePool, Capacity: schemas.CapacitySpot}
	return in
}

func mustModel(t testing.TB, in ModelInput) []*unstructured.Unstructured {
	t.Helper()
	out, err := Model(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustTenancy(t testing.TB) []*unstructured.Unstructured {
	t.Helper()
	out, err := Tenancy(TenancyInput{Repository: "acme/models", Team: team(), Environment: environment()})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
