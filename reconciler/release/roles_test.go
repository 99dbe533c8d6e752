package release

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// waiting is a bench with a change that bob approved as manager and carol as
// senior data scientist, merged before the window that the clock stands in.
func waiting(t *testing.T, teams map[string][]approval.Account, failure error) *bench {
	t.Helper()
	b := closing(t)
	a := b.ledger.Approved[low]
	a.MergedAt = &metav1.Time{Time: b.now}
	a.Level, a.By = schemas.RiskMedium, []schemas.ApprovedBy{{Role: "manager", Login: "bob", ID: 2}, {Role: "senior-data-scientist", Login: "carol", ID: 3}}
	b.ledger.Approved[low] = a
	b.reload()
	b.mustLook()
	b.says("Ready", ReasonWindowClosed)
	b.engine.Members = func(_ context.Context, repository client.ObjectKey, team string) ([]approval.Account, error) {
		if repository.Name != "models" || repository.Namespace == "" {
			t.Errorf("the team is looked for in %s", repository)
		}
		if members, known := teams[team]; known {
			return members, nil
		}
		return nil, failure
	}
	b.now = b.now.Add(time.Hour)
	return b
}

// roles of the example's governance name these teams.
func staff(managers, seniors []approval.Account) map[string][]approval.Account {
	return map[string][]approval.Account{"acme/ml-managers": managers, "acme/senior-ds": seniors}
}

func TestRolesAreReadAgainWhenAReleaseHasWaited(t *testing.T) {
	bob, carol := approval.Account{Login: "bob", ID: 2}, approval.Account{Login: "carol", ID: 3}
	for name, tc := range map[string]struct {
		teams   map[string][]approval.Account
		failure error
		reason  string // empty: it is deployed
		says    []string
	}{
		"all hold them": {teams: staff([]approval.Account{bob}, []approval.Account{carol})},
		"renamed since": {teams: staff([]approval.Account{{Login: "robert", ID: 2}}, []approval.Account{carol})},
		"somebody left": {teams: staff([]approval.Account{}, []approval.Account{carol}), reason: ReasonApproverLeft,
			says: []string{"bob approved #7 as manager", "revert"}},
		"the login is another's": {teams: staff([]approval.Account{{Login: "bob", ID: 9}}, []approval.Account{carol}), reason: ReasonApproverLeft},
		"both left":              {teams: staff(nil, nil), reason: ReasonApproverLeft, says: []string{"bob approved #7", "carol approved #7 as senior-data-scientist"}},
		"a team cannot be listed": {teams: map[string][]approval.Account{"acme/ml-managers": {bob}}, failure: errors.New("502 of the forge"),
			reason: ReasonRolesUnknown, says: []string{"502 of the forge", "acme/senior-ds"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := waiting(t, tc.teams, tc.failure)
			again := b.mustLook()
			if tc.reason == "" {
				b.did("intent apply", "apply", "outcome apply")
				return
			}
			b.did("inspect")
			b.says("Ready", tc.reason)
			if again != rolesAgain {
				t.Errorf("again in %v", again)
			}
			for _, text := range tc.says {
				if message := conditions.GetMessage(b.receipt(), "Stalled"); !strings.Contains(message, text) {
					t.Errorf("it says %q, without %q", message, text)
				}
			}
			// Given the role back, or the forge being there again, it goes out.
			b.engine.Members = func(_ context.Context, _ client.ObjectKey, team string) ([]approval.Account, error) {
				return staff([]approval.Account{bob}, []approval.Account{carol})[team], nil
			}
			b.mustLook()
			b.did("intent apply", "apply", "outcome apply")
			if conditions.Has(b.receipt(), "Stalled") {
				t.Error("it is still stalled")
			}
		})
	}
}

