package render

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// tunable are the fields of a component, or of a graph, that an overlay may set;
// weakerPod and weakerSize say within what bounds. Everything else is what was
// judged, or would put pods or containers beside it that nobody counted, such as
// workerSpec, initContainers, and the agent that a logger or batcher brings. The
// fields of security are here because Pod Security has its say about them.
var tunable = []string{
	"affinity", "annotations", "autoScaling", "containerConcurrency", "containers", "dnsConfig", "dnsPolicy",
	"enableServiceLinks", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers", "imagePullSecrets", "labels",
	"maxReplicas", "minReplicas", "model", "nodeSelector", "preemptionPolicy", "priorityClassName", "readinessGates", "resources",
	"runtimeClassName", "scaleMetric", "scaleMetricType", "scaleTarget", "securityContext", "setHostnameAsFQDN",
	"shareProcessNamespace", "terminationGracePeriodSeconds", "timeout", "tolerations", "topologySpreadConstraints", "volumes",
}

// modelFields are those of a model that say what is served, from where and by
// what. The others are its container's.
var modelFields = []string{"modelFormat", "runtime", "protocolVersion", "storageUri", "storageUris", "storage"}

var components = []string{componentPredictor, componentTransformer, componentExplainer}

func weakerService(before, after *unstructured.Unstructured) (string, error) {
	if what := otherRun(before, after); what != "" {
		return what, nil
	}
	b, a, err := specs(before, after)
	if err != nil {
		return "", err
	}
	if name := changedField(b, a, components...); name != "" {
		return "changes spec." + name, nil
	}
	for _, name := range components {
		if b[name] == nil && a[name] == nil {
			continue
		}
		if b[name] == nil {
			return "adds the component " + name + ", which no manifest names", nil
		}
		was, had := b[name].(map[string]any)
		is, has := a[name].(map[string]any)
		if !had || !has {
			return "takes away the component " + name, nil
		}
		if what, err := weakerComponent(was, is); what != "" || err != nil {
			return what + " (spec." + name + ")", err
		}
	}
	return "", nil
}

// weakerGraph holds a graph's router to what a model's pods are held to, and its
// steps to the manifest.
func weakerGraph(before, after *unstructured.Unstructured) (string, error) {
	if what := otherRun(before, after); what != "" {
		return what, nil
	}
	b, a, err := specs(before, after)
	if err != nil {
		return "", err
	}
	return weakerComponent(b, a)
}

// runAnnotations say how the pods of a service are run and how many there are;
// those of Knative have precedence over the fields of KServe.
var runAnnotations = []string{
	annotationDeploymentMode, annotationAutoscalerClass, annotationModelFormat,
	knativeScaling + "minScale", knativeScaling + "min-scale", knativeScaling + "maxScale", knativeScaling + "max-scale",
	knativeScaling + "initialScale", knativeScaling + "initial-scale", knativeScaling + "activationScale", knativeScaling + "activation-scale",
}

const (
	knativeScaling = "autoscaling.knative.dev/"
	// knativeProxy is what sizes the container that Knative puts into each pod.
	knativeProxy = "queue.sidecar.serving.knative.dev/"
)

// Of what KServe keeps for itself, annotations have its agent put into each pod,
// which logs requests to a URL or batches them, and labels say whose pods they are;
// network policies select by them.
// https://github.com/kserve/kserve/blob/v0.20.0/pkg/constants/constants.go
const (
	kserveInternal = "internal.serving.kserve.io/"
	kserveLabels   = "serving.kserve.io/"
)

func otherRun(before, after *unstructured.Unstructured) string {
	if what := otherAnnotations(before.GetAnnotations(), after.GetAnnotations()); what != "" {
		return what
	}
	return otherLabels(before.GetLabels(), after.GetLabels())
}

func otherAnnotations(before, after map[string]string) string {
	return otherKey(before, after, "changes the annotation %s, by which the pods are run", func(key string) bool {
		return slices.Contains(runAnnotations, key) || strings.HasPrefix(key, knativeProxy) || strings.HasPrefix(key, kserveInternal)
	})
}

