package schemas

import (
	"slices"
	"time"
)

// PodSecurityLevel is a level of the Pod Security Standards.
type PodSecurityLevel string

// The levels that a namespace may enforce.
const (
	PodSecurityBaseline   PodSecurityLevel = "baseline"
	PodSecurityRestricted PodSecurityLevel = "restricted"
)

// Isolation keeps models that read some kind of data apart from all others:
// namespaces, storage, service accounts and nodes of their own, none of them spot.
type Isolation struct {
	DataSensitivity []string `json:"dataSensitivity" rule:"word,set,items=1"`
	// Namespace is a template with {team} and {environment}.
	Namespace string `json:"namespace" rule:"namespace-template"`
	// Artifacts is the template ({name}, {version}) of a version's storage URI. What
	// stands before its first placeholder is the root: the artefacts of these
	// models lie under it, and those of no other do.
	Artifacts string `json:"artifacts" rule:"artifacts-template"`
	// Teams may serve such models; others may not.
	Teams []string `json:"teams" rule:"name,set,items=1"`
}

// Network says whom models talk with. Everything else is shut off.
type Network struct {
	// Policy default is enforce.
	Policy NetworkPolicyMode `json:"policy,omitempty" jsonschema:"default=enforce"`
	// Each list replaces its default; an empty one means nobody.
	// Gateways send requests to models.
	Gateways []NetworkPeer `json:"gateways,omitempty"`
	// Metrics reads the models' metrics.
	Metrics []NetworkPeer `json:"metrics,omitempty"`
	// DNS answers names.
	DNS []NetworkPeer `json:"dns,omitempty"`
	// Storage holds artefacts.
	Storage []NetworkPeer `json:"storage,omitempty"`
	// Registry is the model registry.
	Registry []NetworkPeer `json:"registry,omitempty"`
	// Features is the feature store; it is open to models that name features.
	Features []NetworkPeer `json:"features,omitempty"`
}

// NetworkPolicyMode says whether NetworkPolicies are rendered.
type NetworkPolicyMode string

// The modes.
const (
	NetworkEnforce NetworkPolicyMode = "enforce"
	NetworkNone    NetworkPolicyMode = "none"
)

// NetworkPeer is pods of some namespaces, or addresses.
type NetworkPeer struct {
	// Namespaces by name; Pods narrows them by label.
	Namespaces []string          `json:"namespaces,omitempty" rule:"label,set,items=1"`
	Pods       map[string]string `json:"pods,omitempty" rule:"key=label-key,label-value"`
	// CIDR instead: addresses, without those of Except.
	CIDR   string   `json:"cidr,omitempty" rule:"cidr"`
	Except []string `json:"except,omitempty" rule:"cidr,set"`
	// Ports of the pods or addresses; none: all.
	Ports []NetworkPort `json:"ports,omitempty"`
}

// NetworkPort is a port of a pod. A port of a Service is not one: policies see
// what it is translated to.
type NetworkPort struct {
	Port int32 `json:"port" rule:"min=1,max=65535"`
	// Protocol default is TCP.
	Protocol NetworkProtocol `json:"protocol,omitempty" jsonschema:"default=TCP"`
}

// NetworkProtocol is what runs on a port.
type NetworkProtocol string

// The protocols.
const (
	ProtocolTCP NetworkProtocol = "TCP"
	ProtocolUDP NetworkProtocol = "UDP"
)

// DefaultScrapeInterval is how often models are asked for their metrics.
const DefaultScrapeInterval = Duration(30 * time.Second)

// Observability adds to each model what Prometheus' operator and Grafana read.
// It says that the cluster has them.
type Observability struct {
	// Interval between two scrapes; the loader fills DefaultScrapeInterval.
	Interval Duration `json:"interval,omitempty" jsonschema:"default=30s"`
	// Labels by which the operator selects monitors and rules.
	Labels map[string]string `json:"labels,omitempty" rule:"key=label-key,label-value"`
	// DashboardLabels by which Grafana's sidecar selects dashboards; default
	// grafana_dashboard: "1".
	DashboardLabels map[string]string `json:"dashboardLabels,omitempty" rule:"key=label-key,label-value"`
	// Mesh names where requests are counted besides the model's own server.
	Mesh Mesh `json:"mesh,omitempty"`
}

// Mesh is a service mesh whose proxies count requests.
type Mesh string

// MeshIstio counts in istio_requests_total.
const MeshIstio Mesh = "istio"

// IsolationOf is what keeps data of a sensitivity apart, or nil.
func (s *EnvironmentSpec) IsolationOf(sensitivity string) *Isolation {
	for i := range s.Isolation {
		if slices.Contains(s.Isolation[i].DataSensitivity, sensitivity) {
			return &s.Isolation[i]
		}
	}
	return nil
}

// Enforced reports whether NetworkPolicies are rendered.
func (n *Network) Enforced() bool { return n == nil || n.Policy != NetworkNone }
