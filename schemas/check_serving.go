package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// RuntimeFault says why no stock runtime of a release serves what a manifest
// asks for; it is empty where one does, or where the manifest names a runtime of
// the cluster's own, of which nothing is known.
func RuntimeFault(spec ModelDeploymentSpec, release KServeVersion) string {
	format, name := spec.Model.Format, spec.Serving.Runtime
	protocol := spec.InferenceProtocol()
	switch {
	case format == FormatCustom, StockRuntime(format, protocol, name, release) != nil:
		return ""
	case name == RuntimeVLLM:
		return "runtime " + RuntimeVLLM + " runs as root, which no model may"
	case name != "" && !knownRuntime(name):
		return ""
	}
	served := servedProtocols(format, name, release)
	switch {
	case name != "" && len(served) == 0:
		return fmt.Sprintf("the runtime %s does not serve format %s", name, format)
	case name != "":
		return fmt.Sprintf("the runtime %s of KServe %s does not serve format %s over %s", name, release, format, protocol)
	case len(served) == 0 && len(servedProtocols(format, name, KServeHuggingFace)) > 0:
		return fmt.Sprintf("format %s needs KServe %s or later, the environment has %s", format, KServeHuggingFace, release)
	case len(served) == 0:
		return fmt.Sprintf("no serving runtime is known for format %q", format)
	default:
		return fmt.Sprintf("no stock runtime of KServe %s serves format %s over %s", release, format, protocol)
	}
}

// runtime: KServe has a runtime for the format and the protocol. It would say so
// only after the deployment, in an event.
func (c *references) runtime(release KServeVersion) {
	fault := RuntimeFault(*c.spec, release)
	if fault == "" {
		return
	}
	format, serving := c.spec.Model.Format, c.spec.Serving
	served := servedProtocols(format, serving.Runtime, release)
	field, remedy := "spec.model.format", "choose a format that this release serves, or format custom"
	switch {
	case serving.Runtime == RuntimeVLLM:
		field, remedy = "spec.serving.runtime", "leave the runtime out and write format: vllm, which the Hugging Face runtime serves with its vLLM backend"
	case len(served) > 0 && serving.Protocol != "":
		field, remedy = "spec.serving.protocol", "write "+strings.Join(texts(served...), " or ")+", or leave the protocol out"
	case serving.Runtime != "" && len(served) > 0:
		field, remedy = "spec.serving.runtime", "write spec.serving.protocol: "+texts(served...)[0]+", or leave the runtime out"
	case serving.Runtime != "":
		field, remedy = "spec.serving.runtime", "leave the runtime out: KServe chooses one by format and protocol"
	}
	c.fault(field, CodeRuntime, fault, remedy)
}

// accelerated: a format whose server needs an accelerator asks for one.
func (c *references) accelerated() {
	if format := c.spec.Model.Format; format.NeedsAccelerator() && c.spec.Serving.Accelerator == nil {
		c.fault("spec.model.format", CodeNeedsAccelerator, fmt.Sprintf("format %s runs on GPUs, and spec.serving.accelerator asks for none", format),
			"write spec.serving.accelerator: {type: …, count: 1}, or format: huggingface, which runs on CPUs too")
	}
}

// gpuImage: on a pool with the accelerator that the manifest asks for, KServe has
// to choose the server that uses it. It would run on the CPU instead, in silence.
func (c *references) gpuImage(e *EnvironmentSpec, release KServeVersion) {
	serving := c.spec.Serving
	stock := StockRuntime(c.spec.Model.Format, c.spec.InferenceProtocol(), serving.Runtime, release)
	if serving.Accelerator == nil || stock == nil {
		return
	}
	for _, p := range e.Pools {
		a := p.Accelerator
		offers := a != nil && (a.Name == serving.Accelerator.Type || a.Resource == serving.Accelerator.Type)
		if !offers || serving.Pool != PoolAuto && serving.Pool != p.Name || stock.takesGPU(a.Resource, release) {
			continue
		}
		c.fault("spec.serving.accelerator.type", CodeRuntime,
			fmt.Sprintf("KServe %s does not take the resource %s of pool %s for a GPU, and starts the image of %s for CPUs", release, a.Resource, p.Name, stock.Name),
			"ask for an accelerator whose resource is nvidia.com/gpu, or name a runtime of the cluster's own whose image uses the GPU")
		return
	}
}

// maxUtilization is what KServe's webhook takes for the metrics in percent.
const maxUtilization = 100

// autoscaling: each mode has metrics of its own, and some need what the
// environment has to have. KServe checks little of it in Standard mode.
func (c *references) autoscaling(k KServe, release KServeVersion) {
	a := c.spec.Serving.Autoscaling
	if a == nil {
		return
	}
	const at = "spec.serving.autoscaling"
	allowed := []ScaleMetric{ScaleCPU, ScaleMemory, ScalePrometheus, ScaleExternal}
	if k.Mode == ModeKnative {
		allowed = []ScaleMetric{ScaleConcurrency, ScaleRPS}
	}
	switch {
	case !slices.Contains(allowed, a.Metric):
		c.fault(at+".metric", CodeServingMode, fmt.Sprintf("in %s mode models do not scale on %s", k.Mode, a.Metric),
			"write "+strings.Join(texts(allowed...), " or "))
	case a.Metric == ScalePrometheus && k.KEDA == nil:
		c.fault(at+".metric", CodeServingMode, c.spec.Environment+" declares no KEDA, which scales on queries",
			"write cpu or memory, or declare spec.kserve.keda in the environment")
	case a.Metric == ScaleExternal && !release.AtLeast(KServeExternalScaling):
		c.fault(at+".metric", CodeServingMode, fmt.Sprintf("KServe %s makes an autoscaler of its own for every model, %s is the first that does not",
			release, KServeExternalScaling), "write cpu or memory")
	case a.Metric.utilization() && a.Target > maxUtilization:
		c.fault(at+".target", CodeOutOfRange, fmt.Sprintf("KServe takes a target of at most %d %% of the request, not %d", maxUtilization, a.Target),
			"lower the target, or raise the request")
	}
}

