package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

// patience is for what the demo's own waits are not for.
const patience = 3 * time.Minute

// worlds at a time: they wait for more than they compute.
const worlds = "3"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", worlds); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(cluster.Main(m))
}

// world is a demo.World on the shared control plane, with its gates.
type world struct {
	*demo.World
	t testing.TB
	// id is in the names of all its namespaces.
	id      string
	github  *gate
	cluster *gate
	// commits by what they are in the test, whose statuses state looks at.
	commits map[string]string
	pulls   []int
}

// prepare makes a world without a running controller, from the example
// repository as edited. The controller will have the rights of deploy/, with the
// one that --config needs, and no others.
func prepare(t testing.TB, edit func(files map[string][]byte), options ...func(*demo.Options)) *world {
	t.Helper()
	config := cluster.Config(t)
	suffix := make([]byte, 3)
	if _, err := rand.Read(suffix); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, id: hex.EncodeToString(suffix), commits: map[string]string{}}
	o := demo.Options{
		Example: example(t, w.id, edit), Controller: cluster.Controller(t), Kubeconfig: cluster.Kubeconfig(t, config),
		Namespace: "mooring-" + w.id, Interval: time.Second,
		FrontCluster: func(string) (string, error) {
			var through *rest.Config
			w.cluster, through = newClusterGate(t, config)
			return cluster.Kubeconfig(t, through), nil
		},
		FrontGitHub: func(root string) (string, error) {
			w.github = newGate(t, root, nil)
			return w.github.URL, nil
		},
	}
	for _, option := range options {
		option(&o)
	}
	var err error
	if w.World, err = demo.Prepare(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.commits["trusted"] = w.Trusted
	if w.cluster != nil {
		account := cluster.Account(t, config, o.Namespace)
		w.must(w.cluster.as(account))
		w.allowConfig(config, account)
	}
	t.Cleanup(w.end)
	return w
}

// allowConfig gives the right that the flag --config needs beside those of
// deploy/, where people apply ModelRepositories (docs/operations/README.md).
func (w *world) allowConfig(admin, account *rest.Config) {
	w.t.Helper()
	c, err := kubernetes.NewForConfig(admin)
	w.must(err)
	meta := metav1.ObjectMeta{Name: "config", Namespace: w.Namespace}
	_, err = c.RbacV1().Roles(w.Namespace).Create(w.t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"mlops-platform.com"}, Resources: []string{"modelrepositories"}, Verbs: []string{"create", "patch"}},
	}}, metav1.CreateOptions{})
	w.must(err)
	_, err = c.RbacV1().RoleBindings(w.Namespace).Create(w.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "mooring-controller", Namespace: w.Namespace}},
	}, metav1.CreateOptions{})
	w.must(err)
	for _, verb := range []string{"create", "patch"} {
		cluster.InForce(w.t, account, authorizationv1.ResourceAttributes{
			Namespace: w.Namespace, Verb: verb, Group: schemas.Group, Resource: "modelrepositories",
		})
	}
}

// start makes a world with a running controller.
func start(t testing.TB, edit func(files map[string][]byte), options ...func(*demo.Options)) *world {
	t.Helper()
	w := prepare(t, edit, options...)
	w.must(w.StartController(t.Context()))
	return w
}

func withoutWebhooks(o *demo.Options) { o.WithoutWebhooks = true }

