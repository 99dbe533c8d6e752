package release

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	ledger, _, err := b.store().Load(t.Context(), repository)
	if err != nil || ledger.Approved[low].Blob != approved.Blob {
		t.Errorf("served again, it is %+v: %v", ledger.Approved[low], err)
	}
}

// The cache may lack a receipt that was just made: then a removal is in the
// repository's status alone until the next look.
func TestARemovalIsNotUndoneByAReceiptThatWasNotInTheCacheYet(t *testing.T) {
	b := newBench(t, low)
	at := func(minute int) *metav1.Time {
		return &metav1.Time{Time: judgedAt.Add(time.Duration(minute) * time.Minute)}
	}
	approved := b.ledger.Approved[low]
	approved.MergedAt, approved.Commit = at(1), blobB.String()
	b.ledger.Approved[low] = approved
	b.reload()
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: tip.String(), PullRequest: 9, MergedAt: at(2)}
	b.fleet = load(b, b.blobs, b.ledger, b.fleet)
	lagging := b.store()
	lagging.Client = interceptor.NewClient(b.client.(client.WithWatch), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})
	repo := repository.DeepCopy()
	taken, err := lagging.Save(t.Context(), repo, b.fleet)
	if err != nil {
		t.Fatal(err)
	}
	b.ledger.SetStatus(&repo.Status, taken)
	ledger, _, err := b.store().Load(t.Context(), repo) // by another process
	if got := ledger.Approved[low]; err != nil || got.Blob != "" || got.PullRequest != 9 {
		t.Errorf("the removal is %+v: %v", got, err)
	}
	back := approved
	back.MergedAt, back.Commit = at(3), blobC.String()
	b.ledger.Approved[low] = back
	b.reload() // and it is killed before it wrote the repository's status
	if ledger, _, err = b.store().Load(t.Context(), repo); err != nil || ledger.Approved[low].Blob != back.Blob {
		t.Errorf("approved again, it is %+v: %v", ledger.Approved[low], err)
	}
}

// A receipt that came back from a backup names an approval that is on record, and
// brought back what was removed since.
func TestARestoredReceiptBringsNothingBack(t *testing.T) {
	b := newBench(t, low)
	r := b.receipt()
	a := b.ledger.Approved[low]
	now := b.now.Truncate(time.Second) // as it is read back
	early, late := metav1.NewTime(now.Add(-time.Hour)), metav1.NewTime(now)
	a.MergedAt, a.PullRequest = &early, 1
	r.Status.Approved = &a
	if err := b.client.Status().Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	repo := repository.DeepCopy()
	repo.Status.Approved = []schemas.ApprovedFile{{Path: low, Commit: "c2", PullRequest: 2, MergedAt: &late}}
	if _, removals, err := b.store().Load(t.Context(), repo); err != nil || len(removals) != 1 || removals[0].PullRequest != 2 {
		t.Errorf("removals %+v: %v", removals, err)
	}
	repo.Status.Approved[0].MergedAt = &early
	if _, removals, err := b.store().Load(t.Context(), repo); err != nil || len(removals) != 0 {
		t.Errorf("merged at the same time: removals %+v: %v", removals, err)
	}
}
