package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

const (
	repoName   = "acme/models"
	bot        = "mooring-bot"
	root       = "root"
	hookSecret = "correct horse"
	models     = 40
	// versions of each model are below this one.
	versions = 10
)

// soak is a GitHub that misbehaves, people who do as they like on it, and the
// controller's loops with the real adapter between. The cluster is played: only
// receipts and the standing of files are kept in it. See whole for a real one.
type soak struct {
	testing.TB
	rng     *rand.Rand
	server  *githubtest.Server
	git     *source.Repository
	people  map[string]*githubtest.Person
	cluster client.Client
	// key is the ModelRepository's.
	key   client.ObjectKey
	trail *audit.Log
	file  string
	hook  *httptest.Server
	// later is how far the controller's clock is ahead, so that nobody waits.
	later atomic.Int64

	mu   sync.Mutex // of one look at a time, and of what follows
	loop *controller.Repositories
	stop func()

	pulls map[int]*soaked
	// ever are the contents that may have run at any time, by path.
	ever  map[string][]id
	cache *review.Cache // the oracle's
	// topics counts the branches that were made.
	topics int
}

// soaked is a pull request and what the oracle said when it was merged.
type soaked struct {
	number  int
	branch  string
	open    bool
	reviews map[int64]string // by whom
	// granted are the contents that may run, by path; nil while it is not merged.
	granted map[string]string
	// report is the oracle's latest, and judged says of what.
	report *review.Report
	judged string
}

func modelPath(i int) string {
	return fmt.Sprintf("models/data-science/m%02d/development/deployment.yaml", i)
}

// modelText is a manifest of low, medium or high risk.
func modelText(i int, version int) string {
	text := manifests["B"]
	switch i % 3 {
	case 0:
		text = manifests["C"]
	case 2:
		text = strings.NewReplacer("businessImpact: low", "businessImpact: critical", "explainability: none", "explainability: mandated").Replace(text)
		text += "  justification: It pays.\n"
	}
	text = strings.ReplaceAll(text, "churn", fmt.Sprintf("m%02d", i))
	head, rest, _ := strings.Cut(text, `version: "`)
	_, rest, _ = strings.Cut(rest, `"`)
	return fmt.Sprintf("%sversion: \"%d\"%s", head, version, rest)
}

// boarded gives the board a chair and members who are there.
var boarded = strings.NewReplacer("chair: {users: [nobody]}", "chair: {users: [sam]}", "members: [platform-admin], quorum: 1", "members: [manager, senior-data-scientist], quorum: 2")

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	s := newPeople(t, seed, environment)
	s.key = client.ObjectKey{Namespace: "mooring-system", Name: "models"}
	var err error
	s.trail, err = audit.Open(s.file, audit.Options{})
	s.must(err)
	t.Cleanup(func() { s.must(s.trail.Close()) })
	s.prepareCluster()
	s.hook = httptest.NewServer(nil)
	t.Cleanup(s.hook.Close)
	s.restart()
	t.Cleanup(func() { s.stop() })
	s.must(s.people[root].AddWebhook(t.Context(), repoName, s.hook.URL, hookSecret))
	return s
}

// newPeople is a soak without a controller: GitHub, the people on it, and the
// repository with the environment as given.
func newPeople(t *testing.T, seed uint64, environment string) *soak {
	t.Helper()
	s := &soak{TB: t, rng: rand.New(rand.NewPCG(seed, 1)), people: map[string]*githubtest.Person{}, pulls: map[int]*soaked{}, ever: map[string][]id{}, cache: review.NewCache()}
	dir := t.TempDir()
	var err error
	if s.server, err = githubtest.New(githubtest.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.must(s.server.Close()) })
	for _, login := range []string{root, bot, pat, ada, mia, sen, sam} {
		s.people[login], err = s.server.CreateUser(login)
		s.must(err)
		if login != bot { // who look on all the time, as nobody does at GitHub
			s.server.SetRateLimit(s.people[login].Token, 1<<30, time.Now().Add(24*time.Hour))
		}
	}
	s.must(s.server.CreateOrg("acme", root))
	s.must(s.server.AddMember("acme", bot, pat, ada, mia, sen, sam))
	s.must(s.server.CreateTeam("acme", githubtest.Team{Slug: "managers", Members: []string{mia, ada}}))
	tree := map[string][]byte{}
	for path, text := range files(content{"A", trustedRules}) {
		if path != manifestPath {
			tree[path] = []byte(text)
		}
	}
	tree["governance.yaml"] = []byte(boarded.Replace(governance))
	tree[schemas.EnvironmentPath("development")] = []byte(environment)
	for i := range models {
		path, text := modelPath(i), []byte(modelText(i, 1))
		tree[path], s.ever[path] = text, []id{id(plumbing.ComputeHash(plumbing.BlobObject, text).String())}
	}
	s.must(s.server.CreateRepo(repoName, githubtest.Repo{Files: tree}))
	for _, login := range []string{bot, pat, ada, mia, sen, sam} {
		s.must(s.server.Grant(repoName, login, githubtest.Write))
	}
	s.git, err = source.Open(filepath.Join(dir, "acme", "models.git"))
	s.must(err)
	t.Cleanup(func() { s.must(s.git.Close()) })
	s.file = filepath.Join(t.TempDir(), "audit.jsonl")
	return s
}

