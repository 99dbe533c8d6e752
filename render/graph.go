package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// The subset of InferenceGraph, of serving.kserve.io/v1alpha1, that Mooring
// writes.

const (
	graphAPIVersion = "serving.kserve.io/v1alpha1"
	graphKind       = "InferenceGraph"
	graphRoot       = "root"
)

type graphSpec struct {
	Nodes              map[string]graphNode        `json:"nodes"`
	Resources          corev1.ResourceRequirements `json:"resources"`
	Affinity           *corev1.Affinity            `json:"affinity,omitempty"`
	Tolerations        []corev1.Toleration         `json:"tolerations,omitempty"`
	ServiceAccountName string                      `json:"serviceAccountName"`
	Timeout            *int64                      `json:"timeout,omitempty"`
	MinReplicas        int32                       `json:"minReplicas"`
	MaxReplicas        int32                       `json:"maxReplicas"`
}

type graphNode struct {
	RouterType string      `json:"routerType"`
	Steps      []graphStep `json:"steps"`
}

type graphStep struct {
	Name        string `json:"name"`
	ServiceName string `json:"serviceName"`
	Data        string `json:"data,omitempty"`
	Weight      *int64 `json:"weight,omitempty"`
	Condition   string `json:"condition,omitempty"`
	Dependency  string `json:"dependency"`
}

var routerTypes = map[schemas.GraphRouter]string{
	schemas.GraphSequence: "Sequence", schemas.GraphEnsemble: "Ensemble",
	schemas.GraphSplitter: "Splitter", schemas.GraphSwitch: "Switch",
}

// graph is the model's graph, if it has one: the router's account, its
// PodDisruptionBudget and the InferenceGraph. The router needs no rights in the
// cloud, so it does not run as the model.
//
// A graph asks stable services only: a canary has its traffic from the gateway.
func (r *modelRenderer) graph() []object {
	g := r.Deployment.Spec.Serving.Graph
	if g == nil {
		return nil
	}
	name := r.name + schemas.GraphSuffix
	account := object{APIVersion: "v1", Kind: "ServiceAccount", Metadata: r.meta(ServiceAccountName(name)), AutomountToken: ptr(false)}
	out := []object{account}
	router, pods := g.Replicas(r.Deployment.Spec.Serving.Replicas), map[string]string{podLabelGraph: name}
	if router >= 2 {
		out = append(out, disruptionBudget(r.meta(name), pods))
	}
	meta := r.meta(name)
	meta.Annotations = map[string]string{annotationDeploymentMode: r.mode()}
	if !r.knative() {
		meta.Annotations[annotationAutoscalerClass] = classNone
	}
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(schemas.RouterCPU), corev1.ResourceMemory: resource.MustParse(schemas.RouterMemory)}
	return append(out, object{APIVersion: graphAPIVersion, Kind: graphKind, Metadata: meta, Spec: graphSpec{
		Nodes:              map[string]graphNode{graphRoot: {RouterType: routerTypes[g.Router], Steps: graphSteps(g)}},
		Resources:          corev1.ResourceRequirements{Requests: requests, Limits: requests},
		Affinity:           affinity(*r.Router, router, pods),
		Tolerations:        tolerations(*r.Router),
		ServiceAccountName: ServiceAccountName(name),
		Timeout:            r.Deployment.Spec.Serving.TimeoutSeconds,
		MinReplicas:        router,
		MaxReplicas:        router,
	}})
}

func graphSteps(g *schemas.Graph) []graphStep {
	var out []graphStep
	for _, s := range g.Steps {
		step := graphStep{Name: s.Model, ServiceName: s.Model, Condition: s.Condition, Dependency: "Hard"}
		if s.Optional != nil && *s.Optional {
			step.Dependency = "Soft"
		}
		if s.Data != "" {
			step.Data = "$" + string(s.Data)
		}
		if s.Weight != nil {
			step.Weight = ptr(int64(*s.Weight))
		}
		out = append(out, step)
	}
	return out
}

// disruptionBudget lets a drained node take one of the pods at a time.
func disruptionBudget(meta metadata, pods map[string]string) object {
	type budget struct {
		MaxUnavailable int32                `json:"maxUnavailable"`
		Selector       metav1.LabelSelector `json:"selector"`
	}
	return object{
		APIVersion: "policy/v1", Kind: kindDisruptionBudget, Metadata: meta,
		Spec: budget{MaxUnavailable: 1, Selector: metav1.LabelSelector{MatchLabels: pods}},
	}
}
