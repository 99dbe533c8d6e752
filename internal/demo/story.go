package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	Forecast   = schemas.Unit{Team: "data-science", Model: "demand-forecast", Environment: "development"}
	Churn      = schemas.Unit{Team: "data-science", Model: "churn-predictor", Environment: "staging"}
	Classifier = schemas.Unit{Team: "data-science", Model: "email-classifier", Environment: "staging"}
)

// InferenceService is what KServe serves.
var InferenceService = schema.GroupVersionKind{Group: "serving.kserve.io", Version: "v1beta1", Kind: "InferenceService"}

// modelsOfExample is how many models the example repository deploys.
const modelsOfExample = 9

func deployTrusted(ctx context.Context, w *World) ([]string, error) {
	start := time.Now()
	models := map[string][]string{}
	err := w.Until(ctx, "every receipt is live", func(ctx context.Context) (string, bool, error) {
		var list schemas.ModelReleaseList
		if err := w.Cluster.List(ctx, &list, client.InNamespace(w.Namespace)); err != nil {
			return "", false, fmt.Errorf("list the receipts: %w", err)
		}
		var waiting []string
		clear(models)
		count := 0
		for _, r := range list.Items {
			if r.Status.Phase != schemas.PhaseLive || r.Spec.Model != "" && r.Status.Risk == "" {
				unit := schemas.Unit{Team: r.Spec.Team, Model: r.Spec.Model, Environment: r.Spec.Environment}
				waiting = append(waiting, fmt.Sprintf("%s: %s %s", unit, r.Status.Phase, Summary(&r)))
			}
			if r.Spec.Model != "" {
				count++
				models[r.Spec.Environment] = append(models[r.Spec.Environment], fmt.Sprintf("%s v%s (%s)", r.Spec.Model, r.Status.Version, r.Status.Risk))
			}
		}
		return strings.Join(waiting, "; "), count >= modelsOfExample && len(waiting) == 0, nil
	})
	if err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("nothing was approved before: %.12s is trusted because a person named it", w.Trusted)}
	for _, environment := range slices.Sorted(maps.Keys(models)) {
		slices.Sort(models[environment])
		evidence = append(evidence, fmt.Sprintf("%-12s %s", environment, strings.Join(models[environment], ", ")))
	}
	return append(evidence, fmt.Sprintf("all of them ready after %s", rounded(time.Since(start)))), nil
}

func lowRisk(ctx context.Context, w *World) ([]string, error) {
	number, head, err := w.Propose(ctx, Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	if err != nil {
		return nil, err
	}
	said, err := w.HasStatus(ctx, head, "mooring", "success", "")
	if err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("#%d: mooring is success: %s", number, said)}
	merged, err := w.Merge(ctx, Author, number, "squash", head)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := w.Live(ctx, Forecast, "8"); err != nil {
		return nil, err
	}
	evidence = append(evidence, fmt.Sprintf("live %s after the merge", rounded(time.Since(start))))
	for _, commit := range []struct{ name, id string }{{"the merged commit", merged}, {"the pull request's head", head}} {
		said, err := w.HasStatus(ctx, commit.id, "mooring/deploy", "success", "")
		if err != nil {
			return nil, err
		}
		evidence = append(evidence, fmt.Sprintf("%s: mooring/deploy is success: %s", commit.name, said))
	}
	return evidence, w.oneComment(ctx, number)
}

func highRisk(ctx context.Context, w *World) ([]string, error) {
	number, head, err := w.Propose(ctx, Churn, "Serve churn-predictor v3", `version: "2"`, `version: "3"`)
	if err != nil {
		return nil, err
	}
	w.board = number
	said, err := w.HasStatus(ctx, head, "mooring", "pending", "vp-engineering")
	if err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("#%d: mooring is pending: %s", number, said)}
	if _, err := w.Merge(ctx, Author, number, "merge", head); err == nil {
		return nil, fmt.Errorf("#%d could be merged while it was pending", number)
	} else if refused := (*githubtest.Refused)(nil); !errors.As(err, &refused) {
		return nil, err
	}
	evidence = append(evidence, "GitHub refuses the merge while it is")
	reviews, err := w.askBoard(ctx, number, head)
	if err != nil {
		return nil, err
	}
	evidence = append(evidence, reviews...)
	if _, err := w.Merge(ctx, Author, number, "merge", head); err != nil {
		return nil, err
	}
	if err := w.Live(ctx, Churn, "3"); err != nil {
		return nil, err
	}
	r, err := w.Receipt(ctx, Churn)
	if err != nil {
		return nil, err
	}
	var by []string
	for _, a := range r.Status.Approved.By {
		by = append(by, fmt.Sprintf("%s (%s)", a.Login, a.Role))
	}
	return append(evidence, "live; the receipt names "+strings.Join(by, ", ")), w.oneComment(ctx, number)
}

