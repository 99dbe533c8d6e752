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
	custom := func(uri string) schemas.ModelDeploymentSpec {
		return schemas.ModelDeploymentSpec{Model: schemas.Model{Format: schemas.FormatCustom, URI: uri}}
	}
	logged := schemas.ModelDeploymentSpec{Model: schemas.Model{Format: schemas.FormatMLflow}}
	logged.Serving.Logger = &schemas.Logger{}
	batched := custom("")
	batched.Serving.Batcher = &schemas.Batcher{}
	for name, tc := range map[string]struct {
		spec schemas.ModelDeploymentSpec
		want podsize.Beside
	}{
		"an artefact is fetched":                    {schemas.ModelDeploymentSpec{Model: schemas.Model{Format: schemas.FormatMLflow}}, podsize.Beside{Initializer: true}},
		"a custom container has its artefact in it": {custom(""), podsize.Beside{}},
		"unless it names one":                       {custom("s3://bucket/x"), podsize.Beside{Initializer: true}},
		"an image is not fetched":                   {custom("oci://registry/x"), podsize.Beside{Modelcar: true}},
		"an agent logs":                             {logged, podsize.Beside{Agent: true, Initializer: true}},
		"an agent batches":                          {batched, podsize.Beside{Agent: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := podsize.OfPredictor(tc.spec); got != tc.want {
				t.Errorf("%+v", got)
			}
		})
	}
}