func TestARoleThatIsGoneIsHeldByNobody(t *testing.T) {
	b := waiting(t, staff(nil, nil), nil)
	a := b.ledger.Approved[low]
	a.By = []schemas.ApprovedBy{{Role: "astrologer", Login: "bob", ID: 2}}
	b.ledger.Approved[low] = a
	b.reload()
	b.mustLook()
	b.says("Ready", ReasonApproverLeft)
}

func TestARemovalThatWaitedIsAskedAboutToo(t *testing.T) {
	b := waiting(t, staff(nil, nil), nil)
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: "removal", PullRequest: 8, MergedAt: &metav1.Time{Time: b.now.Add(-time.Hour)},
		By: []schemas.ApprovedBy{{Role: "manager", Login: "bob", ID: 2}}}
	b.reload()
	b.mustLook()
	b.did("inspect")
	b.says("Ready", ReasonApproverLeft)
	if n := len(b.events.Events); n == 0 {
		t.Error("nobody is told")
	}
}

func TestWhoseRolesAreNotReadAgain(t *testing.T) {
	for name, prepare := range map[string]func(b *bench) (low schemas.ApprovedFile){
		"just merged, into an open environment": func(b *bench) schemas.ApprovedFile {
			b.replace(low, "min: 1", "min: 2")
			a := b.ledger.Approved[low]
			a.MergedAt = &metav1.Time{Time: b.now.Add(-rolesHold + time.Second)}
			return a
		},
		"trusted content": func(b *bench) schemas.ApprovedFile {
			b.replace(low, "min: 1", "min: 2")
			a := b.ledger.Approved[low]
			a.PullRequest, a.MergedAt = 0, &metav1.Time{Time: b.now.Add(-time.Hour)}
			return a
		},
		"deployed already, and only rendered anew": func(b *bench) schemas.ApprovedFile {
			path := schemas.TeamPath(b.unit.Team)
			b.blobs.approve(b.ledger, path, strings.Replace(b.blobs.content[source.ID(b.ledger.Approved[path].Blob)], "CC-1001", "CC-1002", 1))
			a := b.ledger.Approved[low]
			a.PullRequest, a.MergedAt = 7, &metav1.Time{Time: b.now.Add(-time.Hour)}
			return a
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, low)
			b.bring()
			a := prepare(b)
			a.Level, a.By = schemas.RiskMedium, []schemas.ApprovedBy{{Role: "manager", Login: "bob", ID: 2}}
			b.ledger.Approved[low] = a
			b.reload()
			b.engine.Members = func(context.Context, client.ObjectKey, string) ([]approval.Account, error) {
				t.Error("it asked for a team")
				return nil, nil
			}
			b.mustLook()
			b.did("intent apply", "apply", "outcome apply")
		})
	}
}

// What is merged on top of a change that waits brings that along, and its own
// approvers were shown nothing of it.
func TestAChangeOnTopOfOneThatWaitsRestsOnBoth(t *testing.T) {
	b := waiting(t, staff(nil, []approval.Account{{Login: "carol", ID: 3}}), nil)
	b.mustLook()
	b.says("Ready", ReasonApproverLeft)
	onTop := func() {
		a := b.ledger.Approved[low]
		a.PullRequest, a.MergedAt, a.Level, a.By = 9, &metav1.Time{Time: b.now}, schemas.RiskLow, []schemas.ApprovedBy{{Role: "team-lead", Login: approval.Automatic}}
		b.ledger.Approved[low] = a
		b.reload()
	}
	b.replace(low, `version: "7"`, `version: "8"`)
	onTop()
	b.mustLook()
	b.says("Ready", ReasonApproverLeft)
	if text := conditions.GetMessage(b.receipt(), "Stalled"); !strings.Contains(text, "bob approved #7") || strings.Contains(text, "#9") {
		t.Errorf("it says %q", text)
	}
	// Taken back, it is gone from under what comes next.
	b.replace(low, `version: "8"`, `version: "7"`)
	b.replace(low, "min: 2", "min: 1")
	onTop()
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	if waited := b.receipt().Status.Waited; len(waited) != 0 {
		t.Errorf("it still waits for %+v", waited)
	}
	b.replace(low, `version: "7"`, `version: "9"`)
	onTop()
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
}