// askBoard has three members and then the chair approve: only the fourth seat,
// the chair's, completes the quorum.
func (w *World) askBoard(ctx context.Context, number int, head string) ([]string, error) {
	var evidence []string
	for i, login := range Board {
		if _, err := w.People[login].Review(ctx, FullName, number, githubtest.Approve, "Looks right."); err != nil {
			return nil, fmt.Errorf("review #%d as %s: %w", number, login, err)
		}
		state, text := "pending", "vp-engineering"
		if login == Chair {
			state, text = "success", ""
		} else if err := w.seated(ctx, number, login); err != nil {
			return nil, err
		}
		said, err := w.HasStatus(ctx, head, "mooring", state, text)
		if err != nil {
			return nil, err
		}
		evidence = append(evidence, fmt.Sprintf("%s approves, %d of %d: %s: %s", login, i+1, len(Board), state, said))
	}
	return evidence, nil
}

// seated waits until the comment on a pull request counts a person's approval.
func (w *World) seated(ctx context.Context, number int, login string) error {
	return w.Until(ctx, login+" has a seat", func(ctx context.Context) (string, bool, error) {
		comments, err := w.Comments(ctx, number)
		if err != nil || len(comments) == 0 {
			return "no comment yet", false, err
		}
		return "a comment without them", strings.Contains(comments[0], ": "+login), nil
	})
}

// oneComment makes sure that Mooring keeps to one comment on a pull request. It
// is written after the statuses.
func (w *World) oneComment(ctx context.Context, number int) error {
	return w.Until(ctx, fmt.Sprintf("#%d has a comment", number), func(ctx context.Context) (string, bool, error) {
		comments, err := w.Comments(ctx, number)
		if err == nil && len(comments) > 1 {
			err = fmt.Errorf("#%d has %d comments of Mooring instead of one", number, len(comments))
		}
		return "none", len(comments) == 1, err
	})
}

// Propose edits a manifest on a branch of its own and opens a pull request.
func (w *World) Propose(ctx context.Context, unit schemas.Unit, title, before, after string) (number int, head string, err error) {
	manifest, err := w.Manifest(ctx, unit)
	if err != nil {
		return 0, "", err
	}
	edited := strings.Replace(string(manifest), before, after, 1)
	if edited == string(manifest) {
		return 0, "", fmt.Errorf("the manifest of %s does not contain %s", unit, before)
	}
	return w.ProposeFiles(ctx, title, map[string][]byte{unit.Path(): []byte(edited)})
}

// ProposeFiles opens a pull request with a change of files; nil removes one.
func (w *World) ProposeFiles(ctx context.Context, title string, files map[string][]byte) (number int, head string, err error) {
	branch := strings.ToLower(strings.ReplaceAll(title, " ", "-"))
	head, err = w.People[Author].Push(ctx, FullName, githubtest.Push{Branch: branch, Message: title, Files: files})
	if err != nil {
		return 0, "", fmt.Errorf("push %s: %w", branch, err)
	}
	number, err = w.People[Author].OpenPullRequest(ctx, FullName, githubtest.Pull{Title: title, Head: branch, Base: "main"})
	if err != nil {
		return 0, "", fmt.Errorf("open the pull request %q: %w", title, err)
	}
	return number, head, nil
}

// Merge merges a pull request whose head is what it should be.
func (w *World) Merge(ctx context.Context, login string, number int, method, head string) (string, error) {
	merged, err := w.People[login].Merge(ctx, FullName, number, method, head)
	if err != nil {
		return "", fmt.Errorf("merge #%d: %w", number, err)
	}
	return merged, nil
}

// Manifest reads a unit's manifest on the branch.
func (w *World) Manifest(ctx context.Context, unit schemas.Unit) ([]byte, error) {
	var file struct {
		Content []byte `json:"content"` // base64, as encoding/json reads bytes
	}
	path := "/repos/" + FullName + "/contents/" + unit.Path() + "?ref=main"
	if err := w.People[Admin].Call(ctx, "GET", path, nil, &file); err != nil {
		return nil, fmt.Errorf("read the manifest of %s: %w", unit, err)
	}
	return file.Content, nil
}

// rounded is a duration for people.
func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
