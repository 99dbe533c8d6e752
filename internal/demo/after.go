package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// The second half of the story: what is not as it should be, and the end.

func directPush(ctx context.Context, w *World) ([]string, error) {
	manifest, err := w.Manifest(ctx, Forecast)
	if err != nil {
		return nil, err
	}
	unapproved := strings.Replace(string(manifest), `version: "8"`, `version: "9"`, 1)
	pushed, err := w.PushToMain(ctx, "Skip the review", map[string][]byte{Forecast.Path(): []byte(unapproved)})
	if err != nil {
		return nil, err
	}
	said, err := w.HasStatus(ctx, pushed, "mooring", "failure", "quarantined")
	if err != nil {
		return nil, err
	}
	r, err := w.Receipt(ctx, Forecast)
	if err != nil {
		return nil, err
	}
	if r.Status.Version != "8" || r.Status.Quarantined == nil {
		return nil, fmt.Errorf("the receipt says version %q, quarantined %v", r.Status.Version, r.Status.Quarantined)
	}
	uri, err := w.storage(ctx, Forecast)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(uri, "/v8") {
		return nil, fmt.Errorf("the InferenceService serves %q", uri)
	}
	evidence := []string{
		fmt.Sprintf("%.12s: mooring is failure: %s", pushed, said),
		"the cluster serves " + uri,
	}
	if _, err := w.PushToMain(ctx, "Take it back", map[string][]byte{Forecast.Path(): manifest}); err != nil {
		return nil, err
	}
	err = w.Until(ctx, "the quarantine is lifted", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, Forecast)
		return "still quarantined", err == nil && r.Status.Quarantined == nil, err
	})
	return append(evidence, "taking the push back lifted the quarantine"), err
}

// PushToMain is what an administrator can do past every rule.
func (w *World) PushToMain(ctx context.Context, message string, files map[string][]byte) (string, error) {
	pushed, err := w.People[Admin].Push(ctx, FullName, githubtest.Push{Branch: "main", Message: message, Files: files})
	if err != nil {
		return "", fmt.Errorf("push to main: %w", err)
	}
	return pushed, nil
}

// storage is where the artefact that a unit serves lies.
func (w *World) storage(ctx context.Context, unit schemas.Unit) (string, error) {
	service, err := w.existing(ctx, unit)
	if err != nil {
		return "", err
	}
	uri, _, err := unstructured.NestedString(service.Object, "spec", "predictor", "model", "storageUri")
	if err != nil {
		return "", fmt.Errorf("read what %s serves: %w", unit, err)
	}
	return uri, nil
}

func (w *World) existing(ctx context.Context, unit schemas.Unit) (*unstructured.Unstructured, error) {
	service, err := w.Service(ctx, unit)
	if err == nil && service == nil {
		err = fmt.Errorf("%s has no InferenceService", unit)
	}
	return service, err
}

func mend(ctx context.Context, w *World) ([]string, error) {
	service, err := w.existing(ctx, Churn)
	if err != nil {
		return nil, err
	}
	patch := []byte(`{"spec":{"predictor":{"minReplicas":2}}}`)
	if err := w.Cluster.Patch(ctx, service, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("kubectl-patch")); err != nil {
		return nil, fmt.Errorf("patch the InferenceService: %w", err)
	}
	start := time.Now()
	var found schemas.DriftedField
	err = w.Until(ctx, "the receipt reports the drift as healed", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, Churn)
		if err != nil {
			return "", false, err
		}
		for _, d := range r.Status.Drift {
			if d.Path == ".spec.predictor.minReplicas" && d.State == schemas.DriftHealed {
				found = d
				return "", true, nil
			}
		}
		return Summary(r), false, nil
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	if service, err = w.existing(ctx, Churn); err != nil {
		return nil, err
	}
	replicas, _, err := unstructured.NestedInt64(service.Object, "spec", "predictor", "minReplicas")
	if err != nil || replicas != 1 {
		return nil, fmt.Errorf("minReplicas is %d after mending: %w", replicas, err)
	}
	return []string{
		found.Object,
		fmt.Sprintf("%s was %s, became %s, by %s", found.Path, found.Before, found.After, found.Manager),
		fmt.Sprintf("it is %s again, %s later", found.Before, rounded(took)),
	}, nil
}

func prune(ctx context.Context, w *World) ([]string, error) {
	service, err := w.existing(ctx, Classifier)
	if err != nil {
		return nil, err
	}
	number, head, err := w.ProposeFiles(ctx, "Retire email-classifier", map[string][]byte{Classifier.Path(): nil})
	if err != nil {
		return nil, err
	}
	if _, err := w.HasStatus(ctx, head, "mooring", "success", ""); err != nil {
		return nil, err
	}
	merged, err := w.Merge(ctx, Author, number, "rebase", head)
	if err != nil {
		return nil, err
	}
	err = w.Until(ctx, "the model is gone", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, Classifier)
		if err != nil || r != nil {
			return "its receipt is there", false, err
		}
		live, err := w.ServiceAt(ctx, service.GetNamespace(), service.GetName())
		return "its InferenceService is there", live == nil && err == nil, err
	})
	if err != nil {
		return nil, err
	}
	if _, err := w.HasStatus(ctx, merged, "mooring/deploy", "success", ""); err != nil {
		return nil, err
	}
	var namespace corev1.Namespace
	if err := w.Cluster.Get(ctx, client.ObjectKey{Name: service.GetNamespace()}, &namespace); err != nil {
		return nil, fmt.Errorf("the team's namespace should have stayed: %w", err)
	}
	return []string{
		fmt.Sprintf("#%d removed the InferenceService and its receipt", number),
		fmt.Sprintf("the team's namespace %s stayed", namespace.Name),
	}, nil
}

func verifyAudit(_ context.Context, w *World) ([]string, error) {
	report, err := audit.VerifyFile(w.AuditFile())
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	if report.Records == 0 {
		return nil, errors.New("the audit log is empty")
	}
	return []string{fmt.Sprintf("%d records, each chained to the one before; the last is %.16s…", report.Records, report.Head.Hash)}, nil
}
