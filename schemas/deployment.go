package schemas

import (
	"iter"

	"k8s.io/apimachinery/pkg/api/resource"
)

// ModelDeployment is one deployment.yaml: what a team wants served, in one
// environment. It stands at models/TEAM/MODEL/ENVIRONMENT/deployment.yaml.
type ModelDeployment struct {
	APIVersion string              `json:"apiVersion" rule:"const=mlops-platform.com/v1alpha1"`
	Kind       Kind                `json:"kind" rule:"const=ModelDeployment"`
	Metadata   Metadata            `json:"metadata"`
	Spec       ModelDeploymentSpec `json:"spec"`
}

// Unit is what the manifest is applied as.
func (d ModelDeployment) Unit() Unit {
	return Unit{Team: d.Spec.Team, Model: d.Metadata.Name, Environment: d.Spec.Environment}
}

// ModelDeploymentSpec says which model runs where, how it is served, how a new
// version is rolled out, and the facts by which a change of it is judged.
type ModelDeploymentSpec struct {
	// Team owns the model; it must exist in teams/.
	Team string `json:"team" rule:"name"`
	// Environment must exist in environments/.
	Environment string `json:"environment" rule:"name"`
	// Model is the registered model and the version of it that is served.
	Model Model `json:"model"`
	// Serving is the shape of the deployment: replicas, resources, placement.
	Serving Serving `json:"serving"`
	// Rollout says how a new version takes over and when it is taken back.
	Rollout Rollout `json:"rollout" rule:"optional"`
	// Governance declares facts about the model's use; never scores.
	Governance Facts `json:"governance"`
	// Checks are held against a version before and after it is deployed.
	Checks *Checks `json:"checks,omitempty"`
	// Features are the Feast feature views or services the model reads.
	Features []string `json:"features,omitempty" rule:"feature,set"`
	// Justification is shown to reviewers; required where the risk is high.
	// At most 4,000 characters.
	Justification string `json:"justification,omitempty" rule:"length=4000"`
}

// Model names a registered model, its version and its format.
type Model struct {
	// Name in the registry: [A-Za-z0-9][A-Za-z0-9._-]{0,127}.
	Name string `json:"name" rule:"registered"`
	// Version is a string, so an unquoted number is refused. Exactly one of
	// Version and Alias is set.
	Version string `json:"version,omitempty" rule:"registered"`
	// Alias is resolved and pinned when the change is reviewed.
	Alias string `json:"alias,omitempty" rule:"registered"`
	// Format is one of KServe's stock model formats or "custom".
	Format ModelFormat `json:"format"`
	// URI (s3, gs, pvc, hf, oci) overrides where the artefact lies.
	URI string `json:"uri,omitempty" rule:"uri"`
	// Digest of the artefact, sha256: and 64 hexadecimal digits. Mooring does not
	// read the artefact; a signature covers the digest, and others can check it.
	Digest string `json:"digest,omitempty" rule:"digest"`
	// Signature in base64 over the model's statement: its name, version, URI and
	// digest. policy/signature has the bytes.
	Signature string `json:"signature,omitempty" rule:"base64"`
}

// ModelFormat is a format that one of KServe's stock runtimes serves, or
// "custom" for a container of the team's own.
type ModelFormat string

// The formats. FormatCustom requires spec.serving.container.
const (
	FormatSKLearn     ModelFormat = "sklearn"
	FormatXGBoost     ModelFormat = "xgboost"
	FormatLightGBM    ModelFormat = "lightgbm"
	FormatMLflow      ModelFormat = "mlflow"
	FormatTensorFlow  ModelFormat = "tensorflow"
	FormatPyTorch     ModelFormat = "pytorch"
	FormatONNX        ModelFormat = "onnx"
	FormatTriton      ModelFormat = "triton"
	FormatHuggingFace ModelFormat = "huggingface"
	FormatVLLM        ModelFormat = "vllm"
	FormatPMML        ModelFormat = "pmml"
	FormatPaddle      ModelFormat = "paddle"
	FormatCustom      ModelFormat = "custom"
)

// ModelFormats lists every valid format.
var ModelFormats = []ModelFormat{
	FormatSKLearn, FormatXGBoost, FormatLightGBM, FormatMLflow, FormatTensorFlow, FormatPyTorch,
	FormatONNX, FormatTriton, FormatHuggingFace, FormatVLLM, FormatPMML, FormatPaddle, FormatCustom,
}

