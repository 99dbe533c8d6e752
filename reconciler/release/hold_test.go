package release

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// closing is a bench whose model is live, with a change of it approved and its
// environment closed: judgedAt is outside of the window, which opens an hour later.
func closing(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, low)
	b.bring()
	from := b.now.UTC().Add(time.Hour).Truncate(time.Minute)
	b.govern("windows: [{environments: [" + b.unit.Environment + "], weekdays: [" + from.Weekday().String() +
		"], from: \"" + from.Format("15:04") + "\", to: \"" + from.Add(time.Hour).Format("15:04") + "\", timeZone: UTC}]")
	b.replace(low, "min: 1", "min: 2")
	return b
}

// govern adds a line to the approved governance.
func (b *bench) govern(line string) {
	b.Helper()
	content := b.blobs.content[source.ID(b.ledger.Approved[schemas.GovernancePath].Blob)]
	b.blobs.approve(b.ledger, schemas.GovernancePath, strings.TrimSpace(content)+"\n  "+line+"\n")
	b.reload()
}

// replace approves other content of a manifest, by a pull request.
func (b *bench) replace(path, from, to string) {
	b.Helper()
	content := b.blobs.content[source.ID(b.ledger.Approved[path].Blob)]
	if !strings.Contains(content, from) {
		b.Fatalf("%s has no %s", path, from)
	}
	b.blobs.approve(b.ledger, path, strings.Replace(content, from, to, 1))
	a := b.ledger.Approved[path]
	a.PullRequest = 7
	b.ledger.Approved[path] = a
	b.reload()
}

func TestAReleaseWaitsForItsWindow(t *testing.T) {
	b := closing(t)
	again := b.mustLook()
	b.did()
	b.says("Ready", ReasonWindowClosed)
	if b.receipt().Status.Phase != schemas.PhasePending || again <= 0 || again > time.Hour {
		t.Errorf("phase %s, again in %v", b.receipt().Status.Phase, again)
	}
	if text := conditions.GetMessage(b.receipt(), "Ready"); !strings.Contains(text, "opens") || !strings.Contains(text, "UTC") {
		t.Errorf("it says %q", text)
	}
	b.now = b.now.Add(again - time.Second)
	b.mustLook()
	b.did()
	b.now = b.now.Add(time.Second)
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
}

func TestABrokenGlassIsDeployedAtOnce(t *testing.T) {
	b := closing(t)
	a := b.ledger.Approved[low]
	a.BrokenGlass = &schemas.BrokenGlass{By: "root", Reason: "payments are down"}
	b.ledger.Approved[low] = a
	b.reload()
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
	e := GlassEvent(repository, a)
	if e.Action != ActionBreakGlass || e.Actor != "root" || e.Reason != "payments are down" || e.Phase != Decided || e.Model != "demand-forecast" {
		t.Errorf("%+v", e)
	}
}

func TestAFreezeHoldsReleasesToo(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	until := b.now.UTC().Add(48 * time.Hour).Truncate(time.Second)
	content := b.blobs.content[source.ID(b.ledger.Approved[schemas.GovernancePath].Blob)]
	before, rest, ok := strings.Cut(content, "freezes:")
	_, after, ended := strings.Cut(rest, "\n  breakGlass:")
	if !ok || !ended {
		t.Fatal("the example's governance has no freezes before its breakGlass")
	}
	frozen := `freezes: [{environments: [` + b.unit.Environment + `], from: "` + b.now.UTC().Format(time.RFC3339) + `", to: "` + until.Format(time.RFC3339) + `", reason: "audit"}]`
	b.blobs.approve(b.ledger, schemas.GovernancePath, before+frozen+"\n  breakGlass:"+after)
	b.replace(low, "min: 1", "min: 2")
	again := b.mustLook()
	b.did()
	b.says("Ready", ReasonWindowClosed)
	if !b.now.Add(again).Equal(until) {
		t.Errorf("again at %v, want %v", b.now.Add(again), until)
	}
}

func TestWhatIsNotHeld(t *testing.T) {
	t.Run("healing", func(t *testing.T) {
		b := newBench(t, low)
		b.bring()
		b.govern(`windows: [{environments: [development], weekdays: [` + b.now.UTC().AddDate(0, 0, 2).Weekday().String() + `], from: "09:00", to: "10:00", timeZone: UTC}]`)
		b.drifted = []schemas.DriftedField{{Object: "InferenceService/a/b", Path: ".spec.x"}}
		b.mustLook()
		if !strings.Contains(strings.Join(b.log, " "), "inspect") {
			t.Errorf("it did %q", b.log)
		}
	})
	t.Run("an apply that was begun", func(t *testing.T) {
		b := closing(t)
		receipt := b.receipt()
		receipt.Status.Phase = schemas.PhaseApplying
		if err := b.client.Status().Update(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
		b.mustLook()
		b.did("intent apply", "apply", "outcome apply")
	})
	t.Run("trusted content where nothing is deployed yet", func(t *testing.T) {
		b := newBench(t, low)
		b.govern(`windows: [{environments: [development], weekdays: [` + b.now.UTC().AddDate(0, 0, 2).Weekday().String() + `], from: "09:00", to: "10:00", timeZone: UTC}]`)
		b.mustLook()
		b.did("intent apply", "apply", "outcome apply")
	})
}

func TestAnApprovedRemovalIsHeldToo(t *testing.T) {
	b := closing(t)
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: "removal", PullRequest: 8}
	b.reload()
	if again := b.mustLook(); again <= 0 {
		t.Errorf("again in %v", again)
	}
	b.did()
	b.now = b.now.Add(time.Hour)
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.did("intent prune", "delete", "outcome prune")
}
