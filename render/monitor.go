package render

import (
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// The subset of monitoring.coreos.com/v1 that Mooring writes.

const (
	monitoringAPIVersion = "monitoring.coreos.com/v1"
	monitorKind          = "PodMonitor"
	rulesKind            = "PrometheusRule"
)

type podMonitorSpec struct {
	Selector            metav1.LabelSelector `json:"selector"`
	PodTargetLabels     []string             `json:"podTargetLabels"`
	PodMetricsEndpoints []metricsEndpoint    `json:"podMetricsEndpoints"`
}

type metricsEndpoint struct {
	Port        string      `json:"port,omitempty"`
	Path        string      `json:"path"`
	Interval    string      `json:"interval"`
	Relabelings []relabelTo `json:"relabelings,omitempty"`
}

type relabelTo struct {
	Action       string   `json:"action"`
	SourceLabels []string `json:"sourceLabels"`
	Regex        string   `json:"regex"`
	TargetLabel  string   `json:"targetLabel,omitempty"`
	Replacement  string   `json:"replacement,omitempty"`
}

const metricsPath = "/metrics"

// queueProxyPort is the name of the port where Knative's proxy beside each server
// tells what it counted.
const queueProxyPort = "http-usermetric"

// The ports of servers. MLServer has one for metrics alone, although the
// annotation of KServe's runtime names the other.
const (
	serverPort   = 8080
	mlserverPort = 8082
	tritonPort   = 8002
)

// metricsPort is where the predictor's server tells what it counted; 0: nowhere,
// or nobody knows.
func (o *observed) metricsPort() int {
	switch o.runtime.metrics {
	case schemas.MetricsSDK, schemas.MetricsHuggingFace:
		return serverPort
	case schemas.MetricsMLServer:
		return mlserverPort
	case schemas.MetricsTriton:
		return tritonPort
	default:
		return 0
	}
}

// monitor says what Prometheus reads: every pod of the model, those of a canary
// too. There is none where no pod has anything to read.
func (o *observed) monitor() []object {
	var endpoints []metricsEndpoint
	if o.knative() {
		endpoints = append(endpoints, metricsEndpoint{Port: queueProxyPort, Path: metricsPath, Interval: o.interval()})
	}
	for _, c := range o.components() {
		// KServe starts transformers and explainers as servers of its SDK.
		port := serverPort
		if c.name == componentPredictor {
			port = o.metricsPort()
		}
		if port != 0 {
			endpoints = append(endpoints, o.endpoint(c.name, port))
		}
	}
	if len(endpoints) == 0 {
		return nil
	}
	return []object{{
		APIVersion: monitoringAPIVersion, Kind: monitorKind, Metadata: o.monitorMeta(),
		Spec: podMonitorSpec{
			Selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key: podLabelService, Operator: metav1.LabelSelectorOpIn, Values: []string{o.name, o.name + schemas.CanarySuffix},
			}}},
			PodTargetLabels:     []string{podLabelComponent, schemas.LabelModel, schemas.LabelVersion, schemas.LabelTeam, schemas.LabelCostCenter},
			PodMetricsEndpoints: endpoints,
		},
	}}
}

func (o *observed) interval() string {
	return promDuration(time.Duration(cmp.Or(o.settings.Interval, schemas.DefaultScrapeInterval)))
}

// endpoint is a port of a component's server. The pods that KServe makes declare
// no port but one for gRPC, so that none can be named: the address is put together from the
// pod's, which is in brackets where it is one of IPv6.
func (o *observed) endpoint(component string, port int) metricsEndpoint {
	address := func(ip, replacement string) relabelTo {
		return relabelTo{
			Action: "replace", SourceLabels: []string{"__meta_kubernetes_pod_ip"}, Regex: ip,
			TargetLabel: "__address__", Replacement: fmt.Sprintf(replacement+":%d", port),
		}
	}
	return metricsEndpoint{
		Path: metricsPath, Interval: o.interval(),
		Relabelings: []relabelTo{
			{Action: "keep", SourceLabels: []string{"__meta_kubernetes_pod_label_" + podLabelComponent}, Regex: component},
			{Action: "keep", SourceLabels: []string{"__meta_kubernetes_pod_container_name"}, Regex: servingContainer},
			address("([^:]+)", "$1"), address("(.*:.*)", "[$1]"),
		},
	}
}
