package schemas

import (
	"cmp"
	"slices"
	"strings"
)

// ServingRuntime is one of KServe's stock ClusterServingRuntimes, of its folder
// config/runtimes. Clusters may have others, of which nothing is known here.
type ServingRuntime struct {
	Name string
	// Formats that KServe gives to it by itself, by KServe's names.
	Formats []string
	// OnDemand are formats that it serves only where a manifest names it.
	OnDemand  []string
	Protocols []Protocol
	// Since is the first release that has it in this form, Until the first that
	// has not; zero: no bound.
	Since, Until KServeVersion
	// GRPCPort is where its server speaks gRPC; HTTP it speaks on 8080. Zero: it
	// speaks none, or not by KServe's protocols.
	GRPCPort int32
	// GPUImage is the first release in which its server for GPUs is another image,
	// which KServe takes where it sees a GPU; zero: one image serves on both.
	GPUImage KServeVersion
	// Naming is how the server learns the model's name.
	Naming ModelNaming
	// Metrics is what the server counts.
	Metrics ServerMetrics
}

// ServerMetrics is what a server counts, by whose names.
type ServerMetrics int

// What the stock servers count.
const (
	// MetricsNone: TensorFlow Serving counts only if told to by a file that the
	// stock runtime does not have, whatever its annotation for Prometheus says.
	MetricsNone ServerMetrics = iota
	// MetricsSDK are those of KServe's Python servers: how long requests take, not
	// how many fail. TorchServe's image has such a server before it.
	MetricsSDK
	MetricsMLServer
	MetricsTriton
	// MetricsHuggingFace are vLLM's where vLLM serves, else those of the SDK.
	MetricsHuggingFace
)

// ModelNaming is how a server learns the name under which clients ask for its
// model. KServe tells it the InferenceService's name unless told otherwise.
type ModelNaming int

// The ways.
const (
	// NamedByArtifact: the artefact holds the names (Triton, TorchServe).
	NamedByArtifact ModelNaming = iota
	// NamedByArgument: the argument --model_name, of which the last counts.
	NamedByArgument
	// NamedByVariable: the variable MLSERVER_MODEL_NAME.
	NamedByVariable
)

// The stock runtimes that something else refers to.
const (
	RuntimeTensorFlow = "kserve-tensorflow-serving"
	RuntimeTriton     = "kserve-tritonserver"
	// RuntimeVLLM is not in the table below: its image runs as root, which no
	// model may. Format vllm is served by the Hugging Face runtime.
	RuntimeVLLM = "kserve-vllmserver"
)

var (
	v1AndV2     = []Protocol{ProtocolV1, ProtocolV2}
	v2AndGRPCV2 = []Protocol{ProtocolV2, ProtocolGRPCV2}
)

// servingRuntimes in the order in which KServe prefers them: of those that
// serve a format and protocol, it takes the one of highest priority. Left out
// are runtimes that no release installs by itself or that serve no format of
// ours, and those for several nodes.
//
// TorchServe's ports for gRPC are in no runtime: version 1 of the protocol is
// TorchServe's own, on its default port, and version 2 that of KServe's server in
// the same image.
var servingRuntimes = []ServingRuntime{
	{Name: "kserve-mlserver", Formats: []string{"sklearn", "xgboost", "lightgbm", "mlflow"}, Protocols: []Protocol{ProtocolV2}, Naming: NamedByVariable, Metrics: MetricsMLServer},
	{Name: "kserve-sklearnserver", Formats: []string{"sklearn"}, Protocols: v1AndV2, Naming: NamedByArgument, Metrics: MetricsSDK},
	{Name: "kserve-xgbserver", Formats: []string{"xgboost"}, Protocols: v1AndV2, Naming: NamedByArgument, Metrics: MetricsSDK},
	{Name: "kserve-lgbserver", Formats: []string{"lightgbm"}, Protocols: v1AndV2, Naming: NamedByArgument, Metrics: MetricsSDK},
	{Name: "kserve-pmmlserver", Formats: []string{"pmml"}, Protocols: v1AndV2, Naming: NamedByArgument, Metrics: MetricsSDK},
	{Name: "kserve-paddleserver", Formats: []string{"paddle"}, Protocols: v1AndV2, Naming: NamedByArgument, Metrics: MetricsSDK},
	{Name: RuntimeTensorFlow, Formats: []string{"tensorflow"}, Protocols: []Protocol{ProtocolV1, ProtocolGRPCV1}, GRPCPort: 9000, GPUImage: firstKServe, Naming: NamedByArgument},
	{Name: "kserve-torchserve", Formats: []string{"pytorch"}, Protocols: []Protocol{ProtocolV1, ProtocolV2, ProtocolGRPCV1}, GRPCPort: 7070, Until: kserveTorchServeV2, GPUImage: firstKServe, Metrics: MetricsSDK},
	{Name: "kserve-torchserve", Formats: []string{"pytorch"}, Protocols: []Protocol{ProtocolV1, ProtocolV2, ProtocolGRPCV2}, GRPCPort: 8081, Since: kserveTorchServeV2, GPUImage: firstKServe, Metrics: MetricsSDK},
	{Name: RuntimeTriton, Formats: []string{"tensorflow", "onnx", "triton"}, OnDemand: []string{"pytorch"}, Protocols: v2AndGRPCV2, GRPCPort: 9000, Metrics: MetricsTriton},
	{Name: "kserve-huggingfaceserver", Formats: []string{"huggingface"}, Protocols: v1AndV2, Since: KServeHuggingFace, GPUImage: kserveHuggingFaceGPU, Naming: NamedByArgument, Metrics: MetricsHuggingFace},
}

