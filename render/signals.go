package render

import (
	"fmt"
	"slices"

	"github.com/mlops-platform/mooring/schemas"
)

// signals are how a model's requests are counted, as expressions in PromQL
// without labels in their results.
type signals struct {
	// requests and failures a second; empty where nobody counts them.
	requests, failures string
	// latency is the quantile that it is given, in seconds, where there were
	// requests. Servers that add up times alone tell the mean, whatever they are
	// given, and mean says so.
	latency func(quantile string) string
	mean    bool
}

// chooseSignals takes what stands before the model's server, if it counts: it
// counts failures, too, and what clients wait for. The server's own counts are
// the last resort.
func (o *observed) chooseSignals() signals {
	switch {
	case o.settings.Mesh == schemas.MeshIstio:
		return o.istio()
	case o.knative():
		return either(o.queueProxy(), o.formerQueueProxy())
	}
	switch o.runtime.metrics {
	case schemas.MetricsMLServer:
		return o.mlserver()
	case schemas.MetricsTriton:
		return o.triton()
	case schemas.MetricsSDK:
		return o.sdk()
	case schemas.MetricsHuggingFace:
		return either(o.vllm(), o.sdk())
	default:
		return signals{}
	}
}

// rate sums the rates of a counter that pods of a component expose.
func (o *observed) rate(component, metric string, matchers ...string) string {
	return o.sum("sum", metric, append(o.scraped(component), matchers...))
}

func (o *observed) sum(sum, metric string, matchers []string) string {
	return fmt.Sprintf("%s(rate(%s[%s]))", sum, selector(metric, matchers...), o.window)
}

// scraped matches what the model's PodMonitor reads from a component.
func (o *observed) scraped(component string) []string {
	return []string{equal("namespace", o.namespace), equal("job", o.namespace+"/"+o.name), equal("component", component)}
}

// quantile estimates quantiles from the buckets of a histogram whose unit is that
// many to a second. Where nothing was counted it has no result rather than NaN.
func (o *observed) quantile(perSecond int, buckets string, matchers []string) func(string) string {
	return func(quantile string) string {
		expr := fmt.Sprintf("histogram_quantile(%s, %s)", quantile, o.sum("sum by (le) ", buckets, matchers))
		if perSecond != 1 {
			expr += fmt.Sprintf(" / %d", perSecond)
		}
		return expr + " >= 0"
	}
}

// sdk: KServe's Python servers, python/kserve/kserve/metrics.py.
func (o *observed) sdk() signals {
	return signals{
		requests: o.rate(componentPredictor, "request_predict_seconds_count"),
		latency:  o.quantile(1, "request_predict_seconds_bucket", o.scraped(componentPredictor)),
	}
}

// vllm registers its metrics with the Hugging Face server around it. It counts
// what it finished; what it refused it counts nowhere.
func (o *observed) vllm() signals {
	return signals{
		requests: o.rate(componentPredictor, "vllm:e2e_request_latency_seconds_count"),
		latency:  o.quantile(1, "vllm:e2e_request_latency_seconds_bucket", o.scraped(componentPredictor)),
	}
}

// mlserver: mlserver/handlers/dataplane.py counts successes only from the first
// one on, but failures from the first request on.
func (o *observed) mlserver() signals {
	failures := o.rate(componentPredictor, "model_infer_request_failure_total")
	return signals{
		requests: fmt.Sprintf("(%s or vector(0)) + %s", o.rate(componentPredictor, "model_infer_request_success_total"), failures),
		failures: failures,
		latency:  o.quantile(1, "rest_server_request_duration_seconds_bucket", append(o.scraped(componentPredictor), matching("path", ".*/infer"))),
	}
}

