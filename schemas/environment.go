package schemas

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Environment is environments/ENVIRONMENT.yaml: where models of one
// environment run and under which rules.
type Environment struct {
	APIVersion string          `json:"apiVersion" rule:"const=mlops-platform.com/v1alpha1"`
	Kind       Kind            `json:"kind" rule:"const=Environment"`
	Metadata   Metadata        `json:"metadata"`
	Spec       EnvironmentSpec `json:"spec"`
}

// DefaultArtifacts is where a version's artefact lies unless the environment
// or the manifest says otherwise.
const DefaultArtifacts = "s3://mlops-models/{name}/v{version}"

// EnvironmentSpec is the environment's rule book.
type EnvironmentSpec struct {
	// Promotion names the environment where a digest must be live first.
	Promotion *Promotion `json:"promotion,omitempty"`
	// Namespace is a template with {team} and {environment}.
	Namespace string `json:"namespace" rule:"namespace-template"`
	KServe    KServe `json:"kserve"`
	// Gateway is the way by which clients reach models in Standard mode; with it
	// canaries get their share of the traffic. Absent: how KServe is set up.
	Gateway *Gateway `json:"gateway,omitempty"`
	// Overlay is a folder under overlays/, such as overlays/production.
	Overlay string      `json:"overlay,omitempty" rule:"overlay"`
	Drift   DriftPolicy `json:"drift"`
	// Capacity is the default for manifests that name none.
	Capacity Capacity `json:"capacity"`
	Images   Images   `json:"images"`
	// Artifacts is the template ({name}, {version}) of a version's storage URI;
	// default DefaultArtifacts.
	Artifacts string `json:"artifacts,omitempty" rule:"artifacts-template" jsonschema:"default=s3://mlops-models/{name}/v{version}"`
	// Models says which artefacts may be served; absent: any.
	Models *ModelPolicy `json:"models,omitempty"`
	// ServiceAccountRoles are the IAM roles that manifests may name, with {team}
	// and {environment} and at most one * at the end; absent: any.
	ServiceAccountRoles []string `json:"serviceAccountRoles,omitempty" rule:"role-template,set"`
	// Controls are what the cluster does for the data on it, as declared by who
	// runs it. Absent: the default controls warn rather than fail.
	Controls *Controls `json:"controls,omitempty"`
	// PodSecurity is what the API server holds every pod of the teams' namespaces
	// to, also what others inject; default baseline. What Mooring renders is
	// restricted in any case.
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty" jsonschema:"default=baseline"`
	// Isolation keeps models of some data apart.
	Isolation []Isolation `json:"isolation,omitempty"`
	// Network absent: the defaults of every peer.
	Network *Network `json:"network,omitempty"`
	// Observability absent: nothing of it is rendered.
	Observability *Observability `json:"observability,omitempty"`
	Pools         []Pool         `json:"pools" rule:"items=1"`
}

// Controls are facts about an environment that nothing in Git shows. One that is
// absent is not declared, which is not the same as false.
type Controls struct {
	// EncryptionAtRest: disks and buckets are encrypted.
	EncryptionAtRest *bool `json:"encryptionAtRest,omitempty"`
	// AuditLogging: access to models and their data is logged.
	AuditLogging *bool `json:"auditLogging,omitempty"`
}

// ModelPolicy restricts the artefacts of an environment.
type ModelPolicy struct {
	// Pickle says what becomes of artefacts that are loaded by Python's pickle,
	// which runs whatever code they hold; default allow.
	Pickle PicklePolicy `json:"pickle,omitempty" jsonschema:"default=allow"`
	// Signatures absent: none is asked for, none is checked.
	Signatures *Signatures `json:"signatures,omitempty"`
}

// PicklePolicy says whether artefacts of the pickle family may be served.
type PicklePolicy string

// The policies.
const (
	PickleAllow  PicklePolicy = "allow"
	PickleRefuse PicklePolicy = "refuse"
)

// Signatures says whose word on an artefact counts.
type Signatures struct {
	// Required refuses a model without a good signature. Where it is false, a bad
	// signature is a warning.
	Required bool `json:"required"`
	// Keys are public keys in PEM form, one each: ECDSA (P-256, P-384, P-521),
	// RSA (2048, 3072, 4096 bits) or Ed25519. One of them has to have signed.
	Keys []string `json:"keys" rule:"length=2048,set,items=1"`
}

// RefusesPickle reports whether the environment refuses the pickle family.
func (s EnvironmentSpec) RefusesPickle() bool {
	return s.Models != nil && s.Models.Pickle == PickleRefuse
}

// Signatures are the environment's; nil where it asks for none.
func (s EnvironmentSpec) Signatures() *Signatures {
	if s.Models == nil {
		return nil
	}
	return s.Models.Signatures
}

// Promotion orders environments.
type Promotion struct {
	After string `json:"after" rule:"name"`
}

// KServe is the serving platform of the environment's cluster.
type KServe struct {
	// Version is "major.minor", such as "0.20".
	Version string     `json:"version" rule:"minor-version"`
	Mode    KServeMode `json:"mode"`
	// KEDA is installed beside KServe, so models may scale on a query.
	KEDA *KEDA `json:"keda,omitempty"`
}

// KEDA is the event-driven autoscaler of a cluster.
type KEDA struct {
	// Prometheus is the URL of the server that it asks.
	Prometheus string `json:"prometheus" rule:"url"`
}

// Gateway is a Gateway of the Gateway API that takes routes from the teams'
// namespaces. Mooring renders an HTTPRoute for each model.
type Gateway struct {
	Name      string `json:"name" rule:"label"`
	Namespace string `json:"namespace" rule:"label"`
	// Hostname of a model: a template with {model}, {team} and {environment}.
	Hostname string `json:"hostname" rule:"hostname-template"`
}