// Serving is the shape of the deployment.
type Serving struct {
	Replicas  Replicas  `json:"replicas" rule:"optional"`
	Resources Resources `json:"resources"`
	// Accelerator absent means a CPU model.
	Accelerator *Accelerator `json:"accelerator,omitempty"`
	// Pool is "auto" (the default) or the name of a pool of the environment.
	Pool string `json:"pool,omitempty" rule:"label" jsonschema:"default=auto"`
	// Capacity defaults to the environment's; empty here means that default.
	Capacity    Capacity     `json:"capacity,omitempty"`
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`
	// Container is the custom server; only with format custom, and required there.
	Container   *Container `json:"container,omitempty"`
	Transformer *Component `json:"transformer,omitempty"`
	Explainer   *Component `json:"explainer,omitempty"`
	// Runtime names a ServingRuntime; empty lets KServe choose by format.
	Runtime string `json:"runtime,omitempty" rule:"object"`
	// Protocol is v1, v2, grpc-v1 or grpc-v2; empty lets the format decide.
	Protocol Protocol `json:"protocol,omitempty"`
	// Env of the predictor; a custom container has its own. Secrets by reference only.
	Env []EnvVar `json:"env,omitempty"`
	// TimeoutSeconds bounds one request: 1–3600.
	TimeoutSeconds *int64   `json:"timeoutSeconds,omitempty" rule:"min=1,max=3600"`
	Batcher        *Batcher `json:"batcher,omitempty"`
	Logger         *Logger  `json:"logger,omitempty"`
	// Graph serves the model together with others of the team.
	Graph *Graph `json:"graph,omitempty"`
	// ServiceAccountRole is the ARN of the IAM role that the pods assume (IRSA).
	ServiceAccountRole string `json:"serviceAccountRole,omitempty" rule:"role-arn"`
}

// EnvLists yields every list of environment variables with its field.
func (s Serving) EnvLists() iter.Seq2[string, []EnvVar] {
	return func(yield func(string, []EnvVar) bool) {
		ok := yield("spec.serving.env", s.Env)
		if ok && s.Container != nil {
			ok = yield("spec.serving.container.env", s.Container.Env)
		}
		if ok && s.Transformer != nil {
			ok = yield("spec.serving.transformer.env", s.Transformer.Env)
		}
		if ok && s.Explainer != nil {
			yield("spec.serving.explainer.env", s.Explainer.Env)
		}
	}
}

// PoolAuto is the pool's name that asks for the cheapest pool that fits.
const PoolAuto = "auto"

// Replicas bounds the number of replicas: 0 ≤ Min ≤ Max ≤ 1000. The loader
// fills the defaults (Min 1, Max Min).
type Replicas struct {
	// Min is what runs at least; 0 only where the mode scales to zero.
	Min *int32 `json:"min,omitempty" rule:"min=0,max=1000" jsonschema:"default=1"`
	// Max defaults to Min.
	Max *int32 `json:"max,omitempty" rule:"min=0,max=1000"`
}

// Low is the least number of replicas, after defaults.
func (r Replicas) Low() int32 {
	if r.Min == nil {
		return 1
	}
	return *r.Min
}

// High is the greatest number of replicas, after defaults.
func (r Replicas) High() int32 {
	if r.Max == nil {
		return r.Low()
	}
	return *r.Max
}

// Resources of one replica. Limits default to the requests, each on its own.
type Resources struct {
	Requests ResourceList  `json:"requests"`
	Limits   *ResourceList `json:"limits,omitempty"`
}

// ResourceList is CPU and memory. GPUs are asked for by Accelerator alone.
// In requests both are required; the loader completes limits.
type ResourceList struct {
	CPU    *resource.Quantity `json:"cpu,omitempty"`
	Memory *resource.Quantity `json:"memory,omitempty" rule:"memory"`
}

// Accelerator asks for GPUs (or slices of one) for each replica.
type Accelerator struct {
	// Type is a pool's accelerator name (nvidia-t4) or resource (nvidia.com/mig-1g.5gb).
	Type string `json:"type" rule:"resource"`
	// Count for each replica, at least 1.
	Count int32 `json:"count" rule:"min=1,max=64"`
}

// RollsInPlace reports whether a rollout of a part with so many replicas ends a pod
// before it starts the next. Where GPUs are involved Kubernetes' own way would
// wait for one that the quota, or the pool, does not have. A single replica keeps
// it, since it would otherwise be down during every rollout.
func (a *Accelerator) RollsInPlace(replicas int32, release KServeVersion) bool {
	return a != nil && replicas >= 2 && release.AtLeast(KServeAutoscaling)
}

// Capacity is how nodes are bought.
type Capacity string

// The capacity types.
const (
	CapacitySpot     Capacity = "spot"
	CapacityOnDemand Capacity = "on-demand"
)

// Protocol is KServe's inference protocol.
type Protocol string

// The protocols.
const (
	ProtocolV1     Protocol = "v1"
	ProtocolV2     Protocol = "v2"
	ProtocolGRPCV1 Protocol = "grpc-v1"
	ProtocolGRPCV2 Protocol = "grpc-v2"
)

var protocols = []Protocol{ProtocolV1, ProtocolV2, ProtocolGRPCV1, ProtocolGRPCV2}

// Autoscaling says on what and at which target the replicas scale between
// min and max. In Standard mode Metric is cpu or memory (percent utilisation),
// prometheus where the environment has KEDA, or external; in Knative mode
// concurrency or rps.
type Autoscaling struct {
	Metric ScaleMetric `json:"metric"`
	// Target is at least 1; required but for external, which has none.
	Target int32 `json:"target,omitempty" rule:"min=1"`
	// Query in PromQL whose result, divided by Target, is the number of replicas;
	// with prometheus, and required there.
	Query string `json:"query,omitempty" rule:"line"`
}

// ScaleMetric is what the autoscaler looks at.
type ScaleMetric string

// The metrics.
const (
	ScaleCPU         ScaleMetric = "cpu"
	ScaleMemory      ScaleMetric = "memory"
	ScaleConcurrency ScaleMetric = "concurrency"
	ScaleRPS         ScaleMetric = "rps"
	// ScalePrometheus scales on a query, by KEDA.
	ScalePrometheus ScaleMetric = "prometheus"
	// ScaleExternal leaves the replicas to an autoscaler that an overlay adds.
	ScaleExternal ScaleMetric = "external"
)

// utilization reports whether the target is in percent of the request.
func (m ScaleMetric) utilization() bool { return m == ScaleCPU || m == ScaleMemory }

// Container is a server of the team's own (format custom).
type Container struct {
	Image string   `json:"image" rule:"image"`
	Args  []string `json:"args,omitempty"`
	Env   []EnvVar `json:"env,omitempty"`
}

// Component is a transformer or an explainer beside the predictor.
type Component struct {
	Image     string    `json:"image" rule:"image"`
	Args      []string  `json:"args,omitempty"`
	Env       []EnvVar  `json:"env,omitempty"`
	Resources Resources `json:"resources"`
	Replicas  Replicas  `json:"replicas" rule:"optional"`
}

// EnvVar is an environment variable as in Kubernetes: a value, or a source.
type EnvVar struct {
	Name      string        `json:"name" rule:"env"`
	Value     *string       `json:"value,omitempty"`
	ValueFrom *EnvVarSource `json:"valueFrom,omitempty"`
}

// EnvVarSource has exactly one field set.
type EnvVarSource struct {
	SecretKeyRef    *KeyRef   `json:"secretKeyRef,omitempty"`
	ConfigMapKeyRef *KeyRef   `json:"configMapKeyRef,omitempty"`
	FieldRef        *FieldRef `json:"fieldRef,omitempty"`
}

// KeyRef points at one key of a Secret or ConfigMap in the model's namespace.
type KeyRef struct {
	Name     string `json:"name" rule:"object"`
	Key      string `json:"key" rule:"object-key"`
	Optional *bool  `json:"optional,omitempty"`
}

// FieldRef points at a field of the pod, such as metadata.name.
type FieldRef struct {
	FieldPath string `json:"fieldPath" rule:"field-path"`
}

// Batcher lets KServe collect requests.
type Batcher struct {
	// MaxBatchSize is at least 1.
	MaxBatchSize int32 `json:"maxBatchSize" rule:"min=1"`
	// MaxLatency in milliseconds, at least 1.
	MaxLatency int32 `json:"maxLatency" rule:"min=1"`
}

// Logger sends request payloads to a CloudEvents sink.
type Logger struct {
	URL  string     `json:"url" rule:"url"`
	Mode LoggerMode `json:"mode"`
}

// LoggerMode says which payloads are sent.
type LoggerMode string

// The modes.
const (
	LogAll      LoggerMode = "all"
	LogRequest  LoggerMode = "request"
	LogResponse LoggerMode = "response"
)

// Graph routes requests through this model and others of the same team and
// environment. KServe runs it as an InferenceGraph named after this manifest's
// model, with GraphSuffix.
type Graph struct {
	Router GraphRouter `json:"router"`
	// Steps in their order; this manifest's model is one of them.
	Steps []GraphStep `json:"steps" rule:"items=2"`
}

// GraphSuffix ends the name of a model's graph.
const GraphSuffix = "-graph"

// What one replica of a graph's router asks for and may use.
const (
	RouterCPU    = "100m"
	RouterMemory = "128Mi"
)

// Replicas of the router: two where its model always has two or more, else one.
func (g *Graph) Replicas(model Replicas) int32 {
	if model.Low() < 2 {
		return 1
	}
	return 2
}

// GraphRouter says what becomes of a request.
type GraphRouter string

// The routers.
const (
	// GraphSequence asks one model after the other.
	GraphSequence GraphRouter = "sequence"
	// GraphEnsemble asks all and answers with what each said.
	GraphEnsemble GraphRouter = "ensemble"
	// GraphSplitter asks one at random, by weight.
	GraphSplitter GraphRouter = "splitter"
	// GraphSwitch asks the first whose condition holds.
	GraphSwitch GraphRouter = "switch"
)

// GraphStep asks one model.
type GraphStep struct {
	// Model is the name of a manifest, not of the registry.
	Model string `json:"model" rule:"name"`
	// Weight in percent; with splitter, where they add up to 100.
	Weight *int32 `json:"weight,omitempty" rule:"min=1,max=99"`
	// Condition on the request, in GJSON's syntax; with switch (required) and
	// sequence.
	Condition string `json:"condition,omitempty" rule:"line"`
	// Data is what the step is given; with sequence. Absent: the request.
	Data GraphData `json:"data,omitempty"`
	// Optional: the graph answers though this step fails.
	Optional *bool `json:"optional,omitempty"`
}

// GraphData is what a step is given.
type GraphData string

// The data.
const (
	GraphRequest  GraphData = "request"
	GraphResponse GraphData = "response"
)

// Rollout says how a new version takes over and when it is taken back.
type Rollout struct {
	Canary *Canary `json:"canary,omitempty"`
	// Rollback always holds; the loader fills the platform's defaults.
	Rollback Rollback `json:"rollback" rule:"optional"`
}

// Canary shifts traffic in steps.
type Canary struct {
	// Steps are percentages of traffic, strictly ascending, 1–99.
	Steps []int32 `json:"steps" rule:"min=1,max=99,items=1"`
	// Interval between steps.
	Interval Duration `json:"interval"`
}

// Rollback is when a new version serves worse: any of the three, held for For.
// Source of the defaults: the platform's rollback strategy.
type Rollback struct {
	// ErrorRate above which the version fails; default 5 %.
	ErrorRate Percent `json:"errorRate" rule:"optional" jsonschema:"default=5%"`
	// LatencyP95Factor times the baseline's 95th percentile; default 2.
	LatencyP95Factor float64 `json:"latencyP95Factor" rule:"optional,min=1,max=1000" jsonschema:"default=2"`
	// Availability below which the version fails; default 99 %.
	Availability Percent `json:"availability" rule:"optional" jsonschema:"default=99%"`
	// For is how long; default 5m.
	For Duration `json:"for" rule:"optional" jsonschema:"default=5m"`
}

// Facts are what an author declares about a model's use. Each value is a key
// of the governance's risk table.
type Facts struct {
	// BusinessImpact of a wrong or missing prediction.
	BusinessImpact string `json:"businessImpact" rule:"word"`
	// CustomerExposure is how directly customers meet the predictions.
	CustomerExposure string `json:"customerExposure" rule:"word"`
	// DataSensitivity of the most sensitive data the model reads.
	DataSensitivity string `json:"dataSensitivity" rule:"word"`
	// Regulations that apply; an empty list says that none does.
	Regulations []string `json:"regulations" rule:"word,set"`
	// Explainability that is owed to those who are affected.
	Explainability string `json:"explainability" rule:"word"`
}

// Checks are held against a version: metrics of its training run before it is
// deployed, a prediction after.
type Checks struct {
	Metrics []MetricCheck `json:"metrics,omitempty"`
	Smoke   *Smoke        `json:"smoke,omitempty"`
}

// MetricCheck bounds one logged metric of the version's run.
type MetricCheck struct {
	Name string   `json:"name" rule:"line"`
	Min  *float64 `json:"min,omitempty"`
	Max  *float64 `json:"max,omitempty"`
	// MaxRegression against the version that is live, in the metric's own unit.
	MaxRegression *float64 `json:"maxRegression,omitempty" rule:"min=0"`
}

// Smoke is one prediction made after a deployment. Exactly one of Instances
// (V1 protocol) and Inputs (V2) is set. Both are JSON of the author's own:
// map[string]any, []any, string, bool, and json.Number with the text as written.
type Smoke struct {
	Instances []any   `json:"instances,omitempty" rule:"items=1"`
	Inputs    []any   `json:"inputs,omitempty" rule:"items=1"`
	Expect    *Expect `json:"expect,omitempty"`
}

// Expect is what the answer must look like.
type Expect struct {
	// Shape of the predictions; -1 stands for any length.
	Shape []int64 `json:"shape,omitempty" rule:"min=-1"`
	// Type of each value, such as number, or FP32 in the V2 protocol.
	Type string `json:"type,omitempty" rule:"word"`
	// Min and Max bound each value.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Latency bounds the time of the answer.
	Latency *Duration `json:"latency,omitempty"`
}