// end stops the world, shows the log where the test failed, and removes what
// the world has in the cluster, without waiting for it.
func (w *world) end() {
	if w.t.Failed() {
		w.ShowLog(w.t.Output())
	}
	w.noSecrets()
	errs := []error{w.Stop()}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var namespaces corev1.NamespaceList
	errs = append(errs, w.Cluster.List(ctx, &namespaces))
	for _, n := range namespaces.Items {
		if strings.HasSuffix(n.Name, "-"+w.id) {
			errs = append(errs, client.IgnoreNotFound(w.Cluster.Delete(ctx, &n)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		w.t.Errorf("end the world: %v", err)
	}
}

// noSecrets makes sure that no token is in the log or in the audit trail.
func (w *world) noSecrets() {
	for _, file := range []string{w.LogFile(), w.AuditFile()} {
		content, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Error(err)
		}
		if strings.Contains(string(content), w.People[demo.Bot].Token) {
			w.t.Errorf("%s holds the token", file)
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// example copies the example repository and edits it. The namespaces of its
// teams get the world's id.
func example(t testing.TB, id string, edit func(map[string][]byte)) string {
	t.Helper()
	root, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(root, "example-repo")
	files := map[string][]byte{}
	err = filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err == nil {
			files[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"development", "staging", "production"} {
		path := schemas.EnvironmentPath(environment)
		files[path] = []byte(strings.Replace(string(files[path]), `{team}-{environment}`, `{team}-{environment}-`+id, 1))
	}
	if edit != nil {
		edit(files)
	}
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// small leaves three models, of low, high and low risk.
func small(files map[string][]byte) {
	for path := range files {
		unit, ok := schemas.ManifestUnit(path)
		if ok && unit != demo.Forecast && unit != demo.Churn && unit != demo.Classifier {
			delete(files, path)
		}
	}
}

// with adds copies of the low-risk model under other names to the small fleet.
func with(models ...string) func(map[string][]byte) {
	return func(files map[string][]byte) {
		small(files)
		for _, model := range models {
			files[low(model).Path()] = lowManifest(files, model)
		}
	}
}

// low is a unit like the low-risk model.
func low(model string) schemas.Unit {
	return schemas.Unit{Team: demo.Forecast.Team, Model: model, Environment: demo.Forecast.Environment}
}

func lowManifest(files map[string][]byte, model string) []byte {
	return []byte(strings.ReplaceAll(string(files[demo.Forecast.Path()]), demo.Forecast.Model, model))
}

// allLive waits until a number of models is live, and nothing else is under way.
func (w *world) allLive(models int) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), fmt.Sprintf("%d models are live", models), func(ctx context.Context) (string, bool, error) {
		var list schemas.ModelReleaseList
		err := w.Cluster.List(ctx, &list, client.InNamespace(w.Namespace))
		live, saw := 0, ""
		for _, r := range list.Items {
			switch {
			case r.Status.Phase != schemas.PhaseLive:
				return fmt.Sprintf("%s is %s: %s", r.Name, r.Status.Phase, demo.Summary(&r)), false, err
			case r.Spec.Model != "":
				live++
			}
		}
		return fmt.Sprintf("%d are live %s", live, saw), live == models, err
	}))
}

// repository reads the ModelRepository.
func (w *world) repository() *schemas.ModelRepository {
	w.t.Helper()
	var r schemas.ModelRepository
	w.must(w.Cluster.Get(w.t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: demo.RepositoryName}, &r))
	return &r
}

// ends waits until a controller has ended by itself.
func (w *world) ends(controller *demo.Process) {
	w.t.Helper()
	select {
	case <-controller.Ended():
	case <-time.After(patience):
		w.t.Fatalf("process %d has not ended within %s; its log:\n%s", controller.ID(), patience, w.log())
	}
}

// says waits until a condition of the repository has a status and a reason, and
// gives its message.
func (w *world) says(condition string, status metav1.ConditionStatus, reason string) string {
	w.t.Helper()
	var message string
	w.must(w.Until(w.t.Context(), fmt.Sprintf("the repository is %s=%s (%s)", condition, status, reason), func(context.Context) (string, bool, error) {
		var r schemas.ModelRepository
		err := w.Cluster.Get(w.t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: demo.RepositoryName}, &r)
		for _, c := range r.Status.Conditions {
			if c.Type == condition {
				message = c.Message
				return fmt.Sprintf("%s (%s: %s)", c.Status, c.Reason, c.Message), c.Status == status && c.Reason == reason, nil
			}
		}
		return "no such condition", false, client.IgnoreNotFound(err)
	}))
	return message
}
