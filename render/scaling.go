package render

import (
	"strconv"

	"github.com/mlops-platform/mooring/schemas"
)

// defaultScaleTarget is KServe's own, in percent of the CPU request.
const defaultScaleTarget = 80

// scale writes what the component scales on. Only the predictor has a metric of
// the manifest's; transformer and explainer scale on CPU in Standard mode.
func (r *modelRenderer) scale(c component, spec *componentSpec) {
	if !r.knative() {
		switch r.autoscalerClass() {
		case classKEDA:
			spec.AutoScaling = &autoScaling{Metrics: []metricSpec{r.kedaMetric(c)}}
			return
		case classExternal:
			return
		}
	}
	if c.replicas.Low() == c.replicas.High() {
		return
	}
	switch a := c.autoscaling; {
	case a != nil:
		spec.ScaleMetric, spec.ScaleTarget = string(a.Metric), ptr(a.Target)
	case !r.knative():
		// Knative's own autoscaler has its default, concurrency.
		spec.ScaleMetric, spec.ScaleTarget = string(schemas.ScaleCPU), ptr[int32](defaultScaleTarget)
	}
}

// kedaMetric is the one trigger that every component under KEDA needs. The
// server's address is the environment's, so that no manifest sends KEDA's
// requests elsewhere.
func (r *modelRenderer) kedaMetric(c component) metricSpec {
	if c.autoscaling == nil {
		return metricSpec{Type: "Resource", Resource: &resourceMetric{
			Name: string(schemas.ScaleCPU), Target: metricTarget{Type: "Utilization", AverageUtilization: ptr[int32](defaultScaleTarget)},
		}}
	}
	return metricSpec{Type: "External", External: &externalMetric{
		Metric: metricQuery{Backend: "prometheus", ServerAddress: r.Environment.Spec.KServe.KEDA.Prometheus, Query: c.autoscaling.Query},
		Target: metricTarget{Type: "Value", Value: strconv.Itoa(int(c.autoscaling.Target))},
	}}
}

// sharedMemory is the name that KServe's Hugging Face runtime gives to the
// volume, so that the two become one.
const sharedMemory = "devshm"

// sharesMemory reports whether the processes that drive a replica's GPUs need
// more shared memory than the 64 MiB that a container has. It counts towards the
// replica's memory limit.
func sharesMemory(a *schemas.Accelerator) bool { return a != nil && a.Count > 1 }