func (s *soak) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *soak) prepareCluster() {
	scheme, err := controller.Scheme()
	s.must(err)
	s.cluster = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&schemas.ModelRelease{}, &schemas.ModelRepository{}).
		WithObjects(s.repository()).Build()
}

// repository is the ModelRepository.
func (s *soak) repository() *schemas.ModelRepository {
	s.Helper()
	tip, err := s.server.Head(repoName, "main")
	s.must(err)
	return &schemas.ModelRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.key.Namespace, Name: s.key.Name, UID: "uid", Generation: 1},
		Spec: schemas.ModelRepositorySpec{
			URL: s.server.CloneURL(repoName), Environments: []string{"development"}, TrustFrom: tip,
			GitHub: &schemas.GitHubSpec{Owner: "acme", Repository: "models", BaseURL: s.server.APIURL()},
		},
	}
}

// restart is another process: what was in memory is gone, and its copy of the
// repository with it.
func (s *soak) restart() {
	s.Helper()
	if s.stop != nil {
		s.stop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	hints := make(chan struct{}, 1)
	quiet := slog.New(slog.DiscardHandler)
	adapter, err := github.New(github.Options{
		BaseURL: s.server.APIURL(), Token: s.people[bot].Token, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	s.must(err)
	wake := func(client.ObjectKey) {
		select {
		case hints <- struct{}{}:
		default:
		}
	}
	var told atomic.Pointer[func(controller.Hint)] // by whoever has dialled
	hook, err := github.NewWebhook(github.WebhookOptions{Secret: []byte(hookSecret), Enqueue: func(h github.Hint) error {
		if tell := told.Load(); tell != nil {
			(*tell)(controller.Hint{PullRequest: h.PullRequest, Push: h.Event == "push"})
		} else {
			wake(s.key)
		}
		return nil
	}})
	s.must(err)
	s.hook.Config.Handler = hook
	token := source.Credential{Password: s.people[bot].Token}
	s.mu.Lock()
	defer s.mu.Unlock()
	reviews, statuses := controller.NewReviews(quiet, nil), controller.NewStatuses(s.cluster, quiet)
	s.loop = &controller.Repositories{
		Client: s.cluster, Reader: s.cluster, Store: release.Store{Client: s.cluster, Reader: s.cluster}, MirrorDir: s.TempDir(),
		Audit: audit.Recorder{Log: s.trail}, Witness: audit.Witness{Log: s.trail}, Events: record.NewFakeRecorder(100_000),
		Now: func() time.Time { return time.Now().Add(time.Duration(s.later.Load())) }, Log: quiet, Hint: wake, Forget: func(client.ObjectKey) {},
		Dial: func(_ *schemas.ModelRepository, _ map[string][]byte, hint func(controller.Hint)) (controller.Remote, error) {
			told.Store(&hint)
			return controller.Remote{Forge: adapter.Forge("acme", "models"), Credentials: source.CredentialsFunc(
				func(context.Context, string) (source.Credential, error) { return token, nil })}, nil
		},
		Fleets:  &controller.Fleets{Namespace: s.key.Namespace, Enqueue: func(client.ObjectKey) {}},
		Reviews: reviews, Statuses: statuses, Differ: noCluster{},
	}
	var running sync.WaitGroup
	running.Go(func() { s.failed(reviews.Start(ctx)) })
	running.Go(func() { s.failed(statuses.Start(ctx)) })
	running.Go(func() {
		for {
			select {
			case <-hints:
				s.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	s.stop = func() { cancel(); running.Wait() }
}

func (s *soak) failed(err error) {
	if err != nil {
		s.Error(err)
	}
}

// noCluster has nothing to compare with.
type noCluster struct{}

func (noCluster) Diff(context.Context, apply.Set) ([]apply.ObjectDiff, error) {
	return nil, errors.New("no cluster in this test")
}

// look is one poll, and those soon after it that it asks for: nobody waits for
// the time between. That it fails is what faults are for.
func (s *soak) look(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 5 {
		result, err := s.loop.Reconcile(ctx, ctrl.Request{NamespacedName: s.key})
		if err != nil && ctx.Err() == nil {
			s.Logf("a look: %.300s", err)
		}
		if err != nil || result.RequeueAfter > 10*time.Second {
			return
		}
		s.later.Add(int64(result.RequeueAfter))
	}
}
