package render

import (
	"fmt"
	"slices"
	"strings"
)

// panels are the model's at a glance, and over time.
func (o *observed) panels() []panel {
	plots := slices.Concat(o.requestPlots(), o.resourcePlots(), o.acceleratorPlots())
	if text := o.uncounted(); text != "" {
		plots = append(plots, note("What is not counted", text))
	}
	return layout(o.stats(), plots)
}

func (o *observed) counted() bool { return o.signals.requests != "" }

// The limits of the alerts, as lines in the graphs.
func (o *observed) errorLimit() *limit {
	return &limit{at: o.Deployment.Spec.Rollout.Rollback.ErrorRate.Fraction()}
}

func (o *observed) availabilityLimit() *limit {
	return &limit{at: o.Deployment.Spec.Rollout.Rollback.Availability.Fraction(), floor: true}
}

func (o *observed) stats() []panel {
	out := []panel{stat("Available, last hour", unitShare, o.availabilityLimit(), query{"avg_over_time(" + o.recorded(recordAvailable) + "[1h])", "available"})}
	if o.counted() {
		out = append(out, stat("Requests", unitRequests, nil, query{o.recorded(recordRequests), "requests"}))
	}
	if o.signals.failures != "" {
		out = append(out, stat("Error rate", unitShare, o.errorLimit(), query{o.recorded(recordErrors), "failed"}))
	}
	if o.counted() {
		name := o.judgedLatency()
		out = append(out, stat("Latency, "+name, unitSeconds, nil, query{o.recorded(recordLatency + name), name}))
	}
	least := &limit{at: float64(o.Deployment.Spec.Serving.Replicas.Low()), floor: true}
	return append(out, stat("Replicas ready", unitCount, least, query{o.replicaCount("kube_deployment_status_replicas_available", componentPredictor), "ready"}))
}

func (o *observed) requestPlots() []panel {
	if !o.counted() {
		return nil
	}
	out := []panel{plot("Request rate", "", unitRequests, nil, query{o.recorded(recordRequests), "requests"})}
	if o.signals.failures != "" {
		out = append(out, plot("Error rate", "The line is the limit of the alert ModelErrorRateHigh.", unitShare, o.errorLimit(), query{o.recorded(recordErrors), "failed"}))
	}
	return append(out, plot("Latency", "The limit is that of the alert ModelLatencyHigh: it follows the median of the day before.", unitSeconds, nil, o.latencies()...))
}

func (o *observed) latencies() []query {
	var out []query
	if o.signals.mean {
		out = append(out, query{o.recorded(recordLatency + "mean"), "mean"})
	} else {
		for _, q := range latencyQuantiles {
			out = append(out, query{o.recorded(recordLatency + q.name), q.name})
		}
	}
	factor := number(o.Deployment.Spec.Rollout.Rollback.LatencyP95Factor)
	return append(out, query{factor + " * " + o.recorded(recordBaseline), "limit of the " + o.judgedLatency()})
}

// resourcePlots are replicas, CPU and memory. What is used is of the containers
// that serve, without what is injected beside them.
func (o *observed) resourcePlots() []panel {
	container := []string{equal("namespace", o.namespace), o.pods(), equal("container", servingContainer)}
	of := func(metric string, more ...string) string { return selector(metric, slices.Concat(container, more)...) }
	cpu, memory := equal("resource", "cpu"), equal("resource", "memory")
	return []panel{
		plot("Replicas", "", unitCount, nil, o.replicaQueries()...),
		plot("CPU, all replicas", "In cores.", unitCount, nil,
			query{fmt.Sprintf("sum(rate(%s[%s]))", of("container_cpu_usage_seconds_total"), o.window), "used"},
			query{"sum(" + of("kube_pod_container_resource_requests", cpu) + ")", "requested"},
			query{"sum(" + of("kube_pod_container_resource_limits", cpu) + ")", "limit"}),
		plot("Memory of the fullest replica", "Above its limit a replica is ended.", unitBytes, nil,
			query{"max(" + of("container_memory_working_set_bytes") + ")", "used"},
			query{"max(" + of("kube_pod_container_resource_requests", memory) + ")", "requested"},
			query{"max(" + of("kube_pod_container_resource_limits", memory) + ")", "limit"}),
	}
}

func (o *observed) replicaQueries() []query {
	replicas := o.Deployment.Spec.Serving.Replicas
	out := []query{
		{o.replicaCount("kube_deployment_status_replicas_available", componentPredictor), "ready"},
		{o.replicaCount("kube_deployment_spec_replicas", componentPredictor), "wanted"},
		{fmt.Sprintf("vector(%d)", replicas.Low()), "min"},
		{fmt.Sprintf("vector(%d)", replicas.High()), "max"},
	}
	for _, c := range o.components()[1:] {
		out = append(out, query{o.replicaCount("kube_deployment_status_replicas_available", c.name), c.name + " ready"})
	}
	return out
}

// partOfGPU begins the resources of MIG.
const partOfGPU = "nvidia.com/mig-"

// acceleratorPlots read NVIDIA's DCGM exporter. It names the pod that has a device
// in labels that Prometheus renames, unless it is told to honour them. Of a part
// of a GPU it tells the activity alone.
func (o *observed) acceleratorPlots() []panel {
	if o.Deployment.Spec.Serving.Accelerator == nil || o.Predictor.Pool.Accelerator == nil {
		return nil
	}
	resource := o.Predictor.Pool.Accelerator.Resource
	if !strings.HasPrefix(resource, "nvidia.com/") {
		return nil
	}
	of := func(metric string) string {
		namespace, pods := equal("namespace", o.namespace), o.pods()
		return selector(metric, "exported_"+namespace, "exported_"+pods) + " or " + selector(metric, namespace, pods)
	}
	busy := of("DCGM_FI_DEV_GPU_UTIL")
	scale := ""
	if strings.HasPrefix(resource, partOfGPU) {
		busy, scale = of("DCGM_FI_PROF_GR_ENGINE_ACTIVE"), " * 100"
	}
	utilisation := plot("GPU utilisation", "", unitPercent, nil, query{"avg(" + busy + ")" + scale, "mean"}, query{"max(" + busy + ")" + scale, "busiest"})
	utilisation.FieldConfig.Defaults.Max = ptr(100.0)
	used := of("DCGM_FI_DEV_FB_USED")
	return []panel{utilisation, plot("GPU memory in use", "", unitMebibyte, nil, query{"avg(" + used + ")", "mean"}, query{"max(" + used + ")", "fullest"})}
}
