package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

const forecast = "models/data-science/demand-forecast/development/deployment.yaml"

// place is a Git repository, a cluster that is played, and the loop between them.
type place struct {
	testing.TB
	dir     string
	cluster client.Client
	loop    *Repositories
	mirrors string

	mu      sync.Mutex
	actions []release.Action
	keys    map[string]bool
	looks   map[string]bool
	fails   error
}

func newPlace(t *testing.T, spec schemas.ModelRepositorySpec) *place {
	t.Helper()
	p := &place{TB: t, dir: t.TempDir(), mirrors: t.TempDir(), keys: map[string]bool{}, looks: map[string]bool{}}
	if err := os.CopyFS(p.dir, os.DirFS("../../example-repo")); err != nil {
		t.Fatal(err)
	}
	p.git("init", "--quiet", "--initial-branch=main")
	p.commit("Start")
	spec.URL = "file://" + p.dir
	p.cluster = fakeCluster(t, &schemas.ModelRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: ourName, UID: "uid", Generation: 1}, Spec: spec,
	})
	p.restart()
	t.Cleanup(func() {
		if err := p.loop.disconnect(repositoryKey); err != nil {
			t.Error(err)
		}
	})
	return p
}

// restart is another process: all that was in memory is gone.
func (p *place) restart() {
	p.Helper()
	if p.loop != nil {
		if err := p.loop.disconnect(repositoryKey); err != nil {
			p.Fatal(err)
		}
	}
	p.loop = &Repositories{
		Client: p.cluster, Reader: p.cluster, Store: release.Store{Client: p.cluster, Reader: p.cluster}, MirrorDir: p.mirrors,
		Audit: p, Witness: p, Events: record.NewFakeRecorder(1000), Now: time.Now, Log: quiet, Hint: func(client.ObjectKey) {}, Forget: func(client.ObjectKey) {},
		Dial: func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) { return Remote{}, nil },
		Fleets: &Fleets{Namespace: repositoryKey.Namespace, Enqueue: func(k client.ObjectKey) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.looks[k.Name] = true
		}},
		Reviews: NewReviews(quiet, nil), Statuses: NewStatuses(p.cluster, quiet),
		Chase: (&Chase{Client: p.cluster, Reader: p.cluster, Audit: p, Witness: p, Now: time.Now, Log: quiet}).start(),
	}
}

func (p *place) Record(_ context.Context, e release.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails != nil {
		return p.fails
	}
	if !p.keys[e.Key] {
		p.keys[e.Key] = true
		p.actions = append(p.actions, e.Action)
	}
	return nil
}

func (p *place) Recorded(_ context.Context, key string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[key], nil
}

func (p *place) git(args ...string) string {
	p.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_DATE=1767600000 +0000", "GIT_COMMITTER_DATE=1767600000 +0000"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.Fatalf("git %v: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (p *place) commit(message string) string {
	p.Helper()
	p.git("add", "--all")
	p.git("commit", "--quiet", "--allow-empty", "-m", message)
	return p.git("rev-parse", "HEAD")
}

func (p *place) write(path, before, after string) {
	p.Helper()
	full := filepath.Join(p.dir, path)
	content, err := os.ReadFile(full)
	if err != nil || !strings.Contains(string(content), before) {
		p.Fatalf("%s has no %q: %v", path, before, err)
	}
	if err := os.WriteFile(full, []byte(strings.ReplaceAll(string(content), before, after)), 0o600); err != nil {
		p.Fatal(err)
	}
}

func (p *place) look() (ctrl.Result, error) {
	p.Helper()
	p.actions, p.looks = nil, map[string]bool{}
	return p.loop.Reconcile(p.Context(), ctrl.Request{NamespacedName: repositoryKey})
}

func (p *place) mustLook() ctrl.Result {
	p.Helper()
	result, err := p.look()
	if err != nil {
		p.Fatal(err)
	}
	return result
}

func (p *place) object() *schemas.ModelRepository {
	p.Helper()
	var repo schemas.ModelRepository
	if err := p.cluster.Get(p.Context(), repositoryKey, &repo); err != nil {
		p.Fatal(err)
	}
	return &repo
}

func (p *place) change(edit func(*schemas.ModelRepository)) {
	p.Helper()
	repo := p.object()
	edit(repo)
	repo.Generation++ // as the API server counts edits
	if err := p.cluster.Update(p.Context(), repo); err != nil {
		p.Fatal(err)
	}
}

func (p *place) receipts() map[string]schemas.ModelRelease {
	p.Helper()
	var list schemas.ModelReleaseList
	if err := p.cluster.List(p.Context(), &list); err != nil {
		p.Fatal(err)
	}
	out := map[string]schemas.ModelRelease{}
	for _, r := range list.Items {
		out[r.Name] = r
	}
	return out
}

func (p *place) ready(reason string) {
	p.Helper()
	if got := conditions.GetReason(p.object(), "Ready"); got != reason {
		p.Errorf("Ready has the reason %q (%s), want %q", got, conditions.GetMessage(p.object(), "Ready"), reason)
	}
}

var everywhere = []string{"development", "staging", "production"}

func TestNothingIsDeployedBeforeAPersonNamesACommit(t *testing.T) {
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
	if result := p.mustLook(); result.RequeueAfter == 0 || len(p.receipts()) != 0 {
		t.Errorf("%+v, %d receipts", result, len(p.receipts()))
	}
	p.ready("NothingTrusted")
	tip := p.git("rev-parse", "HEAD")
	p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = tip })
	p.mustLook()
	p.ready("Judged")
	if !slices.Equal(p.actions, []release.Action{release.ActionTrust}) || len(p.receipts()) < 9 || len(p.looks) < 9 {
		t.Errorf("recorded %v, %d receipts, %d looks", p.actions, len(p.receipts()), len(p.looks))
	}
	version := p.object().ResourceVersion
	if p.mustLook(); p.object().ResourceVersion != version || len(p.actions)+len(p.looks) != 0 {
		t.Errorf("a second look writes, records %v or asks for %v", p.actions, p.looks)
	}
	p.restart()
	if p.mustLook(); len(p.actions) != 0 || p.object().ResourceVersion != version {
		t.Errorf("after a restart it records %v", p.actions)
	}
}

