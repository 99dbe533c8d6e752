package deploy_test

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/test/cluster"
)

// as converts an object to its type.
func as[T any](t *testing.T, o *unstructured.Unstructured) *T {
	t.Helper()
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, out); err != nil {
		t.Fatalf("%s: %v", name(o), err)
	}
	return out
}

func TestTheDefaultIsSingle(t *testing.T) {
	if !reflect.DeepEqual(single(t), cluster.Build(t, overlayPath(t, "single"))) {
		t.Error("deploy is not deploy/overlays/single")
	}
}

// The audit log is one file with one writer: where two pods may run at once, the
// one that waits needs the lease to wait for, and the volume has to be on both nodes.
func TestReplicasShareTheAuditLog(t *testing.T) {
	for _, overlay := range folders(t, "overlays") {
		t.Run(filepath.Base(overlay), func(t *testing.T) {
			objects := cluster.Build(t, overlay)
			deployment := as[appsv1.Deployment](t, only(t, objects, "Deployment"))
			if !slices.Contains(deployment.Spec.Template.Spec.Containers[0].Args, "--leader-elect") {
				t.Error("it does not wait for a lease")
			}
			apart := deployment.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType && *deployment.Spec.Replicas == 1
			for _, o := range of(objects, "PersistentVolumeClaim") {
				claim := as[corev1.PersistentVolumeClaim](t, o)
				if together := slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteMany); apart == together {
					t.Errorf("%s is %v, with pods one after the other: %v", claim.Name, claim.Spec.AccessModes, apart)
				}
			}
		})
	}
}

func TestHighAvailabilitySurvivesAZoneAndADrain(t *testing.T) {
	objects := cluster.Build(t, overlayPath(t, "ha"))
	deployment := as[appsv1.Deployment](t, only(t, objects, "Deployment"))
	if *deployment.Spec.Replicas < 2 {
		t.Errorf("%d replicas", *deployment.Spec.Replicas)
	}
	pod := labels.Set(deployment.Spec.Template.Labels)
	var keys []string
	for _, c := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		keys = append(keys, c.TopologyKey)
		if selector := labels.SelectorFromSet(c.LabelSelector.MatchLabels); !selector.Matches(pod) || c.WhenUnsatisfiable != corev1.DoNotSchedule {
			t.Errorf("the spread over %s is of %s, %s", c.TopologyKey, selector, c.WhenUnsatisfiable)
		}
	}
	if !slices.Equal(keys, []string{corev1.LabelTopologyZone, corev1.LabelHostname}) {
		t.Errorf("it is spread over %v", keys)
	}
	budget := as[policyv1.PodDisruptionBudget](t, only(t, objects, "PodDisruptionBudget"))
	if budget.Spec.MaxUnavailable.IntValue() != 1 || !labels.SelectorFromSet(budget.Spec.Selector.MatchLabels).Matches(pod) {
		t.Errorf("the budget is %v of %v", budget.Spec.MaxUnavailable, budget.Spec.Selector)
	}
	for _, v := range deployment.Spec.Template.Spec.Volumes {
		if v.Name == "mirrors" && v.EmptyDir == nil {
			t.Error("the replicas share their mirrors")
		}
	}
}

func TestEveryOverlayHasTheSameRights(t *testing.T) {
	rights := func(objects []*unstructured.Unstructured) (out []*unstructured.Unstructured) {
		for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"} {
			out = append(out, of(objects, kind)...)
		}
		return out
	}
	want := rights(single(t))
	for _, v := range variants(t) {
		if !reflect.DeepEqual(rights(v.build(t)), want) {
			t.Errorf("%s has other rights than single", v.name)
		}
	}
}

