package render

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mlops-platform/mooring/schemas"
)

// The peers of models where the environment names none: where the usual
// installations put their gateways, Prometheus, DNS, MLflow and Feast. The
// controller's own namespace is a gateway, because it asks models whether they
// serve. Storage is any address by HTTPS, since the API of Kubernetes knows no
// host names; what is link-local (the node's credentials) is left out.
var defaultNetwork = schemas.Network{
	Gateways: []schemas.NetworkPeer{{Namespaces: []string{
		"envoy-gateway-system", "ingress-nginx", "istio-system", "knative-serving", "kserve", "mooring-system",
	}}},
	Metrics: []schemas.NetworkPeer{{Namespaces: []string{"monitoring"}}},
	DNS: []schemas.NetworkPeer{
		{Namespaces: []string{"kube-system"}, Ports: dnsPorts},
		{CIDR: "169.254.20.10/32", Ports: dnsPorts}, // NodeLocal DNSCache
	},
	Storage: []schemas.NetworkPeer{
		{CIDR: "0.0.0.0/0", Except: []string{"169.254.0.0/16"}, Ports: https},
		{CIDR: "::/0", Except: []string{"fe80::/10"}, Ports: https},
		{CIDR: "169.254.170.23/32", Ports: []schemas.NetworkPort{{Port: 80}}}, // EKS Pod Identity
	},
	Registry: []schemas.NetworkPeer{{Namespaces: []string{"mlflow"}}},
	Features: []schemas.NetworkPeer{{Namespaces: []string{"feast"}}},
}

var (
	https    = []schemas.NetworkPort{{Port: 443}}
	dnsPorts = []schemas.NetworkPort{{Port: 53, Protocol: schemas.ProtocolUDP}, {Port: 53, Protocol: schemas.ProtocolTCP}}
)

// peersOf is the environment's network, each list it leaves out by default; the
// gateway that it declares is one by default, too.
func peersOf(env *schemas.Environment) schemas.Network {
	out := defaultNetwork
	if g := env.Spec.Gateway; g != nil {
		namespaces := append(slices.Clone(out.Gateways[0].Namespaces), g.Namespace)
		slices.Sort(namespaces)
		out.Gateways = []schemas.NetworkPeer{{Namespaces: slices.Compact(namespaces)}}
	}
	n := env.Spec.Network
	if n == nil {
		return out
	}
	for _, list := range []struct{ into, from *[]schemas.NetworkPeer }{
		{&out.Gateways, &n.Gateways}, {&out.Metrics, &n.Metrics}, {&out.DNS, &n.DNS},
		{&out.Storage, &n.Storage}, {&out.Registry, &n.Registry}, {&out.Features, &n.Features},
	} {
		if *list.from != nil {
			*list.into = *list.from
		}
	}
	return out
}

// podLabelGraph marks the routers of KServe's InferenceGraphs.
const podLabelGraph = "serving.kserve.io/inferencegraph"

// network shuts the namespace off and opens what every model needs. It belongs
// to the tenancy, so that both come in one step: a model that runs already is
// not cut off until its own policy comes.
func (s space) network() []object {
	if !s.Environment.Spec.Network.Enforced() {
		return nil
	}
	peers := peersOf(s.Environment)
	lookups := egress(peers.DNS)
	router := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: podLabelGraph, Operator: metav1.LabelSelectorOpExists}}}
	model := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: podLabelService, Operator: metav1.LabelSelectorOpExists}}}
	asks := []networkingv1.NetworkPolicyEgressRule{{To: pods(model)}}
	if s.Environment.Spec.KServe.Mode == schemas.ModeKnative {
		asks = append(asks, behindKnative(peers)...)
	}
	return []object{
		policyObject(s.meta("mooring-default-deny"), metav1.LabelSelector{}, nil, nil),
		policyObject(s.meta("mooring-models"), model,
			slices.Concat(ingress(peers.Gateways), ingress(peers.Metrics), []networkingv1.NetworkPolicyIngressRule{{From: pods(router)}}),
			slices.Concat(lookups, egress(peers.Storage), egress(peers.Registry))),
		policyObject(s.meta("mooring-graphs"), router,
			slices.Concat(ingress(peers.Gateways), ingress(peers.Metrics)),
			slices.Concat(lookups, asks)),
	}
}