func trustedPlace(t *testing.T) *place {
	t.Helper()
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
	tip := p.git("rev-parse", "HEAD")
	p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = tip })
	p.mustLook()
	return p
}

func TestPushIsQuarantinedAndTakenBack(t *testing.T) {
	p := trustedPlace(t)
	p.write(forecast, `version: "7"`, `version: "8"`)
	pushed := p.commit("Skip the review")
	p.mustLook()
	name := "development.data-science.demand-forecast"
	r := p.receipts()[name]
	if q := r.Status.Quarantined; q == nil || q.Commit != pushed || !slices.Equal(p.actions, []release.Action{release.ActionQuarantine}) || !p.looks[name] {
		t.Errorf("quarantined %+v, recorded %v, looks %v", q, p.actions, p.looks)
	}
	if repo := p.object(); repo.Status.QuarantinedFiles != 1 || repo.Status.Revision != pushed {
		t.Errorf("the repository says %d at %s", repo.Status.QuarantinedFiles, repo.Status.Revision)
	}
	p.restart()
	if p.mustLook(); len(p.actions) != 0 {
		t.Errorf("after a restart it records %v", p.actions)
	}
	p.write(forecast, `version: "8"`, `version: "7"`)
	p.commit("Take it back")
	p.mustLook()
	if r := p.receipts()[name]; r.Status.Quarantined != nil || !slices.Equal(p.actions, []release.Action{release.ActionRestore}) {
		t.Errorf("still quarantined %+v, recorded %v", r.Status.Quarantined, p.actions)
	}
}

