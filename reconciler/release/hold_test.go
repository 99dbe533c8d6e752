package release

import (
	"errors"
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
	path := schemas.EnvironmentPath(b.unit.Environment)
	b.blobs.approve(b.ledger, path, strings.Replace(b.blobs.content[source.ID(b.ledger.Approved[path].Blob)], "drift: report", "drift: heal", 1))
	b.reload()
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
	b.did("inspect")
	b.says("Ready", ReasonWindowClosed)
	if b.receipt().Status.Phase != schemas.PhasePending || again <= 0 || again > time.Hour {
		t.Errorf("phase %s, again in %v", b.receipt().Status.Phase, again)
	}
	if text := conditions.GetMessage(b.receipt(), "Ready"); !strings.Contains(text, "opens") || !strings.Contains(text, "UTC") {
		t.Errorf("it says %q", text)
	}
	b.now = b.now.Add(again - time.Second)
	b.mustLook()
	b.did("inspect")
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
	b.did("inspect")
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
	b.did("inspect")
	b.now = b.now.Add(time.Hour)
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.did("intent prune", "delete", "outcome prune")
}

// served is the version of the InferenceService that was applied last.
func (b *bench) served() string {
	b.Helper()
	for _, o := range b.applied.Objects {
		if o.GetKind() == "InferenceService" {
			return o.GetLabels()[schemas.LabelVersion]
		}
	}
	b.Fatal("no InferenceService was applied")
	return ""
}

func TestWhatIsDeployedIsHealedWhileTheReleaseAfterItWaits(t *testing.T) {
	for name, change := range map[string]func(b *bench){
		"another version": func(b *bench) { b.replace(low, `version: "7"`, `version: "8"`) },
		"one version after another": func(b *bench) {
			for _, step := range [][2]string{{"7", "8"}, {"8", "9"}, {"9", "10"}, {"10", "11"}, {"11", "12"}} {
				b.replace(low, `version: "`+step[0]+`"`, `version: "`+step[1]+`"`)
				b.mustLook()
			}
		},
		"a removal": func(b *bench) {
			b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: "removal", PullRequest: 8}
			b.reload()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := closing(t)
			change(b)
			b.drifted = []schemas.DriftedField{field("replicas", b.now)}
			again := b.mustLook()
			b.did("inspect", "intent heal", "apply", "outcome heal")
			b.says("Ready", ReasonWindowClosed)
			b.says(schemas.ConditionDrifted, ReasonHealed)
			if b.served() != "7" || again <= 0 {
				t.Errorf("version %s was applied; again in %v", b.served(), again)
			}
			for _, e := range b.records {
				if e.Action == ActionHeal && (e.Commit != tip.String() || e.Digest == b.ledger.Approved[low].Digest && e.Digest != "") {
					t.Errorf("the record speaks of the content that waits: %+v", e)
				}
			}
			b.drifted = nil
			b.now = b.now.Add(90 * time.Minute)
			if _, err := b.look(); err != nil {
				t.Fatal(err)
			}
			if b.log[0] == "inspect" {
				t.Errorf("in the window it did %q", b.log)
			}
		})
	}
}

func TestWhatThisProcessDidNotSeeDeployedIsLeftAloneUntilTheRelease(t *testing.T) {
	b := closing(t)
	b.fleet = nil // another process
	b.reload()
	b.drifted = []schemas.DriftedField{field("replicas", b.now)}
	if again := b.mustLook(); again <= 0 {
		t.Errorf("again in %v", again)
	}
	b.did()
	b.says("Ready", ReasonWindowClosed)
}

func TestAFailureToHealWhileTheReleaseWaitsIsSaid(t *testing.T) {
	b := closing(t)
	b.drifted = []schemas.DriftedField{field("replicas", b.now)}
	b.fails["intent heal"] = errors.New("disk full")
	if _, err := b.look(); err == nil {
		t.Error("no error")
	}
	b.did("inspect", "intent heal")
	delete(b.fails, "intent heal")
	b.mustLook()
	b.did("inspect", "intent heal", "apply", "outcome heal")
}
