package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// Step is one chapter of the story. What it returns is the evidence that it held.
type Step struct {
	Name string
	Run  func(ctx context.Context, w *World) ([]string, error)
}

// Story is the main job. The steps build on one another.
var Story = []Step{
	{"every model of the trusted commit is deployed and ready", deployTrusted},
	{"a low-risk pull request is approved automatically, merged, deployed and ready", lowRisk},
	{"a high-risk pull request waits for the board and passes at the quorum with the chair", highRisk},
	{"a direct push is quarantined, and the last good revision stays", directPush},
	{"a change made by hand in the cluster is noticed and mended", mend},
	{"a model whose manifest is removed is pruned", prune},
	{"the audit trail is unbroken", verifyAudit},
}

// The units of the story.
var (
	forecast   = schemas.Unit{Team: "data-science", Model: "demand-forecast", Environment: "development"}
	churn      = schemas.Unit{Team: "data-science", Model: "churn-predictor", Environment: "staging"}
	classifier = schemas.Unit{Team: "data-science", Model: "email-classifier", Environment: "staging"}
)

var inferenceService = schema.GroupVersionKind{Group: "serving.kserve.io", Version: "v1beta1", Kind: "InferenceService"}

func deployTrusted(ctx context.Context, w *World) ([]string, error) {
	var evidence []string
	err := w.until(ctx, "every receipt is live", func(ctx context.Context) (string, bool, error) {
		var list schemas.ModelReleaseList
		if err := w.Cluster.List(ctx, &list, client.InNamespace(Namespace)); err != nil {
			return "", false, err
		}
		evidence = nil
		var models, waiting []string
		for _, r := range list.Items {
			unit := schemas.Unit{Team: r.Spec.Team, Model: r.Spec.Model, Environment: r.Spec.Environment}
			if r.Status.Phase != schemas.PhaseLive {
				waiting = append(waiting, unit.String()+": "+string(r.Status.Phase)+" "+summary(&r))
			}
			if unit.Model != "" {
				models = append(models, unit.Model)
			}
		}
		evidence = []string{fmt.Sprintf("%d models are live: %s", len(models), strings.Join(models, ", "))}
		return strings.Join(waiting, "; "), len(models) >= 9 && len(waiting) == 0, nil
	})
	return evidence, err
}

func lowRisk(ctx context.Context, w *World) ([]string, error) {
	number, head, err := w.propose(ctx, "forecast-v8", "Serve demand-forecast v8", forecast, `version: "7"`, `version: "8"`)
	if err != nil {
		return nil, err
	}
	said, err := w.hasStatus(ctx, head, "mooring", "success")
	if err != nil {
		return nil, err
	}
	merged, err := w.People[author].Merge(ctx, FullName, number, "squash", head)
	if err != nil {
		return nil, fmt.Errorf("merge #%d: %w", number, err)
	}
	start := time.Now()
	if err := w.live(ctx, forecast, "8"); err != nil {
		return nil, err
	}
	took := time.Since(start)
	evidence := []string{
		fmt.Sprintf("#%d: mooring success, %q", number, said),
		fmt.Sprintf("live %s after the merge", took.Round(10*time.Millisecond)),
	}
	for name, commit := range map[string]string{"merged commit": merged, "pull request's head": head} {
		said, err := w.hasStatus(ctx, commit, "mooring/deploy", "success")
		if err != nil {
			return nil, err
		}
		evidence = append(evidence, fmt.Sprintf("%s: mooring/deploy success, %q", name, said))
	}
	return evidence, nil
}

func highRisk(ctx context.Context, w *World) ([]string, error) {
	number, head, err := w.propose(ctx, "churn-v3", "Serve churn-predictor v3", churn, `version: "2"`, `version: "3"`)
	if err != nil {
		return nil, err
	}
	said, err := w.hasStatusLike(ctx, head, "mooring", "pending", "vp-engineering")
	if err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("#%d: pending, %q", number, said)}
	if _, err := w.People[author].Merge(ctx, FullName, number, "merge", head); err == nil {
		return nil, fmt.Errorf("#%d could be merged while it was pending", number)
	}
	// Three members, then the chair: only the fourth seat, the chair's, completes the quorum.
	for i, login := range []string{architect, senior, legal, chair} {
		if _, err := w.People[login].Review(ctx, FullName, number, githubtest.Approve, "Looks right."); err != nil {
			return nil, fmt.Errorf("review #%d as %s: %w", number, login, err)
		}
		if login == chair {
			break
		}
		if err := w.seated(ctx, number, login); err != nil {
			return nil, err
		}
		if said, err = w.hasStatusLike(ctx, head, "mooring", "pending", "vp-engineering"); err != nil {
			return nil, err
		}
		evidence = append(evidence, fmt.Sprintf("after %d of 4 reviews: pending, %q", i+1, said))
	}
	if said, err = w.hasStatus(ctx, head, "mooring", "success"); err != nil {
		return nil, err
	}
	evidence = append(evidence, fmt.Sprintf("after the chair: success, %q", said))
	if _, err := w.People[author].Merge(ctx, FullName, number, "merge", head); err != nil {
		return nil, fmt.Errorf("merge #%d: %w", number, err)
	}
	if err := w.live(ctx, churn, "3"); err != nil {
		return nil, err
	}
	r, err := w.receipt(ctx, churn)
	if err != nil {
		return nil, err
	}
	var by []string
	for _, a := range r.Status.Approved.By {
		by = append(by, a.Role+"="+a.Login)
	}
	return append(evidence, fmt.Sprintf("live, approved by %s", strings.Join(by, ", "))), nil
}

