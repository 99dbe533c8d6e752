package render

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

// What the rules of every model record. Dashboards and alerts read these, so that
// they are the same whatever counts the requests.
const (
	recordRequests  = "mooring_model:requests:rate"
	recordErrors    = "mooring_model:errors:ratio"
	recordLatency   = "mooring_model:latency_seconds:"
	recordJudged    = "mooring_model:latency_seconds:judged"
	recordBaseline  = "mooring_model:latency_seconds:baseline"
	recordAvailable = "mooring_model:available:bool"
)

const (
	// ruleInterval is how often rules are evaluated, whatever Prometheus' default:
	// what counts samples below relies on it.
	ruleInterval = 30 * time.Second
	// minimumTraffic in requests a second, thirty in five minutes: with fewer, a
	// single failed or slow request would be a share that alarms.
	minimumTraffic = "0.1"
	// baselineHistory is how many samples with such traffic make a baseline: an hour.
	baselineHistory = int(time.Hour / ruleInterval)
)

type ruleSpec struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name     string `json:"name"`
	Interval string `json:"interval"`
	Rules    []rule `json:"rules"`
}

type rule struct {
	Record      string            `json:"record,omitempty"`
	Alert       string            `json:"alert,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (o *observed) rules() object {
	group := func(name string, rules []rule) ruleGroup {
		return ruleGroup{Name: o.name + "." + name, Interval: promDuration(ruleInterval), Rules: rules}
	}
	return object{
		APIVersion: monitoringAPIVersion, Kind: rulesKind, Metadata: o.monitorMeta(),
		Spec: ruleSpec{Groups: []ruleGroup{group("signals", o.records()), group("alerts", o.alerts())}},
	}
}

// latencyQuantiles are those that are recorded.
var latencyQuantiles = []struct{ name, quantile string }{{"p50", "0.5"}, {"p95", "0.95"}, {"p99", "0.99"}}

// judgedLatency is the name of the latency that is held against its baseline: the
// platform's 95th percentile, or what there is instead.
func (o *observed) judgedLatency() string {
	if o.signals.mean {
		return "mean"
	}
	return "p95"
}

// records are the rules that others are made of, in the order in which they need
// each other.
func (o *observed) records() []rule {
	var out []rule
	record := func(name, expr string) {
		out = append(out, rule{Record: name, Expr: expr, Labels: o.identity()})
	}
	record(recordAvailable, o.available())
	s := o.signals
	if s.requests == "" {
		return out
	}
	record(recordRequests, s.requests)
	if s.failures != "" {
		// Many counters are not there before they have counted for the first time.
		record(recordErrors, fmt.Sprintf("(%s or vector(0)) / on () %s >= 0", s.failures, o.recorded(recordRequests)))
	}
	if s.mean {
		record(recordLatency+"mean", s.latency(""))
	} else {
		for _, q := range latencyQuantiles {
			record(recordLatency+q.name, s.latency(q.quantile))
		}
	}
	record(recordJudged, fmt.Sprintf("%s and on () %s", o.recorded(recordLatency+o.judgedLatency()), o.busy()))
	// The median of a day outlives an incident of some hours, and the last hour is
	// left out, so that a slow new version is not compared with itself.
	const day = "[1d] offset 1h"
	record(recordBaseline, fmt.Sprintf("quantile_over_time(0.5, %s%s) and on () count_over_time(%s%s) >= %d",
		o.recorded(recordJudged), day, o.recorded(recordJudged), day, baselineHistory))
	return out
}

// busy holds where there is traffic enough to be judged.
func (o *observed) busy() string { return o.recorded(recordRequests) + " > " + minimumTraffic }

// available is 1 while each component has a replica that is ready, as
// kube-state-metrics sees their Deployments, and 0 while one has none. Prometheus'
// own up would say nothing of pods that are not there, and of a server that
// answers Prometheus and no client it would say the wrong thing.
func (o *observed) available() string {
	expr := ""
	for i, c := range o.components() {
		if i > 0 {
			expr += " * "
		}
		expr += o.componentAvailable(c.name)
	}
	return expr
}

func (o *observed) componentAvailable(component string) string {
	ready := fmt.Sprintf("(%s > bool 0)", o.replicaCount("kube_deployment_status_replicas_available", component))
	if !o.knative() {
		return ready
	}
	// Knative takes a component to zero where nobody asks it, and back.
	return fmt.Sprintf("clamp_max(%s + (%s == bool 0), 1)", ready, o.replicaCount("kube_deployment_spec_replicas", component))
}

func (o *observed) replicaCount(metric, component string) string {
	return fmt.Sprintf("sum(%s)", selector(metric, equal("namespace", o.namespace), o.deployments(component)))
}

// The severities, by which Alertmanager chooses whom to tell: critical is for the
// pager, warning for the team's channel.
const (
	severityCritical = "critical"
	severityWarning  = "warning"
)

// runbooks has a heading for each alert.
const runbooks = "https://github.com/mlops-platform/mooring/blob/main/docs/operations/observability.md#"

// alert fills in what all alerts have. Its texts are templates of Prometheus': what
// they hold of the manifest are names and numbers, which the loader has checked.
func (o *observed) alert(name, severity, expr, holds, summary, description string) rule {
	labels := o.identity()
	maps.Copy(labels, map[string]string{"severity": severity, "cost_center": o.labels[schemas.LabelCostCenter], "risk": o.labels[schemas.LabelRisk]})
	return rule{
		Alert: name, Expr: expr, For: holds, Labels: labels,
		Annotations: map[string]string{
			"summary":     fmt.Sprintf("%s in %s: %s", o.name, o.Environment.Metadata.Name, summary),
			"description": description,
			"runbook_url": runbooks + strings.ToLower(name),
		},
	}
}

func (o *observed) alerts() []rule {
	out := []rule{o.modelDown()}
	if !o.scalesToZero() {
		out = append(out, o.availabilityLow())
	}
	if o.signals.failures != "" {
		out = append(out, o.errorRateHigh())
	}
	if o.signals.requests != "" {
		out = append(out, o.latencyHigh())
	}
	if o.metricsPort() != 0 || o.knative() {
		out = append(out, o.metricsMissing())
	}
	return append(out, o.stateUnknown())
}

func (o *observed) holds() string {
	return promDuration(time.Duration(o.Deployment.Spec.Rollout.Rollback.For))
}

func (o *observed) errorRateHigh() rule {
	limit := o.Deployment.Spec.Rollout.Rollback.ErrorRate
	return o.alert("ModelErrorRateHigh", severityCritical,
		fmt.Sprintf("%s > %s and on () %s", o.recorded(recordErrors), number(limit.Fraction()), o.busy()), o.holds(),
		"{{ $value | humanizePercentage }} of the requests fail",
		fmt.Sprintf("More than %s of the requests have failed for %s. The limit is spec.rollout.rollback.errorRate of the manifest.", limit, o.holds()))
}

func (o *observed) latencyHigh() rule {
	factor := number(o.Deployment.Spec.Rollout.Rollback.LatencyP95Factor)
	what := "the 95th percentile of the latency"
	if o.signals.mean {
		what = "the mean latency (its server tells no percentiles)"
	}
	return o.alert("ModelLatencyHigh", severityWarning,
		fmt.Sprintf("%s > %s * %s", o.recorded(recordJudged), factor, o.recorded(recordBaseline)), o.holds(),
		"requests take {{ $value | humanizeDuration }}, more than "+factor+" times as long as usual",
		fmt.Sprintf("For %s, %s has been more than %s times its median of the day before. The factor is spec.rollout.rollback.latencyP95Factor of the manifest.", o.holds(), what, factor))
}

// availabilityLow looks at an hour, so that it sees what comes and goes. A model
// that was not there before that hour is new, and still on its way.
func (o *observed) availabilityLow() rule {
	limit := o.Deployment.Spec.Rollout.Rollback.Availability
	return o.alert("ModelAvailabilityLow", severityWarning,
		fmt.Sprintf("avg_over_time(%s[1h]) < %s and on () max_over_time(%s[1d] offset 1h) == 1",
			o.recorded(recordAvailable), number(limit.Fraction()), o.recorded(recordAvailable)), o.holds(),
		"it was available for {{ $value | humanizePercentage }} of the last hour",
		fmt.Sprintf("A component of the model had no replica that was ready for so long that its availability over an hour is below %s. The limit is spec.rollout.rollback.availability of the manifest.", limit))
}

// modelDown leaves out a model that has not served for a week, or never: it is
// then a release that did not work, which Mooring says itself.
func (o *observed) modelDown() rule {
	return o.alert("ModelDown", severityCritical,
		fmt.Sprintf("%s == 0 and on () max_over_time(%s[1w]) == 1", o.recorded(recordAvailable), o.recorded(recordAvailable)), o.holds(),
		"it does not serve",
		fmt.Sprintf("For %s, a component of the model has had no replica that is ready.", o.holds()))
}

// blindAfter is how long nothing may be known before somebody is told. What is not
// known raises no other alert.
const blindAfter = "15m"

func (o *observed) metricsMissing() rule {
	target := selector("up", o.scraped(componentPredictor)...)
	return o.alert("ModelMetricsMissing", severityWarning,
		fmt.Sprintf("absent(%s == 1) and on () %s > 0", target, o.replicaCount("kube_deployment_status_replicas_available", componentPredictor)), blindAfter,
		"Prometheus cannot read its metrics",
		"The model has replicas, and Prometheus has read the metrics of none for "+blindAfter+". Its alerts on errors and latency are blind.")
}

func (o *observed) stateUnknown() rule {
	return o.alert("ModelStateUnknown", severityWarning,
		fmt.Sprintf("absent(%s)", o.recorded(recordAvailable)), blindAfter,
		"nothing is known of its replicas",
		"For "+blindAfter+", Prometheus has had no metrics of kube-state-metrics about the Deployments of the model. Its alerts on availability are blind.")
}
