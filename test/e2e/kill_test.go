package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// stages of a life, in their order. A stage sets something going and returns
// what waits until it is done.
var stages = []struct {
	name string
	run  func(*world) (settle func())
}{
	{"start", startStage},
	{"propose", proposeStage},
	{"merge", mergeStage},
	{"drift", driftStage},
	{"remove", removeStage},
}

// killing is a point in a life at which the controller is killed.
type killing struct {
	name  string
	stage string
	// arm says which request passes at that point.
	arm func(*world) *held
	// check makes sure that the point is the one meant; it may be nil.
	check func(*world)
	// standby: another replica waits already, and none is started again.
	standby bool
}

var killings = []killing{
	{name: "before the first fetch", stage: "start",
		arm: func(w *world) *held { return w.github.hold(call(http.MethodGet, "/info/refs")) }},
	{name: "when the first receipt was made", stage: "start",
		arm: func(w *world) *held { return w.cluster.holdAnswer(call(http.MethodPost, "/modelreleases")) }},
	{name: "when a receipt says Applying", stage: "start",
		arm: func(w *world) *held {
			return w.cluster.holdAnswer(saying(call(http.MethodPatch, "/modelreleases/"), `"phase":"Applying"`))
		}},
	{name: "when an InferenceService was made", stage: "start",
		arm: func(w *world) *held { return w.cluster.holdAnswer(written("")) }},
	{name: "when the commit statuses are being written", stage: "propose",
		arm: func(w *world) *held { return w.github.holdAnswer(call(http.MethodPost, "/statuses/")) }},
	{name: "when the comment was written", stage: "propose",
		arm: func(w *world) *held { return w.github.holdAnswer(call(http.MethodPost, "/comments")) }},
	{name: "between the merge and the record of its approval", stage: "merge",
		arm: func(w *world) *held {
			return w.github.hold(func(r request) bool {
				return strings.HasSuffix(r.URL.Path, "/pulls") && strings.Contains(r.URL.Path, "/commits/")
			})
		},
		check: func(w *world) { w.hasRecords(0, audit.PhaseDecision, release.ActionApprove, demo.Forecast) }},
	{name: "between the record of the approval and the receipt", stage: "merge",
		arm: func(w *world) *held {
			return w.cluster.hold(saying(call(http.MethodPut, "/modelreleases/"), `"pullRequest":1`))
		},
		check: func(w *world) { w.hasRecords(1, audit.PhaseDecision, release.ActionApprove, demo.Forecast) }},
	{name: "between the intent of an apply and its outcome", stage: "merge",
		arm: func(w *world) *held { return w.cluster.hold(written(demo.Forecast.Model)) },
		check: func(w *world) {
			w.hasRecords(2, audit.PhaseIntent, release.ActionApply, demo.Forecast)
			w.hasRecords(1, audit.PhaseOutcome, release.ActionApply, demo.Forecast)
		}},
	{name: "before it is told that the merged commit is live", stage: "merge",
		arm: func(w *world) *held { return w.github.hold(saying(call(http.MethodPost, "/statuses/"), "live: ")) }},
	{name: "while healing", stage: "drift",
		arm: func(w *world) *held { return w.cluster.hold(written(demo.Churn.Model)) },
		check: func(w *world) {
			w.hasRecords(1, audit.PhaseIntent, release.ActionHeal, demo.Churn)
			w.hasRecords(0, audit.PhaseOutcome, release.ActionHeal, demo.Churn)
		}},
	{name: "before an object is pruned", stage: "remove",
		arm: func(w *world) *held { return w.cluster.hold(call(http.MethodDelete, "/inferenceservices/")) },
		check: func(w *world) {
			w.hasRecords(1, audit.PhaseIntent, release.ActionPrune, demo.Classifier)
			w.hasRecords(0, audit.PhaseOutcome, release.ActionPrune, demo.Classifier)
		}},
	{name: "between an intent and its outcome, beside a standby", stage: "merge", standby: true,
		arm: func(w *world) *held { return w.cluster.hold(written(demo.Forecast.Model)) },
		check: func(w *world) {
			w.hasRecords(2, audit.PhaseIntent, release.ActionApply, demo.Forecast)
			w.hasRecords(1, audit.PhaseOutcome, release.ActionApply, demo.Forecast)
		}},
	{name: "before an object is pruned, beside a standby", stage: "remove", standby: true,
		arm: func(w *world) *held { return w.cluster.hold(call(http.MethodDelete, "/inferenceservices/")) }},
	{name: "when an object was pruned", stage: "remove",
		arm: func(w *world) *held { return w.cluster.holdAnswer(call(http.MethodDelete, "/inferenceservices/")) }},
}

// Killed at any point and started again, the controller comes to where one that
// was never killed is: the same receipts, objects, statuses, one comment, and
// the same records.
func TestKilledAtAnyPointItConverges(t *testing.T) {
	var once sync.Once
	var unkilled []string
	for _, k := range killings {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			got := live(t, k)
			once.Do(func() { unkilled = live(t, killing{}) })
			if unkilled == nil {
				t.Fatal("the life without a killing has failed, so there is nothing to compare with")
			}
			if diff := differences(unkilled, got); diff != "" {
				t.Errorf("it differs from a controller that was never killed:\n%s", diff)
			}
		})
	}
}

