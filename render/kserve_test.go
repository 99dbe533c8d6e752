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

// crdsOf are KServe's descriptions of what is rendered of its kinds, by kind.
func crdsOf(t *testing.T, release string) map[string]crd {
	t.Helper()
	dir := filepath.Join(releaseDir(t, release), "crd")
	if full := filepath.Join(dir, "full"); isDir(full) { // since 0.13
		dir = full
	}
	return map[string]crd{
		kserveKind: loadCRD(t, filepath.Join(dir, "serving.kserve.io_inferenceservices.yaml"), "v1beta1"),
		graphKind:  loadCRD(t, filepath.Join(dir, "serving.kserve.io_inferencegraphs.yaml"), "v1alpha1"),
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &v1); err != nil {
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

// releases of KServe at the ends of what is rendered alike.
var releases = []string{"0.11.2", "0.12.1", "0.13.1", "0.14.1", "0.15.2", "0.20.0"}

// youngest are the cases that need a release; `validate` refuses them before it.
var youngest = map[string]schemas.KServeVersion{"llm-vllm": schemas.KServeHuggingFace, "keda": schemas.KServeAutoscaling, "graph": schemas.KServeGraph}

// What is rendered for an environment meets the definitions of the release that
// the environment has.
func TestEverythingOfKServesMeetsItsOwnSchema(t *testing.T) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) {
			crds := crdsOf(t, release)
			version, err := schemas.ParseKServeVersion(release)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range modelCases() {
				if !version.AtLeast(youngest[m.name]) {
					continue
				}
				m.input.Environment.Spec.KServe.Version = release
				for _, o := range mustModel(t, m.input) {
					if crd, ok := crds[o.GetKind()]; !ok {
						continue
					} else if wrong := crd.check(o); len(wrong) > 0 {
						t.Errorf("%s: %s", m.name, strings.Join(wrong, "\n"))
					}
				}
			}
		})
	}
}

func TestTheSchemaFindsWhatIsWrong(t *testing.T) {
	bad := find(t, mustModel(t, churn()), kserveKind)
	for value, path := range map[string][]string{
		"a": {"spec", "predictor", "minReplica"},
		"b": {"spec", "predictor", "tolerations"},
	} {
		if err := unstructured.SetNestedField(bad.Object, value, path...); err != nil {
			t.Fatal(err)
		}
	}
	if wrong := crdsOf(t, "0.20.0")[kserveKind].check(bad); len(wrong) != 2 {
		t.Errorf("found %v", wrong)
	}
}