func TestAFirstDeploymentThatWasRefusedIsHeldToo(t *testing.T) {
	b := newBench(t, low)
	a := b.ledger.Approved[low]
	a.PullRequest, a.Level, a.MergedAt = 7, schemas.RiskMedium, &metav1.Time{Time: b.now}
	a.By = []schemas.ApprovedBy{{Role: "manager", Login: "bob", ID: 2}}
	b.ledger.Approved[low] = a
	b.reload()
	b.engine.Members = func(context.Context, client.ObjectKey, string) ([]approval.Account, error) { return nil, nil }
	refused := &apply.RefusedError{Unit: b.unit, Refusals: []apply.Refusal{{Object: "x", Cause: apply.CauseQuota, Message: "no room"}}}
	b.fails["apply"] = refused
	if _, err := b.look(); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	delete(b.fails, "apply")
	b.now = b.now.Add(24 * time.Hour)
	b.mustLook()
	b.did()
	b.says("Ready", ReasonApproverLeft)
}

// An apply that was begun is finished; other content after it was not begun.
func TestOnlyTheContentThatWasBegunIsFinished(t *testing.T) {
	for name, other := range map[string]bool{"the same": false, "other content": true} {
		t.Run(name, func(t *testing.T) {
			b := waiting(t, staff([]approval.Account{{Login: "bob", ID: 2}}, []approval.Account{{Login: "carol", ID: 3}}), nil)
			b.fails["outcome apply"] = errors.New("killed")
			if _, err := b.look(); err == nil {
				t.Fatal("it was not killed")
			}
			delete(b.fails, "outcome apply")
			b.engine.Members = func(context.Context, client.ObjectKey, string) ([]approval.Account, error) { return nil, nil }
			if !other {
				b.mustLook()
				b.did("intent apply", "apply", "outcome apply")
				return
			}
			before := b.ledger.Approved[low]
			b.replace(low, `version: "7"`, `version: "8"`)
			a := b.ledger.Approved[low]
			a.PullRequest, a.MergedAt, a.Level, a.By = 8, before.MergedAt, before.Level, before.By
			b.ledger.Approved[low] = a
			b.reload()
			b.mustLook()
			b.says("Ready", ReasonApproverLeft)
		})
	}
}

func TestWhoHeldARoleIsUnknownWithoutTheFilesThatSayIt(t *testing.T) {
	for name, path := range map[string]string{"no governance": schemas.GovernancePath, "no team": schemas.TeamPath("data-science")} {
		t.Run(name, func(t *testing.T) {
			b := waiting(t, staff(nil, nil), nil)
			delete(b.ledger.Approved, path)
			b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: "removal", PullRequest: 8, MergedAt: &metav1.Time{Time: b.now.Add(-time.Hour)},
				Level: schemas.RiskMedium, By: []schemas.ApprovedBy{{Role: "manager", Login: "bob", ID: 2}}}
			b.reload()
			b.mustLook()
			b.says("Ready", ReasonRolesUnknown)
		})
	}
}

func TestAnApprovalKeepsTheAccounts(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 5, time.FixedZone("CET", 3600))
	c := &review.Change{Approvals: review.Approvals{Slots: []approval.Slot{
		{Role: "manager", By: "mia", ID: 7, Alternate: true, Reviewed: at, Commit: "c1"}, {Role: "team-lead", By: approval.Automatic},
	}}}
	want := []schemas.ApprovedBy{
		{Role: "manager", Login: "mia", ID: 7, Alternate: true, ReviewedCommit: "c1", ReviewedAt: &metav1.Time{Time: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}},
		{Role: "team-lead", Login: approval.Automatic},
	}
	if diff := cmp.Diff(want, (&Merge{}).approval(review.PullRequest{}, c).By); diff != "" {
		t.Error(diff)
	}
}