func otherLabels(before, after map[string]string) string {
	return otherKey(before, after, "changes the label %s, by which pods are told apart", func(key string) bool {
		return strings.HasPrefix(key, kserveLabels) || strings.HasPrefix(key, kserveInternal)
	})
}

// otherKey names the first of the kept keys whose value is not as it was.
func otherKey(before, after map[string]string, says string, kept func(string) bool) string {
	for _, key := range slices.Concat(sortedKeys(before), sortedKeys(after)) {
		was, had := before[key]
		is, has := after[key]
		if kept(key) && (had != has || was != is) {
			return fmt.Sprintf(says, key)
		}
	}
	return ""
}

func weakerComponent(before, after map[string]any) (string, error) {
	var b, a placedPod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(before, &b); err != nil {
		return "", err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(after, &a); err != nil {
		return "", err
	}
	if what := weakerPod(b, a); what != "" {
		return what, nil
	}
	if name := changedField(before, after, tunable...); name != "" {
		return "changes " + name, nil
	}
	model, _, err := unstructured.NestedMap(before, "model")
	if err != nil {
		return "", err
	}
	served, _, err := unstructured.NestedMap(after, "model")
	if err != nil {
		return "", err
	}
	for _, name := range modelFields {
		if !equality.Semantic.DeepEqual(model[name], served[name]) {
			return "changes model." + name + ", so that something else is served than was approved", nil
		}
	}
	for _, key := range sortedKeys(a.Labels) {
		if ownLabel(key) && b.Labels[key] != a.Labels[key] {
			return "changes Mooring's label " + key + " on the pods", nil
		}
	}
	if what := otherLabels(b.Labels, a.Labels); what != "" {
		return what, nil
	}
	if what := otherAnnotations(b.Annotations, a.Annotations); what != "" {
		return what, nil
	}
	return weakerSize(b, a), nil
}

// placedPod is what decides where a component's pods run, as whom, how many there
// are and how large each is.
type placedPod struct {
	NodeName      string                      `json:"nodeName"`
	SchedulerName string                      `json:"schedulerName"`
	Account       string                      `json:"serviceAccountName"`
	OldAccount    string                      `json:"serviceAccount"`
	Token         *bool                       `json:"automountServiceAccountToken"`
	Affinity      *corev1.Affinity            `json:"affinity"`
	Tolerations   []corev1.Toleration         `json:"tolerations"`
	Model         *container                  `json:"model"`
	Containers    []container                 `json:"containers"`
	Volumes       []corev1.Volume             `json:"volumes"`
	Grace         *int64                      `json:"terminationGracePeriodSeconds"`
	Labels        map[string]string           `json:"labels"`
	Annotations   map[string]string           `json:"annotations"`
	MinReplicas   *int64                      `json:"minReplicas"`
	MaxReplicas   *int64                      `json:"maxReplicas"`
	Resources     corev1.ResourceRequirements `json:"resources"`
}

// all are the pod's containers; that of a model has no name.
func (p placedPod) all() []container {
	if p.Model != nil {
		return append([]container{*p.Model}, p.Containers...)
	}
	return p.Containers
}

// projectsToken reports whether a volume holds the token of the service account.
func (p placedPod) projectsToken() bool {
	return slices.ContainsFunc(p.Volumes, func(v corev1.Volume) bool {
		return v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.ServiceAccountToken != nil })
	})
}

func weakerPod(before, after placedPod) string {
	switch {
	case after.NodeName != before.NodeName:
		return "names a node, past the scheduler"
	case after.SchedulerName != before.SchedulerName:
		return "names another scheduler"
	case after.Account != before.Account || after.OldAccount != before.OldAccount:
		return "changes the service account"
	case before.Token != nil && !equality.Semantic.DeepEqual(before.Token, after.Token), after.projectsToken() && !before.projectsToken():
		return "mounts the service account's token"
	case before.Grace != nil && (after.Grace == nil || *after.Grace > *before.Grace):
		return fmt.Sprintf("takes longer to end than the %d seconds that a spot node leaves", *before.Grace)
	}
	if what := weakerAffinity(before.Affinity, after.Affinity); what != "" {
		return what
	}
	for _, t := range after.Tolerations {
		if !slices.ContainsFunc(before.Tolerations, func(b corev1.Toleration) bool { return equality.Semantic.DeepEqual(b, t) }) {
			return fmt.Sprintf("tolerates the taint %q, which the pool does not have", t.Key)
		}
	}
	return otherAccelerators(before.all(), after.all())
}

