package apply

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

// target is one object on its way into the cluster.
type target struct {
	index int
	obj   *unstructured.Unstructured
	gvr   schema.GroupVersionResource
	entry schemas.InventoryEntry
	// missing: it was looked for and is not there.
	missing bool
	// live is the answer to the write.
	live *unstructured.Unstructured
}

func (t *target) name() string { return fields.Name(t.obj) }

// Entry is the inventory entry of an object, without its hash.
func Entry(obj *unstructured.Unstructured) schemas.InventoryEntry {
	return schemas.InventoryEntry{
		APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(),
		Namespace: obj.GetNamespace(), Name: obj.GetName(),
	}
}

// entryKey leaves out the version: the same object in another version of its
// API is still the same object, and must not be pruned.
func entryKey(e schemas.InventoryEntry) string {
	group := ""
	if i := strings.LastIndexByte(e.APIVersion, '/'); i >= 0 {
		group = e.APIVersion[:i]
	}
	return group + "|" + e.Kind + "|" + e.Namespace + "|" + e.Name
}

// resolve finds each object's resource and checks what would make prune,
// watch or inventory go wrong later.
func (a *Applier) resolve(set Set) ([]*target, error) {
	refused := &RefusedError{Unit: set.Unit}
	targets := make([]*target, 0, len(set.Objects))
	seen := map[string]bool{}
	for i, obj := range set.Objects {
		t := &target{index: i, obj: obj, entry: Entry(obj)}
		refusal, err := a.resolveOne(set.Unit, t)
		if err != nil {
			return nil, err
		}
		if refusal == nil && seen[entryKey(t.entry)] {
			refusal = &Refusal{Object: t.name(), Cause: CauseInvalid, Message: "is in the set twice", Remedy: "render it once"}
		}
		if refusal != nil {
			refused.Refusals = append(refused.Refusals, *refusal)
			continue
		}
		seen[entryKey(t.entry)] = true
		targets = append(targets, t)
	}
	if len(refused.Refusals) > 0 {
		return nil, refused
	}
	return targets, nil
}

func (a *Applier) resolveOne(unit schemas.Unit, t *target) (*Refusal, error) {
	refuse := func(cause Cause, message, remedy string) (*Refusal, error) {
		return &Refusal{Object: t.name(), Cause: cause, Message: message, Remedy: remedy}, nil
	}
	if !Owns(unit, t.obj) {
		return refuse(CauseLabels, "does not carry the labels of "+unit.String(),
			"an overlay must leave "+schemas.LabelManagedBy+" and the "+schemas.Group+" labels as rendered")
	}
	mapping, err := a.mapping(t.obj.GroupVersionKind())
	if meta.IsNoMatchError(err) {
		return refuse(CauseMissingKind, "the cluster does not know "+t.obj.GetAPIVersion()+" "+t.obj.GetKind(),
			"install the operator or CRD that brings it, or choose an environment that has it")
	}
	if err != nil {
		return nil, unavailable("look up "+t.obj.GetKind(), err)
	}
	namespaced := mapping.Scope.Name() == meta.RESTScopeNameNamespace
	if namespaced && t.obj.GetNamespace() == "" {
		return refuse(CauseInvalid, "has no namespace", "set metadata.namespace")
	}
	if !namespaced && t.obj.GetNamespace() != "" {
		return refuse(CauseInvalid, "has a namespace, but "+t.obj.GetKind()+" is cluster-wide", "leave metadata.namespace out")
	}
	t.gvr = mapping.Resource
	return nil, nil
}

func isNamespace(obj *unstructured.Unstructured) bool {
	return obj.GroupVersionKind().GroupKind() == schema.GroupKind{Kind: "Namespace"}
}

// stageOf: namespaces, then what objects inside them are judged by, are shut off
// by or need to start, then the rest.
func stageOf(obj *unstructured.Unstructured) int {
	gk := obj.GroupVersionKind().GroupKind()
	switch {
	case gk == schema.GroupKind{Kind: "Namespace"}:
		return 0
	case gk.Group == "" && slices.Contains([]string{"ResourceQuota", "LimitRange", "ServiceAccount", "ConfigMap", "Secret"}, gk.Kind),
		gk == schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"},
		gk.Group == "rbac.authorization.k8s.io", gk.Group == "scheduling.k8s.io":
		return 1
	}
	return 2
}

func stages(targets []*target) [][]*target {
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b *target) int { return cmp.Compare(stageOf(a.obj), stageOf(b.obj)) })
	var out [][]*target
	for i, t := range sorted {
		if i == 0 || stageOf(t.obj) != stageOf(sorted[i-1].obj) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], t)
	}
	return out
}
