package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/schemas"
)

// systemNamespace and accountName are those of deploy/.
const (
	systemNamespace = "mooring-system"
	accountName     = "mooring-controller"
)

// rights are the kinds that say what the controller may do, by their resource.
var rights = map[string]schema.GroupVersionResource{
	"ServiceAccount":     {Version: "v1", Resource: "serviceaccounts"},
	"Role":               {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":        {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"ClusterRole":        {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
}

// Account applies the ServiceAccount and the rights of deploy/ in a namespace,
// and gives access by a token of that account, as a pod of it has, once they are
// in force. What is cluster-wide is removed with the test.
func Account(t testing.TB, admin *rest.Config, namespace string) *rest.Config {
	t.Helper()
	c, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	root, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range Moved(t, Build(t, filepath.Join(root, "deploy")), namespace) {
		resource, known := rights[o.GetKind()]
		if !known {
			continue
		}
		if _, err := c.Resource(resource).Namespace(o.GetNamespace()).Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "deploy-test", Force: true}); err != nil {
			t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		if o.GetNamespace() == "" {
			t.Cleanup(func() {
				if err := c.Resource(resource).Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil {
					t.Errorf("delete the %s %s: %v", o.GetKind(), o.GetName(), err)
				}
			})
		}
	}
	typed, err := kubernetes.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	request, err := typed.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), accountName, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("ask for a token of %s/%s: %v", namespace, accountName, err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.BearerToken = request.Status.Token
	// The API server hears of the two bindings one apart from the other.
	InForce(t, config, authorizationv1.ResourceAttributes{Verb: "create", Resource: "namespaces"})
	InForce(t, config, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "create", Group: schemas.Group, Resource: "modelreleases"})
	return config
}

// InForce waits until the API server has taken note of a right that an account was
// given.
func InForce(t testing.TB, account *rest.Config, right authorizationv1.ResourceAttributes) {
	t.Helper()
	c, err := kubernetes.NewForConfig(account)
	if err != nil {
		t.Fatal(err)
	}
	Eventually(t, limit, "a right to be in force", func() error {
		review, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right},
		}, metav1.CreateOptions{})
		if err == nil && !review.Status.Allowed {
			err = fmt.Errorf("%s %s in %q is not allowed: %s", right.Verb, right.Resource, right.Namespace, review.Status.Reason)
		}
		return err
	})
}

// Build runs kustomize over a folder and returns its objects.
func Build(t testing.TB, dir string) []*unstructured.Unstructured {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("build %s: %v", dir, err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range built.Resources() {
		content, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, parse(t, content))
	}
	return objects
}

// Moved is deploy/ as it would be in another namespace, under names of its own:
// what is cluster-wide must not collide with another test's.
func Moved(t testing.TB, objects []*unstructured.Unstructured, namespace string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "Namespace" || o.GetKind() == "CustomResourceDefinition" {
			continue
		}
		content, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		obj := parse(t, []byte(strings.ReplaceAll(string(content), systemNamespace, namespace)))
		if strings.HasPrefix(obj.GetKind(), "ClusterRole") {
			obj.SetName(namespace + "-" + obj.GetName())
		}
		if obj.GetKind() == "ClusterRoleBinding" {
			if err := unstructured.SetNestedField(obj.Object, obj.GetName(), "roleRef", "name"); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, obj)
	}
	return out
}

func parse(t testing.TB, content []byte) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(content, &obj.Object); err != nil {
		t.Fatal(err)
	}
	return obj
}
