package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// However a pull request is merged, what was approved is deployed; the approval
// is of content. A rebase puts several commits on the branch.
func TestEveryWayToMergeDeploys(t *testing.T) {
	t.Parallel()
	w := start(t, with("alpha", "beta", "gamma"), withoutWebhooks)
	w.allLive(6)
	for method, model := range map[string]string{"merge": "alpha", "squash": "beta", "rebase": "gamma"} {
		unit := low(model)
		number, _, err := w.Propose(t.Context(), unit, "Serve "+model+" v8", `version: "7"`, `version: "8"`)
		w.must(err)
		manifest, err := w.Manifest(t.Context(), unit)
		w.must(err)
		second := strings.Replace(string(manifest), `version: "7"`, `version: "9"`, 1)
		head, err := w.People[demo.Author].Push(t.Context(), demo.FullName, githubtest.Push{
			Branch: "serve-" + model + "-v8", Message: "Better still", Files: map[string][]byte{unit.Path(): []byte(second)},
		})
		w.must(err)
		w.hasStatus(head, "mooring", "success", "")
		merged, err := w.Merge(t.Context(), demo.Author, number, method, head)
		w.must(err)
		w.must(w.Live(t.Context(), unit, "9"))
		w.hasStatus(merged, "mooring/deploy", "success", "live")
		w.hasStatus(head, "mooring/deploy", "success", "live")
	}
	if n := w.repository().Status.QuarantinedFiles; n != 0 {
		t.Errorf("%d files are quarantined", n)
	}
}

// What reaches the branch in any other way is quarantined and the last good
// revision stays: without approvals, with a push after them, or by force.
func TestNothingUnapprovedRuns(t *testing.T) {
	t.Parallel()
	w := start(t, with("alpha"), withoutWebhooks)
	w.allLive(4)

	t.Run("an administrator merges over red", func(t *testing.T) {
		number, head, err := w.Propose(t.Context(), demo.Churn, "Serve churn-predictor v3", `version: "2"`, `version: "3"`)
		w.must(err)
		w.hasStatus(head, "mooring", "pending", "")
		merged, err := w.Merge(t.Context(), demo.Admin, number, "merge", head)
		w.must(err)
		w.hasStatus(merged, "mooring", "failure", "quarantined")
		w.stays(demo.Churn, "2", "without its approvals")
		w.takeBack(demo.Churn, `version: "3"`, `version: "2"`)
	})
	t.Run("a push comes after the approvals", func(t *testing.T) {
		number, head, err := w.Propose(t.Context(), demo.Churn, "Serve churn-predictor v4", `version: "2"`, `version: "4"`)
		w.must(err)
		for _, login := range demo.Board {
			_, err := w.People[login].Review(t.Context(), demo.FullName, number, githubtest.Approve, "")
			w.must(err)
		}
		w.hasStatus(head, "mooring", "success", "")
		manifest, err := w.Manifest(t.Context(), demo.Churn)
		w.must(err)
		late, err := w.People[demo.Author].Push(t.Context(), demo.FullName, githubtest.Push{
			Branch: "serve-churn-predictor-v4", Message: "One more thing",
			Files: map[string][]byte{demo.Churn.Path(): []byte(strings.Replace(string(manifest), `version: "2"`, `version: "666"`, 1))},
		})
		w.must(err)
		merged, err := w.Merge(t.Context(), demo.Admin, number, "squash", late)
		w.must(err)
		w.hasStatus(merged, "mooring", "failure", "quarantined")
		w.stays(demo.Churn, "2", "")
		w.takeBack(demo.Churn, `version: "666"`, `version: "2"`)
	})
	t.Run("a history is pushed by force", func(t *testing.T) {
		number, head, err := w.Propose(t.Context(), low("alpha"), "Serve alpha v8", `version: "7"`, `version: "8"`)
		w.must(err)
		w.hasStatus(head, "mooring", "success", "")
		merged, err := w.Merge(t.Context(), demo.Author, number, "squash", head)
		w.must(err)
		w.must(w.Live(t.Context(), low("alpha"), "8"))
		w.must(w.GitHub.ForcePush(demo.FullName, "main", w.Trusted, demo.Admin))
		w.stays(low("alpha"), "8", "")
		w.must(w.GitHub.ForcePush(demo.FullName, "main", merged, demo.Admin))
		w.lifted(low("alpha"))
	})
	w.nothingOrphaned()
}

// stays waits until a unit is quarantined for a reason, and makes sure that it
// serves the version of before.
func (w *world) stays(unit schemas.Unit, version, reason string) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), unit.String()+" is quarantined", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, unit)
		if err != nil || r.Status.Quarantined == nil {
			return "it is not", false, err
		}
		return r.Status.Quarantined.Reason, strings.Contains(r.Status.Quarantined.Reason, reason), nil
	}))
	w.serves(unit, version)
}

// serves makes sure of the version that a unit serves.
func (w *world) serves(unit schemas.Unit, version string) {
	w.t.Helper()
	service, err := w.Service(w.t.Context(), unit)
	w.must(err)
	if service == nil || service.GetLabels()[schemas.LabelVersion] != version {
		w.t.Errorf("%s does not serve version %s: %v", unit, version, service)
	}
}

func (w *world) lifted(unit schemas.Unit) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), "the quarantine of "+unit.String()+" is lifted", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, unit)
		return "still quarantined", err == nil && r.Status.Quarantined == nil, err
	}))
}

func (w *world) takeBack(unit schemas.Unit, before, after string) {
	w.t.Helper()
	manifest, err := w.Manifest(w.t.Context(), unit)
	w.must(err)
	_, err = w.PushToMain(w.t.Context(), "Take it back", map[string][]byte{unit.Path(): []byte(strings.Replace(string(manifest), before, after, 1))})
	w.must(err)
	w.lifted(unit)
}

// A merge that would remove most of the fleet waits for a person, however
// approved it is.
func TestMassRemovalWaitsForAPerson(t *testing.T) {
	t.Parallel()
	models := []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"}
	w := start(t, with(models...), withoutWebhooks)
	w.allLive(3 + len(models))
	removal := map[string][]byte{}
	for _, model := range models {
		removal[low(model).Path()] = nil
	}
	number, head, err := w.ProposeFiles(t.Context(), "Retire nearly everything", removal)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	merged, err := w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	message := w.says("Ready", "False", "MassRemoval")
	if !strings.Contains(message, release.AnnotationAllowRemovals+"="+merged) {
		t.Errorf("the message does not say what to do: %s", message)
	}
	for _, model := range models {
		w.serves(low(model), "7")
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, release.AnnotationAllowRemovals, merged)
	w.must(w.Cluster.Patch(t.Context(), w.repository(), client.RawPatch(types.MergePatchType, []byte(patch))))
	w.allLive(3)
	w.says("Ready", "True", "Judged")
	w.nothingOrphaned()
}