// A branch that is over a cap can be read neither at its tip nor, once it has
// been taken back, below what was pushed since.
func TestABranchThatCannotBeReadIsQuarantinedUntilItCan(t *testing.T) {
	p := trustedPlace(t)
	p.loop.Dial = func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Forge: silent{open: []review.PullRequest{{Number: 2}}}}, nil
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval = metav1.Duration{Duration: time.Minute} })
	now := time.Now()
	p.loop.Now = func() time.Time { return now }
	judged := func() {
		t.Helper()
		for range 2 { // a push may turn out to be a merge for some seconds
			now = now.Add(time.Minute)
			p.mustLook()
		}
		p.ready("Judged")
		if looked := drain(p.loop.Reviews); !slices.Equal(looked, []int{2}) {
			t.Errorf("open pull requests %v are looked at", looked)
		}
	}
	const unknown = "models/data-science/unknown/development/deployment.yaml"
	if err := os.MkdirAll(filepath.Join(p.dir, filepath.Dir(unknown)), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, unknown), []byte("pushed"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := p.commit("Skip the review")
	judged()
	list := func(entry string) string {
		file := filepath.Join(t.TempDir(), "tree")
		var text strings.Builder
		for i := range 400 {
			fmt.Fprintf(&text, "%s\tx%03d\n", entry, i)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return p.git("-c", "alias.make=!git mktree <"+file, "make")
	}
	leaf := list("100644 blob " + p.git("rev-parse", "HEAD:governance.yaml"))
	p.git("read-tree", "--prefix=models/bomb/", list("040000 tree "+leaf))
	pushed := p.git("commit-tree", p.git("write-tree"), "-p", good, "-m", "Too much")
	p.git("update-ref", "refs/heads/main", pushed)
	judged()
	if slices.Contains(p.actions, release.ActionRestore) {
		t.Error("what was pushed before counts as taken back, and nobody can read whether it was")
	}
	for name, r := range p.receipts() {
		q := r.Status.Quarantined
		if r.Spec.Model != "" && r.Spec.Model != "unknown" && (q == nil || q.Commit != pushed || !strings.Contains(q.Reason, "nothing can be read") || r.Status.Approved == nil) {
			t.Errorf("%s is quarantined %+v, approved %+v", name, q, r.Status.Approved)
		}
	}
	if repo := p.object(); repo.Status.Revision != pushed || repo.Status.QuarantinedFiles == 0 {
		t.Errorf("the repository says %d at %s", repo.Status.QuarantinedFiles, repo.Status.Revision)
	}
	p.git("reset", "--quiet", "--hard", good)
	p.git("update-ref", "refs/heads/main", p.git("commit-tree", good+"^{tree}", "-p", pushed, "-m", "Take it back"))
	judged()
	if repo := p.object(); repo.Status.QuarantinedFiles != 1 {
		t.Errorf("taken back, %d files are quarantined still", repo.Status.QuarantinedFiles)
	}
}

func TestNothingMovesWhileTheAuditLogRefuses(t *testing.T) {
	p := trustedPlace(t)
	before := p.object().Status.Revision
	p.write(forecast, `version: "7"`, `version: "8"`)
	p.commit("Skip the review")
	p.fails = errors.New("disk full")
	if _, err := p.look(); err == nil || p.object().Status.Revision != before {
		t.Errorf("%v, revision %s", err, p.object().Status.Revision)
	}
	if r := p.receipts()["development.data-science.demand-forecast"]; r.Status.Quarantined != nil {
		t.Error("a decision without a record is in the receipt")
	}
	p.fails = nil
	p.mustLook()
	p.ready("Judged")
}

func TestTrustingAnEmptierCommitIsGuarded(t *testing.T) {
	p := trustedPlace(t)
	p.git("rm", "-r", "--quiet", "models")
	emptied := p.commit("Empty")
	p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = emptied })
	p.mustLook()
	p.ready("MassRemoval")
	for name, r := range p.receipts() {
		if a := r.Status.Approved; r.Spec.Model != "" && (a == nil || a.Blob == "") {
			t.Errorf("the removal of %s was taken over", name)
		}
	}
	p.change(func(r *schemas.ModelRepository) {
		r.Annotations = map[string]string{release.AnnotationAllowRemovals: emptied}
	})
	p.mustLook()
	p.ready("Judged")
	if r := p.receipts()["development.data-science.demand-forecast"]; r.Status.Approved == nil || r.Status.Approved.Blob != "" {
		t.Errorf("the allowed removal was not taken over: %+v", r.Status.Approved)
	}
}

func TestEnvironmentThatIsNoLongerServedIsLeftAlone(t *testing.T) {
	p := trustedPlace(t)
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"production"} })
	p.mustLook()
	r := p.receipts()["development.data-science.demand-forecast"]
	if r.Status.Approved == nil || r.Status.Approved.Blob == "" || r.Status.Quarantined != nil || len(p.actions) != 0 {
		t.Errorf("the receipt says %+v, %+v; recorded %v", r.Status.Approved, r.Status.Quarantined, p.actions)
	}
	if d := p.loop.Fleets.Get(repositoryKey).Unit(release.UnitOf(&r)); d != nil {
		t.Error("the fleet still has it")
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = everywhere })
	if p.mustLook(); len(p.actions) != 0 || p.loop.Fleets.Get(repositoryKey).Unit(release.UnitOf(&r)) == nil {
		t.Errorf("served again, it records %v", p.actions)
	}
}

func TestMergeThatCannotBeJudgedHoldsTheRevisionAndNothingElse(t *testing.T) {
	p := trustedPlace(t)
	before := p.object().Status.Revision
	p.write(forecast, `version: "7"`, `version: "8"`)
	merged := p.commit("Merged, but nobody answers")
	p.loop.Dial = func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Forge: silent{merged: source.ID(merged), open: []review.PullRequest{{Number: 2}, {Number: 3}}}}, nil
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval = metav1.Duration{Duration: time.Hour} })
	start := time.Now()
	for _, step := range []struct {
		after, again time.Duration
		polled       []int
	}{
		{0, 5 * time.Second, []int{2, 3}}, {5 * time.Second, 5 * time.Second, nil}, {20 * time.Minute, 2 * time.Minute, nil},
		{time.Hour, 5 * time.Minute, []int{2, 3}},
	} {
		p.loop.Now = func() time.Time { return start.Add(step.after) }
		result := p.mustLook()
		if polled := drain(p.loop.Reviews); result.RequeueAfter != step.again || !slices.Equal(polled, step.polled) {
			t.Errorf("after %s it is asked again in %s, and open pull requests %v are looked at", step.after, result.RequeueAfter, polled)
		}
	}
	if p.object().Status.Revision != before {
		t.Errorf("the revision is %s", p.object().Status.Revision)
	}
	p.ready("Unsettled")
	if r := p.receipts()["development.data-science.demand-forecast"]; r.Status.Quarantined != nil || len(p.actions) != 0 {
		t.Errorf("it was decided upon: %v", p.actions)
	}
}

