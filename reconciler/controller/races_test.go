package controller

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// These tests let another loop, or the end of the process, come between two steps
// of a look.

const newcomer = "models/data-science/newcomer/development/deployment.yaml"

var newcomerKey = client.ObjectKey{Namespace: repositoryKey.Namespace, Name: "development.data-science.newcomer"}

// bring commits a manifest of a new model; take commits that it is gone.
func (p *place) bring() string {
	p.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, forecast))
	text := strings.ReplaceAll(string(content), "demand-forecast", "newcomer")
	full := filepath.Join(p.dir, newcomer)
	if err := errors.Join(err, os.MkdirAll(filepath.Dir(full), 0o750), os.WriteFile(full, []byte(text), 0o600)); err != nil {
		p.Fatal(err)
	}
	return p.commit("Bring a model")
}

func (p *place) take() string {
	p.Helper()
	p.git("rm", "-r", "--quiet", filepath.Dir(newcomer))
	return p.commit("Take it away")
}

func (p *place) trust(commit string) {
	p.Helper()
	p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = commit })
}

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

// listing is a forge that keeps statuses, and lets something happen while a look
// asks it for the open pull requests.
type listing struct {
	silent
	kept   *forge
	during func()
}

func (l *listing) OpenPullRequests(context.Context, string) ([]review.PullRequest, error) {
	if l.during != nil {
		l.during()
	}
	return nil, nil
}

func (l *listing) SetStatus(ctx context.Context, id source.ID, s review.Status) error {
	return l.kept.SetStatus(ctx, id, s)
}

func (p *place) dial(f review.Forge) {
	p.loop.Dial = func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Forge: f}, nil
	}
}

func newListing() *listing {
	return &listing{kept: &forge{statuses: map[string]review.Status{}}}
}

// A worker that saw a new receipt before the fleet that it is of took it for
// one that nobody wants, and deleted it with what it said.
func TestANewReceiptIsNotTakenForOneThatNobodyWants(t *testing.T) {
	p := trustedPlace(t)
	units := &Units{Reader: p.cluster, Engine: &release.Engine{Client: p.cluster, Now: time.Now}, Fleets: p.loop.Fleets, Statuses: p.loop.Statuses, Now: time.Now}
	looked := 0
	p.loop.Store.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if err := c.SubResource(sub).Update(ctx, o, opts...); err != nil {
				return err
			}
			looked++
			_, err := units.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(o)})
			return err
		},
	})
	path := strings.Replace(forecast, "demand-forecast", "newcomer", 1)
	full := filepath.Join(p.dir, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte("- \n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	pushed := p.commit("Skip the review")
	p.mustLook()
	r := p.receipts()["development.data-science.newcomer"]
	if q := r.Status.Quarantined; looked != 1 || q == nil || q.Commit != pushed {
		t.Errorf("after %d looks by a worker the receipt says %+v", looked, r.Status)
	}
	if !p.looks[r.Name] {
		t.Error("nobody is asked to look at it")
	}
}

// The receipt of a step whose writing failed was not known: its approval, which
// is on record, outlived that the model was taken away in the next step.
func TestWhatAFailedStepHasStoredIsKnownToTheNext(t *testing.T) {
	p := trustedPlace(t)
	p.trust(p.bring())
	p.loop.Store.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			return errors.Join(c.SubResource(sub).Update(ctx, o, opts...), errors.New("no answer"))
		},
	})
	if _, err := p.look(); err == nil {
		t.Error("no error")
	}
	p.work(newcomerKey) // the event of its creation
	if r := p.receipts()[newcomerKey.Name]; r.Status.Approved == nil {
		t.Fatal("nothing was stored")
	}
	p.loop.Store.Client = p.cluster
	p.trust(p.take())
	p.mustLook()
	if r, there := p.receipts()[newcomerKey.Name]; there && r.Status.Approved.Blob != "" || !p.looks[newcomerKey.Name] {
		t.Errorf("removed, it is %+v, looked at: %t", r.Status.Approved, p.looks[newcomerKey.Name])
	}
	p.restart()
	p.mustLook()
	if d := p.loop.Fleets.Get(repositoryKey).Unit(schemas.Unit{Team: "data-science", Model: "newcomer", Environment: "development"}); d == nil || !d.Removed() {
		t.Errorf("another process deploys what was removed: %+v", d)
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

// The status was told before it was stored that the file is quarantined: the commit
// was said to be fine, for ever.
func TestTheStatusOfAGoverningFileIsToldByWhatIsStored(t *testing.T) {
	p := trustedPlace(t)
	l := newListing()
	p.dial(l)
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval.Duration = time.Minute })
	p.write("governance.yaml", "freezes:", "freezes: # none")
	pushed := p.commit("Skip the review")
	l.during = func() { // which may take longer than the statuses wait
		if err := p.loop.Statuses.write(t.Context(), statusKey{repository: repositoryKey, commit: pushed}); err != nil {
			t.Error(err)
		}
	}
	now := time.Now()
	p.loop.Now = func() time.Time { return now }
	for range 2 { // a push may turn out to be a merge for some seconds
		now = now.Add(time.Minute)
		p.mustLook()
	}
	if n := p.object().Status.QuarantinedFiles; n != 1 {
		t.Fatalf("%d files are quarantined", n)
	}
	if s := l.kept.statuses[pushed+" "+DeployContext]; s.State != review.StateFailure {
		t.Errorf("the status is %s: %s", s.State, s.Description)
	}
}

