package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"github.com/mlops-platform/mooring/schemas"
)

// addition is an object of the overlay's own.
type addition struct {
	where   where
	id      resid.ResId
	content *unstructured.Unstructured
}

// resources reads the overlay's own objects. They join the tenancy's (once for
// each team and environment), never a model's: every model would claim them.
func (c *compiler) resources(folder string, root *yaml.Node, k kustomization) {
	for i, entry := range k.Resources {
		w := at(c.kustomization(folder), child(root, "resources").Content[i])
		data, file, ok := c.load(folder, entry, w)
		if !ok {
			continue
		}
		docs, bad := parseYAML(data)
		if bad != nil {
			c.fail(where{file, bad.line, bad.column}, CodeOverlaySyntax, "", "%s", bad.message)
			continue
		}
		for _, doc := range docs {
			c.resource(at(file, doc), doc)
		}
	}
}

func (c *compiler) resource(w where, doc *yaml.Node) {
	id := nodeID(doc)
	fail := func(format string, args ...any) {
		c.fail(w, CodeOverlayResource, "leave it to its own place", format, args...)
	}
	switch {
	case id.Version == "" || id.Kind == "" || id.Name == "":
		fail("an object needs apiVersion, kind and metadata.name")
	case id.Kind == "Secret":
		fail("a Secret in Git is no secret")
	case id.Kind == kserveKind:
		fail("a model is described by a manifest, not by an InferenceService")
	case id.Group == schemas.Group:
		fail("%s is Mooring's own kind", id.Kind)
	case strings.HasSuffix(id.Kind, "List"):
		fail("write the objects of a %s one by one", id.Kind)
	case id.IsClusterScoped():
		fail("%s belongs to no namespace, and teams would contend for it", id.Kind)
	case child(child(doc, "metadata"), "namespace") != nil:
		fail("the object goes into each team's namespace and names none itself")
	case slices.ContainsFunc(c.added, func(a addition) bool { return a.id == id }):
		fail("%s %s is added twice", id.Kind, id.Name)
	default:
		c.admit(w, id, doc)
	}
}

// admit adds an object if it undoes nothing of the tenancy that it joins.
func (c *compiler) admit(w where, id resid.ResId, doc *yaml.Node) {
	content := &unstructured.Unstructured{}
	data, err := nodeJSON(doc)
	if err == nil {
		err = content.UnmarshalJSON(data)
	}
	what := ""
	if err == nil {
		what, err = undoes(content)
	}
	switch {
	case err != nil:
		c.fail(w, CodeOverlayResource, "leave it to its own place", "%v", err)
	case what != "":
		c.fail(w, CodeOverlayResource, addableRemedy, "%s %s %s", id.Kind, id.Name, what)
	default:
		c.added = append(c.added, addition{w, id, content})
	}
}

// addable are the kinds of Kubernetes' own that an overlay may add. The others
// give rights, run pods or hold for more than one namespace.
var addable = []schema.GroupKind{
	{Kind: "ConfigMap"},
	{Kind: "ResourceQuota"},
	{Group: networkingv1.GroupName, Kind: kindNetworkPolicy},
	{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
}

const addableRemedy = "an overlay may add a ConfigMap, a ResourceQuota, a HorizontalPodAutoscaler, a NetworkPolicy without rules, " +
	"and kinds of others that run no pods and open no network"

// undoes says what an added object would undo of a tenancy, or nothing. Of kinds
// that are not Kubernetes' own little is known here; Mooring has no right to any
// of them until the cluster's administrator gives it.
func undoes(u *unstructured.Unstructured) (string, error) {
	kind := u.GroupVersionKind().GroupKind()
	for _, key := range sortedKeys(u.GetLabels()) {
		if ownLabel(key) {
			return "has the label " + key + ", which is Mooring's own", nil
		}
	}
	own := !strings.Contains(kind.Group, ".") || strings.HasSuffix(kind.Group, ".k8s.io")
	switch {
	case own && !slices.Contains(addable, kind):
		return "is of a kind that an overlay may not add: it could give rights, run pods or open the namespace", nil
	case strings.HasSuffix(kind.Group, "kserve.io"), strings.HasSuffix(kind.Group, "knative.dev"):
		return "serves models past their manifests", nil
	case !own && strings.Contains(kind.Kind, kindNetworkPolicy):
		return "may open the namespace, in a way that cannot be read here", nil
	case !own && runsPods(u.Object):
		return "runs pods that no manifest describes", nil
	case kind.Kind == kindNetworkPolicy:
		return opens(u)
	}
	return "", nil
}

// opens reports a network policy with rules. Kubernetes adds policies up, so each
// rule lets something through, whatever else is shut.
func opens(u *unstructured.Unstructured) (string, error) {
	var policy networkingv1.NetworkPolicy
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &policy); err != nil {
		return "", fmt.Errorf("the NetworkPolicy cannot be read: %w", err)
	}
	if len(policy.Spec.Ingress)+len(policy.Spec.Egress) > 0 {
		return "lets traffic through that spec.network of the environment does not name", nil
	}
	return "", nil
}

// runsPods reports whether there are containers anywhere in an object.
func runsPods(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		if list, ok := v["containers"].([]any); ok && len(list) > 0 {
			return true
		}
		for _, inner := range v {
			if runsPods(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, runsPods)
	}
	return false
}

// additions are the overlay's own objects for a tenancy, in its namespace and
// with its labels, so that they are found, healed and pruned with it. None may
// take the place of a rendered one.
func (o *CompiledOverlay) additions(objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, schemas.Findings) {
	i := slices.IndexFunc(objects, func(u *unstructured.Unstructured) bool {
		return u.GetKind() == "Namespace" && u.GroupVersionKind().Group == ""
	})
	if i < 0 {
		return nil, nil
	}
	var out []*unstructured.Unstructured
	for _, a := range o.added {
		if slices.ContainsFunc(objects, func(u *unstructured.Unstructured) bool {
			return u.GroupVersionKind().GroupKind() == a.content.GroupVersionKind().GroupKind() && u.GetName() == a.id.Name
		}) {
			return nil, schemas.Findings{{
				Severity: schemas.SeverityError, File: a.where.file, Line: a.where.line, Column: a.where.column, Code: CodeOverlayResource,
				Message: fmt.Sprintf("%s %s is rendered already", a.id.Kind, a.id.Name), Remedy: "patch the rendered one, or choose another name",
			}}
		}
		u := a.content.DeepCopy()
		u.SetNamespace(objects[i].GetName())
		all := u.GetLabels()
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, ownLabels(objects[i]))
		u.SetLabels(all)
		out = append(out, u)
	}
	return out, nil
}