// defaultProtocols are spoken where a manifest names none. KServe would assume
// v1 everywhere, and mlflow would find no runtime.
//
// sklearn, xgboost and lightgbm speak v2, which kserve-mlserver serves. Its
// metrics count failed requests, and a rollback on error rate needs that;
// KServe's own v1 servers count none. mlflow has no other server, and onnx,
// triton and huggingface get v2 as KServe's shorthand predictors do.
var defaultProtocols = map[ModelFormat]Protocol{
	FormatSKLearn: ProtocolV2, FormatXGBoost: ProtocolV2, FormatLightGBM: ProtocolV2, FormatMLflow: ProtocolV2,
	FormatONNX: ProtocolV2, FormatTriton: ProtocolV2, FormatHuggingFace: ProtocolV2, FormatVLLM: ProtocolV2,
}

// KServeName is what KServe calls the format; empty for a custom container.
func (f ModelFormat) KServeName() string {
	switch f {
	case FormatCustom:
		return ""
	case FormatVLLM:
		return string(FormatHuggingFace)
	default:
		return string(f)
	}
}

// NeedsAccelerator reports that the format's server does not run on CPUs.
func (f ModelFormat) NeedsAccelerator() bool { return f == FormatVLLM }

// InferenceProtocol is what the model speaks: the manifest's protocol, else its
// format's default.
func (s ModelDeploymentSpec) InferenceProtocol() Protocol {
	return cmp.Or(s.Serving.Protocol, defaultProtocols[s.Model.Format], ProtocolV1)
}

// GRPC reports whether the protocol is one of gRPC.
func (p Protocol) GRPC() bool { return p == ProtocolGRPCV1 || p == ProtocolGRPCV2 }

// StockRuntime is the stock runtime of a release that serves a format by a
// protocol: the named one if it does, and with no name the one that KServe
// prefers. It is nil where there is none.
func StockRuntime(format ModelFormat, protocol Protocol, name string, release KServeVersion) *ServingRuntime {
	for i := range servingRuntimes {
		if r := &servingRuntimes[i]; r.in(release) && r.serves(format, name) && slices.Contains(r.Protocols, protocol) {
			return r
		}
	}
	return nil
}

// takesGPU reports whether KServe starts the runtime's server for GPUs on a pool
// with the resource. It knows GPUs by the name of the resource; time slices under
// a name of their own, and GPUs of other makers, get the server for CPUs.
func (r *ServingRuntime) takesGPU(resource string, release KServeVersion) bool {
	switch {
	case r.GPUImage == KServeVersion{} || !release.AtLeast(r.GPUImage), resource == "nvidia.com/gpu":
		return true
	default:
		return strings.HasPrefix(resource, "nvidia.com/mig") && release.AtLeast(kserveSliceImages)
	}
}

// knownRuntime reports whether a name is a stock runtime's, in whatever release.
func knownRuntime(name string) bool {
	return slices.ContainsFunc(servingRuntimes, func(r ServingRuntime) bool { return r.Name == name })
}

// servedProtocols are those by which a release's stock runtimes serve a format.
func servedProtocols(format ModelFormat, name string, release KServeVersion) []Protocol {
	var out []Protocol
	for _, p := range protocols {
		if StockRuntime(format, p, name, release) != nil {
			out = append(out, p)
		}
	}
	return out
}

func (r *ServingRuntime) in(release KServeVersion) bool {
	return release.AtLeast(r.Since) && (r.Until == KServeVersion{} || !release.AtLeast(r.Until))
}

func (r *ServingRuntime) serves(format ModelFormat, name string) bool {
	if name == "" {
		return slices.Contains(r.Formats, format.KServeName())
	}
	return r.Name == name && (slices.Contains(r.Formats, format.KServeName()) || slices.Contains(r.OnDemand, format.KServeName()))
}
