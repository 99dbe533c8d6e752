package controller

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// measure gives the loop metrics of its own.
func (p *place) measure() *prometheus.Registry {
	p.Helper()
	registry := prometheus.NewRegistry()
	numbers, err := release.NewMetrics(registry)
	if err != nil {
		p.Fatal(err)
	}
	p.loop.Metrics = numbers
	return registry
}

// series lists what a gauge or a counter says, "label=value,…" by what it counts.
func series(t testing.TB, registry *prometheus.Registry, metric string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			out[strings.Join(labels, ",")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func (p *place) counts(registry *prometheus.Registry, metric string, want map[string]float64) {
	p.Helper()
	if got := series(p, registry, metric); !maps.Equal(got, want) {
		p.Errorf("%s says %v, want %v", metric, got, want)
	}
}

// events takes those of a kind that came since.
func (p *place) events(reason string) (said []string) {
	recorder := p.loop.Events.(*record.FakeRecorder)
	for {
		select {
		case e := <-recorder.Events:
			if strings.Contains(e, " "+reason+" ") {
				said = append(said, e)
			}
		default:
			return said
		}
	}
}

func TestARepositoryThatIsNotReadyIsMeasured(t *testing.T) {
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
	registry := p.measure()
	const metric = "mooring_repository_ready"
	p.mustLook()
	p.counts(registry, metric, map[string]float64{"reason=NothingTrusted,repository=mooring-system/models": 0})
	p.trust(p.git("rev-parse", "HEAD"))
	p.mustLook()
	p.counts(registry, metric, map[string]float64{"reason=Judged,repository=mooring-system/models": 1})
	p.change(func(r *schemas.ModelRepository) { r.Spec.Suspend = true })
	p.mustLook()
	p.counts(registry, metric, map[string]float64{"reason=Suspended,repository=mooring-system/models": 0})
	p.change(func(r *schemas.ModelRepository) { r.Spec.Suspend = false })
	p.git("rm", "-r", "--quiet", "models")
	p.trust(p.commit("Empty"))
	p.mustLook()
	p.counts(registry, metric, map[string]float64{"reason=MassRemoval,repository=mooring-system/models": 0})
	if err := p.cluster.Delete(t.Context(), p.object()); err != nil {
		t.Fatal(err)
	}
	p.mustLook()
	for _, metric := range []string{metric, "mooring_quarantined_files", "mooring_environments_missing", "mooring_units_not_served"} {
		p.counts(registry, metric, nil)
	}
}

func TestAnEnvironmentThatIsMisspeltIsTold(t *testing.T) {
	p := trustedPlace(t)
	registry := p.measure()
	p.mustLook()
	p.counts(registry, "mooring_environments_missing", nil)
	if !conditions.IsTrue(p.object(), schemas.ConditionEnvironmentsFound) {
		t.Errorf("every environment is there, and it says %q", conditions.GetMessage(p.object(), schemas.ConditionEnvironmentsFound))
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"development", "prodction"} })
	for look := range 2 {
		p.mustLook()
		said := conditions.GetMessage(p.object(), schemas.ConditionEnvironmentsFound)
		if !conditions.IsFalse(p.object(), schemas.ConditionEnvironmentsFound) || !strings.Contains(said, ": prodction;") {
			t.Errorf("it says %q", said)
		}
		p.counts(registry, "mooring_environments_missing", map[string]float64{"environment=prodction,repository=mooring-system/models": 1})
		if n := len(p.events("EnvironmentMissing")); n != 1-look {
			t.Errorf("look %d makes %d events", look, n)
		}
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = everywhere })
	p.mustLook()
	p.counts(registry, "mooring_environments_missing", nil)
	if !conditions.IsTrue(p.object(), schemas.ConditionEnvironmentsFound) || len(p.events("EnvironmentMissing")) != 0 {
		t.Error("it is corrected, and still told")
	}
}

