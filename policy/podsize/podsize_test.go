package podsize_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/policy/podsize"
	"github.com/mlops-platform/mooring/schemas"
)

func TestPod(t *testing.T) {
	tests := map[string]struct {
		beside      podsize.Beside
		cpu, memory string
		want        podsize.Size
	}{
		"a container alone":                              {podsize.Beside{}, "250m", "1Gi", size("250m", "1Gi")},
		"the agent runs beside it":                       {podsize.Beside{Agent: true}, "1", "1Gi", size("1100m", "1124Mi")},
		"what runs before counts where it is more":       {podsize.Beside{Initializer: true}, "50m", "1Gi", size("100m", "1Gi")},
		"each resource on its own":                       {podsize.Beside{Initializer: true}, "1", "64Mi", size("1", "100Mi")},
		"what runs before counts no more beside the sum": {podsize.Beside{Agent: true, Initializer: true}, "1m", "1Mi", size("101m", "101Mi")},
		"an artefact that is an image":                   {podsize.Beside{Modelcar: true}, "1", "1Gi", size("1010m", "1039Mi")},
		"what Knative puts before every server":          {podsize.Beside{QueueProxy: true}, "1", "1Gi", size("1025m", "1124Mi")},
		"a thousandth is the least that is stored":       {podsize.Beside{}, "1n", "1.0001", size("1m", "1001m")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cpu, memory := resource.MustParse(tc.cpu), resource.MustParse(tc.memory)
			got := tc.beside.Pod(schemas.ResourceList{CPU: &cpu, Memory: &memory})
			if got.CPU.Cmp(tc.want.CPU) != 0 || got.Memory.Cmp(tc.want.Memory) != 0 {
				t.Errorf("%s, %s", got.CPU.String(), got.Memory.String())
			}
			if cpu.Cmp(resource.MustParse(tc.cpu)) != 0 {
				t.Error("the manifest's own quantity was changed")
			}
		})
	}
}

func size(cpu, memory string) podsize.Size {
	return podsize.Size{CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory)}
}

func TestOfPredictor(t *testing.T) {
	model := func(format schemas.ModelFormat, uri string) schemas.ModelDeploymentSpec {
		return schemas.ModelDeploymentSpec{Model: schemas.Model{Format: format, URI: uri}}
	}
	env := func(version string, mode schemas.KServeMode, artifacts string) schemas.EnvironmentSpec {
		return schemas.EnvironmentSpec{KServe: schemas.KServe{Version: version, Mode: mode}, Artifacts: artifacts}
	}
	standard := env("0.20", schemas.ModeStandard, "")
	logged := model(schemas.FormatMLflow, "")
	logged.Serving.Logger = &schemas.Logger{}
	batched := model(schemas.FormatCustom, "")
	batched.Serving.Batcher = &schemas.Batcher{}
	isolating := standard
	isolating.Isolation = []schemas.Isolation{{DataSensitivity: []string{"phi"}, Artifacts: "oci://registry/phi/{name}:{version}"}}
	isolated := model(schemas.FormatMLflow, "")
	isolated.Governance.DataSensitivity = "phi"
	for name, tc := range map[string]struct {
		env  schemas.EnvironmentSpec
		spec schemas.ModelDeploymentSpec
		want podsize.Beside
	}{
		"an artefact is fetched":                      {standard, model(schemas.FormatMLflow, ""), podsize.Beside{Initializer: true}},
		"a custom container has its artefact in it":   {standard, model(schemas.FormatCustom, ""), podsize.Beside{}},
		"unless it names one":                         {standard, model(schemas.FormatCustom, "s3://bucket/x"), podsize.Beside{Initializer: true}},
		"an image is not fetched":                     {standard, model(schemas.FormatCustom, "oci://registry/x"), podsize.Beside{Modelcar: true}},
		"nor one of the environment's template":       {env("0.20", schemas.ModeStandard, "oci://registry/{name}:{version}"), model(schemas.FormatMLflow, ""), podsize.Beside{Modelcar: true}},
		"nor one of isolated data":                    {isolating, isolated, podsize.Beside{Modelcar: true}},
		"a manifest's place is before the template's": {env("0.20", schemas.ModeStandard, "oci://registry/{name}:{version}"), model(schemas.FormatMLflow, "s3://b/x"), podsize.Beside{Initializer: true}},
		"a volume is mounted":                         {standard, model(schemas.FormatMLflow, "pvc://claim/x"), podsize.Beside{}},
		"and was once copied":                         {env("0.11", schemas.ModeStandard, ""), model(schemas.FormatMLflow, "pvc://claim/x"), podsize.Beside{Initializer: true}},
		"Knative has a proxy in every pod":            {env("0.20", schemas.ModeKnative, ""), model(schemas.FormatCustom, ""), podsize.Beside{QueueProxy: true}},
		"an agent logs":                               {standard, logged, podsize.Beside{Agent: true, Initializer: true}},
		"an agent batches":                            {standard, batched, podsize.Beside{Agent: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := podsize.OfPredictor(tc.env, tc.spec); got != tc.want {
				t.Errorf("%+v", got)
			}
		})
	}
}
