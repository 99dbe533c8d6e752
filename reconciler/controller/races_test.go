package controller

import (
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// These tests let another loop, or the end of the process, come between two steps
// of a look.

// worker is what looks at units beside the loop.
func (p *place) worker() *Units {
	return &Units{Reader: p.cluster, Engine: &release.Engine{Client: p.cluster, Now: time.Now}, Fleets: p.loop.Fleets, Statuses: p.loop.Statuses, Now: time.Now}
}

func (p *place) work(name client.ObjectKey) {
	p.Helper()
	if _, err := p.worker().Reconcile(p.Context(), ctrl.Request{NamespacedName: name}); err != nil {
		p.Fatal(err)
	}
}

// A look that comes before there is a fleet is owed: its event does not come again.
func TestAUnitOfNoFleetIsLookedAtOnceThereIsOne(t *testing.T) {
	p := trustedPlace(t)
	name := client.ObjectKey{Namespace: repositoryKey.Namespace, Name: "development.data-science.demand-forecast"}
	r := p.receipts()[name.Name]
	r.Status.Inventory = []schemas.InventoryEntry{{APIVersion: "v1", Kind: "ServiceAccount", Namespace: "data-science-development", Name: "demand-forecast"}}
	if err := p.cluster.Status().Update(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"production"} })
	p.restart()
	p.work(name) // all receipts are told at the start
	p.mustLook()
	if !p.looks[name.Name] {
		t.Fatal("nobody is asked to look at it")
	}
	p.work(name)
	r = p.receipts()[name.Name]
	if got := conditions.GetReason(&r, "Ready"); got != release.ReasonNotServed {
		t.Errorf("it says %q", got)
	}
}
