package release

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

var (
	namespaceKind = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	// DeploymentKind is what KServe makes of an InferenceService in Standard mode.
	DeploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	serviceKind    = schema.GroupVersionKind{Group: "serving.kserve.io", Version: "v1beta1", Kind: "InferenceService"}
)

// Teams' namespaces: made and labelled, never removed.
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;create;patch

// What a team's namespace is bounded by, and what a model's pods run as.
// +kubebuilder:rbac:groups="",resources=resourcequotas;limitranges;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete

// Who may look into a team's namespace. The controller may bind these two roles
// and invent none, so it can give nobody a right beyond them and its own.
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,resourceNames=mooring-team-viewer;mooring-team-operator,verbs=bind

// The models themselves, and the way to them where their environment declares a gateway.
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=serving.kserve.io,resources=inferenceservices;inferencegraphs,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete
//
// What watches a model, where its environment declares observability: monitors
// and rules, and dashboards, which are ConfigMaps.
// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=podmonitors;prometheusrules,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch;delete

// What KServe makes of an InferenceService: read, to know when it serves.
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=list;watch

// WatchedKinds are what the engine needs to see from the start: everything that
// is rendered in any environment, and the Deployments that KServe makes. What an
// environment declares besides (a gateway, observability) and what an overlay adds
// is watched once it is seen.
var WatchedKinds = []schema.GroupVersionKind{
	namespaceKind, DeploymentKind,
	{Version: "v1", Kind: "ResourceQuota"},
	{Version: "v1", Kind: "LimitRange"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	serviceKind,
}

const (
	// settleTime is how long KServe is given to take notice of a change: until
	// then its status may still speak of what served before.
	settleTime = 2 * time.Second
	// How soon a unit that is not ready is looked at again in case no event
	// tells: often at first, then rarely.
	verifySoon, verifyLater, verifyRarely = 5 * time.Second, 30 * time.Second, 5 * time.Minute
	// verifySoonFor is how long after an apply that is often.
	verifySoonFor = 2 * time.Minute
)

// judgeHealth reads what the watch delivered and says how the unit fares. The
// duration says when to look again.
func (w *work) judgeHealth(objects []*unstructured.Unstructured) time.Duration {
	health := w.health(objects)
	switch health.Status {
	case apply.Ready:
		if wait := w.settling(objects); wait > 0 {
			w.progress("Settling", "KServe takes notice of what was applied")
			return wait
		}
		if w.receipt.Status.Phase != schemas.PhaseLive {
			w.Events.Eventf(w.receipt, corev1.EventTypeNormal, "Ready", "%s serves", w.desired.Unit)
		}
		w.phase(schemas.PhaseLive)
		conditions.MarkTrue(w.receipt, "Ready", ReasonApplied, "every object is ready")
		conditions.Delete(w.receipt, "Reconciling")
		conditions.Delete(w.receipt, "Stalled")
		return 0
	case apply.Failed:
		w.phase(schemas.PhaseFailed)
		w.stall(reasonOf(health), "%s", health.Message)
	default:
		w.progress(reasonOf(health), health.Message)
	}
	return w.pace()
}

func (w *work) progress(reason, message string) {
	w.phase(schemas.PhaseVerifying)
	conditions.MarkReconciling(w.receipt, reason, "%s", message)
	conditions.MarkFalse(w.receipt, "Ready", reason, "%s", message)
}

// settling is how long it is too early to believe that a model serves what was
// applied last.
func (w *work) settling(objects []*unstructured.Unstructured) time.Duration {
	if w.receipt.Status.Phase == schemas.PhaseLive || w.receipt.Status.Applied == nil {
		return 0
	}
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() == serviceKind.GroupKind() {
			return w.receipt.Status.Applied.At.Add(settleTime).Sub(w.Now())
		}
	}
	return 0
}

// pace is how soon to look again at a unit that is not ready.
func (w *work) pace() time.Duration {
	if w.receipt.Status.Applied == nil {
		return verifyLater
	}
	switch age := w.Now().Sub(w.receipt.Status.Applied.At.Time); {
	case age < verifySoonFor:
		return verifySoon
	case age < time.Hour:
		return verifyLater
	default:
		return verifyRarely
	}
}

// health is the worst of the unit's objects: a failed one, else one that is not
// ready yet.
func (w *work) health(objects []*unstructured.Unstructured) apply.Health {
	worst := apply.Health{Status: apply.Ready}
	for _, o := range objects {
		h := w.healthOf(o)
		if h.Status == apply.Failed {
			return h
		}
		if h.Status != apply.Ready && worst.Status == apply.Ready {
			worst = h
		}
	}
	return worst
}

