package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

const (
	commit  = "1111111111111111111111111111111111111111"
	head    = "2222222222222222222222222222222222222222"
	other   = "3333333333333333333333333333333333333333"
	ourName = "models"
)

var repositoryKey = client.ObjectKey{Namespace: "mooring-system", Name: ourName}

func receipt(model string, phase schemas.ReleasePhase, change ...func(*schemas.ModelRelease)) schemas.ModelRelease {
	r := schemas.ModelRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: "production.risk." + model},
		Spec:       schemas.ModelReleaseSpec{Repository: ourName, Team: "risk", Environment: "production", Model: model},
		Status: schemas.ModelReleaseStatus{
			Phase:    phase,
			Approved: &schemas.ApprovedFile{Blob: "b", Commit: commit, Head: head, PullRequest: 7},
			Applied:  &schemas.AppliedRevision{Blob: "b", At: metav1.Now()},
		},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func TestDeployOutcome(t *testing.T) {
	elsewhere := func(r *schemas.ModelRelease) { r.Status.Approved.Commit = other }
	before := func(r *schemas.ModelRelease) { r.Status.Applied.Blob = "older" }
	held := func(r *schemas.ModelRelease) {
		r.Status.Quarantined = &schemas.QuarantinedFile{Path: "p", Commit: commit, Reason: "pushed"}
	}
	for _, test := range []struct {
		name     string
		files    []schemas.QuarantinedFile
		receipts []schemas.ModelRelease
		state    review.State
		says     string
		also     bool // the aggregate is written as well
	}{
		{"all of it is live", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseLive), receipt("b", schemas.PhaseLive)}, review.StateSuccess, "live: risk/a in production and 1 more", false},
		{"one is under way", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseLive), receipt("b", schemas.PhaseVerifying)}, review.StatePending, "deploying risk/b", false},
		{"one failed", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseFailed), receipt("b", schemas.PhaseVerifying)}, review.StateFailure, "failed: risk/a", false},
		{"one is rolled back", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseRolledBack)}, review.StateFailure, "failed: risk/a", false},
		{"what is live is the content before", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseLive, before)}, review.StatePending, "deploying", false},
		{"a removal under way", nil, []schemas.ModelRelease{receipt("a", schemas.PhasePending, func(r *schemas.ModelRelease) { r.Status.Approved.Blob = "" })}, review.StatePending, "deploying", false},
		{"content was quarantined", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseLive, elsewhere, held)}, review.StateFailure, "quarantined, not deployed: p: pushed", true},
		{"a governing file was quarantined", []schemas.QuarantinedFile{{Path: "teams/a.yaml", Commit: commit, Reason: "pushed"}}, nil, review.StateFailure, "teams/a.yaml", true},
		{"quarantine wins over live", nil, []schemas.ModelRelease{receipt("a", schemas.PhaseLive, held)}, review.StateFailure, "quarantined", true},
		{"other commits do not matter", []schemas.QuarantinedFile{{Path: "x", Commit: other}}, []schemas.ModelRelease{receipt("a", schemas.PhaseFailed, elsewhere)}, review.StateSuccess, "nothing of it is left", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := DeployOutcome(commit, head, test.files, test.receipts)
			if o.State != test.state || !strings.Contains(o.Description, test.says) || len(o.Commits) != 2 {
				t.Errorf("got %s %q on %v", o.State, o.Description, o.Commits)
			}
			if got := len(o.statuses("u")); got != map[bool]int{false: 1, true: 2}[test.also] {
				t.Errorf("%d statuses", got)
			}
		})
	}
}

// forge keeps the statuses that were written.
type forge struct {
	review.Forge
	mu       sync.Mutex
	statuses map[string]review.Status
	fails    int
}

func (f *forge) SetStatus(_ context.Context, id source.ID, s review.Status) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		return errors.New("502")
	}
	f.statuses[id.String()+" "+s.Context] = s
	return nil
}