// seated waits until the comment on a pull request counts a person's approval.
func (w *World) seated(ctx context.Context, number int, login string) error {
	return w.until(ctx, login+" has a seat", func(ctx context.Context) (string, bool, error) {
		comments, err := w.comments(ctx, number)
		if err != nil {
			return "", false, err
		}
		if len(comments) > 1 {
			return "", false, fmt.Errorf("#%d has %d comments of Mooring instead of one", number, len(comments))
		}
		if len(comments) == 0 {
			return "no comment yet", false, nil
		}
		return "a comment without them", strings.Contains(comments[0], ": "+login), nil
	})
}

// comments lists what Mooring said on a pull request.
func (w *World) comments(ctx context.Context, number int) ([]string, error) {
	var all []struct {
		Body string                 `json:"body"`
		User struct{ Login string } `json:"user"`
	}
	path := fmt.Sprintf("/repos/%s/issues/%d/comments?per_page=100", FullName, number)
	if err := w.People[admin].Call(ctx, "GET", path, nil, &all); err != nil {
		return nil, fmt.Errorf("read the comments of #%d: %w", number, err)
	}
	var bodies []string
	for _, c := range all {
		if c.User.Login == bot {
			bodies = append(bodies, c.Body)
		}
	}
	return bodies, nil
}

func directPush(ctx context.Context, w *World) ([]string, error) {
	manifest, err := w.manifest(ctx, forecast)
	if err != nil {
		return nil, err
	}
	push := func(content []byte, message string) (string, error) {
		return w.People[admin].Push(ctx, FullName, githubtest.Push{
			Branch: "main", Message: message, Files: map[string][]byte{forecast.Path(): content},
		})
	}
	pushed, err := push([]byte(strings.Replace(string(manifest), `version: "8"`, `version: "9"`, 1)), "Skip the review")
	if err != nil {
		return nil, fmt.Errorf("push to main: %w", err)
	}
	said, err := w.hasStatusLike(ctx, pushed, "mooring", "failure", "quarantined")
	if err != nil {
		return nil, err
	}
	r, err := w.receipt(ctx, forecast)
	if err != nil {
		return nil, err
	}
	if r.Status.Version != "8" || r.Status.Quarantined == nil {
		return nil, fmt.Errorf("the receipt says version %q, quarantined %v", r.Status.Version, r.Status.Quarantined)
	}
	service, err := w.service(ctx, forecast)
	if err != nil {
		return nil, err
	}
	uri, _, err := unstructured.NestedString(service.Object, "spec", "predictor", "model", "storageUri")
	if err != nil || !strings.HasSuffix(uri, "/v8") {
		return nil, fmt.Errorf("the InferenceService serves %q: %w", uri, err)
	}
	evidence := []string{
		fmt.Sprintf("%.12s: mooring failure, %q", pushed, said),
		"the cluster still serves version 8",
	}
	if _, err := push(manifest, "Take it back"); err != nil {
		return nil, fmt.Errorf("push to main: %w", err)
	}
	err = w.until(ctx, "the quarantine is lifted", func(ctx context.Context) (string, bool, error) {
		r, err := w.receipt(ctx, forecast)
		return "still quarantined", err == nil && r.Status.Quarantined == nil, err
	})
	return append(evidence, "taking the push back lifted the quarantine"), err
}

