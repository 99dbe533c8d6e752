package render

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/schemas"
)

// kserveDir finds KServe's own files (its folder "config"): what `make tools`
// copied, else the module that tools/kserve names.
var kserveDir = sync.OnceValue(func() string {
	copied, err := filepath.Abs("../bin/share/kserve")
	if err == nil {
		for _, dir := range []string{copied, filepath.Join(copied, "config")} {
			if _, err := os.Stat(filepath.Join(dir, inferenceServiceCRD)); err == nil {
				return dir
			}
		}
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/kserve/kserve")
	list.Dir = "../tools/kserve"
	out, err := list.Output()
	module := strings.TrimSpace(string(out))
	if err != nil || module == "" {
		return ""
	}
	return filepath.Join(module, "config")
})

const inferenceServiceCRD = "crd/full/serving.kserve.io_inferenceservices.yaml"

// kserveFile reads a file of KServe's; without it the test fails in CI and skips
// elsewhere.
func kserveFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(kserveDir(), name))
	switch {
	case err == nil:
		return data
	case os.Getenv("CI") == "true":
		t.Fatalf("KServe's files are missing (go mod download in tools/kserve fetches them): %v", err)
	default:
		t.Skipf("KServe's files are missing (go mod download in tools/kserve fetches them): %v", err)
	}
	return nil
}

// crd is KServe's description of an InferenceService, as the API server uses it.
type crd struct {
	structural *structuralschema.Structural
	validator  *validate.SchemaValidator
}

func loadCRD(t *testing.T) crd {
	t.Helper()
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(kserveFile(t, inferenceServiceCRD), &v1); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(v1.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == "v1beta1" })
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		v1.Spec.Versions[i].Schema.OpenAPIV3Schema, &props, nil); err != nil {
		t.Fatal(err)
	}
	structural, err := structuralschema.NewStructural(&props)
	if err != nil {
		t.Fatal(err)
	}
	return crd{structural, validate.NewSchemaValidator(structural.ToKubeOpenAPI(), nil, "", strfmt.Default)}
}

// check is what the API server finds wrong with an object, unknown fields included.
func (c crd) check(u *unstructured.Unstructured) []string {
	content := u.DeepCopy().Object
	unknown := pruning.PruneWithOptions(content, c.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for i := range unknown {
		unknown[i] = "unknown field " + unknown[i]
	}
	for _, e := range c.validator.Validate(content).Errors {
		unknown = append(unknown, e.Error())
	}
	return unknown
}

func TestEveryInferenceServiceMeetsKServesOwnSchema(t *testing.T) {
	c := loadCRD(t)
	for _, m := range modelCases() {
		t.Run(m.name, func(t *testing.T) {
			if wrong := c.check(find(t, mustModel(t, m.input), kserveKind)); len(wrong) > 0 {
				t.Error(strings.Join(wrong, "\n"))
			}
		})
	}
	t.Run("the check itself finds what is wrong", func(t *testing.T) {
		bad := find(t, mustModel(t, churn()), kserveKind)
		for value, path := range map[string][]string{
			"a": {"spec", "predictor", "minReplica"},
			"b": {"spec", "predictor", "tolerations"},
		} {
			if err := unstructured.SetNestedField(bad.Object, value, path...); err != nil {
				t.Fatal(err)
			}
		}
		if wrong := c.check(bad); len(wrong) != 2 {
			t.Errorf("found %v", wrong)
		}
	})
}

// servingRuntime is what selection reads of KServe's ClusterServingRuntime.
type servingRuntime struct {
	Metadata struct{ Name string }
	Spec     struct {
		SupportedModelFormats []struct {
			Name       string
			AutoSelect bool
			Priority   *int
		}
		ProtocolVersions []string
		WorkerSpec       map[string]any
		Containers       []struct {
			SecurityContext struct{ RunAsNonRoot bool }
		}
	}
}

func stockRuntimes(t *testing.T) []servingRuntime {
	t.Helper()
	kserveFile(t, "runtimes/kserve-mlserver.yaml")
	files, err := filepath.Glob(filepath.Join(kserveDir(), "runtimes/kserve-*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out []servingRuntime
	for _, file := range files {
		var r servingRuntime
		if err := yaml.Unmarshal(kserveFile(t, "runtimes/"+filepath.Base(file)), &r); err != nil {
			t.Fatal(err)
		}
		if r.Spec.WorkerSpec == nil {
			out = append(out, r)
		}
	}
	return out
}

// serves reports whether KServe would let a runtime serve a choice, and with
// which priority; the rules are those of its GetSupportingRuntimes.
func (r servingRuntime) serves(choice runtimeChoice) (priority int, ok bool) {
	if len(r.Spec.ProtocolVersions) > 0 && !slices.Contains(r.Spec.ProtocolVersions, string(choice.protocol)) {
		return 0, false
	}
	for _, f := range r.Spec.SupportedModelFormats {
		if f.Name == choice.format && (f.AutoSelect || choice.runtime != "") {
			if f.Priority != nil {
				priority = max(priority, *f.Priority)
			}
			ok = true
		}
	}
	return priority, ok
}

func TestAStockRuntimeServesEveryFormat(t *testing.T) {
	runtimes := stockRuntimes(t)
	for _, gpu := range []bool{false, true} {
		for _, format := range schemas.ModelFormats {
			if format == schemas.FormatCustom {
				continue
			}
			spec := schemas.ModelDeploymentSpec{Model: schemas.Model{Format: format}}
			if gpu {
				spec.Serving.Accelerator = &schemas.Accelerator{Count: 1}
			}
			choice, err := chooseRuntime(spec, kserveVersion{0, 20})
			if err != nil {
				t.Fatal(err)
			}
			chosen, best := servingRuntime{}, -1
			for _, r := range runtimes {
				if choice.runtime != "" && r.Metadata.Name != choice.runtime {
					continue
				}
				if priority, ok := r.serves(choice); ok && priority > best {
					chosen, best = r, priority
				}
			}
			switch {
			case best < 0:
				t.Errorf("%s: no stock runtime serves %+v", format, choice)
			case gpu && strings.Contains(chosen.Metadata.Name, "openvino"):
				t.Errorf("%s: %s cannot use the GPU", format, chosen.Metadata.Name)
			case !chosen.Spec.Containers[0].SecurityContext.RunAsNonRoot:
				t.Errorf("%s: %s runs as root", format, chosen.Metadata.Name)
			}
			t.Logf("%s (gpu %t) is served by %s over %s", format, gpu, chosen.Metadata.Name, choice.protocol)
		}
	}
}