func (w *work) healthOf(o *unstructured.Unstructured) apply.Health {
	live, ok := w.Sight.Get(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	switch {
	case !ok:
		return w.absent(o)
	case o.GroupVersionKind().GroupKind() != serviceKind.GroupKind() || !standardMode(o):
		return apply.HealthOf(live)
	}
	predictor, _ := w.Sight.Get(DeploymentKind, o.GetNamespace(), o.GetName()+"-predictor")
	health := apply.RolloutOf(live, predictor)
	// Through an update of a transformer or explainer the service stays Ready.
	for _, component := range []string{"transformer", "explainer"} {
		if _, has, _ := unstructured.NestedMap(o.Object, "spec", component); !has || health.Status != apply.Ready {
			continue
		}
		deployment, ok := w.Sight.Get(DeploymentKind, o.GetNamespace(), o.GetName()+"-"+component)
		if !ok {
			return apply.Health{Status: apply.Progressing, Reason: "NoDeployment", Message: "KServe has made no Deployment of the " + component + " yet"}
		}
		health = apply.HealthOf(deployment)
	}
	return health
}

// absent is the health of an object that is not there: it is on its way, or is
// made again by healing; else it waits for a person, and says so.
func (w *work) absent(o *unstructured.Unstructured) apply.Health {
	health := apply.Health{Status: apply.Progressing, Reason: "Missing", Message: o.GetKind() + " " + o.GetName() + " is not there yet"}
	applied := w.receipt.Status.Applied
	if applied == nil || w.Now().Sub(applied.At.Time) < verifySoonFor {
		return health // the watches may be behind the apply
	}
	why := w.unhealed()
	if why == "" {
		return health
	}
	health.Status = apply.Failed
	again := fmt.Sprintf("to have the unit applied again, unless a freeze or a change window holds it back: kubectl delete modelrelease -n %s %s", w.receipt.Namespace, w.receipt.Name)
	if w.knownDeleted(o) {
		health.Message = fmt.Sprintf("%s %s was deleted, and %s; %s", o.GetKind(), o.GetName(), why, again)
		return health
	}
	// A unit that is applied anew does not take over what has lost the label.
	health.Message = fmt.Sprintf("%s %s is not to be seen, and %s; if it is there without the label %s=%s, put that back; if it is gone, %s",
		o.GetKind(), o.GetName(), why, schemas.LabelManagedBy, schemas.ManagedByMooring, again)
	return health
}

// unhealed says why nobody mends the unit; empty: it is mended.
func (w *work) unhealed() string {
	environment := w.desired.Unit.Environment
	switch policy := w.fleet.DriftPolicy(w.desired.Unit); {
	case policy == schemas.DriftReport:
		return environment + " only reports drift, so nobody makes it again"
	case policy == schemas.DriftPause:
		return "nobody looks for drift in " + environment + ", so nobody makes it again"
	case conditions.GetReason(w.receipt, schemas.ConditionDrifted) == ReasonContested:
		return "healing has ended because somebody undoes it each time: stop that one first (status.drift)"
	}
	return ""
}

// knownDeleted reports whether the look for drift found an object deleted.
func (w *work) knownDeleted(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(w.receipt.Status.Drift, func(d schemas.DriftedField) bool {
		return d.Object == fields.Name(o) && d.Path == "" && d.State != schemas.DriftHealed
	})
}

// standardMode reports whether KServe makes Deployments of the service; in the
// other mode Knative does, under names of its own.
func standardMode(service *unstructured.Unstructured) bool {
	mode := service.GetAnnotations()["serving.kserve.io/deploymentMode"]
	return mode != string(schemas.ModeKnative) && mode != "Serverless"
}

// unseen is a kind of the unit's objects that the watches have not delivered
// yet. Before that nothing can be said of them: they may be there or not.
func (w *work) unseen(objects []*unstructured.Unstructured) (schema.GroupVersionKind, bool) {
	for _, o := range objects {
		if gvk := o.GroupVersionKind(); !w.Sight.Sees(gvk) {
			return gvk, true
		}
		if o.GroupVersionKind().GroupKind() == serviceKind.GroupKind() && !w.Sight.Sees(DeploymentKind) {
			return DeploymentKind, true
		}
	}
	return schema.GroupVersionKind{}, false
}

// kindRemedies are for the kinds that the cluster has to have, and for those that
// an environment says that it has.
var kindRemedies = map[string]string{
	serviceKind.Group:           "install KServe: https://kserve.github.io/website/docs/admin-guide/overview",
	"gateway.networking.k8s.io": "install the Gateway API, or take spec.gateway out of the environment",
	"monitoring.coreos.com":     "install Prometheus' operator, or take spec.observability out of the environment",
}

// awaitKind says what is missing where a kind is not served for long. Just after
// the start the watches are only slow, and the receipt stays as it is.
func (w *work) awaitKind(gvk schema.GroupVersionKind) time.Duration {
	if w.Now().Sub(w.Sight.Since()) < verifyLater {
		return verifySoon
	}
	remedy, known := kindRemedies[gvk.Group]
	if !known {
		remedy = "install what serves it, or take it out of the overlay"
	}
	if w.receipt.Status.Applied == nil {
		w.phase(schemas.PhasePending)
	}
	w.stall(ReasonKindNotServed, "the cluster does not serve %s of %s, or Mooring may not watch it: %s", gvk.Kind, gvk.GroupVersion(), remedy)
	return verifyLater
}

var notInReason = regexp.MustCompile(`[^A-Za-z0-9_,:]+`)

// reasonOf makes a condition's reason of what others wrote as one.
func reasonOf(h apply.Health) string {
	reason := strings.Trim(notInReason.ReplaceAllString(h.Reason, "_"), "_,:0123456789")
	if reason == "" {
		return string(h.Status)
	}
	return clipASCII(reason, 128)
}

func clipASCII(s string, most int) string { return strings.TrimRight(s[:min(len(s), most)], "_,:") }
