package apply

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

// HealthStatus is how an object fares.
type HealthStatus string

// The states of health.
const (
	Ready       HealthStatus = "Ready"
	Progressing HealthStatus = "Progressing"
	Failed      HealthStatus = "Failed"
	Unknown     HealthStatus = "Unknown"
)

// Health is what an object's status says.
type Health struct {
	Status HealthStatus
	// Reason is one word, as in a condition; Message is for people.
	Reason, Message string
}

// HealthOf judges an object by its status alone: an InferenceService by its
// conditions and model status, everything else by kstatus.
//
// Ready of an InferenceService says that it serves, not that it serves what was
// applied last: through a rolling update it stays True, and its
// observedGeneration is copied from the Deployment, so it cannot be compared.
// Use RolloutOf to learn that.
func HealthOf(obj *unstructured.Unstructured) Health {
	if obj == nil {
		return Health{Status: Unknown, Reason: "NotFound", Message: "the object does not exist"}
	}
	gvk := obj.GroupVersionKind()
	if gvk.Group == "serving.kserve.io" && gvk.Kind == "InferenceService" {
		return inferenceHealth(obj)
	}
	if gvk.Group == "serving.kserve.io" && gvk.Kind == "InferenceGraph" && conditionOf(obj, "Ready")["status"] == nil {
		// Without a condition kstatus would take it for ready.
		return Health{Status: Progressing, Reason: "NotReady", Message: "waiting for KServe to report readiness"}
	}
	return genericHealth(obj)
}

func genericHealth(obj *unstructured.Unstructured) Health {
	result, err := status.Compute(obj)
	if err != nil {
		return Health{Status: Unknown, Reason: "Unreadable", Message: err.Error()}
	}
	health := Health{Reason: string(result.Status), Message: result.Message}
	for _, condition := range result.Conditions {
		if condition.Reason != "" {
			health.Reason = condition.Reason
		}
	}
	switch result.Status {
	case status.CurrentStatus:
		health.Status = Ready
	case status.InProgressStatus, status.TerminatingStatus:
		health.Status = Progressing
	case status.FailedStatus:
		health.Status = Failed
	default:
		health.Status = Unknown
	}
	return health
}

func inferenceHealth(obj *unstructured.Unstructured) Health {
	if obj.GetDeletionTimestamp() != nil {
		return Health{Status: Progressing, Reason: "Terminating", Message: "the InferenceService is being deleted"}
	}
	if stopped := conditionOf(obj, "Stopped"); stopped["status"] == "True" {
		return Health{Status: Progressing, Reason: "Stopped", Message: "the InferenceService is stopped by its annotation"}
	}
	// Before Ready: when a running service is changed to something that cannot
	// run, Ready stays True for what still runs.
	if failure, failed := modelFailure(obj); failed {
		return failure
	}
	ready := conditionOf(obj, "Ready")
	switch ready["status"] {
	case "True":
		return Health{Status: Ready, Reason: "Ready", Message: "the InferenceService is ready"}
	case "False":
		return notReady(obj, ready)
	}
	return withCondition(Health{Status: Progressing, Reason: "NotReady", Message: "waiting for KServe to report readiness"}, ready)
}

// modelFailure reads modelStatus. KServe never clears lastFailureInfo, so it
// explains a failure and does not prove one: transitionStatus does.
func modelFailure(obj *unstructured.Unstructured) (Health, bool) {
	transition, _, _ := unstructured.NestedString(obj.Object, "status", "modelStatus", "transitionStatus")
	if transition != "InvalidSpec" && transition != "BlockedByFailedLoad" {
		return Health{}, false
	}
	health := Health{Status: Failed, Reason: transition, Message: "the model cannot be loaded"}
	info, found, _ := unstructured.NestedStringMap(stringsOnly(obj, "status", "modelStatus", "lastFailureInfo"), "info")
	if found {
		if info["reason"] != "" {
			health.Reason = info["reason"]
		}
		health.Message = fields.Redact(strings.TrimSpace(strings.Join([]string{info["message"], info["location"]}, " ")))
	}
	if statusIsOlder(obj) {
		return Health{Status: Progressing, Reason: "StatusOutdated",
			Message: "KServe has not judged the last change yet; before it: " + health.Message}, true
	}
	return health, true
}