func TestAMergeIsAskedAboutLessAndLessOften(t *testing.T) {
	for _, test := range []struct{ age, want time.Duration }{
		{-time.Second, 5 * time.Second}, {0, 5 * time.Second}, {50 * time.Second, 5 * time.Second}, {10 * time.Minute, time.Minute},
		{50 * time.Minute, 5 * time.Minute}, {23 * time.Hour, 5 * time.Minute},
	} {
		if got := unsettledAgain(test.age); got != test.want {
			t.Errorf("after %s it is asked again in %s, want %s", test.age, got, test.want)
		}
	}
}

// An edit of the object may concern any pull request, whatever was looked at just now.
func TestAnEditPollsTheOpenPullRequests(t *testing.T) {
	p := trustedPlace(t)
	p.loop.Dial = func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Forge: silent{open: []review.PullRequest{{Number: 2}}}}, nil
	}
	for _, step := range []struct {
		name string
		edit func(*schemas.ModelRepository)
		want []int
	}{
		{"the first look", func(r *schemas.ModelRepository) { r.Spec.Interval = metav1.Duration{Duration: time.Hour} }, []int{2}},
		{"the look after it", nil, nil},
		{"an edit", func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"production"} }, []int{2}},
	} {
		if step.edit != nil {
			p.change(step.edit)
		}
		if p.mustLook(); !slices.Equal(drain(p.loop.Reviews), step.want) {
			t.Errorf("%s is not about %v", step.name, step.want)
		}
	}
}

// silent is a forge that knows of one merge and answers nothing about it.
type silent struct {
	review.Forge
	merged source.ID
	open   []review.PullRequest
}

func (s silent) MergedPullRequest(_ context.Context, _ string, id source.ID) (*review.PullRequest, error) {
	if id != s.merged {
		return nil, nil
	}
	return &review.PullRequest{Number: 1, Head: id, Base: "main", MergedAt: time.Now()}, nil
}

func (silent) Reviews(context.Context, int) ([]review.Review, error) { return nil, errors.New("502") }

func (silent) ReadySince(context.Context, review.PullRequest) (time.Time, error) {
	return time.Time{}, nil
}

func (silent) TeamMembers(context.Context, string) ([]review.Account, error) {
	return nil, errors.New("502")
}

func (s silent) OpenPullRequests(context.Context, string) ([]review.PullRequest, error) {
	return s.open, nil
}

func TestGitThatIsDownLeavesAFleetToWatch(t *testing.T) {
	p := trustedPlace(t)
	if err := os.Rename(p.dir, p.dir+".away"); err != nil {
		t.Fatal(err)
	}
	p.restart()
	if _, err := p.look(); err == nil {
		t.Error("no error")
	}
	p.ready("Failed")
	if p.loop.Fleets.Get(repositoryKey) == nil || len(p.looks) < 9 {
		t.Errorf("%d units are looked after", len(p.looks))
	}
	p.mirrors = t.TempDir() // and the copies are lost as well
	p.restart()
	if _, err := p.look(); err == nil || p.loop.Fleets.Get(repositoryKey) != nil {
		t.Errorf("a fleet was made of nothing: %v", err)
	}
}

func TestDeletedRepositoryLeavesWhatIsDeployed(t *testing.T) {
	p := trustedPlace(t)
	receipts := len(p.receipts())
	if err := p.cluster.Delete(t.Context(), p.object()); err != nil {
		t.Fatal(err)
	}
	p.mustLook()
	if len(p.receipts()) != receipts || p.loop.Fleets.Get(repositoryKey) != nil || p.loop.connection(repositoryKey) != nil {
		t.Error("something of it was removed, or is still held")
	}
}

func TestSecretThatIsMissingIsNamed(t *testing.T) {
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere, SecretRef: &schemas.LocalSecret{Name: "token"}})
	if _, err := p.look(); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("got %v", err)
	}
	if got := conditions.GetReason(p.object(), schemas.ConditionFetched); got != "NotConfigured" {
		t.Errorf("Fetched has the reason %q", got)
	}
	if err := p.cluster.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: repositoryKey.Namespace, Name: "token"}}); err != nil {
		t.Fatal(err)
	}
	p.mustLook()
	p.ready("NothingTrusted")
}
