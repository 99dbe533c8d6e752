package release

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

// waiting is a bench with a change that bob approved as manager and carol as
// senior data scientist, merged before the window that the clock stands in.
func waiting(t *testing.T, teams map[string][]approval.Account, failure error) *bench {
	t.Helper()
	b := closing(t)
	a := b.ledger.Approved[low]
	a.MergedAt = &metav1.Time{Time: b.now}
	a.By = []schemas.ApprovedBy{{Role: "manager", Login: "bob", ID: 2}, {Role: "senior-data-scientist", Login: "carol", ID: 3}, {Role: "vp-engineering", Login: "Octo-VP", ID: 4}, {Role: "team-lead", Login: approval.Automatic}}
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
			says: []string{"bob held the role manager", "#7", "revert"}},
		"the login is another's": {teams: staff([]approval.Account{{Login: "bob", ID: 9}}, []approval.Account{carol}), reason: ReasonApproverLeft},
		"both left":              {teams: staff(nil, nil), reason: ReasonApproverLeft, says: []string{"bob held", "carol held"}},
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
	asked := func(b *bench) *[]string {
		var teams []string
		b.engine.Members = func(_ context.Context, _ client.ObjectKey, team string) ([]approval.Account, error) {
			teams = append(teams, team)
			return nil, nil
		}
		return &teams
	}
	for name, change := range map[string]func(b *bench, a *schemas.ApprovedFile){
		"just merged": func(b *bench, a *schemas.ApprovedFile) {
			a.MergedAt = &metav1.Time{Time: b.now.Add(-rolesHold + time.Second)}
		},
		"trusted content": func(_ *bench, a *schemas.ApprovedFile) { a.PullRequest, a.MergedAt, a.By = 0, nil, nil },
		"deployed already, and only rendered anew": func(b *bench, a *schemas.ApprovedFile) {
			a.Blob = b.receipt().Status.Applied.Blob
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := waiting(t, nil, nil)
			a := b.ledger.Approved[low]
			change(b, &a)
			b.ledger.Approved[low] = a
			b.govern("# nothing else")
			teams := asked(b)
			if _, err := b.look(); err != nil {
				t.Fatal(err)
			}
			if len(*teams) != 0 {
				t.Errorf("it asked for %q", *teams)
			}
		})
	}
}