// triton has no histogram of whole requests in the releases that KServe runs.
func (o *observed) triton() signals {
	success, failures := o.rate(componentPredictor, "nv_inference_request_success"), o.rate(componentPredictor, "nv_inference_request_failure")
	return signals{
		requests: fmt.Sprintf("%s + %s", success, failures),
		failures: failures,
		latency: func(string) string {
			return fmt.Sprintf("%s / 1000000 / %s >= 0", o.rate(componentPredictor, "nv_inference_request_duration_us"), success)
		},
		mean: true,
	}
}

// queueProxy is Knative's, since its release 1.19.
func (o *observed) queueProxy() signals {
	const count = "kn_serving_invocation_duration_seconds_count"
	return signals{
		requests: o.rate(o.entryComponent(), count),
		failures: o.rate(o.entryComponent(), count, matching("http_response_status_code", "5..")),
		latency:  o.quantile(1, "kn_serving_invocation_duration_seconds_bucket", o.scraped(o.entryComponent())),
	}
}

// formerQueueProxy is Knative's before its release 1.19.
func (o *observed) formerQueueProxy() signals {
	const count = "revision_request_count"
	return signals{
		requests: o.rate(o.entryComponent(), count),
		failures: o.rate(o.entryComponent(), count, equal("response_code_class", "5xx")),
		latency:  o.quantile(1000, "revision_request_latencies_bucket", o.scraped(o.entryComponent())),
	}
}

// faultsOfServers are the codes of gRPC for what is no fault of the client's:
// unknown, deadline exceeded, resource exhausted, unimplemented, internal,
// unavailable and data loss.
const faultsOfServers = "2|4|8|12|13|14|15"

// istio: the proxies' standard metrics, which the mesh's own monitors read.
// Requests are counted where they arrive.
func (o *observed) istio() signals {
	workload := fmt.Sprintf("%s(%s)?-%s", o.name, schemas.CanarySuffix, o.entryComponent())
	if o.knative() {
		workload = fmt.Sprintf("%s-%s-[0-9]{5}-deployment", o.name, o.entryComponent())
	}
	matchers := []string{equal("reporter", "destination"), equal("destination_workload_namespace", o.namespace), matching("destination_workload", workload)}
	failed := matching("response_code", "5..")
	if o.Deployment.Spec.InferenceProtocol().GRPC() {
		failed = matching("grpc_response_status", faultsOfServers)
	}
	return signals{
		requests: o.sum("sum", "istio_requests_total", matchers),
		failures: o.sum("sum", "istio_requests_total", slices.Concat(matchers, []string{failed})),
		latency:  o.quantile(1000, "istio_request_duration_milliseconds_bucket", matchers),
	}
}

// either is whichever of two has counted.
func either(a, b signals) signals {
	out := signals{
		requests: a.requests + " or " + b.requests,
		latency:  func(q string) string { return "(" + a.latency(q) + ") or (" + b.latency(q) + ")" },
	}
	if a.failures != "" && b.failures != "" {
		out.failures = a.failures + " or " + b.failures
	}
	return out
}

// uncounted says which alerts the model has to do without, and why; empty: none.
func (o *observed) uncounted() string {
	switch {
	case o.signals.requests == "":
		return "Nothing counts the requests of this model: " + o.serverInWords() + ". So there are no alerts on errors and latency. " + remedyMesh
	case o.signals.failures == "":
		return "Nothing counts failed requests: " + o.serverInWords() + ". So there is no alert on the error rate. " + remedyMesh
	default:
		return ""
	}
}

const remedyMesh = "A mesh (spec.observability.mesh of the environment) counts them for every model."

func (o *observed) serverInWords() string {
	switch o.runtime.metrics {
	case schemas.MetricsSDK, schemas.MetricsHuggingFace:
		return "its server, one of KServe's, counts how long requests take, not how many fail"
	}
	if o.runtime.format == "" {
		return "its container is the team's own"
	}
	if runtime := o.Deployment.Spec.Serving.Runtime; runtime != "" && runtime != schemas.RuntimeTensorFlow {
		return "Mooring does not know what the runtime " + runtime + " counts"
	}
	return "its server counts nothing as KServe starts it"
}
