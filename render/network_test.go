package render

import (
	"net/netip"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mlops-platform/mooring/schemas"
)

// party is one end of a connection: a pod, or an address outside.
type party struct {
	namespace string
	labels    map[string]string
	address   string
}

// reach judges a connection by NetworkPolicies as Kubernetes defines them: each
// end that any policy selects needs one that allows the other end.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/
type reach []networkingv1.NetworkPolicy

func policiesOf(t *testing.T, objects ...[]*unstructured.Unstructured) reach {
	t.Helper()
	var out reach
	for _, o := range slices.Concat(objects...) {
		if o.GetKind() != kindNetworkPolicy {
			continue
		}
		var p networkingv1.NetworkPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func (r reach) allowed(t *testing.T, from, to party, port int32, protocol string) bool {
	t.Helper()
	return r.direction(t, networkingv1.PolicyTypeEgress, from, to, port, protocol) &&
		r.direction(t, networkingv1.PolicyTypeIngress, to, from, port, protocol)
}

func (r reach) direction(t *testing.T, way networkingv1.PolicyType, about, other party, port int32, protocol string) bool {
	selected := false
	for _, p := range r {
		if p.Namespace != about.namespace || !slices.Contains(p.Spec.PolicyTypes, way) || !matches(t, &p.Spec.PodSelector, about.labels) {
			continue
		}
		selected = true
		if way == networkingv1.PolicyTypeEgress {
			for _, rule := range p.Spec.Egress {
				if admits(t, p.Namespace, rule.To, rule.Ports, other, port, protocol) {
					return true
				}
			}
			continue
		}
		for _, rule := range p.Spec.Ingress {
			if admits(t, p.Namespace, rule.From, rule.Ports, other, port, protocol) {
				return true
			}
		}
	}
	return !selected
}

func admits(t *testing.T, namespace string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, other party, port int32, protocol string) bool {
	open := len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return p.Port.IntVal == port && string(*p.Protocol) == protocol
	})
	return open && (len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		switch {
		case p.IPBlock != nil:
			return other.address != "" && within(p.IPBlock.CIDR, other.address) &&
				!slices.ContainsFunc(p.IPBlock.Except, func(e string) bool { return within(e, other.address) })
		case other.address != "":
			return false
		case p.NamespaceSelector == nil && other.namespace != namespace,
			p.NamespaceSelector != nil && !matches(t, p.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": other.namespace}):
			return false
		}
		return p.PodSelector == nil || matches(t, p.PodSelector, other.labels)
	}))
}

func within(cidr, address string) bool {
	return netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(address))
}

func matches(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labels.Set(of))
}

