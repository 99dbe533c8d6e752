package render

import (
	"errors"
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
	naming   schemas.ModelNaming
	metrics  schemas.ServerMetrics
	// grpcPort is where a model that speaks gRPC is asked; 0: it speaks HTTP, or
	// its runtime is the cluster's own and says so itself.
	grpcPort int32
}

func (r *modelRenderer) chooseRuntime() (runtimeChoice, error) {
	spec, serving := r.Deployment.Spec, r.Deployment.Spec.Serving
	format, protocol := spec.Model.Format, spec.InferenceProtocol()
	if format == schemas.FormatCustom {
		if serving.Container == nil {
			return runtimeChoice{}, errors.New("format custom needs spec.serving.container")
		}
		return runtimeChoice{}, nil
	}
	if fault := schemas.RuntimeFault(spec, r.release); fault != "" {
		return runtimeChoice{}, errors.New(fault)
	}
	choice := runtimeChoice{format: format.KServeName(), runtime: serving.Runtime, protocol: protocol}
	if stock := schemas.StockRuntime(format, protocol, serving.Runtime, r.release); stock != nil {
		choice.naming, choice.metrics = stock.Naming, stock.Metrics
		if protocol.GRPC() {
			choice.grpcPort = stock.GRPCPort
		}
		if r.pinsRuntime() {
			choice.runtime = stock.Name
		}
	}
	choice.args = parallelArgs(format, serving.Accelerator)
	return choice, nil
}

// pinsRuntime reports whether the runtime is named although the manifest leaves
// it to KServe. A cluster that has KServe's OpenVINO runtime prefers it for onnx
// and tensorflow, and it cannot use a GPU. And what a canary has to be told, and
// on which port gRPC is spoken, depends on the server.
func (r *modelRenderer) pinsRuntime() bool {
	spec := r.Deployment.Spec
	return spec.Serving.Accelerator != nil && gpuNeedsPin(spec.Model.Format) || spec.InferenceProtocol().GRPC() || r.splitsTraffic()
}

func gpuNeedsPin(format schemas.ModelFormat) bool {
	return format == schemas.FormatTensorFlow || format == schemas.FormatONNX
}

// parallelArgs are appended to those of the Hugging Face runtime. vLLM uses one
// GPU unless told of the others, so a replica with four would leave three idle.
func parallelArgs(format schemas.ModelFormat, accelerator *schemas.Accelerator) []string {
	if format != schemas.FormatVLLM && format != schemas.FormatHuggingFace {
		return nil
	}
	var args []string
	if format == schemas.FormatVLLM {
		args = append(args, "--backend=vllm")
	}
	if accelerator != nil && accelerator.Count > 1 {
		args = append(args, "--tensor-parallel-size="+strconv.Itoa(int(accelerator.Count)))
	}
	return args
}
