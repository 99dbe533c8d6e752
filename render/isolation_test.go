package render

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

// phiTenancy is a team with people, in an environment that isolates PHI.
func phiTenancy(teams ...string) TenancyInput {
	env, team := environment(), team()
	env.Spec.Isolation = []schemas.Isolation{{
		DataSensitivity: []string{"phi"}, Namespace: "{team}-phi-{environment}", Artifacts: "s3://phi/{name}/{version}", Teams: teams,
	}}
	team.Spec.Access = []schemas.Access{
		{Group: "oidc:ds", Role: schemas.AccessViewer},
		{Group: "oidc:ds-oncall", Role: schemas.AccessOperator, Isolated: true},
		{Group: "oidc:ds", Role: schemas.AccessOperator},
	}
	return TenancyInput{Repository: "acme/models", Team: team, Environment: env}
}

func TestATeamThatServesIsolatedDataHasANamespaceForIt(t *testing.T) {
	objects, err := Tenancy(phiTenancy("data-science"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "tenancy-phi", objects)
	kinds := map[string][]string{}
	for _, o := range objects {
		ns := o.GetNamespace()
		if ns == "" {
			ns = o.GetName()
		}
		kinds[ns] = append(kinds[ns], o.GetKind()+" "+o.GetName())
	}
	if len(kinds) != 2 || len(kinds["data-science-phi-production"]) != len(kinds["data-science-production"]) {
		t.Errorf("got %v", kinds)
	}
	groups := func(namespace, role string) []string {
		for _, o := range objects {
			if o.GetNamespace() == namespace && o.GetKind() == kindRoleBinding && o.GetName() == role {
				return subjectsOf(t, o)
			}
		}
		return nil
	}
	for _, c := range []struct {
		namespace, role string
		want            []string
	}{
		{"data-science-production", "mooring-team-viewer", []string{"oidc:ds", "oidc:ds-oncall"}},
		{"data-science-production", "mooring-team-operator", []string{"oidc:ds-oncall", "oidc:ds"}},
		{"data-science-phi-production", "mooring-team-viewer", []string{"oidc:ds-oncall"}},
		{"data-science-phi-production", "mooring-team-operator", []string{"oidc:ds-oncall"}},
	} {
		if got := groups(c.namespace, c.role); !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: %v, want %v", c.role, c.namespace, got, c.want)
		}
	}
}

func subjectsOf(t *testing.T, o *unstructured.Unstructured) []string {
	t.Helper()
	list, _, err := unstructured.NestedSlice(o.Object, "subjects")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range list {
		out = append(out, s.(map[string]any)["name"].(string))
	}
	return out
}

func TestOtherTeamsHaveNone(t *testing.T) {
	objects, err := Tenancy(phiTenancy("clinical-ai"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetName() == "data-science-phi-production" || o.GetNamespace() == "data-science-phi-production" {
			t.Errorf("%s %s is rendered", o.GetKind(), o.GetName())
		}
	}
}

func TestAnIsolatedModelStandsApart(t *testing.T) {
	in := churn()
	in.Environment = phiTenancy("data-science").Environment
	in.Predictor = &Placement{Pool: phiPool, Capacity: schemas.CapacityOnDemand}
	in.Deployment.Spec.Governance.DataSensitivity = "phi"
	in.StorageURI = StorageURI(in.Environment, in.Deployment.Spec, "2")
	if want := "s3://phi/churn-predictor/2"; in.StorageURI != want {
		t.Errorf("its artefact lies at %s, want %s", in.StorageURI, want)
	}
	for _, o := range mustModel(t, in) {
		if o.GetNamespace() != "data-science-phi-production" {
			t.Errorf("%s is in %s", o.GetKind(), o.GetNamespace())
		}
	}
}