func (f *forge) status(t *testing.T, key string) review.Status {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		f.mu.Lock()
		s, ok := f.statuses[key]
		f.mu.Unlock()
		if ok {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("no status %s", key)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func fakeCluster(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&schemas.ModelRelease{}, &schemas.ModelRepository{}).Build()
}

func run(t *testing.T, start func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestStatusesAreWrittenAgainAfterARestart(t *testing.T) {
	a := receipt("a", schemas.PhaseLive)
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	statuses := NewStatuses(fakeCluster(t, &a, repo), quiet)
	run(t, statuses.Start)
	f := &forge{statuses: map[string]review.Status{}, fails: 1}
	statuses.follow(repositoryKey, statusTarget{forge: f, url: "u"})
	for _, key := range []string{commit + " " + DeployContext, head + " " + DeployContext} {
		if s := f.status(t, key); s.State != review.StateSuccess || s.TargetURL != "u" {
			t.Errorf("%s is %+v", key, s)
		}
	}
}

func tellAll(s *Statuses, decisions []release.Decision) {
	for _, d := range decisions {
		s.tell(statusKeys(repositoryKey, d)...)
	}
}

func TestStatusesTellWhatWasDecided(t *testing.T) {
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	repo.Status.Quarantined = []schemas.QuarantinedFile{{Path: "teams/a.yaml", Commit: commit, Reason: "pushed"}}
	statuses := NewStatuses(fakeCluster(t, repo), quiet)
	run(t, statuses.Start)
	f := &forge{statuses: map[string]review.Status{}}
	statuses.follow(repositoryKey, statusTarget{forge: f})
	tellAll(statuses, []release.Decision{
		{Path: "teams/a.yaml", Quarantined: &repo.Status.Quarantined[0]},
		{Path: "x", Approved: &schemas.ApprovedFile{Commit: head, PullRequest: 8}, Replaced: &schemas.ApprovedFile{Commit: other, PullRequest: 6}},
	})
	if s := f.status(t, commit+" "+review.StatusContext); s.State != review.StateFailure {
		t.Errorf("the pushed commit is %s", s.State)
	}
	f.status(t, head+" "+DeployContext)
	f.status(t, other+" "+DeployContext) // no longer pending for ever
}

// The forge may have been down for days when the process that owed it ended.
func TestTheFailureOfAQuarantineIsOwedUntilItEnds(t *testing.T) {
	since := metav1.NewTime(time.Now().Add(-72 * time.Hour))
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	repo.Status.Quarantined = []schemas.QuarantinedFile{{Path: "teams/a.yaml", Commit: commit, Reason: "pushed", Since: since}}
	a := receipt("a", schemas.PhaseLive, func(r *schemas.ModelRelease) {
		r.Status.Quarantined = &schemas.QuarantinedFile{Path: "p", Commit: other, Reason: "pushed", Since: since}
	})
	statuses := NewStatuses(fakeCluster(t, repo, &a), quiet)
	run(t, statuses.Start)
	f := &forge{statuses: map[string]review.Status{}}
	statuses.follow(repositoryKey, statusTarget{forge: f})
	for _, id := range []string{commit, other} {
		if s := f.status(t, id+" "+review.StatusContext); s.State != review.StateFailure {
			t.Errorf("%s is %+v", id, s)
		}
	}
}

func TestTheLatestQuarantinesAreRecalled(t *testing.T) {
	at := func(commit string, hours int) schemas.QuarantinedFile {
		return schemas.QuarantinedFile{Commit: commit, Since: metav1.NewTime(time.Unix(0, 0).Add(time.Duration(hours) * time.Hour))}
	}
	held := []schemas.QuarantinedFile{at("old", 1), at("new", 3), at("middle", 2), at("new", 3)}
	if got := latest(held, 2); !slices.Equal(got, []string{"new", "middle"}) {
		t.Errorf("recalled are %v", got)
	}
}

// The tip at which something else was quarantined may be a merge whose own
// content is approved.
func TestStatusesTellWhenAQuarantineEnds(t *testing.T) {
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	a := receipt("a", schemas.PhaseLive)
	statuses := NewStatuses(fakeCluster(t, &a, repo), quiet)
	run(t, statuses.Start)
	f := &forge{statuses: map[string]review.Status{}}
	statuses.follow(repositoryKey, statusTarget{forge: f})
	never := "4444444444444444444444444444444444444444"
	tellAll(statuses, []release.Decision{
		{Path: "z", Quarantined: &schemas.QuarantinedFile{Commit: never}}, // and taken back before it could be stored
		{Path: "x", Restored: true, Ended: &schemas.QuarantinedFile{Commit: other}},
		{Path: "y", Restored: true, Ended: &schemas.QuarantinedFile{Commit: commit}},
	})
	if s := f.status(t, commit+" "+DeployContext); s.State != review.StateSuccess {
		t.Errorf("the commit whose own content is live is %s", s.State)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range []string{other, never} {
		if s, told := f.statuses[id+" "+DeployContext]; told {
			t.Errorf("the commit %.4s that was never deployed is told %s", id, s.State)
		}
	}
}

func TestAStatusThatWasWrittenDuringAnAttemptIsCorrectedWhenItFails(t *testing.T) {
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	failed := receipt("churn", schemas.PhaseFailed)
	failed.Status.Approved = &schemas.ApprovedFile{Commit: head, PullRequest: 8}
	trying := failed.DeepCopy()
	trying.Status.Phase = schemas.PhaseApplying
	cluster := fakeCluster(t, repo, trying)
	statuses := NewStatuses(cluster, quiet)
	run(t, statuses.Start)
	f := &forge{statuses: map[string]review.Status{}}
	statuses.follow(repositoryKey, statusTarget{forge: f})
	tellAll(statuses, []release.Decision{{Path: "x", Approved: failed.Status.Approved}})
	if s := f.status(t, head+" "+DeployContext); s.State != review.StatePending {
		t.Fatalf("while it is tried it is %s", s.State)
	}
	f.mu.Lock()
	clear(f.statuses)
	f.mu.Unlock()
	trying.Status.Phase = schemas.PhaseFailed
	if err := cluster.Status().Update(t.Context(), trying); err != nil {
		t.Fatal(err)
	}
	// It had failed before, too: the phase at the end is the one at the beginning.
	statuses.Changed(repositoryKey, &failed, &failed)
	if s := f.status(t, head+" "+DeployContext); s.State != review.StateFailure {
		t.Errorf("after the attempt it is %s", s.State)
	}
}

func TestWebhooksByRepository(t *testing.T) {
	h := newHooks(quiet)
	answer := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		return w.Code
	}
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName}}
	code := func(n int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) })
	}
	var hook http.Handler
	dial := h.dialer(func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Webhook: hook}, nil
	})
	for _, step := range []struct {
		hook http.Handler
		want int
	}{{code(202), 202}, {code(201), 201}, {nil, 404}, {code(202), 202}} { // added, rotated, taken away, back
		hook = step.hook
		if _, err := dial(repo, nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := answer(WebhookPath(repositoryKey)); got != step.want {
			t.Errorf("got %d, want %d", got, step.want)
		}
		if got := answer("/webhooks/mooring-system/unknown"); got != http.StatusNotFound {
			t.Errorf("an unknown repository: %d", got)
		}
	}
	h.remove(repositoryKey)
	if got := answer(WebhookPath(repositoryKey)); got != http.StatusNotFound {
		t.Errorf("a removed repository: %d", got)
	}
}

