package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/schemas"
)

func replicas(service *unstructured.Unstructured) int64 {
	n, _, err := unstructured.NestedInt64(service.Object, "spec", "predictor", "minReplicas")
	if err != nil {
		return -1
	}
	return n
}

// drift changes a model by hand.
func (w *world) drift(unit schemas.Unit) {
	w.t.Helper()
	service, err := w.Service(w.t.Context(), unit)
	w.must(err)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"predictor":{"minReplicas":2}}}`))
	w.must(w.Cluster.Patch(w.t.Context(), service, patch, client.FieldOwner("kubectl-patch")))
}

// Without a commit that a person vouches for nothing is applied, and neither is
// it with one that does not exist.
func TestNothingIsTrustedUnasked(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks, func(o *demo.Options) {
		o.Configure = func(r *schemas.ModelRepository) { r.Spec.TrustFrom = "" }
	})
	if message := w.says("Ready", "False", "NothingTrusted"); !strings.Contains(message, "spec.trustFrom") {
		t.Errorf("the message does not say what to set: %s", message)
	}
	w.patch(`{"spec":{"trustFrom":"` + strings.Repeat("1", 40) + `"}}`)
	w.must(w.Until(t.Context(), "the commit is not found", func(context.Context) (string, bool, error) {
		r := w.repository()
		message := conditionMessage(r, "Ready")
		return message, strings.Contains(message, "111111"), nil
	}))
	if receipts := w.list(); len(receipts) > 0 {
		t.Errorf("there are receipts already: %v", receipts)
	}
	w.patch(`{"spec":{"trustFrom":"` + w.Trusted + `"}}`)
	w.allLive(3)
	w.says("Ready", "True", "Judged")
}

func conditionMessage(r *schemas.ModelRepository, name string) string {
	for _, c := range r.Status.Conditions {
		if c.Type == name {
			return c.Message
		}
	}
	return ""
}

// A suspended repository is left alone but for drift, and catches up afterwards.
// A deleted one leaves what it deployed, and goes on when it is back.
func TestSuspendedAndDeleted(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	number, head, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")

	w.patch(`{"spec":{"suspend":true}}`)
	w.says("Ready", "False", "Suspended")
	_, err = w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.healed(demo.Churn)
	w.serves(demo.Forecast, "7")
	w.patch(`{"spec":{"suspend":false}}`)
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
	w.says("Ready", "True", "Judged")

	repository := w.repository()
	w.must(w.Cluster.Delete(t.Context(), repository))
	w.must(w.Until(t.Context(), "the ModelRepository is gone", func(ctx context.Context) (string, bool, error) {
		err := w.Cluster.Get(ctx, client.ObjectKeyFromObject(repository), &schemas.ModelRepository{})
		return "it is there", err != nil, client.IgnoreNotFound(err)
	}))
	w.serves(demo.Forecast, "8")
	tip, err := w.GitHub.Head(demo.FullName, "main")
	w.must(err)
	again := &schemas.ModelRepository{ObjectMeta: repository.ObjectMeta, Spec: repository.Spec}
	again.ResourceVersion, again.UID, again.Spec.TrustFrom = "", "", tip
	w.must(w.Cluster.Create(t.Context(), again))
	w.says("Ready", "True", "Judged")
	w.allLive(3)
	w.serves(demo.Forecast, "8")
	w.nothingOrphaned()
}

// SIGTERM ends the controller at once when it is idle, and soon when it waits
// for a server that does not answer: before the 20 s that work may take to end.
func TestSIGTERMEndsItSoon(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	hanging := w.github.hold(call(http.MethodGet, "/info/refs"))
	w.await(hanging.reached, "a fetch that hangs")
	begin := time.Now()
	w.must(w.Controller.Stop())
	if took := time.Since(begin); took > 18*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	close(hanging.released)
	w.must(w.StartController(t.Context()))
	w.says("Ready", "True", "Judged")
}

// Without a record nothing is done. Where the log is unusable from the start,
// the controller says so and ends.
func TestWithoutARecordNothingIsDone(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	number, head, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")

	aside := w.AuditFile() + ".aside"
	w.must(os.Rename(w.AuditFile(), aside))
	_, err = w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.must(w.Until(t.Context(), "the repository says that the log is unusable", func(context.Context) (string, bool, error) {
		message := conditionMessage(w.repository(), "Ready")
		return message, strings.Contains(message, "audit log"), nil
	}))
	w.serves(demo.Forecast, "7")
	w.must(w.Controller.Stop())

	w.must(os.Mkdir(w.AuditFile(), 0o700))
	w.must(w.StartController(t.Context()))
	w.ends(w.Controller)
	if text := w.log(); !strings.Contains(text, "open the audit log") {
		t.Errorf("the log does not say why it ended:\n%s", text)
	}
	w.must(errors.Join(os.Remove(w.AuditFile()), os.Rename(aside, w.AuditFile())))
	w.must(w.StartController(t.Context()))
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
}

func (w *world) log() string {
	w.t.Helper()
	content, err := os.ReadFile(w.LogFile())
	w.must(err)
	return string(content)
}

// A receipt that somebody edits or deletes is no order: what was not approved
// does not run, and the receipt is put right.
func TestATamperedReceiptOrdersNothing(t *testing.T) {
	t.Parallel()
	w := start(t, small, func(o *demo.Options) { o.Interval = rarely })
	w.allLive(3)

	t.Run("deleted", func(t *testing.T) {
		before, err := w.Service(t.Context(), demo.Churn)
		w.must(err)
		r, err := w.Receipt(t.Context(), demo.Churn)
		w.must(err)
		w.must(w.Cluster.Delete(t.Context(), r))
		w.must(w.Live(t.Context(), demo.Churn, "2"))
		after, err := w.Service(t.Context(), demo.Churn)
		w.must(err)
		if before.GetUID() != after.GetUID() {
			t.Error("the InferenceService was made anew")
		}
	})
	w.patch(`{"spec":{"interval":"1s"}}`)
	evil := w.evil()
	t.Run("edited while the controller runs", func(t *testing.T) {
		w.forge(demo.Forecast, evil)
		w.must(w.Until(t.Context(), "the receipt is put right", func(ctx context.Context) (string, bool, error) {
			r, err := w.Receipt(ctx, demo.Forecast)
			return "it is not", err == nil && r.Status.Approved != nil && r.Status.Approved.Blob != evil, err
		}))
		w.serves(demo.Forecast, "7")
	})
	t.Run("edited while the controller is away", func(t *testing.T) {
		w.must(w.Controller.Stop())
		w.forge(demo.Forecast, evil)
		w.must(w.StartController(t.Context()))
		w.must(w.Until(t.Context(), "the receipt is put right", func(ctx context.Context) (string, bool, error) {
			r, err := w.Receipt(ctx, demo.Forecast)
			return "it is not", err == nil && (r.Status.Approved == nil || r.Status.Approved.Blob != evil), err
		}))
		w.serves(demo.Forecast, "7")
	})
	w.nothingOrphaned()
}

// evil is content that the mirror has and nobody approved: the blob of a
// quarantined push.
func (w *world) evil() string {
	w.t.Helper()
	manifest, err := w.Manifest(w.t.Context(), demo.Forecast)
	w.must(err)
	_, err = w.PushToMain(w.t.Context(), "Skip the review", map[string][]byte{
		demo.Forecast.Path(): []byte(strings.Replace(string(manifest), `version: "7"`, `version: "666"`, 1)),
	})
	w.must(err)
	w.stays(demo.Forecast, "7", "")
	r, err := w.Receipt(w.t.Context(), demo.Forecast)
	w.must(err)
	return r.Status.Quarantined.Blob
}

// forge makes a receipt say that a blob is approved.
func (w *world) forge(unit schemas.Unit, blob string) {
	w.t.Helper()
	r, err := w.Receipt(w.t.Context(), unit)
	w.must(err)
	forged := *r.Status.Approved
	forged.Blob, forged.PullRequest = blob, 1
	text, err := json.Marshal(map[string]any{"status": map[string]any{"approved": forged, "quarantined": nil}})
	w.must(err)
	w.must(w.Cluster.Status().Patch(w.t.Context(), r, client.RawPatch(types.MergePatchType, text)))
	w.t.Logf("forged: %s", text)
}