// A removed model's receipt goes with its objects. The removal has to be in the
// repository's status by then, whenever the process ends.
func TestARemovalIsKeptThoughTheProcessEndsOnceTheReceiptIsGone(t *testing.T) {
	p := trustedPlace(t)
	p.trust(p.bring())
	p.mustLook()
	l := newListing()
	p.dial(l)
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval.Duration = time.Hour })
	p.trust(p.take())
	l.during = func() {
		p.work(newcomerKey)
		p.loop.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
			SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
				return errors.New("killed")
			},
		})
	}
	if _, err := p.look(); err == nil {
		t.Error("no error")
	}
	if _, there := p.receipts()[newcomerKey.Name]; there {
		t.Fatal("the receipt is still there")
	}
	p.restart()
	p.mustLook()
	if d := p.loop.Fleets.Get(repositoryKey).Unit(schemas.Unit{Team: "data-science", Model: "newcomer", Environment: "development"}); d == nil || !d.Removed() {
		t.Errorf("that it was removed is forgotten: %+v", d)
	}
}

// remake deletes the object and makes it again, as kubectl replace --force does.
func (p *place) remake(uid types.UID) {
	p.Helper()
	old := p.object()
	again := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: old.Namespace, Name: old.Name, UID: uid, Generation: 1}, Spec: old.Spec}
	if err := errors.Join(p.cluster.Delete(p.Context(), old), p.cluster.Create(p.Context(), again)); err != nil {
		p.Fatal(err)
	}
}

// What stood approved by the records of the object before was kept in memory, was
// not approved anew, and was on no record of this object for the next process.
func TestAnObjectThatIsMadeAgainBetweenTwoLooksIsTrustedAnew(t *testing.T) {
	p := trustedPlace(t)
	p.trust(p.bring())
	p.mustLook()
	p.remake("another")
	p.mustLook()
	p.restart()
	p.mustLook()
	if repo := p.object(); repo.Status.QuarantinedFiles != 0 {
		t.Errorf("%d files are quarantined", repo.Status.QuarantinedFiles)
	}
}

func TestAnObjectThatIsMadeAgainDuringALookIsTrustedAnew(t *testing.T) {
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
	p.trust(p.git("rev-parse", "HEAD"))
	made := false
	p.loop.Store.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if !made {
				made = true
				p.remake("another")
			}
			return c.List(ctx, list, opts...)
		},
	})
	if _, err := p.look(); !errors.Is(err, errReplaced) || p.object().Status.TrustedFrom != "" {
		t.Errorf("%v, trusted from %s", err, p.object().Status.TrustedFrom)
	}
	p.mustLook()
	if repo := p.object(); repo.Status.QuarantinedFiles != 0 || repo.Status.Revision == "" {
		t.Errorf("%d files are quarantined", repo.Status.QuarantinedFiles)
	}
}

