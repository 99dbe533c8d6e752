package render

import (
	"fmt"
	"maps"
	"slices"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// changedField is the first field, by name, that differs between two objects; the
// free ones may.
func changedField(before, after map[string]any, free ...string) string {
	names := slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(free, name) && !equality.Semantic.DeepEqual(before[name], after[name]) {
			return name
		}
	}
	return ""
}

// specs are what two objects hold under spec.
func specs(before, after *unstructured.Unstructured) (b, a map[string]any, err error) {
	if b, _, err = unstructured.NestedMap(before.Object, "spec"); err == nil {
		a, _, err = unstructured.NestedMap(after.Object, "spec")
	}
	return b, a, err
}

// weakerRoute keeps who is reached under which name. Headers and timeouts may be
// set; another filter could copy or send requests elsewhere.
func weakerRoute(before, after *unstructured.Unstructured) (string, error) {
	b, a, err := specs(before, after)
	if err != nil {
		return "", err
	}
	const elsewhere = "changes spec.%s, by which traffic is sent"
	if name := changedField(b, a, "rules"); name != "" {
		return fmt.Sprintf(elsewhere, name), nil
	}
	was, is, err := lists(b, a, "rules")
	if err != nil {
		return "", err
	}
	if len(was) != len(is) {
		return fmt.Sprintf(elsewhere, "rules"), nil
	}
	for i := range was {
		if name := changedField(was[i], is[i], "filters", "timeouts", "retry"); name != "" {
			return fmt.Sprintf(elsewhere, fmt.Sprintf("rules[%d].%s", i, name)), nil
		}
		filters, _, err := lists(is[i], nil, "filters")
		if err != nil {
			return "", err
		}
		for _, f := range filters {
			if !slices.Contains(headerFilters, f["type"]) {
				return fmt.Sprintf("adds a filter of type %v, which may send traffic elsewhere", f["type"]), nil
			}
		}
	}
	return "", nil
}

// headerFilters are the filters of a route that leave its way alone.
var headerFilters = []any{"RequestHeaderModifier", "ResponseHeaderModifier"}

// lists are two objects' lists of objects in a field.
func lists(before, after map[string]any, field string) (b, a []map[string]any, err error) {
	read := func(m map[string]any) (out []map[string]any, err error) {
		items, _, err := unstructured.NestedSlice(m, field)
		for _, item := range items {
			object, ok := item.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s holds %v, which is no object", field, item)
			}
			out = append(out, object)
		}
		return out, err
	}
	if b, err = read(before); err == nil {
		a, err = read(after)
	}
	return b, a, err
}

// weakerBudget lets no more pods go at once. A minimum that is available counts
// another way, so the two cannot be compared.
func weakerBudget(before, after *unstructured.Unstructured) (string, error) {
	return typed(func(b, a *policyv1.PodDisruptionBudget) string {
		var was, is intstr.IntOrString
		if b.Spec.MaxUnavailable != nil {
			was = *b.Spec.MaxUnavailable
		}
		if a.Spec.MaxUnavailable != nil {
			is = *a.Spec.MaxUnavailable
		}
		switch {
		case !equality.Semantic.DeepEqual(b.Spec.Selector, a.Spec.Selector):
			return "changes which pods the budget is about"
		case a.Spec.MaxUnavailable == nil || a.Spec.MinAvailable != nil:
			return "counts the pods that may go in another way than maxUnavailable"
		case is != was && (is.Type != intstr.Int || was.Type != intstr.Int || is.IntVal > was.IntVal):
			return fmt.Sprintf("lets %s pods go at once instead of %s", is.String(), was.String())
		}
		return ""
	})(before, after)
}
