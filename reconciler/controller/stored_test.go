package controller

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// These tests are of steps that were stored in part, or of which the answer was lost.

func refused(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return errors.New("no answer")
}

// removals are the models that the repository's status says are removed.
func (p *place) removals() (paths []string) {
	p.Helper()
	for _, a := range p.object().Status.Approved {
		if a.Blob == "" {
			paths = append(paths, a.Path)
		}
	}
	return paths
}

// The receipts of a step said that a model is removed, and the status, which keeps
// it once the receipt is deleted, did not. A fleet that was made from the receipts
// had them deleted.
func TestAFleetThatIsMadeFromAStepStoredInPartForgetsNoRemoval(t *testing.T) {
	for name, meanwhile := range map[string]func(p *place){
		"another process finds Git away": func(p *place) {
			p.restart()
			if err := os.Rename(p.dir, p.dir+".away"); err != nil {
				p.Fatal(err)
			}
			p.Cleanup(func() { _ = os.RemoveAll(p.dir + ".away") }) // the test's folder goes in any case
			_, err := p.look()
			p.Log(err)
		},
		"another process finds it suspended": func(p *place) {
			p.restart()
			p.change(func(r *schemas.ModelRepository) { r.Spec.Suspend = true })
			p.mustLook()
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := trustedPlace(t)
			p.trust(p.bring())
			p.mustLook()
			p.trust(p.take())
			p.loop.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{SubResourcePatch: refused})
			if _, err := p.look(); err == nil {
				t.Fatal("no error")
			}
			meanwhile(p)
			if p.loop.Fleets.Get(repositoryKey) == nil {
				t.Fatal("there is no fleet")
			}
			p.work(newcomerKey)
			if _, there := p.receipts()[newcomerKey.Name]; there {
				t.Error("the receipt is still there")
			}
			if got := p.removals(); len(got) != 1 || got[0] != newcomer {
				t.Errorf("removed are %v", got)
			}
		})
	}
}

// While the new object has no trusted commit, nothing of the old one's is worked on.
func TestTheFleetOfAnObjectThatIsMadeAgainIsForgotten(t *testing.T) {
	p := trustedPlace(t)
	p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = "" })
	p.remake("another")
	p.mustLook()
	p.ready("NothingTrusted")
	if f := p.loop.Fleets.Get(repositoryKey); f != nil {
		t.Errorf("%d units go on", len(f.Units()))
	}
}

// What a failed step owed was lost with the connection at the next edit of the spec.
func TestAStatusIsOwedWhateverIsEditedMeanwhile(t *testing.T) {
	p := trustedPlace(t)
	l := newListing()
	p.dial(l)
	now := time.Now()
	p.loop.Now = func() time.Time { return now }
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval.Duration = time.Minute })
	pushed := p.bring()
	p.mustLook() // there may be a pull request that GitHub does not tell of yet
	now = now.Add(time.Minute)
	p.loop.Store.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			return errors.Join(c.SubResource(sub).Update(ctx, o, opts...), errors.New("no answer"))
		},
	})
	if _, err := p.look(); err == nil {
		t.Fatal("no error")
	}
	p.loop.Store.Client = p.cluster
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval.Duration = 2 * time.Minute })
	p.mustLook()
	run(t, p.loop.Statuses.Start)
	if s := l.kept.status(t, pushed+" "+DeployContext); s.State != review.StateFailure {
		t.Errorf("the pushed commit is %+v", s)
	}
}

// An entry in the repository's status that is on no record takes nothing away.
func TestAForgedRemovalInTheStatusRemovesNothing(t *testing.T) {
	p := trustedPlace(t)
	repo := p.object()
	later := metav1.NewTime(time.Now().Add(time.Hour))
	repo.Status.Approved = append(repo.Status.Approved, schemas.ApprovedFile{Path: forecast, Commit: commit, PullRequest: 99, MergedAt: &later})
	if err := p.cluster.Status().Update(t.Context(), repo); err != nil {
		t.Fatal(err)
	}
	p.restart()
	p.mustLook()
	r := p.receipts()["development.data-science.demand-forecast"]
	if r.Status.Approved == nil || r.Status.Quarantined != nil {
		t.Errorf("approved %+v, quarantined %+v", r.Status.Approved, r.Status.Quarantined)
	}
}

// The status was stored, and nobody heard of it: what was read of the object before
// that is no ledger to judge the branch by.
func TestAnAnswerThatIsLostLosesNoApproval(t *testing.T) {
	for name, before := range map[string]func(p *place){
		"that is looked after": func(p *place) { p.mustLook() },
		"that was not looked at since the start, and loses a model": func(p *place) {
			p.git("rm", "-r", "--quiet", filepath.Dir(forecast))
		},
	} {
		t.Run(name, func(t *testing.T) { losesNoApproval(trustedPlace(t), before) })
	}
}

func losesNoApproval(p *place, before func(*place)) {
	p.Helper()
	p.restart()
	p.dial(newListing())
	before(p)
	p.write("teams/data-science.yaml", "apiVersion", "# changed\napiVersion")
	p.trust(p.commit("A governing file"))
	lost := false
	p.loop.Client = interceptor.NewClient(p.cluster.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			err := c.SubResource(sub).Patch(ctx, o, patch, opts...)
			if !lost && err == nil {
				lost = true
				return errors.New("connection reset")
			}
			return err
		},
	})
	if _, err := p.look(); err == nil {
		p.Fatal("no error")
	}
	for range 2 {
		p.mustLook()
		if held := p.object().Status.Quarantined; len(held) > 0 {
			p.Fatalf("quarantined are %+v", held)
		}
	}
}