// A worker that looks while the approval is written says live over pending, of the
// content before. Where the new content renders to the same, the phase is live at
// the beginning and at the end of the look that takes it over.
func TestAStatusIsToldWhenLiveContentIsTakenOverForOther(t *testing.T) {
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	before := receipt("a", schemas.PhaseLive, func(r *schemas.ModelRelease) { r.Status.Applied.Blob = "older" })
	after := receipt("a", schemas.PhaseLive)
	statuses := NewStatuses(fakeCluster(t, &after, repo), quiet)
	f := newListing()
	statuses.repos[repositoryKey] = statusTarget{forge: f}
	run(t, statuses.Start)
	statuses.Changed(repositoryKey, &before, &after)
	if s := f.kept.status(t, commit+" "+DeployContext); s.State != review.StateSuccess {
		t.Errorf("the status is %s: %s", s.State, s.Description)
	}
}

// Units are looked after while Git is down, or nothing can be judged, and what
// becomes of them was told to nobody.
func TestStatusesAreToldBeforeTheBranchIsJudged(t *testing.T) {
	p := trustedPlace(t)
	if err := os.Rename(p.dir, p.dir+".away"); err != nil {
		t.Fatal(err)
	}
	p.restart()
	l := newListing()
	p.dial(l)
	if _, err := p.look(); err == nil {
		t.Error("no error")
	}
	run(t, p.loop.Statuses.Start)
	before, after := receipt("a", schemas.PhaseVerifying), receipt("a", schemas.PhaseLive)
	after.Status.Applied.At = metav1.NewTime(time.Now().Add(-2 * recentStatus))
	if err := p.cluster.Create(t.Context(), &after); err != nil {
		t.Fatal(err)
	}
	p.loop.Statuses.Changed(repositoryKey, &before, &after)
	l.kept.status(t, commit+" "+DeployContext)
}

// Of a removed model no receipt is left that says for whom a status is owed.
func TestTheStatusOfARemovalIsWrittenAgainAfterARestart(t *testing.T) {
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	merged := metav1.NewTime(time.Now().Add(-time.Minute))
	repo.Status.Approved = []schemas.ApprovedFile{{Path: newcomer, Commit: commit, PullRequest: 7, MergedAt: &merged}}
	statuses := NewStatuses(fakeCluster(t, repo), quiet)
	f := newListing()
	run(t, statuses.Start)
	statuses.follow(repositoryKey, statusTarget{forge: f})
	if s := f.kept.status(t, commit+" "+DeployContext); s.State != review.StateSuccess {
		t.Errorf("the status is %s: %s", s.State, s.Description)
	}
}

// A judgement that was under way when its pull request was closed brought it back
// onto the agenda.
func TestAPullRequestThatIsClosedWhileItIsJudgedIsOnNoAgenda(t *testing.T) {
	w := newWaiting(t)
	w.loop.Chase.Govern(repositoryKey, boards)
	w.loop.Chase.Open(repositoryKey, nil)
	if err := w.judge(time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := w.agenda(); got[0].Count != 0 {
		t.Errorf("it is on the agenda: %+v", got)
	}
}

// What a failed step has stored is not decided again, and was told to nobody.
func TestWhatAFailedStepHasStoredIsToldWithTheNext(t *testing.T) {
	p := trustedPlace(t)
	l := newListing()
	p.dial(l)
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval.Duration = time.Minute })
	now := time.Now()
	p.loop.Now = func() time.Time { return now }
	pushed := p.bring()
	p.mustLook()
	p.loop.Statuses.next(t.Context()) // what is recalled at the start, and not later
	now = now.Add(time.Minute)        // by now it is a push, and no merge that is not known yet
	p.loop.Store.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			return errors.Join(c.SubResource(sub).Update(ctx, o, opts...), errors.New("no answer"))
		},
	})
	if _, err := p.look(); err == nil || p.receipts()[newcomerKey.Name].Status.Quarantined == nil {
		t.Fatalf("%v, the receipt says %+v", err, p.receipts()[newcomerKey.Name].Status)
	}
	p.loop.Store.Client = p.cluster
	p.mustLook()
	run(t, p.loop.Statuses.Start)
	if s := l.kept.status(t, pushed+" "+DeployContext); s.State != review.StateFailure {
		t.Errorf("the status is %s: %s", s.State, s.Description)
	}
}