// statusIsOlder reports that our last change came after the last write of
// status, so that a failure in it may be of the specification before. Should
// the new one fail in just the same way, KServe writes nothing, and the
// caller's deadline ends the wait.
func statusIsOlder(obj *unstructured.Unstructured) bool {
	applied := fields.AppliedAt(obj, schemas.FieldManager)
	written := metav1.Time{}
	for _, entry := range obj.GetManagedFields() {
		if entry.Subresource == "status" && entry.Time != nil && written.Before(entry.Time) {
			written = *entry.Time
		}
	}
	return !applied.IsZero() && !written.IsZero() && written.Before(&applied)
}

// notReady tells a start that takes its time from one that is given up: only a
// Deployment past its progress deadline is.
func notReady(obj *unstructured.Unstructured, ready map[string]any) Health {
	for _, name := range []string{"PredictorReady", "TransformerReady", "ExplainerReady", "IngressReady"} {
		condition := conditionOf(obj, name)
		if condition["status"] != "False" {
			continue
		}
		health := withCondition(Health{Status: Progressing, Reason: name + "False", Message: name + " is False"}, condition)
		if condition["reason"] == "ProgressDeadlineExceeded" {
			health.Status = Failed
		}
		return health
	}
	return withCondition(Health{Status: Progressing, Reason: "NotReady", Message: "Ready is False"}, ready)
}

func withCondition(health Health, condition map[string]any) Health {
	if reason, _ := condition["reason"].(string); reason != "" {
		health.Reason = reason
	}
	if message, _ := condition["message"].(string); message != "" {
		health.Message = fields.Redact(message)
	}
	return health
}

func conditionOf(obj *unstructured.Unstructured, name string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == name {
			return condition
		}
	}
	return nil
}

func stringsOnly(obj *unstructured.Unstructured, path ...string) map[string]any {
	m, found, _ := unstructured.NestedMap(obj.Object, path...)
	if !found {
		return map[string]any{}
	}
	texts := map[string]any{}
	for key, v := range m {
		if text, ok := v.(string); ok {
			texts[key] = text
		}
	}
	return map[string]any{"info": texts}
}

// storageAnnotation is where KServe notes in a pod what it downloads.
const storageAnnotation = "internal.serving.kserve.io/storage-initializer-sourceuri"

// RolloutOf judges an InferenceService in Standard mode together with the
// Deployment that KServe makes of it, NAME-predictor: Ready only when every pod
// is of the version and the storage that were applied. Nil stands for a
// Deployment that was not seen.
func RolloutOf(service, deployment *unstructured.Unstructured) Health {
	health := HealthOf(service)
	if health.Status != Ready {
		return health
	}
	if deployment == nil {
		return Health{Status: Progressing, Reason: "NoDeployment", Message: "KServe has made no Deployment yet"}
	}
	if want, got, differ := templateDiffers(service, deployment); differ {
		return Health{Status: Progressing, Reason: "OldTemplate",
			Message: fields.Redact(fmt.Sprintf("KServe has not updated the Deployment yet: it has %q, applied is %q", got, want))}
	}
	return genericHealth(deployment)
}

func templateDiffers(service, deployment *unstructured.Unstructured) (want, got string, differ bool) {
	want = service.GetLabels()[schemas.LabelVersion]
	got, _, _ = unstructured.NestedString(deployment.Object, "spec", "template", "metadata", "labels", schemas.LabelVersion)
	if want != "" && got != want {
		return want, got, true
	}
	want, _, _ = unstructured.NestedString(service.Object, "spec", "predictor", "model", "storageUri")
	got, found, _ := unstructured.NestedString(deployment.Object, "spec", "template", "metadata", "annotations", storageAnnotation)
	return want, got, found && want != "" && got != want
}
