package release

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// writes counts what is written.
type writes struct {
	client.Client
	n int
}

func (w *writes) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	w.n++
	return w.Client.Create(ctx, o, opts...)
}

func (w *writes) Status() client.SubResourceWriter {
	w.n++
	return w.Client.Status()
}

func TestSaveWritesOnlyWhatReceiptsLack(t *testing.T) {
	b := newBench(t, low)
	counted := &writes{Client: b.client}
	store := Store{Client: counted, Reader: b.client}
	if _, err := store.Save(t.Context(), repository, b.fleet); err != nil || counted.n != 0 {
		t.Errorf("saved again, it writes %d times: %v", counted.n, err)
	}
	if err := b.client.Delete(t.Context(), b.receipt()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(t.Context(), repository, b.fleet); err != nil || b.receipt() == nil || b.receipt().Status.Approved == nil {
		t.Errorf("a receipt that somebody deleted was not made again: %v", err)
	}
	edited := b.receipt()
	edited.Status.Approved.Blob = blobC.String()
	if err := b.client.Status().Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(t.Context(), repository, b.fleet); err != nil || b.receipt().Status.Approved.Blob == blobC.String() {
		t.Errorf("a standing that somebody forged was left: %v", err)
	}
}

func TestLedgerSurvivesInReceiptsAndStatus(t *testing.T) {
	b := newBench(t, low)
	b.ledger.Approved[low] = schemas.ApprovedFile{Path: low, Commit: tip.String()}
	b.ledger.Quarantined[high] = schemas.QuarantinedFile{Path: high, Blob: blobB.String(), Commit: tip.String()}
	b.ledger.Quarantined[platform] = schemas.QuarantinedFile{Path: platform, Blob: blobB.String(), Commit: tip.String()}
	b.reload()
	repo := repository.DeepCopy()
	b.ledger.SetStatus(&repo.Status, nil)
	got, _, err := b.store().Load(t.Context(), repo)
	if err != nil || !same(got, b.ledger) || repo.Status.QuarantinedFiles != 2 {
		t.Errorf("%v: %d approved and %d quarantined came back of %d and %d", err,
			len(got.Approved), len(got.Quarantined), len(b.ledger.Approved), len(b.ledger.Quarantined))
	}
}

func TestManifestInTwoRepositoriesStaysWithTheFirst(t *testing.T) {
	b := newBench(t, low)
	second := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repository.Namespace, Name: "second"}}
	content, ledger := exampleLedger(t)
	fleet := load(t, content, ledger, nil)
	taken, err := b.store().Save(t.Context(), second, fleet)
	if err != nil || len(taken) != len(fleet.units) {
		t.Fatalf("%d of %d units were left to the first: %v", len(taken), len(fleet.units), err)
	}
	if b.receipt().Spec.Repository != repository.Name {
		t.Error("the receipt changed hands")
	}
	ledger.SetStatus(&second.Status, taken)
	got, _, err := b.store().Load(t.Context(), second)
	if err != nil || !same(got, ledger) {
		t.Errorf("the second forgot what is approved: %v", err)
	}
	if err := b.client.Delete(t.Context(), b.receipt()); err != nil { // the first has removed it
		t.Fatal(err)
	}
	if taken, err = b.store().Save(t.Context(), second, fleet); err != nil || b.receipt() == nil || b.receipt().Spec.Repository != "second" {
		t.Errorf("the second did not take over: %v, %d taken", err, len(taken))
	}
}

func TestReceiptOfAnotherNameIsNobodys(t *testing.T) {
	b := newBench(t, low)
	b.bring()
	stray := b.receipt()
	stray.Name, stray.ResourceVersion = "stray", ""
	b.log = nil
	if again, err := b.engine.Reconcile(t.Context(), b.fleet, tip.String(), stray); again != 0 || err != nil || len(b.log) > 0 {
		t.Errorf("it did %q: %v", b.log, err)
	}
}

func TestWhatAMergeMayBring(t *testing.T) {
	change := func(platform bool, verdict policy.Verdict, satisfied bool) *review.Change {
		c := &review.Change{Path: "p", Model: "m", Verdict: verdict, Approvals: review.Approvals{Satisfied: satisfied}}
		if platform {
			c.Model = ""
		}
		return c
	}
	wrong := schemas.Findings{{Severity: schemas.SeverityError, Message: "wrong with the whole"}}
	for _, test := range []struct {
		name   string
		change *review.Change
		report review.Report
		want   bool
	}{
		{"what passed and is approved", change(false, policy.Pass, true), review.Report{}, true},
		{"what lacks approvals", change(false, policy.Pending, false), review.Report{}, false},
		{"what is approved but blocked", change(false, policy.Fail, true), review.Report{}, false},
		{"what passed but is not satisfied", change(false, policy.Pass, false), review.Report{}, false},
		{"a good model beside a broken one", change(false, policy.Pass, true), review.Report{Verdict: policy.Fail}, true},
		{"a model in a pull request with findings of its own", change(false, policy.Pass, true), review.Report{Findings: wrong}, true},
		{"a governing file in a pull request with findings of its own", change(true, policy.Pass, true), review.Report{Findings: wrong}, false},
		{"anything where a stage could not judge", change(false, policy.Pass, true), review.Report{Stages: []policy.StageResult{{Verdict: policy.Error}}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := approved(&test.report, test.change); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
