package release

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

func field(path string, at time.Time) schemas.DriftedField {
	return schemas.DriftedField{
		Object: "InferenceService/ns/m", Path: ".spec." + path, Before: "1", After: "2", Manager: "kubectl", Since: metav1.NewTime(at),
	}
}

func TestDriftIsHealedThenFoughtThenContested(t *testing.T) {
	b := newBench(t, "models/data-science/churn-predictor/production/deployment.yaml")
	b.bring()
	for round := range 3 {
		b.drifted = []schemas.DriftedField{field("replicas", b.now)}
		b.mustLook()
		b.did("inspect", "intent heal", "apply", "outcome heal")
		b.says(schemas.ConditionDrifted, ReasonHealed)
		if round == 0 {
			if again := b.mustLook(); again <= 0 {
				t.Error("drift right after a heal is not looked at again later")
			}
			b.did("inspect")
			b.says(schemas.ConditionDrifted, ReasonDetected)
		}
		b.now = b.now.Add(5 * time.Minute)
	}
	b.drifted = []schemas.DriftedField{field("replicas", b.now)}
	b.mustLook()
	b.did("inspect", "decision drift")
	b.says(schemas.ConditionDrifted, ReasonContested)
	b.mustLook()
	b.did("inspect")
	b.drifted = nil
	b.mustLook()
	b.says(schemas.ConditionDrifted, ReasonHealed)
}

func TestAHealThatIsNotOnRecordIsNotSaidToBe(t *testing.T) {
	full := errors.New("disk full")
	t.Run("the intent is refused", func(t *testing.T) {
		b := newBench(t, high)
		b.bring()
		b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
		b.fails["intent heal"] = full
		if _, err := b.look(); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		b.did("inspect", "intent heal")
		b.says("Ready", ReasonNotRecorded)
		b.says("Stalled", ReasonNotRecorded)
		b.says(schemas.ConditionDrifted, ReasonDetected)
		delete(b.fails, "intent heal")
		b.mustLook()
		b.did("inspect", "intent heal", "apply", "outcome heal")
		b.says("Ready", ReasonApplied)
		b.says("Stalled", "")
	})
	t.Run("the outcome is refused", func(t *testing.T) {
		b := newBench(t, high)
		b.bring()
		b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
		b.fails["outcome heal"] = full
		if _, err := b.look(); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		b.drifted = nil // what was healed is in order
		for range 2 {
			b.says("Ready", ReasonNotRecorded)
			b.says(schemas.ConditionDrifted, ReasonNotRecorded)
			if _, err := b.look(); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			b.did("outcome heal")
		}
		delete(b.fails, "outcome heal")
		b.mustLook()
		b.did("outcome heal", "inspect")
		b.says("Ready", ReasonApplied)
		b.says("Stalled", "")
		b.says(schemas.ConditionDrifted, ReasonHealed)
		b.mustLook()
		b.did("inspect")
	})
	t.Run("what is only reported is refused", func(t *testing.T) {
		b := newBench(t, high)
		b.policy(schemas.DriftReport)
		b.bring()
		b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
		b.fails["decision drift"] = full
		if _, err := b.look(); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		b.says("Ready", ReasonNotRecorded)
		delete(b.fails, "decision drift")
		b.mustLook()
		b.did("inspect", "decision drift")
		b.says("Ready", ReasonApplied)
		b.says(schemas.ConditionDrifted, ReasonReported)
	})
}

// policy makes production handle drift in another way.
func (b *bench) policy(policy schemas.DriftPolicy) {
	b.Helper()
	env := schemas.EnvironmentPath("production")
	text := b.blobs.content[source.ID(b.ledger.Approved[env].Blob)]
	edited := strings.Replace(text, "drift: heal", "drift: "+string(policy), 1)
	if edited == text {
		b.Fatal("the example's production does not heal")
	}
	b.blobs.approve(b.ledger, env, edited)
	b.reload()
}

func TestManyDriftedFieldsAreHealedAndOnRecordInPart(t *testing.T) {
	b := newBench(t, high)
	b.bring()
	for round := range 4 {
		b.drifted = nil
		for i := range 200 {
			b.drifted = append(b.drifted, field(fmt.Sprintf("f%03d", i), b.now))
		}
		b.mustLook()
		if fought := b.log[1] == "decision drift"; fought != (round == 3) {
			t.Errorf("round %d: %q", round, b.log)
		}
		if n := len(b.receipt().Status.Drift); n > maxDrift {
			t.Errorf("the receipt keeps %d", n)
		}
		b.now = b.now.Add(5 * time.Minute)
	}
}

func TestDriftPolicies(t *testing.T) {
	for policy, want := range map[schemas.DriftPolicy][]string{
		schemas.DriftReport: {"inspect", "decision drift"},
		schemas.DriftPause:  nil,
	} {
		t.Run(string(policy), func(t *testing.T) {
			b := newBench(t, high)
			b.policy(policy)
			b.bring()
			b.drifted = []schemas.DriftedField{field("replicas", b.now)}
			b.mustLook()
			b.did(want...)
		})
	}
}

// That something is gone is seen at each look, and is one event: a heal that is
// refused for a day would be a thousand.
func TestObjectsThatAreGoneAreOnRecordOnce(t *testing.T) {
	b := newBench(t, high)
	b.bring()
	b.fails["apply"] = &apply.RefusedError{Unit: b.unit}
	for i := range 4 {
		b.now = b.now.Add(time.Minute)
		b.drifted = nil
		for n := range maxFound + 3 {
			b.drifted = append(b.drifted, schemas.DriftedField{
				Object: fmt.Sprintf("InferenceService/ns/%d", n), Before: "present", After: "absent", Operation: "Delete", Since: metav1.NewTime(b.now), State: schemas.DriftDetected,
			})
		}
		before := len(b.records)
		if _, err := b.look(); err == nil {
			t.Fatal("no error")
		}
		if added := len(b.records) - before; i > 0 && added > 0 {
			t.Errorf("%d records are added at look %d", added, i)
		}
	}
}
