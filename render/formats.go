package render

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/mlops-platform/mooring/schemas"
)

// runtimeChoice is how KServe is asked to serve a format.
type runtimeChoice struct {
	// format is KServe's name for it; empty for a custom container.
	format string
	// runtime pins a ServingRuntime; empty lets KServe choose.
	runtime  string
	protocol schemas.Protocol
	args     []string
}

// stockFormat is what KServe's stock runtimes (its folder config/runtimes, read
// at 0.11 and 0.20) make of a format.
type stockFormat struct {
	name string
	// protocol is spoken where the manifest names none. Auto-selection needs it:
	// KServe picks a runtime by format and protocol, and assumes v1.
	protocol schemas.Protocol
	// gpuRuntimes are pinned, by protocol, for models with an accelerator. A
	// cluster that has KServe's OpenVINO runtime would prefer it (priority 2 for
	// onnx, 3 for tensorflow), and it cannot use the GPU.
	gpuRuntimes map[schemas.Protocol]string
	since       kserveVersion
}

const (
	runtimeTensorFlow = "kserve-tensorflow-serving"
	runtimeTriton     = "kserve-tritonserver"
)

// stockFormats says how each format is served.
//
// sklearn, xgboost and lightgbm speak v2 by default, which kserve-mlserver
// (the stock runtime of highest priority for them) serves. Its metrics count
// failed requests, and a rollback on error rate needs that; KServe's own v1
// servers count none. mlflow is served by kserve-mlserver alone, which speaks
// only v2. onnx, triton and huggingface get v2 as KServe's own shorthand
// predictors do.
//
// vllm is served by kserve-huggingfaceserver with its vLLM backend and not by
// kserve-vllmserver: that image runs as root (its runtime leaves runAsNonRoot
// out, as no other single-node one does), and only the newest releases have it.
var stockFormats = map[schemas.ModelFormat]stockFormat{
	schemas.FormatSKLearn:  {name: "sklearn", protocol: schemas.ProtocolV2},
	schemas.FormatXGBoost:  {name: "xgboost", protocol: schemas.ProtocolV2},
	schemas.FormatLightGBM: {name: "lightgbm", protocol: schemas.ProtocolV2},
	schemas.FormatMLflow:   {name: "mlflow", protocol: schemas.ProtocolV2},
	schemas.FormatTensorFlow: {name: "tensorflow", protocol: schemas.ProtocolV1, gpuRuntimes: map[schemas.Protocol]string{
		schemas.ProtocolV1: runtimeTensorFlow, schemas.ProtocolGRPCV1: runtimeTensorFlow,
		schemas.ProtocolV2: runtimeTriton, schemas.ProtocolGRPCV2: runtimeTriton,
	}},
	schemas.FormatPyTorch: {name: "pytorch", protocol: schemas.ProtocolV1},
	schemas.FormatONNX: {name: "onnx", protocol: schemas.ProtocolV2, gpuRuntimes: map[schemas.Protocol]string{
		schemas.ProtocolV2: runtimeTriton, schemas.ProtocolGRPCV2: runtimeTriton,
	}},
	schemas.FormatTriton:      {name: "triton", protocol: schemas.ProtocolV2},
	schemas.FormatHuggingFace: {name: "huggingface", protocol: schemas.ProtocolV2, since: kserveHuggingFace},
	schemas.FormatVLLM:        {name: "huggingface", protocol: schemas.ProtocolV2, since: kserveHuggingFace},
	schemas.FormatPMML:        {name: "pmml", protocol: schemas.ProtocolV1},
	schemas.FormatPaddle:      {name: "paddle", protocol: schemas.ProtocolV1},
}

// rootRuntime is the stock runtime whose image runs as root.
const rootRuntime = "kserve-vllmserver"

// Protocol is the inference protocol that a model speaks: the manifest's, else
// its format's default. For a custom container that names none it is v1, as
// KServe assumes.
func Protocol(spec schemas.ModelDeploymentSpec) schemas.Protocol {
	if p := spec.Serving.Protocol; p != "" {
		return p
	}
	if stock, ok := stockFormats[spec.Model.Format]; ok {
		return stock.protocol
	}
	return schemas.ProtocolV1
}

func chooseRuntime(spec schemas.ModelDeploymentSpec, version kserveVersion) (runtimeChoice, error) {
	format, serving := spec.Model.Format, spec.Serving
	if format == schemas.FormatCustom {
		if serving.Container == nil {
			return runtimeChoice{}, errors.New("format custom needs spec.serving.container")
		}
		return runtimeChoice{}, nil
	}
	stock, ok := stockFormats[format]
	switch {
	case !ok:
		return runtimeChoice{}, fmt.Errorf("no serving runtime is known for format %q", format)
	case serving.Runtime == rootRuntime:
		return runtimeChoice{}, fmt.Errorf("runtime %s runs as root, which no model may; leave spec.serving.runtime out "+
			"and use format vllm, which is served by the Hugging Face runtime with its vLLM backend", rootRuntime)
	case serving.Runtime == "" && !version.atLeast(stock.since):
		return runtimeChoice{}, fmt.Errorf("format %s needs KServe %s or later, the environment has %s", format, stock.since, version)
	}
	choice := runtimeChoice{format: stock.name, runtime: serving.Runtime, protocol: Protocol(spec)}
	if serving.Accelerator != nil && choice.runtime == "" {
		choice.runtime = stock.gpuRuntimes[choice.protocol]
	}
	if format == schemas.FormatVLLM {
		choice.args = vllmArgs(serving.Accelerator)
	}
	return choice, nil
}

// vllmArgs are appended to those of the runtime. vLLM uses one GPU unless told
// of the others, so a replica with four would leave three idle.
func vllmArgs(accelerator *schemas.Accelerator) []string {
	args := []string{"--backend=vllm"}
	if accelerator != nil && accelerator.Count > 1 {
		args = append(args, "--tensor-parallel-size="+strconv.Itoa(int(accelerator.Count)))
	}
	return args
}