// What is open by default, and to whom.
func TestTheNamespaceIsShutButForWhatTheControllerNeeds(t *testing.T) {
	objects := single(t)
	pod := labels.Set(as[appsv1.Deployment](t, only(t, objects, "Deployment")).Spec.Template.Labels)
	var in, out []string
	denied := false
	for _, o := range of(objects, "NetworkPolicy") {
		p := as[networkingv1.NetworkPolicy](t, o)
		if len(p.Spec.PodSelector.MatchLabels) == 0 {
			denied = denied || len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 && len(p.Spec.PolicyTypes) == 2
			continue
		}
		if !labels.SelectorFromSet(p.Spec.PodSelector.MatchLabels).Matches(pod) {
			t.Errorf("%s does not select the controller", p.Name)
		}
		for _, rule := range p.Spec.Ingress {
			in = append(in, ports(t, p.Name, rule.Ports)...)
		}
		for _, rule := range p.Spec.Egress {
			if len(rule.To) == 0 {
				t.Errorf("%s lets out to anybody, the nodes' credentials included", p.Name)
			}
			out = append(out, ports(t, p.Name, rule.Ports)...)
		}
	}
	slices.Sort(out)
	slices.Sort(in)
	if !denied {
		t.Error("nothing denies by default")
	}
	if got := slices.Compact(in); !slices.Equal(got, []string{"metrics", "webhooks"}) {
		t.Errorf("open to the inside: %v", got)
	}
	if got := slices.Compact(out); !slices.Equal(got, []string{"22", "443", "53", "6443"}) {
		t.Errorf("open to the outside: %v", got)
	}
}

func ports(t *testing.T, policy string, list []networkingv1.NetworkPolicyPort) (out []string) {
	t.Helper()
	if len(list) == 0 {
		t.Errorf("%s opens every port", policy)
	}
	for _, p := range list {
		out = append(out, p.Port.String())
	}
	return out
}

func TestNarrowEgressLeavesNoPlaceOpen(t *testing.T) {
	narrow := variant{overlay: overlayPath(t, "single"), components: []string{filepath.Join(root(t), "deploy", "components", "narrow-egress")}}
	for _, o := range of(narrow.build(t), "NetworkPolicy") {
		for _, rule := range as[networkingv1.NetworkPolicy](t, o).Spec.Egress {
			for _, to := range rule.To {
				if to.IPBlock != nil && strings.HasSuffix(to.IPBlock.CIDR, "/0") {
					t.Errorf("%s still leads anywhere", o.GetName())
				}
			}
		}
	}
}

// What External Secrets brings is what terraform/ made an entry for, under the
// keys that the controller reads.
func TestExternalSecretsNameWhatIsThere(t *testing.T) {
	v := variant{overlay: overlayPath(t, "single"), components: []string{filepath.Join(root(t), "deploy", "components", "external-secrets")}}
	secret := only(t, v.build(t), "ExternalSecret")
	production := read(t, "terraform/live/production/main.tf")
	prefix := regexp.MustCompile(`(?m)^\s+name\s+= "([a-z-]+)"`).FindStringSubmatch(production)
	if prefix == nil || !strings.Contains(read(t, "terraform/modules/delivery/secrets.tf"), `"${var.name}/${each.key}"`) {
		t.Fatal("how terraform/ names its entries is not found; is this test still right?")
	}
	entries := regexp.MustCompile(`(?ms)^variable "secrets" .*?^}`).FindString(read(t, "terraform/modules/delivery/variables.tf"))
	data, _, err := unstructured.NestedSlice(secret.Object, "spec", "data")
	if err != nil || len(data) == 0 {
		t.Fatalf("no data: %v", err)
	}
	known := []string{remote.KeyAppID, remote.KeyInstallationID, remote.KeyPrivateKey, remote.KeyWebhookSecret}
	for _, d := range data {
		key, _, err := unstructured.NestedString(d.(map[string]any), "remoteRef", "key")
		if err != nil {
			t.Fatal(err)
		}
		entry, ok := strings.CutPrefix(key, prefix[1]+"/")
		if !ok || !regexp.MustCompile(`(?m)^\s+`+regexp.QuoteMeta(entry)+`\s+= "`).MatchString(entries) {
			t.Errorf("terraform/modules/delivery makes no entry %s", key)
		}
		known = slices.DeleteFunc(known, func(k string) bool { return k == d.(map[string]any)["secretKey"] })
	}
	if len(known) > 0 || len(data) != 4 {
		t.Errorf("%d keys are brought, %v are missing", len(data), known)
	}
}
