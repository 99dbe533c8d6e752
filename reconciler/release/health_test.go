package release

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// drifting is a bench whose model serves where drift is treated by a policy.
func drifting(t *testing.T, policy schemas.DriftPolicy) *bench {
	t.Helper()
	b := newBench(t, low)
	path := schemas.EnvironmentPath(b.unit.Environment)
	text := b.blobs.content[source.ID(b.ledger.Approved[path].Blob)]
	if !strings.Contains(text, "drift: report") {
		t.Fatal("the example's development does not report")
	}
	b.blobs.approve(b.ledger, path, strings.Replace(text, "drift: report", "drift: "+string(policy), 1))
	b.reload()
	b.bring()
	return b
}

// lose deletes the model's InferenceService, and gives its name.
func (b *bench) lose() string {
	b.Helper()
	for key, o := range b.live {
		if strings.HasPrefix(key, "InferenceService/") {
			delete(b.live, key)
			return o.GetName()
		}
	}
	b.Fatal("there is no InferenceService")
	return ""
}

func (b *bench) deleted(name string) schemas.DriftedField {
	return schemas.DriftedField{
		Object: "InferenceService/" + b.unit.Team + "-" + b.unit.Environment + "/" + name, Before: "present", After: "absent", Operation: "Delete",
	}
}

func TestADeletedObjectSaysWhetherItIsMadeAgain(t *testing.T) {
	const hint = "kubectl delete modelrelease -n mooring-system development.data-science.demand-forecast"
	for _, test := range []struct {
		name    string
		policy  schemas.DriftPolicy
		after   time.Duration
		found   bool // by the look for drift
		stalled bool
		says    []string
	}{
		{"just applied", schemas.DriftReport, time.Second, false, false, []string{"is not there yet"}},
		{"healed", schemas.DriftHeal, time.Hour, true, false, []string{"is not there yet"}},
		{"reported", schemas.DriftReport, time.Hour, true, true, []string{" was deleted, and development only reports drift", hint}},
		{"without the label it is seen by", schemas.DriftReport, time.Hour, false, true, []string{"put that back", "only reports drift", hint}},
		{"not looked for", schemas.DriftPause, time.Hour, false, true, []string{"nobody looks for drift in development", hint}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := drifting(t, test.policy)
			if name := b.lose(); test.found {
				b.drifted = []schemas.DriftedField{b.deleted(name)}
			}
			b.now = b.receipt().Status.Applied.At.Add(test.after)
			b.mustLook()
			r := b.receipt()
			for _, text := range test.says {
				if message := conditions.GetMessage(r, "Ready"); !strings.Contains(message, text) {
					t.Errorf("it says %q, want %q", message, text)
				}
			}
			b.says("Ready", "Missing")
			if conditions.IsTrue(r, "Stalled") != test.stalled || conditions.IsTrue(r, "Reconciling") == test.stalled || (r.Status.Phase == schemas.PhaseFailed) != test.stalled {
				t.Errorf("it is in phase %s: %+v", r.Status.Phase, r.Status.Conditions)
			}
			b.serve()
			b.drifted = nil
			b.now = b.now.Add(time.Minute)
			b.mustLook()
			if r := b.receipt(); r.Status.Phase != schemas.PhaseLive || conditions.IsTrue(r, "Stalled") {
				t.Errorf("there again, it is in phase %s: %+v", r.Status.Phase, r.Status.Conditions)
			}
		})
	}
}

func TestAnObjectThatIsDeletedEachTimeSaysThatHealingEnded(t *testing.T) {
	b := drifting(t, schemas.DriftHeal)
	for range 4 {
		b.drifted = []schemas.DriftedField{b.deleted(b.lose())}
		b.now = b.now.Add(5 * time.Minute)
		b.mustLook()
		if conditions.GetReason(b.receipt(), schemas.ConditionDrifted) != ReasonContested {
			b.serve()
		}
	}
	if r := b.receipt(); !conditions.IsTrue(r, "Stalled") || !strings.Contains(conditions.GetMessage(r, "Stalled"), "healing has ended") {
		t.Errorf("it says %+v", r.Status.Conditions)
	}
}

// What the message advises.
func TestAUnitWhoseReceiptIsDeletedIsAppliedAgain(t *testing.T) {
	b := drifting(t, schemas.DriftReport)
	b.drifted = []schemas.DriftedField{b.deleted(b.lose())}
	b.now = b.now.Add(time.Hour)
	b.mustLook()
	b.did("inspect", "decision drift")
	if err := b.client.Delete(b.Context(), b.receipt()); err != nil {
		t.Fatal(err)
	}
	b.reload()
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
}