// live leads a life with one killing in it, or none, and gives its last state.
func live(t *testing.T, k killing) []string {
	w := prepare(t, small, withoutWebhooks)
	if k.standby {
		w.ControllerFlags = w.replica().flags
	}
	for _, stage := range stages {
		if stage.name != k.stage {
			stage.run(w)()
			continue
		}
		at := k.arm(w)
		settle := stage.run(w)
		w.await(at.reached, "the point at which to kill")
		w.fail(k)
		close(at.released)
		if k.check != nil {
			k.check(w)
		}
		if !k.standby {
			w.must(w.StartController(t.Context()))
		}
		settle()
	}
	w.nothingOrphaned()
	// What is told last is told after the cluster is as it should be.
	w.must(w.Controller.Stop())
	return w.state()
}

// fail kills the controller; where a standby is wanted, it waits by then.
func (w *world) fail(k killing) {
	w.t.Helper()
	leader := w.Controller
	if k.standby {
		w.standby(w.replica())
	}
	w.must(leader.Kill())
}

func startStage(w *world) func() {
	w.must(w.StartController(w.t.Context()))
	return func() { w.allLive(3) }
}

func proposeStage(w *world) func() {
	number, head, err := w.Propose(w.t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.pulls, w.commits["head"] = append(w.pulls, number), head
	return func() {
		w.hasStatus(head, "mooring", "success", "")
		w.hasComment(number)
	}
}

// hasComment waits for the comment, which is written after the statuses.
func (w *world) hasComment(number int) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), fmt.Sprintf("there is a comment on #%d", number), func(ctx context.Context) (string, bool, error) {
		comments, err := w.Comments(ctx, number)
		return fmt.Sprint(comments), len(comments) > 0, err
	}))
}

func mergeStage(w *world) func() {
	merged, err := w.Merge(w.t.Context(), demo.Author, w.pulls[0], "squash", w.commits["head"])
	w.must(err)
	w.commits["merged"] = merged
	return func() {
		w.must(w.Live(w.t.Context(), demo.Forecast, "8"))
		w.hasStatus(merged, "mooring/deploy", "success", "live")
		w.hasStatus(w.commits["head"], "mooring/deploy", "success", "live")
	}
}

func driftStage(w *world) func() {
	service, err := w.Service(w.t.Context(), demo.Churn)
	w.must(err)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"predictor":{"minReplicas":2}}}`))
	w.must(w.Cluster.Patch(w.t.Context(), service, patch, client.FieldOwner("kubectl-patch")))
	return func() {
		w.must(w.Until(w.t.Context(), "the drift is healed", func(ctx context.Context) (string, bool, error) {
			r, err := w.Receipt(ctx, demo.Churn)
			if err != nil {
				return "", false, err
			}
			return demo.Summary(r), len(r.Status.Drift) == 1 && r.Status.Drift[0].State == schemas.DriftHealed && r.Status.Phase == schemas.PhaseLive, nil
		}))
	}
}

func removeStage(w *world) func() {
	number, head, err := w.ProposeFiles(w.t.Context(), "Retire email-classifier", map[string][]byte{demo.Classifier.Path(): nil})
	w.must(err)
	w.pulls, w.commits["head of the removal"] = append(w.pulls, number), head
	w.hasStatus(head, "mooring", "success", "")
	w.hasComment(number) // once it is merged, none would be written any more
	merged, err := w.Merge(w.t.Context(), demo.Author, number, "rebase", head)
	w.must(err)
	w.commits["merged removal"] = merged
	return func() {
		w.must(w.Until(w.t.Context(), "the model is gone", func(ctx context.Context) (string, bool, error) {
			r, err := w.Receipt(ctx, demo.Classifier)
			return "its receipt is there", r == nil && err == nil, err
		}))
		w.hasStatus(merged, "mooring/deploy", "success", "")
		w.hasStatus(head, "mooring/deploy", "success", "")
	}
}

// await waits for something that the controller does.
func (w *world) await(done <-chan struct{}, what string) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), what+" is reached", func(context.Context) (string, bool, error) {
		select {
		case <-done:
			return "", true, nil
		default:
			return "not yet", false, nil
		}
	}))
}

func (w *world) hasStatus(commit, statusContext, state, text string) string {
	w.t.Helper()
	said, err := w.HasStatus(w.t.Context(), commit, statusContext, state, text)
	w.must(err)
	return said
}

// hasRecords makes sure of the number of records of a kind.
func (w *world) hasRecords(want int, phase audit.Phase, action release.Action, unit schemas.Unit) {
	w.t.Helper()
	if _, err := os.Stat(w.AuditFile()); err != nil {
		w.t.Fatal(err)
	}
	if got := w.onRecord(phase, action, unit); got != want {
		w.t.Errorf("there are %d records of %s of %s for %s, want %d", got, phase, action, unit, want)
	}
}
