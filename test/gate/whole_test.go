package gate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/internal/loopback"
	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// hourly is how many requests an hour GitHub grants an App that is installed in an
// organisation of Enterprise Cloud.
const hourly = 15_000

// hour is after how long GitHub grants them anew for the first time. A machine of
// two cores is done before, with half of them; one that takes longer polls for
// longer, and without new ones nothing would be put right before the hour is over.
const hour = 8 * time.Minute

// settling is how long it may take to put all of it right. It outlasts the hour.
const settling = 10 * time.Minute

// whole is a soak of the whole: the controller is its program, with nothing
// replaced, on a real API server with KServe. It is killed, not stopped.
type whole struct {
	*soak
	program, kubeconfig, dir, address string
	process                           *demo.Process
	// models is where the models are.
	models string

	mu sync.Mutex
	// served are the artefacts that each model was ever seen with by the API server's watch.
	served map[string]map[string]bool
}

func newWhole(t *testing.T, seed uint64) *whole {
	t.Helper()
	config := cluster.Config(t)
	cluster.InstallCRDs(t, config)
	suffix := make([]byte, 3)
	if _, err := rand.Read(suffix); err != nil {
		t.Fatal(err)
	}
	name := hex.EncodeToString(suffix)
	w := &whole{
		soak:    newPeople(t, seed, strings.Replace(environment, "{team}-{environment}", "{team}-{environment}-"+name, 1)),
		program: cluster.Controller(t), kubeconfig: cluster.Kubeconfig(t, config), dir: t.TempDir(),
		models: "data-science-development-" + name, served: map[string]map[string]bool{},
	}
	w.key = client.ObjectKey{Namespace: "soak-" + name, Name: "models"}
	scheme, err := controller.Scheme()
	w.must(err)
	w.cluster, err = client.New(config, client.Options{Scheme: scheme})
	w.must(err)
	w.must(w.cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.key.Namespace}}))
	t.Cleanup(w.end)
	repository := w.repository()
	repository.UID, repository.Generation = "", 0
	repository.Spec.SecretRef = &schemas.LocalSecret{Name: "models"}
	repository.Spec.Interval = metav1.Duration{Duration: 15 * time.Second}
	w.must(w.cluster.Create(t.Context(), repository))
	w.must(w.cluster.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "models", Namespace: w.key.Namespace},
		StringData: map[string]string{remote.KeyToken: w.people[bot].Token, remote.KeyWebhookSecret: hookSecret},
	}))
	w.server.SetRateLimit(w.people[bot].Token, hourly, time.Now().Add(hour))
	w.address, err = loopback.Address()
	w.must(err)
	w.must(w.people[root].AddWebhook(t.Context(), repoName, "http://"+w.address+controller.WebhookPath(w.key), hookSecret))
	dynamicClient, err := dynamic.NewForConfig(config)
	w.must(err)
	w.watch(dynamicClient)
	w.restart()
	return w
}

// end stops the process and removes what it has in the cluster.
func (w *whole) end() {
	if w.process != nil {
		w.must(w.process.Stop())
	}
	if w.Failed() {
		log, err := os.ReadFile(w.log())
		w.Logf("the end of the controller's log (%v):\n%s", err, log[max(0, len(log)-16<<10):])
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range []string{w.key.Namespace, w.models} {
		w.must(client.IgnoreNotFound(w.cluster.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})))
	}
}

func (w *whole) log() string { return filepath.Join(w.dir, "controller.log") }

// restart kills the process, wherever it is, and starts another.
func (w *whole) restart() {
	w.Helper()
	if w.process != nil {
		w.must(w.process.Kill())
	}
	var err error
	w.process, err = demo.StartProcess(w.log(), append(os.Environ(), "KUBECONFIG="+w.kubeconfig), w.program,
		"--namespace", w.key.Namespace, "--mirror-dir", filepath.Join(w.dir, "mirrors"), "--audit-file", w.file,
		"--metrics-address", "0", "--probe-address", "0", "--webhook-address", w.address)
	w.must(err)
}

// step is one thing that somebody does, or that happens to the controller. Now
// and then it is let come up with what was done.
func (w *whole) step(pulls int) {
	w.Helper()
	switch n := w.rng.IntN(100); {
	case n < 94:
		w.act(n, pulls)
	case n < 99:
		w.until(5*time.Second, w.behind)
	default:
		w.restart()
	}
}

// behind says which commit of the branch is not judged yet.
func (w *whole) behind() string {
	head, err := w.server.Head(repoName, "main")
	w.must(err)
	var repo schemas.ModelRepository
	w.must(w.cluster.Get(w.Context(), w.key, &repo))
	if repo.Status.Revision != head {
		return fmt.Sprintf("the branch is judged up to %.8s, not %.8s", repo.Status.Revision, head)
	}
	return ""
}

// left is what the controller has left of its limit: without any it would wait
// for the next hour.
func (w *whole) left() string {
	w.Helper()
	var limits struct {
		Rate struct{ Remaining int }
	}
	w.must(w.people[bot].Call(w.Context(), "GET", "/rate_limit", nil, &limits))
	return fmt.Sprintf("%d of %d requests are left", limits.Rate.Remaining, hourly)
}

