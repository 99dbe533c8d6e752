package release

import (
	"errors"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

func TestOtherContentThatRendersToTheSameIsNotApplied(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	b.blobs.approve(b.ledger, low, b.blobs.content[source.ID(b.ledger.Approved[low].Blob)]+"# a remark\n")
	b.reload()
	if s := b.receipt().Status; s.Phase != schemas.PhasePending {
		t.Errorf("new content is %s before it was looked at", s.Phase)
	}
	before := b.receipt().Status.Applied.Blob
	b.fails["outcome apply"] = errors.New("disk full")
	if _, err := b.look(); err == nil || b.receipt().Status.Applied.Blob != before {
		t.Errorf("it is taken for what is deployed without a record: %v", err)
	}
	delete(b.fails, "outcome apply")
	b.mustLook()
	b.did("outcome apply", "inspect")
	if s := b.receipt().Status; s.Applied.Blob != b.ledger.Approved[low].Blob || s.Phase == schemas.PhasePending {
		t.Errorf("the receipt says %s, %+v", s.Phase, s.Applied)
	}
	b.mustLook()
	b.did("inspect")
}

// Else the log would end with the failure, of content that nobody wants any more.
func TestTheOutcomeOfWhatIsTakenBackIsOnRecord(t *testing.T) {
	for name, c := range map[string]struct {
		manifest     string
		change, back func(*bench)
	}{
		"by a change of the model": {
			low,
			func(b *bench) { b.replace(low, `version: "7"`, `version: "8"`) },
			func(b *bench) { b.replace(low, `version: "8"`, `version: "7"`) },
		},
		"by a change of the environment": {
			low,
			func(b *bench) {
				b.replace(schemas.EnvironmentPath(b.unit.Environment), "s3://mlops-models/", "s3://others/")
			},
			func(b *bench) {
				b.replace(schemas.EnvironmentPath(b.unit.Environment), "s3://others/", "s3://mlops-models/")
			},
		},
		"of a model that drifted, where that is reported": {
			high,
			func(b *bench) { b.replace(high, `version: "2"`, `version: "3"`) },
			func(b *bench) { b.replace(high, `version: "3"`, `version: "2"`) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.manifest)
			if c.manifest == high {
				b.policy(schemas.DriftReport)
			}
			b.bring()
			if c.manifest == high {
				b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
				b.mustLook()
			}
			c.change(b)
			b.fails["apply"] = &apply.RefusedError{Unit: b.unit}
			if _, err := b.look(); err == nil {
				t.Fatal("no error")
			}
			delete(b.fails, "apply")
			c.back(b)
			b.mustLook()
			b.did("outcome apply", "inspect")
			b.mustLook()
			b.did("inspect")
		})
	}
}

// Each commit would add another such record.
func TestThatAModelIsIllIsNoFailureOfItsApply(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	for key, o := range b.live {
		if strings.HasPrefix(key, "InferenceService/") {
			o.Object["status"] = map[string]any{"modelStatus": map[string]any{"transitionStatus": "InvalidSpec"}}
		}
	}
	for range 2 {
		b.mustLook()
		b.did("inspect")
	}
	if s := b.receipt().Status; s.Phase != schemas.PhaseFailed {
		t.Errorf("it is %s", s.Phase)
	}
}

// So would a heal that is refused, and the drift is still there.
func TestThatAHealIsRefusedSaysNothingOfTheApply(t *testing.T) {
	b := newBench(t, high)
	b.bring()
	b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
	b.fails["apply"] = &apply.RefusedError{Unit: b.unit}
	for _, revision := range []string{"1", "2", "3"} {
		b.log = nil
		if _, err := b.engine.Reconcile(t.Context(), b.fleet, strings.Repeat(revision, 40), b.receipt()); err == nil {
			t.Fatal("no error")
		}
		b.did("inspect", "intent heal", "apply", "outcome heal")
	}
}

// A governing file that was broken for a while changes no outcome.
func TestThatNothingCouldBeRenderedSaysNothingOfTheApply(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	b.replace(schemas.GovernancePath, "kind: Governance", "kind: Governanze")
	b.mustLook()
	if s := b.receipt().Status; s.Phase != schemas.PhaseFailed {
		t.Fatalf("it is %s", s.Phase)
	}
	b.replace(schemas.GovernancePath, "kind: Governanze", "kind: Governance")
	b.mustLook()
	b.did("inspect")
}