func TestUnitsThatAreNotServedAreCounted(t *testing.T) {
	p := trustedPlace(t)
	registry := p.measure()
	units := p.worker()
	units.Metrics = p.loop.Metrics
	work := func(name string) {
		t.Helper()
		if _, err := units.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: repositoryKey.Namespace, Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"production"} })
	p.mustLook()
	const model, tenancy = "development.data-science.demand-forecast", "development.data-science"
	for _, name := range []string{model, tenancy} {
		work(name)
		r := p.receipts()[name]
		if got := conditions.GetReason(&r, "Ready"); got != release.ReasonNotServed {
			t.Errorf("%s says %q", name, got)
		}
	}
	p.counts(registry, "mooring_units_not_served", map[string]float64{"repository=mooring-system/models": 2})
	r := p.receipts()[model]
	if err := p.cluster.Delete(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	work(model)
	p.counts(registry, "mooring_units_not_served", map[string]float64{"repository=mooring-system/models": 1})
}

func TestTheConditionNamesTheFirstOfWhatIsQuarantined(t *testing.T) {
	p := trustedPlace(t)
	p.write(forecast, `version: "7"`, `version: "8"`)
	p.commit("Skip the review")
	p.mustLook()
	says := func(want string) {
		t.Helper()
		if got := conditions.GetMessage(p.object(), schemas.ConditionQuarantined); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	one := "1 file on the branch has no approval and is not deployed: " + forecast
	says(one)
	if err := p.loop.disconnect(repositoryKey); err != nil { // the ledger is gone from memory, and Git does not answer
		t.Fatal(err)
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.URL = "file:///nowhere" })
	if _, err := p.look(); err == nil {
		t.Error("no error")
	}
	says(one)
	p.change(func(r *schemas.ModelRepository) { r.Spec.URL = "file://" + p.dir })
	for _, path := range []string{"environments/development.yaml", "environments/production.yaml", "environments/staging.yaml", "teams/data-science.yaml"} {
		p.write(path, "apiVersion", "# pushed\napiVersion")
	}
	p.commit("Skip it again")
	p.mustLook()
	says("5 files on the branch have no approval and are not deployed: environments/development.yaml, environments/production.yaml, environments/staging.yaml and 2 more")
}

