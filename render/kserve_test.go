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

// crdFiles describe what of KServe's is rendered.
var crdFiles = map[string]string{
	kserveKind: inferenceServiceCRD,
	graphKind:  "crd/full/serving.kserve.io_inferencegraphs.yaml",
}

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

// crd is KServe's description of a kind, as the API server uses it.
type crd struct {
	structural *structuralschema.Structural
	validator  *validate.SchemaValidator
}

func loadCRD(t *testing.T, file, version string) crd {
	t.Helper()
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(kserveFile(t, file), &v1); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(v1.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version })
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

func TestEverythingOfKServesMeetsItsOwnSchema(t *testing.T) {
	crds := map[string]crd{
		kserveKind: loadCRD(t, crdFiles[kserveKind], "v1beta1"),
		graphKind:  loadCRD(t, crdFiles[graphKind], "v1alpha1"),
	}
	c := crds[kserveKind]
	for _, m := range modelCases() {
		t.Run(m.name, func(t *testing.T) {
			for _, o := range mustModel(t, m.input) {
				crd, ok := crds[o.GetKind()]
				if !ok {
					continue
				}
				if wrong := crd.check(o); len(wrong) > 0 {
					t.Error(strings.Join(wrong, "\n"))
				}
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