// watch keeps what the API server's own watch shows of the models, apart from
// whatever Mooring believes to have applied.
func (w *whole) watch(c dynamic.Interface) {
	w.Helper()
	informer := dynamicinformer.NewFilteredDynamicInformer(c,
		schema.GroupVersionResource{Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"},
		w.models, 0, toolscache.Indexers{}, nil).Informer()
	saw := func(obj any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		o := obj.(*unstructured.Unstructured)
		uri, _, err := unstructured.NestedString(o.Object, "spec", "predictor", "model", "storageUri")
		w.failed(err)
		if w.served[o.GetName()] == nil {
			w.served[o.GetName()] = map[string]bool{}
		}
		w.served[o.GetName()][uri] = true
	}
	_, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: saw, UpdateFunc: func(_, now any) { saw(now) }})
	w.must(err)
	var running sync.WaitGroup
	stop := make(chan struct{})
	running.Go(func() { informer.Run(stop) })
	w.Cleanup(func() { close(stop); running.Wait() })
	if !toolscache.WaitForCacheSync(w.Context().Done(), informer.HasSynced) {
		w.Fatal("InferenceServices cannot be watched")
	}
}

// blobs are the contents that a model may have in this test, by the artefact that each names.
func blobs(i int) map[string]string {
	out := map[string]string{}
	for version := 1; version < versions; version++ {
		uri := fmt.Sprintf("s3://models/m%02d/v%d", i, version)
		out[uri] = plumbing.ComputeHash(plumbing.BlobObject, []byte(modelText(i, version))).String()
	}
	return out
}

// nothingUnapprovedServed: whatever the API server ever had was there at the start or was
// granted to a pull request that was merged.
func (w *whole) nothingUnapprovedServed() (applied int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range models {
		name, path, blob := fmt.Sprintf("m%02d", i), modelPath(i), blobs(i)
		for uri := range w.served[name] {
			applied++
			if blob[uri] != "" && uri == fmt.Sprintf("s3://models/%s/v1", name) {
				continue
			}
			granted := false
			for _, p := range w.pulls {
				granted = granted || blob[uri] != "" && p.granted[path] == blob[uri]
			}
			if !granted {
				w.Errorf("%s served %s, which nobody approved", name, uri)
			}
		}
	}
	return applied
}

// arrived says which model does not serve what its receipt says is approved; empty
// where all do and all is told.
func (w *whole) arrived() string {
	if why := w.settled(); why != "" {
		return why
	}
	var list unstructured.UnstructuredList
	list.SetAPIVersion("serving.kserve.io/v1beta1")
	list.SetKind("InferenceServiceList")
	w.must(w.cluster.List(w.Context(), &list, client.InNamespace(w.models)))
	live := map[string]string{}
	for _, o := range list.Items {
		live[o.GetName()], _, _ = unstructured.NestedString(o.Object, "spec", "predictor", "model", "storageUri") // "" is no approved one
	}
	for _, r := range w.receipts() {
		if r.Spec.Model == "" {
			continue
		}
		i, err := strconv.Atoi(strings.TrimPrefix(r.Spec.Model, "m"))
		w.must(err)
		if r.Status.Approved == nil || blobs(i)[live[r.Spec.Model]] != r.Status.Approved.Blob {
			return fmt.Sprintf("%s serves %q and not what its receipt says is approved", r.Name, live[r.Spec.Model])
		}
	}
	if len(live) != models {
		return fmt.Sprintf("%d models are in the cluster, not %d", len(live), models)
	}
	return ""
}

// TestSoak lets people work on MOORING_SOAK_PULLS pull requests while everything between
// them and the controller fails now and then and the controller is killed. When the
// faults end, it has to put all of it right by itself.
func TestSoak(t *testing.T) {
	t.Parallel() // it waits for more than it computes
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	pulls := 200
	if text := os.Getenv("MOORING_SOAK_PULLS"); text != "" {
		var err error
		if pulls, err = strconv.Atoi(text); err != nil {
			t.Fatalf("MOORING_SOAK_PULLS: %v", err)
		}
	}
	random := seed(t)
	w := newWhole(t, random)
	if why := w.until(5*time.Minute, w.behind); why != "" {
		t.Fatal(why)
	}
	w.server.Faults(githubtest.Faults{
		Seed: random, Logins: []string{bot}, DropWebhook: .2, DuplicateWebhook: .1, DelayWebhook: .2, ForgeWebhook: .1,
		LateResource: .1, ServerError: .02, SecondaryLimit: .02, Slow: .02, Reset: .01,
		TruncateList: .1, Truncate: []string{"/reviews", "/comments", "/commits", "/files", "/status", repoName + "/pulls"},
	})
	began, steps := time.Now(), 0
	for ; len(w.pulls) < pulls; steps++ {
		w.step(pulls)
	}
	w.server.Faults(githubtest.Faults{})
	w.must(w.server.WaitDelivered(t.Context()))
	ended := time.Now()
	if why := w.until(settling, w.arrived); why != "" {
		t.Errorf("it does not settle: %s", why)
	}
	t.Logf("%d steps in %s; %d pull requests are open; settled %s after the last fault; %s; %+v",
		steps, ended.Sub(began).Round(time.Second), len(w.open()), time.Since(ended).Round(time.Second), w.left(), w.server.Injected())
	approvals, applied := w.nothingUnapproved(), w.nothingUnapprovedServed()
	if pulls >= 20 && (approvals == 0 || applied <= models) {
		t.Errorf("%d approvals and %d artefacts served: too few to have tested anything", approvals, applied)
	}
	t.Logf("%d approvals on record, %d artefacts were ever served", approvals, applied)
	w.nothingTwice()
}