// behindKnative is where the Services of Knative lead: to its gateway or activator,
// never straight to the pods.
func behindKnative(peers schemas.Network) []networkingv1.NetworkPolicyEgressRule {
	return egress(peers.Gateways)
}

// network opens what this model needs beyond the others: its parts to each
// other, the feature store and the sink of its payloads. A model that needs
// nothing more has no policy of its own.
func (r *modelRenderer) network() []object {
	if !r.Environment.Spec.Network.Enforced() {
		return nil
	}
	serving := r.Deployment.Spec.Serving
	peers := peersOf(r.Environment)
	own := metav1.LabelSelector{MatchLabels: map[string]string{podLabelService: r.name}}
	var in []networkingv1.NetworkPolicyIngressRule
	var out []networkingv1.NetworkPolicyEgressRule
	if serving.Transformer != nil || serving.Explainer != nil {
		in, out = append(in, networkingv1.NetworkPolicyIngressRule{From: pods(own)}), append(out, networkingv1.NetworkPolicyEgressRule{To: pods(own)})
		if r.knative() {
			out = append(out, behindKnative(peers)...)
		}
	}
	if len(r.Deployment.Spec.Features) > 0 {
		out = append(out, egress(peers.Features)...)
	}
	if l := serving.Logger; l != nil {
		out = append(out, egress(sinkPeers(l.URL, r.namespace))...)
	}
	if len(in)+len(out) == 0 {
		return nil
	}
	// The prefix keeps it apart from the tenancy's own.
	return []object{policyObject(r.meta("model-"+r.name), own, in, out)}
}

// sinkPeers is where a logger's URL leads: by a Service's name to its namespace,
// since policies see a port that the URL does not tell; else to any address at
// the URL's port.
func sinkPeers(sink, namespace string) []schemas.NetworkPeer {
	u, err := url.Parse(sink)
	if err != nil {
		return nil // the loader refuses it
	}
	labels := strings.Split(u.Hostname(), ".")
	switch {
	case len(labels) == 1:
		return []schemas.NetworkPeer{{Namespaces: []string{namespace}}}
	case len(labels) == 2 || labels[2] == "svc":
		return []schemas.NetworkPeer{{Namespaces: []string{labels[1]}}}
	}
	port := intstr.Parse(cmp.Or(u.Port(), map[string]string{"http": "80"}[u.Scheme], "443")).IntVal
	out := slices.Clone(defaultNetwork.Storage[:2])
	for i := range out {
		out[i].Ports = []schemas.NetworkPort{{Port: port}}
	}
	return out
}

// policyObject is a NetworkPolicy about both directions: what it does not allow
// is denied.
func policyObject(meta metadata, about metav1.LabelSelector, in []networkingv1.NetworkPolicyIngressRule, out []networkingv1.NetworkPolicyEgressRule) object {
	return object{
		APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: kindNetworkPolicy, Metadata: meta,
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: about, Ingress: in, Egress: out,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
}

func pods(selector metav1.LabelSelector) []networkingv1.NetworkPolicyPeer {
	return []networkingv1.NetworkPolicyPeer{{PodSelector: &selector}}
}

func ingress(peers []schemas.NetworkPeer) []networkingv1.NetworkPolicyIngressRule {
	var out []networkingv1.NetworkPolicyIngressRule
	for _, p := range peers {
		out = append(out, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{peer(p)}, Ports: ports(p.Ports)})
	}
	return out
}

func egress(peers []schemas.NetworkPeer) []networkingv1.NetworkPolicyEgressRule {
	var out []networkingv1.NetworkPolicyEgressRule
	for _, p := range peers {
		out = append(out, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{peer(p)}, Ports: ports(p.Ports)})
	}
	return out
}

func peer(p schemas.NetworkPeer) networkingv1.NetworkPolicyPeer {
	if p.CIDR != "" {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: p.CIDR, Except: p.Except}}
	}
	out := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: slices.Sorted(slices.Values(p.Namespaces)),
	}}}}
	if len(p.Pods) > 0 {
		out.PodSelector = &metav1.LabelSelector{MatchLabels: maps.Clone(p.Pods)}
	}
	return out
}

func ports(list []schemas.NetworkPort) []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for _, p := range list {
		protocol := corev1.Protocol(cmp.Or(p.Protocol, schemas.ProtocolTCP))
		out = append(out, networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: ptr(intstr.FromInt32(p.Port))})
	}
	return out
}
