package crds

import (
	"slices"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/schemas"
)

func TestTheEmbeddedDefinitionsAreThoseOfTheTypes(t *testing.T) {
	manifests, err := All()
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := schemas.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range manifests {
		var crd apiextensions.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(m, &crd); err != nil {
			t.Fatal(err)
		}
		version := crd.Spec.Versions[0]
		if crd.Spec.Group != schemas.Group || version.Name != schemas.Version || version.Subresources.Status == nil {
			t.Errorf("%s: group %s, version %s, status %v", crd.Name, crd.Spec.Group, version.Name, version.Subresources.Status)
		}
		if !scheme.Recognizes(schemas.GroupVersion.WithKind(crd.Spec.Names.Kind)) {
			t.Errorf("%s is not in the scheme", crd.Spec.Names.Kind)
		}
		kinds = append(kinds, crd.Spec.Names.Kind)
	}
	if want := []string{string(schemas.KindModelRelease), string(schemas.KindModelRepository)}; !slices.Equal(kinds, want) {
		t.Errorf("definitions of %v", kinds)
	}
}