// serving: what KServe of the environment's release and mode can do.
func (c *references) serving(e *EnvironmentSpec) {
	release, err := ParseKServeVersion(e.KServe.Version)
	if err != nil {
		return // a finding of the environment
	}
	c.runtime(release)
	c.accelerated()
	c.gpuImage(e, release)
	c.autoscaling(e.KServe, release)
	c.canary(e)
	c.graph(e)
	c.batcher()
	c.grpc(e, release)
	c.storage(release)
	c.timeout(e.KServe.Mode)
}

// grpc: KServe's logger and the environment's gateway stand between clients and a
// model, and not all of them carry gRPC.
func (c *references) grpc(e *EnvironmentSpec, release KServeVersion) {
	protocol := c.spec.InferenceProtocol()
	if !protocol.GRPC() || RuntimeFault(*c.spec, release) != "" {
		return
	}
	if c.spec.Serving.Logger != nil && !release.AtLeast(kserveLogsGRPC) {
		c.fault("spec.serving.logger", CodeServingMode,
			fmt.Sprintf("the logger of KServe %s lets no gRPC through, %s is the first that does, and the model speaks %s", release, kserveLogsGRPC, protocol),
			"remove the logger, serve the model over v1 or v2, or upgrade KServe and write its version")
	}
	// A canary that nothing splits is an error of its own.
	if e.Gateway != nil && c.spec.Rollout.Canary == nil {
		c.warn("spec.serving.protocol", CodeNoRoute,
			fmt.Sprintf("the gateway of %s is given routes of HTTP only, and the model speaks %s: it gets none, and no host name", c.spec.Environment, protocol),
			"let clients inside the cluster ask MODEL-predictor.NAMESPACE:80, or serve the model over v1 or v2")
	}
}

// maxRevisionTimeout is Knative's stock max-revision-timeout-seconds.
// https://knative.dev/docs/serving/configuration/config-defaults/
const maxRevisionTimeout = 600

// timeout: Knative's webhook refuses a revision whose requests may take longer
// than it is configured to let them.
func (c *references) timeout(mode KServeMode) {
	t := c.spec.Serving.TimeoutSeconds
	if t == nil || mode != ModeKnative || *t <= maxRevisionTimeout {
		return
	}
	c.warn("spec.serving.timeoutSeconds", CodeServingMode,
		fmt.Sprintf("Knative refuses a revision whose requests may take more than %d seconds, unless told otherwise, and the model would never become ready", maxRevisionTimeout),
		fmt.Sprintf("write at most %d, or raise max-revision-timeout-seconds in Knative's ConfigMap config-defaults", maxRevisionTimeout))
}

// batcher: KServe's reads the instances of protocol v1, and passes on all else.
func (c *references) batcher() {
	if protocol := c.spec.InferenceProtocol(); c.spec.Serving.Batcher != nil && protocol != ProtocolV1 {
		c.warn("spec.serving.batcher", CodeNoEffect, "KServe batches requests of protocol v1, and the model speaks "+string(protocol),
			"remove the batcher, or write protocol: v1 where the format has it; MLServer and Triton batch by settings of their own")
	}
}

// canary: a new version can be given a part of the traffic. What no environment
// of Standard mode could split is an error. Where the environment only lacks a
// gateway it is a warning: the manifest is right, and the version rolls out pod
// by pod (docs/adr/0011-a-canary-without-a-gateway.md).
func (c *references) canary(e *EnvironmentSpec) {
	name := c.doc.Value.Metadata.Name
	if e.Gateway != nil && strings.HasSuffix(name, CanarySuffix) {
		c.fault("metadata.name", CodeReservedName, "names that end in "+CanarySuffix+" are kept for the second service of a canary", "choose another name")
	}
	if c.spec.Rollout.Canary == nil || e.KServe.Mode != ModeStandard {
		return
	}
	const field = "spec.rollout.canary"
	switch {
	case c.spec.InferenceProtocol().GRPC():
		c.fault(field, CodeCanary, "in Standard mode a gateway splits HTTP requests, and the model speaks "+string(c.spec.InferenceProtocol()),
			"serve it over v1 or v2, or remove the canary")
	case c.spec.Serving.Runtime != "" && !knownRuntime(c.spec.Serving.Runtime) && c.spec.Serving.Runtime != RuntimeVLLM:
		c.fault(field, CodeCanary, "a canary is a second service that answers to the first one's name, and how to tell the runtime "+
			echo(c.spec.Serving.Runtime)+" its model's name is not known", "use a stock runtime or format custom, or remove the canary")
	case e.Gateway == nil:
		c.warn(field, CodeCanary, "in Standard mode KServe splits no traffic, and "+c.spec.Environment+
			" declares no gateway that does: a new version replaces the old one pod by pod, without steps",
			"remove the canary, or do not count on it: with spec.gateway in the environment both versions can be served, and no release goes through the steps yet")
	}
}