func TestALongListIsCut(t *testing.T) {
	for want, names := range map[string][]string{
		"a":                  {"a"},
		"a, b, c":            {"a", "b", "c"},
		"a, b, c and 2 more": {"a", "b", "c", "d", "e"},
	} {
		if got := firstOf(names); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAHistoryThatWasRewrittenIsTold(t *testing.T) {
	p := trustedPlace(t)
	start := p.git("rev-parse", "HEAD")
	p.write(forecast, `version: "7"`, `version: "8"`)
	p.trust(p.commit("Approved"))
	approved := p.git("rev-parse", "HEAD")
	p.mustLook()
	if n := len(p.events("Rewritten")); n != 0 || conditions.Has(p.object(), schemas.ConditionRewritten) {
		t.Errorf("an ordinary push makes %d events", n)
	}
	p.git("reset", "--quiet", "--hard", start)
	p.write(forecast, `version: "7"`, `version: "9"`)
	p.commit("Rewritten")
	p.mustLook()
	if said := p.events("Rewritten"); len(said) != 1 || !strings.Contains(said[0], "it was at "+approved) {
		t.Errorf("the events are %q", said)
	}
	p.git("reset", "--quiet", "--hard", start)
	p.write(forecast, `version: "7"`, `version: "10"`)
	p.commit("Rewritten again")
	p.mustLook()
	if n := len(p.events("Rewritten")); n != 1 {
		t.Errorf("the second time makes %d events", n)
	}
	p.restart()
	p.mustLook()
	if said := conditions.GetMessage(p.object(), schemas.ConditionRewritten); !strings.Contains(said, "it was at "+approved) || len(p.events("Rewritten")) != 0 {
		t.Errorf("the next look says %q", said)
	}
	p.git("reset", "--quiet", "--hard", approved)
	p.mustLook()
	if conditions.Has(p.object(), schemas.ConditionRewritten) {
		t.Error("it is pushed back, and still told")
	}
}

func TestAFailureLeavesThePauseToTheQueue(t *testing.T) {
	p := trustedPlace(t)
	p.write(forecast, `version: "7"`, `version: "8"`)
	p.commit("Skip the review")
	p.fails = errors.New("disk full")
	if result, err := p.look(); err == nil || result != (ctrl.Result{}) {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestWhoDidNotAnswerInTimeIsNamed(t *testing.T) {
	// It takes connections and says nothing.
	deaf, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = deaf
	server.Start()
	t.Cleanup(server.Close)
	soon := metav1.Duration{Duration: 200 * time.Millisecond}
	t.Run("git", func(t *testing.T) {
		p := trustedPlace(t)
		p.change(func(r *schemas.ModelRepository) { r.Spec.URL, r.Spec.Timeout = server.URL+"/acme/models", soon })
		p.fail("Unreachable", "no answer to git within spec.timeout (0.2s)", "check the address, the network and the remote's status")
	})
	t.Run("the API", func(t *testing.T) {
		p := trustedPlace(t)
		p.dial(hung{})
		p.change(func(r *schemas.ModelRepository) { r.Spec.Timeout = soon })
		p.fail("Fetched", "list the pull requests: GitHub's API did not answer within spec.timeout (0.2s); check the network and GitHub's status page")
	})
}

// fail looks once, in vain, and compares what is said with parts of it.
func (p *place) fail(fetched string, parts ...string) {
	p.Helper()
	if _, err := p.look(); err == nil {
		p.Error("no error")
	}
	p.ready("Failed")
	if got := conditions.GetReason(p.object(), schemas.ConditionFetched); got != fetched {
		p.Errorf("Fetched has the reason %q, want %q", got, fetched)
	}
	said := conditions.GetMessage(p.object(), "Ready")
	for _, part := range parts {
		if !strings.Contains(said, part) {
			p.Errorf("it says %q, without %q", said, part)
		}
	}
	if strings.Contains(said, "deadline exceeded") {
		p.Errorf("it says %q", said)
	}
}

// hung is a forge that never answers.
type hung struct{ review.Forge }

func (hung) MergedPullRequest(context.Context, string, source.ID) (*review.PullRequest, error) {
	return nil, nil
}

func (hung) OpenPullRequests(ctx context.Context, _ string) ([]review.PullRequest, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// The alerts resolved while the conditions still said so.
func TestGaugesAreThereWhileGitIsAway(t *testing.T) {
	p := trustedPlace(t)
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"development", "prodction"} })
	p.mustLook()
	p.write(forecast, `version: "7"`, `version: "8"`)
	p.commit("Skip the review")
	p.mustLook()
	p.restart()
	registry := p.measure()
	p.dir += ".away" // so that its URL leads nowhere
	p.change(func(r *schemas.ModelRepository) { r.Spec.Suspend = true })
	p.mustLook()
	for metric, want := range map[string]string{"mooring_quarantined_files": "repository=mooring-system/models", "mooring_environments_missing": "environment=prodction"} {
		if !seen(t, registry, metric, want) {
			t.Errorf("%s has %v", metric, series(t, registry, metric))
		}
	}
}

// What was not served of a repository that is gone came back into the count.
func TestUnitsOfARepositoryThatIsGoneAreCountedNoMore(t *testing.T) {
	p := trustedPlace(t)
	registry := p.measure()
	units := p.worker()
	units.Metrics, p.loop.Forget = p.loop.Metrics, units.forget
	work := func(name string) {
		if _, err := units.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: repositoryKey.Namespace, Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"production"} })
	p.mustLook()
	const model = "development.data-science.demand-forecast"
	work(model)
	work("development.data-science")
	if !seen(t, registry, "mooring_units_not_served", "") {
		t.Fatal("nothing is counted")
	}
	r := p.receipts()[model]
	if err := errors.Join(p.cluster.Delete(t.Context(), p.object()), p.cluster.Delete(t.Context(), &r)); err != nil {
		t.Fatal(err)
	}
	p.mustLook()
	work(model)
	if seen(t, registry, "mooring_units_not_served", "") {
		t.Errorf("counted are %v", series(t, registry, "mooring_units_not_served"))
	}
}

func TestUnitsThatAreNotServedAreCountedOfAnObjectThatIsMadeAgain(t *testing.T) {
	p := trustedPlace(t)
	units := p.worker()
	p.loop.Forget = units.forget
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"production"} })
	p.mustLook()
	const model = "development.data-science.demand-forecast"
	if _, err := units.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: repositoryKey.Namespace, Name: model}}); err != nil {
		t.Fatal(err)
	}
	p.remake("another")
	if p.mustLook(); !p.looks[model] {
		t.Error("nobody looks at what is not served, so that it is counted")
	}
}