// HostnameFor is the host name by which clients reach a model.
func (g *Gateway) HostnameFor(u Unit) string {
	return expand(g.Hostname, "{model}", u.Model, "{team}", u.Team, "{environment}", u.Environment)
}

// CanarySuffix ends the name of a canary's InferenceService in Standard mode.
const CanarySuffix = "-canary"

// SplitsTraffic reports whether a model's rollouts go by canary in Standard mode:
// by a second InferenceService and the weights of a route, which carries no gRPC.
func (s *EnvironmentSpec) SplitsTraffic(m *ModelDeploymentSpec) bool {
	return m.Rollout.Canary != nil && s.Gateway != nil && s.KServe.Mode != ModeKnative && !m.InferenceProtocol().GRPC()
}

// KServeMode is how KServe runs a model.
type KServeMode string

// The modes. Standard is plain Deployments; Knative scales to zero.
const (
	ModeStandard KServeMode = "Standard"
	ModeKnative  KServeMode = "Knative"
)

// DriftPolicy is what happens when a live object differs from what was applied.
type DriftPolicy string

// The policies.
const (
	DriftHeal   DriftPolicy = "heal"
	DriftReport DriftPolicy = "report"
	DriftPause  DriftPolicy = "pause"
)

// Images restricts container images.
type Images struct {
	// Registries are the hosts, or the beginnings of paths on them, that an image
	// may come from; see Admits.
	Registries []string `json:"registries" rule:"registry,set"`
	// Digest says whether an image must be pinned by digest.
	Digest DigestPolicy `json:"digest"`
}

// Admits reports whether an image lies under one of the registries. A registry
// ends where a segment of the name does: registry.example.com is neither
// registry.example.com.evil nor registry.example.com:5000, and a/b is not a/bc.
func (i Images) Admits(image string) bool {
	return slices.ContainsFunc(i.Registries, func(registry string) bool {
		registry = strings.TrimRight(registry, "/")
		rest, below := strings.CutPrefix(image, registry)
		ends := "/"
		if strings.Contains(registry, "/") {
			ends = "/:@" // behind a host, a colon is that of a port
		}
		return below && (rest == "" && ends != "/" || rest != "" && strings.ContainsRune(ends, rune(rest[0])))
	})
}

// DigestPolicy says whether images must be pinned.
type DigestPolicy string

// The policies.
const (
	DigestRequired DigestPolicy = "required"
	DigestOptional DigestPolicy = "optional"
)

// Pool is a group of equal nodes.
type Pool struct {
	Name   string            `json:"name" rule:"label"`
	Labels map[string]string `json:"labels" rule:"key=label-key,label-value"`
	Taints []Taint           `json:"taints,omitempty"`
	// Spot is what the pool's spot nodes carry besides.
	Spot        *SpotNodes       `json:"spot,omitempty"`
	Accelerator *PoolAccelerator `json:"accelerator,omitempty"`
	// OnlyFor dedicates the pool; what it names may run nowhere else.
	OnlyFor     *OnlyFor    `json:"onlyFor,omitempty"`
	Nodes       Nodes       `json:"nodes"`
	Allocatable Allocatable `json:"allocatable"`
	Price       Price       `json:"price"`
}

// OffersSpot reports whether the pool has spot nodes: it does where spot has a price.
func (p Pool) OffersSpot() bool { return p.Price.Spot != nil }

// Taint is a node taint.
type Taint struct {
	Key    string      `json:"key" rule:"label-key"`
	Value  string      `json:"value,omitempty" rule:"label-value"`
	Effect TaintEffect `json:"effect"`
}

// TaintEffect is Kubernetes' taint effect.
type TaintEffect string

// The effects.
const (
	NoSchedule       TaintEffect = "NoSchedule"
	PreferNoSchedule TaintEffect = "PreferNoSchedule"
	NoExecute        TaintEffect = "NoExecute"
)

// SpotNodes are the labels and taints that spot nodes carry besides the pool's.
type SpotNodes struct {
	Labels map[string]string `json:"labels" rule:"key=label-key,label-value"`
	Taints []Taint           `json:"taints,omitempty"`
}

// PoolAccelerator is what each node of the pool offers.
type PoolAccelerator struct {
	// Name such as nvidia-t4; Resource such as nvidia.com/gpu.
	Name     string `json:"name" rule:"resource"`
	Resource string `json:"resource" rule:"extended-resource"`
	PerNode  int32  `json:"perNode" rule:"min=1,max=64"`
}

// OnlyFor dedicates a pool to models of some data sensitivity.
type OnlyFor struct {
	DataSensitivity []string `json:"dataSensitivity" rule:"word,set,items=1"`
}

// Nodes bounds the pool: 0 ≤ Min ≤ Max.
type Nodes struct {
	Min      int32  `json:"min" rule:"min=0,max=10000"`
	Max      int32  `json:"max" rule:"min=0,max=10000"`
	Instance string `json:"instance" rule:"word"`
}

// Allocatable is what one node leaves to pods, less than its nominal size.
type Allocatable struct {
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory" rule:"memory"`
}

// Price of one node of the pool, with its source and the date of that source.
type Price struct {
	OnDemand Money  `json:"onDemand"`
	Spot     *Money `json:"spot,omitempty"`
	// Currency is an ISO 4217 code.
	Currency string `json:"currency" rule:"currency"`
	// Per is "hour".
	Per    string `json:"per" rule:"const=hour"`
	Source string `json:"source" rule:"line"`
	Date   Date   `json:"date"`
}
