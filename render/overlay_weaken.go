package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	psa "k8s.io/pod-security-admission/api"
)

// weakenings are, by kind, what an overlay may not make of an object: pods that
// leave the nodes they were placed on, act as somebody else, serve something else
// or ask for more than was judged; traffic that goes elsewhere; and namespaces
// that bound or shut off less than the files say. Each compares an object as
// rendered with what became of it and says what is weaker, or nothing.
//
// Security contexts are not among them. Everything rendered is held to the Pod
// Security Standard by policy, whoever wrote it.
var weakenings = map[schema.GroupKind]func(before, after *unstructured.Unstructured) (string, error){
	{Group: "serving.kserve.io", Kind: kserveKind}:           weakerService,
	{Group: "serving.kserve.io", Kind: graphKind}:            weakerGraph,
	{Group: gatewayGroup, Kind: routeKind}:                   weakerRoute,
	{Group: policyv1.GroupName, Kind: kindDisruptionBudget}:  weakerBudget,
	{Kind: "Namespace"}:                                      weakerNamespace,
	{Kind: "ServiceAccount"}:                                 weakerAccount,
	{Kind: "ResourceQuota"}:                                  typed(weakerQuota),
	{Kind: "LimitRange"}:                                     typed(weakerLimits),
	{Group: networkingv1.GroupName, Kind: kindNetworkPolicy}: typed(weakerNetwork),
	{Group: rbacv1.GroupName, Kind: kindRoleBinding}:         typed(weakerBinding),
}

// The kinds by which a namespace is shut off and opened to people, and pods are
// kept from going all at once.
const (
	kindNetworkPolicy    = "NetworkPolicy"
	kindRoleBinding      = "RoleBinding"
	kindDisruptionBudget = "PodDisruptionBudget"
)

// weakened says what an overlay takes from an object's safety, or is empty.
func weakened(before, after *unstructured.Unstructured) string {
	weaker, ok := weakenings[before.GroupVersionKind().GroupKind()]
	if !ok {
		return ""
	}
	what, err := weaker(before, after)
	if err != nil {
		// What cannot be read cannot be compared; the API server would refuse it.
		return "makes it unreadable: " + oneLine(err.Error())
	}
	return what
}