// otherAccelerators compares what is asked for of devices: their number is what
// was placed, priced and held against the quota.
func otherAccelerators(before, after []container) string {
	count := func(containers []container) map[corev1.ResourceName]int64 {
		out := map[corev1.ResourceName]int64{}
		for _, c := range containers {
			for name, q := range c.Resources.Limits {
				if strings.Contains(string(name), "/") {
					out[name] += q.Value()
				}
			}
		}
		return out
	}
	b, a := count(before), count(after)
	if !equality.Semantic.DeepEqual(b, a) {
		return fmt.Sprintf("asks for other accelerators (%s instead of %s)", devices(a), devices(b))
	}
	return ""
}

func devices(count map[corev1.ResourceName]int64) string {
	var out []string
	for name, n := range count {
		out = append(out, fmt.Sprintf("%d × %s", n, name))
	}
	if len(out) == 0 {
		return "none"
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// weakerSize lets an overlay make a component smaller, never larger: what was
// held against pool, quota and budget is what runs. A container more would be
// beside what was counted, whatever it asks for itself: the namespace's limits
// give it requests.
func weakerSize(before, after placedPod) string {
	for _, r := range []struct {
		name    string
		was, is *int64
	}{{"minReplicas", before.MinReplicas, after.MinReplicas}, {"maxReplicas", before.MaxReplicas, after.MaxReplicas}} {
		switch {
		case r.was == nil && r.is == nil:
		case r.was == nil || r.is == nil:
			return "sets or takes away " + r.name
		case *r.is > *r.was:
			return fmt.Sprintf("raises %s from %d to %d", r.name, *r.was, *r.is)
		}
	}
	if what := larger(before.Resources, after.Resources); what != "" {
		return what
	}
	b, a := before.all(), after.all()
	if (before.Model == nil) != (after.Model == nil) || !slices.Equal(names(b), names(a)) {
		return fmt.Sprintf("adds or takes away containers (%d instead of %d)", len(a), len(b))
	}
	for i := range b {
		if what := larger(b[i].Resources, a[i].Resources); what != "" {
			return what
		}
		for _, variable := range []string{envStorageURI, envProtocol} {
			if !equality.Semantic.DeepEqual(variables(b[i], variable), variables(a[i], variable)) {
				return "changes the variable " + variable + ", so that something else is served than was approved"
			}
		}
	}
	return ""
}

func names(containers []container) []string {
	var out []string
	for _, c := range containers {
		out = append(out, c.Name)
	}
	return out
}

func variables(c container, name string) []corev1.EnvVar {
	return slices.DeleteFunc(slices.Clone(c.Env), func(e corev1.EnvVar) bool { return e.Name != name })
}

// larger says what of a container's resources is raised, new or no longer said.
// Nothing counts ephemeral storage, so a bound of it can only be stricter.
func larger(before, after corev1.ResourceRequirements) string {
	if !equality.Semantic.DeepEqual(before.Claims, after.Claims) {
		return "claims other devices"
	}
	for _, r := range []struct {
		what          string
		before, after corev1.ResourceList
	}{{"the request of", before.Requests, after.Requests}, {"the limit of", before.Limits, after.Limits}} {
		if raised := above(r.what, r.before, r.after); raised != "" {
			return raised
		}
		for _, name := range sortedKeys(r.after) {
			if _, had := r.before[name]; !had && name != corev1.ResourceEphemeralStorage {
				return fmt.Sprintf("sets %s %s", r.what, name)
			}
		}
	}
	return ""
}
