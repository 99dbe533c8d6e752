package release

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mlops-platform/mooring/schemas"
)

// The worker saved that the removal is under way, and took the receipt that came
// back, with an approval that was written meanwhile, for the one it had read.
func TestAnApprovalThatIsWrittenDuringARemovalIsKept(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	approved := b.ledger.Approved[low]
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: tip.String()}
	b.reload()
	removed := b.fleet
	b.engine.Client = interceptor.NewClient(b.client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			b.ledger.Approved[low] = approved
			b.reload()
			return c.SubResource(sub).Patch(ctx, o, patch, opts...)
		},
	})
	b.log = nil
	again, err := b.engine.Reconcile(t.Context(), removed, tip.String(), b.receipt())
	if err != nil || again == 0 {
		t.Errorf("it is looked at again in %s: %v", again, err)
	}
	b.did("intent prune")
	r := b.receipt()
	if r == nil || r.Status.Approved == nil || r.Status.Approved.Blob != approved.Blob || len(r.Status.Inventory) == 0 {
		t.Fatalf("the receipt is %+v", r)
	}
	b.engine.Client = b.client
	b.mustLook()
	b.did("intent apply", "apply", "outcome apply")
}

// A release that waited for a window when its environment was taken out of
// spec.environments came back as one that nobody had approved.
func TestAnApprovalThatWaitsOutlivesThatItsEnvironmentIsNotServed(t *testing.T) {
	b := newBench(t, low)
	approved := b.ledger.Approved[low]
	delete(b.ledger.Approved, low)
	b.fleet = load(b, b.blobs, b.ledger, b.fleet)
	b.mustLook()
	if r := b.receipt(); r == nil || r.Status.Approved == nil || r.Status.Approved.Blob != approved.Blob {
		t.Fatalf("the receipt is %+v", r)
	}
	b.says("Ready", ReasonNotServed)
	ledger, err := b.store().Load(t.Context(), repository)
	if err != nil || ledger.Approved[low].Blob != approved.Blob {
		t.Errorf("served again, it is %+v: %v", ledger.Approved[low], err)
	}
}