func mend(ctx context.Context, w *World) ([]string, error) {
	service, err := w.service(ctx, churn)
	if err != nil {
		return nil, err
	}
	patch := []byte(`{"spec":{"predictor":{"minReplicas":2}}}`)
	if err := w.Cluster.Patch(ctx, service, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("kubectl-patch")); err != nil {
		return nil, fmt.Errorf("patch the InferenceService: %w", err)
	}
	start := time.Now()
	var found schemas.DriftedField
	err = w.until(ctx, "the receipt reports the drift as healed", func(ctx context.Context) (string, bool, error) {
		r, err := w.receipt(ctx, churn)
		if err != nil {
			return "", false, err
		}
		for _, d := range r.Status.Drift {
			if d.Path == ".spec.predictor.minReplicas" && d.State == schemas.DriftHealed {
				found = d
				return "", true, nil
			}
		}
		return summary(r), false, nil
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	if service, err = w.service(ctx, churn); err != nil {
		return nil, err
	}
	replicas, _, err := unstructured.NestedInt64(service.Object, "spec", "predictor", "minReplicas")
	if err != nil || replicas != 1 {
		return nil, fmt.Errorf("minReplicas is %d after mending: %w", replicas, err)
	}
	return []string{
		fmt.Sprintf("%s%s: %s became %s, by %s", found.Object, found.Path, found.Before, found.After, found.Manager),
		fmt.Sprintf("mended after %s", took.Round(10*time.Millisecond)),
	}, nil
}

func prune(ctx context.Context, w *World) ([]string, error) {
	head, err := w.People[author].Push(ctx, FullName, githubtest.Push{
		Branch: "retire-classifier", Message: "Retire email-classifier", Files: map[string][]byte{classifier.Path(): nil},
	})
	if err != nil {
		return nil, fmt.Errorf("push the removal: %w", err)
	}
	number, err := w.People[author].OpenPullRequest(ctx, FullName, githubtest.Pull{Title: "Retire email-classifier", Head: "retire-classifier", Base: "main"})
	if err != nil {
		return nil, fmt.Errorf("open the pull request: %w", err)
	}
	if _, err := w.hasStatus(ctx, head, "mooring", "success"); err != nil {
		return nil, err
	}
	if _, err := w.People[author].Merge(ctx, FullName, number, "rebase", head); err != nil {
		return nil, fmt.Errorf("merge #%d: %w", number, err)
	}
	err = w.until(ctx, "the model is gone", func(ctx context.Context) (string, bool, error) {
		r, err := w.receipt(ctx, classifier)
		if err != nil || r != nil {
			return "its receipt is there", false, err
		}
		_, err = w.service(ctx, classifier)
		return "its InferenceService is there", client.IgnoreNotFound(err) == nil && err != nil, client.IgnoreNotFound(err)
	})
	if err != nil {
		return nil, err
	}
	var namespace corev1.Namespace
	if err := w.Cluster.Get(ctx, client.ObjectKey{Name: "data-science-staging"}, &namespace); err != nil {
		return nil, fmt.Errorf("the team's namespace should have stayed: %w", err)
	}
	return []string{fmt.Sprintf("#%d removed the InferenceService and its receipt; the team's namespace stayed", number)}, nil
}

func verifyAudit(_ context.Context, w *World) ([]string, error) {
	report, err := audit.VerifyFile(w.AuditFile())
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	return []string{fmt.Sprintf("%d records, head %.24s…", report.Records, report.Head)}, nil
}

// service reads a model's InferenceService.
func (w *World) service(ctx context.Context, unit schemas.Unit) (*unstructured.Unstructured, error) {
	service := &unstructured.Unstructured{}
	service.SetGroupVersionKind(inferenceService)
	key := client.ObjectKey{Namespace: unit.Team + "-" + unit.Environment, Name: unit.Model}
	if err := w.Cluster.Get(ctx, key, service); err != nil {
		return nil, fmt.Errorf("read the InferenceService of %s: %w", unit, err)
	}
	return service, nil
}

// manifest reads a unit's manifest on the branch.
func (w *World) manifest(ctx context.Context, unit schemas.Unit) ([]byte, error) {
	var file struct {
		Content []byte `json:"content"` // base64, as encoding/json reads bytes
	}
	path := "/repos/" + FullName + "/contents/" + unit.Path() + "?ref=main"
	if err := w.People[admin].Call(ctx, "GET", path, nil, &file); err != nil {
		return nil, fmt.Errorf("read the manifest of %s: %w", unit, err)
	}
	return file.Content, nil
}

// propose edits a manifest on a branch of its own and opens a pull request.
func (w *World) propose(ctx context.Context, branch, title string, unit schemas.Unit, before, after string) (number int, head string, err error) {
	manifest, err := w.manifest(ctx, unit)
	if err != nil {
		return 0, "", err
	}
	edited := strings.Replace(string(manifest), before, after, 1)
	if edited == string(manifest) {
		return 0, "", fmt.Errorf("the manifest of %s does not contain %s", unit, before)
	}
	head, err = w.People[author].Push(ctx, FullName, githubtest.Push{
		Branch: branch, Message: title, Files: map[string][]byte{unit.Path(): []byte(edited)},
	})
	if err != nil {
		return 0, "", fmt.Errorf("push %s: %w", branch, err)
	}
	number, err = w.People[author].OpenPullRequest(ctx, FullName, githubtest.Pull{Title: title, Head: branch, Base: "main"})
	if err != nil {
		return 0, "", fmt.Errorf("open the pull request for %s: %w", branch, err)
	}
	return number, head, nil
}
