package release

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
			env := schemas.EnvironmentPath("production")
			text := b.blobs.content[source.ID(b.ledger.Approved[env].Blob)]
			edited := strings.Replace(text, "drift: heal", "drift: "+string(policy), 1)
			if edited == text {
				t.Fatal("the example's production does not heal")
			}
			b.blobs.approve(b.ledger, env, edited)
			b.reload()
			b.bring()
			b.drifted = []schemas.DriftedField{field("replicas", b.now)}
			b.mustLook()
			b.did(want...)
		})
	}
}