func TestInboxNeverBlocksAndLosesNothing(t *testing.T) {
	const n = 5000
	in := &inbox{}
	for i := range n {
		in.Add(client.ObjectKey{Name: fmt.Sprint(i)})
	}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
	defer queue.ShutDown()
	if err := in.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		in.Add(client.ObjectKey{Name: fmt.Sprint(i + n)})
	}
	if queue.Len() != 2*n {
		t.Errorf("%d of %d keys are in the queue", queue.Len(), 2*n)
	}
}

func TestReadConfig(t *testing.T) {
	const good = "apiVersion: mlops-platform.com/v1alpha1\nkind: ModelRepository\nmetadata: {name: models}\nspec: {url: x}\n"
	for _, test := range []struct{ name, content, want string }{
		{"one object", good, ""},
		{"two, and an empty document", good + "---\n---\n" + good, ""},
		{"another kind", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n", `Secret "s" is no ModelRepository`},
		{"another namespace", strings.Replace(good, "{name: models}", "{name: models, namespace: default}", 1), `in the namespace "default"`},
		{"nothing", "# nothing\n", "holds no ModelRepository"},
		{"no YAML", "kind: [", "not valid YAML"},
		{"no object", "just text", "not valid YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, err := readConfig([]byte(test.content), "mooring-system")
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || len(objects) == 0 || objects[0].GetNamespace() != "mooring-system" {
				t.Errorf("got %v: %v", objects, err)
			}
		})
	}
}

// api plays an API server that serves these kinds of Mooring's group.
func api(t *testing.T, kinds string) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kinds == "" || !strings.Contains(r.URL.Path, schemas.Group) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := fmt.Fprintf(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":%q,"resources":[%s]}`, schemas.APIVersion, kinds); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func TestStartWithoutDefinitionsSaysWhatToInstall(t *testing.T) {
	const repositories, releases = `{"name":"modelrepositories","kind":"ModelRepository"}`, `{"name":"modelreleases","kind":"ModelRelease"}`
	if err := checkDefinitions(api(t, repositories+","+releases)); err != nil {
		t.Error(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("apiVersion: mlops-platform.com/v1alpha1\nkind: ModelRepository\nmetadata: {name: models}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, kinds := range map[string]string{"none": "", "one of two": repositories} {
		options := Options{Config: api(t, kinds), Namespace: "mooring-system", MirrorDir: t.TempDir()}
		_, err := New(options)
		for what, err := range map[string]error{"New": err, "ApplyConfig": ApplyConfig(t.Context(), options, config)} {
			if !errors.Is(err, ErrDefinitions) || !strings.Contains(err.Error(), "kubectl apply -k deploy/crds") {
				t.Errorf("%s with %s: %v", what, name, err)
			}
		}
	}
}

func TestFleetsForgetWhatIsGone(t *testing.T) {
	f := &Fleets{Namespace: "mooring-system", Enqueue: func(client.ObjectKey) {}}
	unit := schemas.Unit{Team: "risk", Model: "fraud", Environment: "production"}
	entry := schemas.InventoryEntry{Kind: "ServiceAccount", Name: "fraud", Fields: "v1:x"}
	if before := f.Record(unit, schemas.PhaseLive, []schemas.InventoryEntry{entry}); before != "" {
		t.Errorf("before it was %s", before)
	}
	if fields, known := f.Recorded(unit, schemas.InventoryEntry{Kind: "ServiceAccount", Name: "fraud"}); !known || fields != "v1:x" {
		t.Errorf("recorded is %q", fields)
	}
	if before := f.Record(unitNamed(unit.ReceiptName()), "", nil); before != schemas.PhaseLive || len(f.receipts) != 0 {
		t.Errorf("before it was %s; %d are kept", before, len(f.receipts))
	}
	if tenancy := (schemas.Unit{Team: "risk", Environment: "production"}); unitNamed(tenancy.ReceiptName()) != tenancy {
		t.Error("a tenancy's receipt is not recognised by its name")
	}
}
