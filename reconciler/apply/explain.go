package apply

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
)

// explain turns an error into a refusal; false if the error says nothing about
// the object (the cluster did not answer, the context ended).
func explain(t *target, err error) (Refusal, bool) {
	if own := (*Refusal)(nil); errors.As(err, &own) {
		return *own, true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || transient(err) {
		return Refusal{}, false
	}
	code := status.Status().Code
	refused := code >= 400 && code < 500 && code != http.StatusUnauthorized
	if !refused && !mistyped(status.Status()) {
		return Refusal{}, false
	}
	cause, remedy := classify(t.obj, status.Status())
	return Refusal{
		Object: t.name(), Cause: cause, Remedy: remedy,
		Message: message(t.obj, status.Status()), Err: withoutValues(t.obj, err),
	}, true
}

// classify reads what the API server means. Reasons and causes are machine
// readable where it has them; quota, webhooks and a missing namespace are told
// apart by texts that it has kept for many releases.
func classify(obj *unstructured.Unstructured, s metav1.Status) (Cause, string) {
	switch {
	case hasCause(s, "NamespaceTerminating"):
		return CauseTerminating, "wait until namespace " + obj.GetNamespace() + " is gone, then it is created again"
	case s.Reason == metav1.StatusReasonNotFound && s.Details != nil && s.Details.Kind == "namespaces":
		return CauseMissingNamespace, "create namespace " + obj.GetNamespace() + ": apply the team's tenancy first"
	case s.Reason == metav1.StatusReasonNotFound:
		return CauseMissingKind, "the kind was removed from the cluster a moment ago: install its CRD again"
	case strings.Contains(s.Message, "admission webhook ") || strings.Contains(s.Message, "ValidatingAdmissionPolicy"):
		return CauseWebhook, "change the field that the message names"
	case s.Reason == metav1.StatusReasonForbidden && strings.Contains(s.Message, "quota"):
		return CauseQuota, "request less, remove something, or raise the team's quota"
	case s.Reason == metav1.StatusReasonForbidden && strings.Contains(s.Message, " cannot "):
		return CauseForbidden, "grant Mooring's service account this verb"
	case s.Reason == metav1.StatusReasonForbidden:
		return CauseForbidden, "an admission rule of the cluster forbids it: change the field that the message names"
	case strings.Contains(s.Message, "immutable"):
		return CauseImmutable, "this field cannot change: choose a new name, or delete the object first"
	case strings.Contains(s.Message, "field not declared in schema") || strings.Contains(s.Message, "unknown field"):
		return CauseUnknownField, "remove the field, or upgrade what defines the kind"
	}
	return CauseInvalid, "change the field that the message names"
}

// mistyped recognises a value of the wrong type. The API server answers 500
// without a reason to that (apimachinery's managedfields returns plain errors),
// which nothing but the text tells from trouble of its own.
func mistyped(s metav1.Status) bool {
	return s.Code == http.StatusInternalServerError && s.Reason == "" &&
		(strings.HasPrefix(s.Message, "failed to create typed patch object") ||
			strings.HasPrefix(s.Message, "failed to convert new object"))
}

// printedValue is how those errors print a value.
var printedValue = regexp.MustCompile(`&value\.value[A-Za-z]*\{Value:(.*?)\}`)

func hasCause(s metav1.Status, want metav1.CauseType) bool {
	if s.Details == nil {
		return false
	}
	for _, cause := range s.Details.Causes {
		if cause.Type == want {
			return true
		}
	}
	return false
}

const longestMessage = 1024

// message is the API server's text, fit to be shown: it quotes values, so for
// a Secret only the fields' names remain.
func message(obj *unstructured.Unstructured, s metav1.Status) string {
	if obj.GetKind() == "Secret" {
		return secretMessage(s)
	}
	text := fields.Redact(printedValue.ReplaceAllString(s.Message, "${1}"))
	if len(text) > longestMessage {
		text = strings.ToValidUTF8(text[:longestMessage], "") + "…"
	}
	return text
}

func secretMessage(s metav1.Status) string {
	var names []string
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			names = append(names, cause.Field)
		}
	}
	return fmt.Sprintf("%s (fields %q; details left out)", s.Reason, names)
}

// withoutValues is err with a text that is fit to be shown, and the same
// answers to apierrors.IsX.
func withoutValues(obj *unstructured.Unstructured, err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	shown := status.Status()
	shown.Message = message(obj, shown)
	if obj.GetKind() == "Secret" && shown.Details != nil {
		details := *shown.Details
		details.Causes = nil
		shown.Details = &details
	}
	return &apierrors.StatusError{ErrStatus: shown}
}