func TestAModelTalksWithWhomItNeedsAndNobodyElse(t *testing.T) {
	in := withComponents(simple("credit", schemas.FormatLightGBM, Placement{Pool: computePool}, nil))
	in.Deployment.Spec.Features = []string{"customer_features"}
	r := policiesOf(t, mustTenancy(t), mustModel(t, in), mustModel(t, churn()))

	const home = "data-science-production"
	part := func(service, component string) party {
		return party{namespace: home, labels: podLabels(service, component)}
	}
	credit, transformer, other := part("credit", "predictor"), part("credit", "transformer"), part("churn-predictor", "predictor")
	pod := func(namespace string) party {
		return party{namespace: namespace, labels: map[string]string{"app": "any"}}
	}
	address := func(a string) party { return party{address: a} }
	router := party{namespace: home, labels: map[string]string{podLabelGraph: "ensemble"}}

	for name, c := range map[string]struct {
		from, to party
		port     int32
		protocol string
		want     bool
	}{
		"a gateway asks a model":                    {pod("istio-system"), credit, 8080, "TCP", true},
		"Prometheus reads its metrics":              {pod("monitoring"), credit, 8082, "TCP", true},
		"another team does not":                     {pod("fraud-production"), credit, 8080, "TCP", false},
		"a pod beside it does not":                  {pod(home), credit, 8080, "TCP", false},
		"an address outside does not":               {address("203.0.113.9"), credit, 8080, "TCP", false},
		"its transformer asks it":                   {transformer, credit, 8080, "TCP", true},
		"another model does not":                    {other, credit, 8080, "TCP", false},
		"a graph's router asks it":                  {router, credit, 8080, "TCP", true},
		"a gateway asks the router":                 {pod("ingress-nginx"), router, 8080, "TCP", true},
		"the router goes nowhere else":              {router, pod("feast"), 6566, "TCP", false},
		"it asks for names":                         {credit, pod("kube-system"), 53, "UDP", true},
		"and the name server alone":                 {credit, pod("kube-system"), 443, "TCP", false},
		"it fetches its artefact":                   {credit, address("52.216.0.1"), 443, "TCP", true},
		"also by IPv6":                              {credit, address("2600:1f00::1"), 443, "TCP", true},
		"by HTTPS alone":                            {credit, address("52.216.0.1"), 80, "TCP", false},
		"the node's credentials stay the node's":    {credit, address("169.254.169.254"), 80, "TCP", false},
		"by any port":                               {credit, address("169.254.169.254"), 443, "TCP", false},
		"it asks the registry":                      {credit, pod("mlflow"), 5000, "TCP", true},
		"it reads its features":                     {credit, pod("feast"), 6566, "TCP", true},
		"a model without features reads none":       {other, pod("feast"), 6566, "TCP", false},
		"it logs payloads to its sink":              {credit, pod("logging"), 8080, "TCP", true},
		"a model without a logger does not":         {other, pod("logging"), 8080, "TCP", false},
		"what is no model has no way out":           {pod(home), address("52.216.0.1"), 443, "TCP", false},
		"nor a way to the names":                    {pod(home), pod("kube-system"), 53, "UDP", false},
		"other namespaces are none of our business": {pod("a"), pod("b"), 80, "TCP", true},
	} {
		if got := r.allowed(t, c.from, c.to, c.port, c.protocol); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTheEnvironmentSaysWhoThePeersAre(t *testing.T) {
	env := environment()
	env.Spec.Network = &schemas.Network{
		Gateways: []schemas.NetworkPeer{{Namespaces: []string{"edge"}, Pods: map[string]string{"app": "gateway"}, Ports: []schemas.NetworkPort{{Port: 8080}}}},
		Storage:  []schemas.NetworkPeer{{CIDR: "10.9.0.0/16", Ports: https}},
		Registry: []schemas.NetworkPeer{},
	}
	tenancy, err := Tenancy(TenancyInput{Repository: "acme/models", Team: team(), Environment: env})
	if err != nil {
		t.Fatal(err)
	}
	r := policiesOf(t, tenancy)
	model := party{namespace: "data-science-production", labels: podLabels("credit", "predictor")}
	for name, c := range map[string]struct {
		from, to party
		port     int32
		want     bool
	}{
		"the gateway that is named":      {party{namespace: "edge", labels: map[string]string{"app": "gateway"}}, model, 8080, true},
		"at another port":                {party{namespace: "edge", labels: map[string]string{"app": "gateway"}}, model, 9000, false},
		"another pod of its namespace":   {party{namespace: "edge"}, model, 8080, false},
		"a gateway of the defaults":      {party{namespace: "istio-system"}, model, 8080, false},
		"Prometheus, which is not named": {party{namespace: "monitoring"}, model, 8080, true},
		"storage that is named":          {model, party{address: "10.9.1.1"}, 443, true},
		"storage of the defaults":        {model, party{address: "52.216.0.1"}, 443, false},
		"a registry where nobody is one": {model, party{namespace: "mlflow"}, 5000, false},
	} {
		if got := r.allowed(t, c.from, c.to, c.port, "TCP"); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	env.Spec.Network = &schemas.Network{Policy: schemas.NetworkNone}
	if tenancy, err = Tenancy(TenancyInput{Repository: "acme/models", Team: team(), Environment: env}); err != nil || len(policiesOf(t, tenancy)) > 0 {
		t.Errorf("policies are rendered where none are wanted (%v)", err)
	}
}

// Where nobody wrote down who the gateways are, the one that the environment
// declares is among them.
func TestTheDeclaredGatewayReachesModels(t *testing.T) {
	model := party{namespace: "data-science-production", labels: podLabels("credit", "predictor")}
	for name, c := range map[string]struct {
		network *schemas.Network
		want    map[string]bool
	}{
		"by default":                    {nil, map[string]bool{"gateway-system": true, "istio-system": true, "edge": false}},
		"where other peers are written": {&schemas.Network{Registry: []schemas.NetworkPeer{}}, map[string]bool{"gateway-system": true, "istio-system": true, "edge": false}},
		"not where others are named": {
			&schemas.Network{Gateways: []schemas.NetworkPeer{{Namespaces: []string{"edge"}}}}, map[string]bool{"gateway-system": false, "istio-system": false, "edge": true},
		},
	} {
		env := environment()
		env.Spec.Gateway = &schemas.Gateway{Name: "models", Namespace: "gateway-system", Hostname: "{model}.{team}.models.example.com"}
		env.Spec.Network = c.network
		tenancy, err := Tenancy(TenancyInput{Repository: "acme/models", Team: team(), Environment: env})
		if err != nil {
			t.Fatal(err)
		}
		for namespace, want := range c.want {
			if got := policiesOf(t, tenancy).allowed(t, party{namespace: namespace}, model, 8080, "TCP"); got != want {
				t.Errorf("%s: %s reaches models: %t, want %t", name, namespace, got, want)
			}
		}
	}
	if slices.Contains(defaultNetwork.Gateways[0].Namespaces, "gateway-system") {
		t.Error("the defaults were changed")
	}
}

// Knative's Services lead through its gateway, so a graph there has to reach it; in
// Standard mode it asks the models' pods and nobody else.
func TestAGraphReachesKnativesGateway(t *testing.T) {
	router := party{namespace: "data-science-production", labels: map[string]string{podLabelGraph: "ensemble"}}
	for mode, want := range map[schemas.KServeMode]bool{schemas.ModeStandard: false, schemas.ModeKnative: true} {
		env := environment()
		env.Spec.KServe.Mode = mode
		tenancy, err := Tenancy(TenancyInput{Repository: "acme/models", Team: team(), Environment: env})
		if err != nil {
			t.Fatal(err)
		}
		r := policiesOf(t, tenancy)
		if got := r.allowed(t, router, party{namespace: "knative-serving"}, 8012, "TCP"); got != want {
			t.Errorf("%s: %t, want %t", mode, got, want)
		}
		if r.allowed(t, router, party{namespace: "feast"}, 6566, "TCP") {
			t.Errorf("%s: the router goes elsewhere", mode)
		}
	}
}

func TestALoggersURLSaysWhereItLeads(t *testing.T) {
	for sink, want := range map[string]schemas.NetworkPeer{
		"http://broker":                             {Namespaces: []string{"home"}},
		"http://broker.logging":                     {Namespaces: []string{"logging"}},
		"http://broker.logging.svc.cluster.local/x": {Namespaces: []string{"logging"}},
		"https://sink.example.com":                  {CIDR: "0.0.0.0/0", Ports: []schemas.NetworkPort{{Port: 443}}},
		"http://sink.example.com/x":                 {CIDR: "0.0.0.0/0", Ports: []schemas.NetworkPort{{Port: 80}}},
		"http://sink.example.com:8888":              {CIDR: "0.0.0.0/0", Ports: []schemas.NetworkPort{{Port: 8888}}},
	} {
		got := sinkPeers(sink, "home")[0]
		if !slices.Equal(got.Namespaces, want.Namespaces) || got.CIDR != want.CIDR || !slices.Equal(got.Ports, want.Ports) {
			t.Errorf("%s: %+v, want %+v", sink, got, want)
		}
	}
	if p := defaultNetwork.Storage[0].Ports[0].Port; p != 443 {
		t.Errorf("the defaults were changed: port %d", p)
	}
}
