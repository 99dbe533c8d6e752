package release

import (
	"errors"
	"testing"

	"github.com/fluxcd/pkg/runtime/conditions"

	"github.com/mlops-platform/mooring/schemas"
)

func TestQuarantineKeepsTheLastGoodContent(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	b.ledger.Quarantined[low] = schemas.QuarantinedFile{Path: low, Blob: blobB.String(), Commit: tip.String(), Reason: "pushed"}
	b.reload()
	b.mustLook()
	b.did("inspect")
	b.says(schemas.ConditionQuarantined, ReasonQuarantined)
	if s := b.receipt().Status; s.Phase != schemas.PhaseLive || s.Quarantined == nil {
		t.Errorf("the receipt says %s, %v", s.Phase, s.Quarantined)
	}
	delete(b.ledger.Quarantined, low)
	b.reload()
	b.mustLook()
	b.says(schemas.ConditionQuarantined, ReasonClean)
}

func TestContentThatWasNeverApprovedIsNeverApplied(t *testing.T) {
	b := newBench(t, low)
	const fresh = "models/data-science/fresh/development/deployment.yaml"
	b.unit = unitAt(t, fresh)
	b.ledger.Quarantined[fresh] = schemas.QuarantinedFile{Path: fresh, Blob: blobB.String(), Commit: tip.String(), Reason: "pushed"}
	b.reload()
	b.mustLook()
	b.did()
	if s := b.receipt().Status; s.Phase != schemas.PhaseQuarantined {
		t.Errorf("it is %s", s.Phase)
	}
	delete(b.ledger.Quarantined, fresh)
	b.fleet = load(b, b.blobs, b.ledger, b.fleet)
	if b.mustLook(); b.receipt() != nil {
		t.Error("the receipt of what is gone, and was never deployed, is still there")
	}
}

func TestRemoval(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: tip.String()}
	b.reload()
	b.fails["delete"] = errors.New("no answer")
	if _, err := b.look(); err == nil {
		t.Error("no error")
	}
	b.did("intent prune", "delete")
	if s := b.receipt().Status; len(s.Inventory) == 0 || s.Applied != nil || b.stored.Applied != nil {
		t.Errorf("half removed, the receipt lists %d objects and says applied %v", len(s.Inventory), s.Applied)
	}
	delete(b.fails, "delete")
	b.mustLook()
	b.did("intent prune", "delete", "outcome prune")
	if b.receipt() != nil {
		t.Error("the receipt is still there")
	}
	b.reload()
	if b.receipt() != nil {
		t.Error("the receipt of a removed model was made again")
	}
}

func TestARemovalThatIsNotOnRecordIsNotForgotten(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: tip.String()}
	b.reload()
	b.fails["outcome prune"] = errors.New("disk full")
	for range 2 {
		if _, err := b.look(); err == nil || b.receipt() == nil {
			t.Fatalf("without the record it ended: %v", err)
		}
		b.did("intent prune", "delete", "outcome prune")
		b.says("Ready", ReasonNotRecorded)
	}
	records := len(b.records)
	delete(b.fails, "outcome prune")
	b.mustLook()
	if b.receipt() != nil || len(b.records) != records+1 {
		t.Errorf("%d records became %d; the receipt is %v", records, len(b.records), b.receipt())
	}
}

func TestUnitThatNobodyRemovedStaysThoughTheFleetLacksIt(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	delete(b.ledger.Approved, low)
	b.fleet = load(b, b.blobs, b.ledger, b.fleet) // its environment is no longer served here
	b.mustLook()
	b.did()
	b.says("Ready", ReasonNotServed)
	if len(b.receipt().Status.Inventory) == 0 {
		t.Error("its inventory is lost")
	}
}

// A team of an environment that is served no more says so, and one whose last model
// was removed in an environment that is says nothing.
func TestATenancyThatNobodyLooksAfterSaysSo(t *testing.T) {
	b := newBench(t, high)
	team := schemas.Unit{Team: b.unit.Team, Environment: b.unit.Environment}
	b.bring()
	b.unit = team
	b.mustLook()
	before := conditions.GetReason(b.receipt(), "Ready")
	held := map[string]schemas.ApprovedFile{}
	for path, a := range b.ledger.Approved {
		if unit, ok := schemas.ManifestUnit(path); ok && unit.Environment == team.Environment {
			held[path] = a
			b.ledger.Approved[path] = schemas.ApprovedFile{Path: path, Commit: tip.String()}
		}
	}
	b.fleet = load(b, b.blobs, b.ledger, b.fleet)
	b.mustLook()
	b.says("Ready", before)
	for path := range held {
		delete(b.ledger.Approved, path) // the environment is taken out of the spec
	}
	b.fleet = load(b, b.blobs, b.ledger, b.fleet)
	b.mustLook()
	b.says("Ready", ReasonNotServed)
	for path := range held {
		b.ledger.Approved[path] = schemas.ApprovedFile{Path: path, Commit: tip.String()}
	}
	b.fleet = load(b, b.blobs, b.ledger, b.fleet) // served again, and without a model by now
	b.mustLook()
	b.says("Ready", "")
}