// typed reads both objects as Kubernetes' own type before they are compared.
func typed[T any](weaker func(before, after *T) string) func(before, after *unstructured.Unstructured) (string, error) {
	return func(before, after *unstructured.Unstructured) (string, error) {
		var b, a T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(before.Object, &b); err != nil {
			return "", err
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(after.Object, &a); err != nil {
			return "", err
		}
		return weaker(&b, &a), nil
	}
}

// weakerAffinity demands that every alternative of what nodes are required asks
// for all that was required. Mooring renders one alternative.
func weakerAffinity(before, after *corev1.Affinity) string {
	var alternatives []corev1.NodeSelectorTerm
	if required := requiredNodes(after); required != nil {
		alternatives = required.NodeSelectorTerms
	}
	required := requiredNodes(before)
	if required == nil {
		return ""
	}
	for _, want := range required.NodeSelectorTerms[0].MatchExpressions {
		missing := func(term corev1.NodeSelectorTerm) bool {
			return !slices.ContainsFunc(term.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool {
				return equality.Semantic.DeepEqual(e, want)
			})
		}
		if len(alternatives) == 0 || slices.ContainsFunc(alternatives, missing) {
			return fmt.Sprintf("no longer requires nodes by %s, so its pods may leave their pool", want.Key)
		}
	}
	return ""
}

func requiredNodes(a *corev1.Affinity) *corev1.NodeSelector {
	if a == nil || a.NodeAffinity == nil {
		return nil
	}
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

// podSecurityLabels begin the labels by which the API server holds a namespace's
// pods to a level of the Pod Security Standard.
const podSecurityLabels = "pod-security.kubernetes.io/"

// weakerNamespace lets an overlay raise a level to restricted, and set one where
// none is. An older version of a level has fewer checks.
func weakerNamespace(before, after *unstructured.Unstructured) (string, error) {
	was, is := before.GetLabels(), after.GetLabels()
	for _, key := range slices.Concat(sortedKeys(was), sortedKeys(is)) {
		level, had := was[key]
		switch raised := !strings.HasSuffix(key, "-version") && (!had || is[key] == string(psa.LevelRestricted)); {
		case !strings.HasPrefix(key, podSecurityLabels), is[key] == level && had, raised:
		default:
			return "changes the label " + key + ", by which the API server holds pods to a level", nil
		}
	}
	return "", nil
}

func weakerAccount(before, after *unstructured.Unstructured) (string, error) {
	role := before.GetAnnotations()[annotationRole]
	if role != "" && after.GetAnnotations()[annotationRole] != role {
		return "takes or changes the IAM role that the manifest names", nil
	}
	mounted, found, err := unstructured.NestedBool(after.Object, "automountServiceAccountToken")
	if err == nil && (mounted || !found) {
		return "mounts the account's token into every pod", nil
	}
	return "", err
}

func weakerQuota(before, after *corev1.ResourceQuota) string {
	if !equality.Semantic.DeepEqual(before.Spec.Scopes, after.Spec.Scopes) || !equality.Semantic.DeepEqual(before.Spec.ScopeSelector, after.Spec.ScopeSelector) {
		return "narrows the quota to some pods"
	}
	return above("the quota of", before.Spec.Hard, after.Spec.Hard)
}

// above says which bound is raised or gone.
func above(what string, before, after corev1.ResourceList) string {
	for _, name := range sortedKeys(before) {
		bound, kept := after[name]
		if !kept {
			return fmt.Sprintf("takes away %s %s", what, name)
		}
		if was := before[name]; bound.Cmp(was) > 0 {
			return fmt.Sprintf("raises %s %s from %s to %s", what, name, was.String(), bound.String())
		}
	}
	return ""
}

func weakerLimits(before, after *corev1.LimitRange) string {
	for _, b := range before.Spec.Limits {
		i := slices.IndexFunc(after.Spec.Limits, func(a corev1.LimitRangeItem) bool { return a.Type == b.Type })
		if i < 0 {
			return fmt.Sprintf("takes away the limits of each %s", b.Type)
		}
		a := after.Spec.Limits[i]
		for _, name := range sortedKeys(b.DefaultRequest) {
			if _, kept := a.DefaultRequest[name]; !kept {
				return fmt.Sprintf("takes away the default request of %s", name)
			}
		}
		if what := above("the default limit of", b.Default, a.Default); what != "" {
			return what
		}
	}
	return ""
}

// weakerNetwork lets an overlay close what is open, never open what is closed.
func weakerNetwork(before, after *networkingv1.NetworkPolicy) string {
	switch {
	case !equality.Semantic.DeepEqual(before.Spec.PodSelector, after.Spec.PodSelector):
		return "changes which pods the network policy is about"
	case !equality.Semantic.DeepEqual(before.Spec.PolicyTypes, after.Spec.PolicyTypes):
		return "changes which direction of traffic the network policy is about"
	case !allIn(after.Spec.Ingress, before.Spec.Ingress), !allIn(after.Spec.Egress, before.Spec.Egress):
		return "lets traffic through that spec.network of the environment does not name"
	}
	return ""
}

func weakerBinding(before, after *rbacv1.RoleBinding) string {
	if before.RoleRef != after.RoleRef || !allIn(after.Subjects, before.Subjects) {
		return "gives rights that spec.access of the team does not name"
	}
	return ""
}

// allIn reports whether every item of some is among all.
func allIn[T any](some, all []T) bool {
	return !slices.ContainsFunc(some, func(s T) bool {
		return !slices.ContainsFunc(all, func(a T) bool { return equality.Semantic.DeepEqual(s, a) })
	})
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
