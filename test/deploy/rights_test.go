package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

// patience is for what takes seconds on an idle machine.
const patience = 4 * time.Minute

// trail is an audit log in memory.
type trail struct {
	mu     sync.Mutex
	events []release.Event
}

func (l *trail) Record(_ context.Context, e release.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return nil
}

func (l *trail) Recorded(_ context.Context, key string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.events, func(e release.Event) bool { return e.Key == key }), nil
}

// modelRepository commits a copy of the example whose namespaces are this test's
// own, in which one team has everything that is rendered: two models under a
// graph, with a budget for disruptions, a route and what watches them; and people
// of both roles.
func modelRepository(t *testing.T, suffix string) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root(t), "example-repo"))); err != nil {
		t.Fatal(err)
	}
	edit := func(file, from, to string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(file))
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), from) {
			t.Fatalf("%s has no %q", file, from)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(content), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const environment, forecast = "environments/development.yaml", "models/data-science/demand-forecast/development"
	edit(environment, `"{team}-{environment}"`, `"{team}-{environment}-`+suffix+`"`)
	edit(environment, "  drift: report\n", "  drift: report\n  gateway: {name: public, namespace: gateways, hostname: \"{model}.{team}.{environment}.example.com\"}\n")
	edit(environment, "  drift: report\n", "  drift: report\n  observability: {}\n"+isolation(suffix))
	edit(environment, "    - name: gpu\n", "    - name: gpu\n      onlyFor: {dataSensitivity: [phi]}\n")
	edit("teams/data-science.yaml", "  quota:", access+"  quota:")
	edit(forecast+"/deployment.yaml", "{min: 1, max: 2}", "{min: 2, max: 2}")
	second := "models/data-science/demand-outlook/development"
	if err := os.MkdirAll(filepath.Join(dir, second), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, second), os.DirFS(filepath.Join(dir, forecast))); err != nil {
		t.Fatal(err)
	}
	edit(second+"/deployment.yaml", "name: demand-forecast", "name: demand-outlook")
	edit(forecast+"/deployment.yaml", "  serving:\n", "  serving:\n    graph: {router: ensemble, steps: [{model: demand-forecast}, {model: demand-outlook}]}\n")
	git(t, dir, "init", "--quiet", "--initial-branch=main")
	return dir, commitAll(t, dir)
}

// isolation is the part of the environment that gives the team a second namespace.
func isolation(suffix string) string {
	return `  isolation: [{dataSensitivity: [phi], namespace: "{team}-phi-{environment}-` + suffix + `", ` +
		`teams: [data-science], artifacts: "s3://mlops-models-phi/{name}/v{version}"}]` + "\n"
}

// access is the part of the team's file that lets people in.
const access = "  access: [{group: ds-viewers, role: viewer}, {group: ds-operators, role: operator}]\n"

// emptied commits the same without one model, people and the second namespace. The
// other model stays: a team without any has no tenancy that is looked after.
func emptied(t *testing.T, dir, suffix string) (commit string) {
	t.Helper()
	for file, part := range map[string]string{"environments/development.yaml": isolation(suffix), "teams/data-science.yaml": access} {
		path := filepath.Join(dir, filepath.FromSlash(file))
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		without := strings.Replace(string(content), part, "", 1)
		if err := os.WriteFile(path, []byte(without), 0o600); err != nil || without == string(content) {
			t.Fatalf("take %q out of %s: %v", part, file, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "models", "data-science", "demand-forecast")); err != nil {
		t.Fatal(err)
	}
	return commitAll(t, dir)
}

// commitAll commits what the folder holds.
func commitAll(t *testing.T, dir string) string {
	t.Helper()
	git(t, dir, "add", "--all")
	git(t, dir, "-c", "user.name=dana", "-c", "user.email=dana@example.com", "commit", "--quiet", "--message=Change")
	return strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The controller runs under exactly the rights of deploy/ and does everything
// that it can do: it deploys, sees drift, changes its mind and removes. A request
// that is refused shows a right that is missing; a right that no request needed
// is one too many.
func TestTheControllerWorksWithTheRightsItIsGiven(t *testing.T) {
	admin := cluster.Config(t)
	installDefinitions(t, admin)
	cluster.InstallCRDs(t, admin)
	namespace := cluster.Namespace(t)
	config := cluster.Account(t, admin, namespace)
	passed := &requests{used: map[right]bool{}}
	config.Wrap(passed.wrap)
	suffix := namespace[strings.LastIndexByte(namespace, '-')+1:]
	dir, commit := modelRepository(t, suffix)
	end := runController(t, config, namespace)

	scheme, err := controller.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	human, err := client.New(admin, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	tenant := "data-science-development-" + suffix
	deleteNamespace(t, admin, tenant)
	deleteNamespace(t, admin, "data-science-phi-development-"+suffix)
	repo := modelRepositoryObject(t, human, namespace, dir, commit)
	unit := schemas.Unit{Team: "data-science", Model: "demand-forecast", Environment: "development"}
	awaitApplied(t, human, namespace, unit)
	driftIsReported(t, admin, human, namespace, tenant, unit)
	anEventIsThere(t, admin, namespace)

	// One object of each kind that may go goes again.
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"trustFrom":"`+emptied(t, dir, suffix)+`"}}`))
	if err := human.Patch(t.Context(), repo, patch); err != nil {
		t.Fatal(err)
	}
	awaitEmptied(t, human, client.ObjectKey{Namespace: namespace, Name: unit.ReceiptName()}, "data-science-phi-development-"+suffix)
	var rules []rbacv1.PolicyRule
	for _, kind := range []string{"ClusterRole", "Role"} {
		for _, o := range of(single(t), kind) {
			if o.GetName() == "mooring-controller" {
				rules = append(rules, as[rbacv1.Role](t, o).Rules...)
			}
		}
	}
	cluster.Eventually(t, patience, "every right of deploy/ to be used", func() error { // the last objects are going
		passed.mu.Lock()
		defer passed.mu.Unlock()
		if unused := never(rules, passed.used); len(unused) > 0 {
			return fmt.Errorf("never used: %s", strings.Join(unused, ", "))
		}
		return nil
	})
	end()
	passed.mu.Lock()
	defer passed.mu.Unlock()
	for _, r := range passed.refused {
		t.Errorf("a right is missing: %s", r)
	}
}

// awaitEmptied waits until a receipt is gone, and what stood in the second namespace.
func awaitEmptied(t *testing.T, human client.Client, receipt client.ObjectKey, second string) {
	t.Helper()
	cluster.Eventually(t, patience, "what is not approved any more to be gone", func() error {
		var left schemas.ModelRelease
		var quotas corev1.ResourceQuotaList
		var limits corev1.LimitRangeList
		err := human.Get(t.Context(), receipt, &left)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			return fmt.Errorf("%s is there: %v", receipt, left.Status.Conditions)
		}
		err = errors.Join(human.List(t.Context(), &quotas, client.InNamespace(second)), human.List(t.Context(), &limits, client.InNamespace(second)))
		if err == nil && len(quotas.Items)+len(limits.Items) > 0 {
			err = fmt.Errorf("%d quotas and %d limits are there", len(quotas.Items), len(limits.Items))
		}
		return err
	})
}

// runController runs the controller until the returned function is called.
func runController(t *testing.T, config *rest.Config, namespace string) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log := &trail{}
	service, err := controller.New(controller.Options{
		Config: config, Namespace: namespace, MirrorDir: t.TempDir(), Audit: log, Witness: log, Dial: remote.Dial,
		MetricsAddress: "0", ProbeAddress: "0", WebhookAddress: "0", LeaderElection: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the controller: %v", err)
			}
		})
	}
	t.Cleanup(end)
	return end
}

// modelRepositoryObject tells the controller of a repository, and of a Secret.
func modelRepositoryObject(t *testing.T, human client.Client, namespace, dir, commit string) *schemas.ModelRepository {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "models", Namespace: namespace},
		StringData: map[string]string{remote.KeyWebhookSecret: "a-secret-of-this-test"},
	}
	repo := &schemas.ModelRepository{
		ObjectMeta: metav1.ObjectMeta{Name: "models", Namespace: namespace},
		Spec: schemas.ModelRepositorySpec{
			URL: "file://" + dir, Branch: "main", Interval: metav1.Duration{Duration: time.Second},
			Timeout: metav1.Duration{Duration: time.Minute}, Environments: []string{"development"}, TrustFrom: commit,
			SecretRef: &schemas.LocalSecret{Name: secret.Name},
		},
	}
	if err := errors.Join(human.Create(t.Context(), secret), human.Create(t.Context(), repo)); err != nil {
		t.Fatal(err)
	}
	return repo
}

// driftIsReported makes a change by hand, which watches and dry runs have to notice.
func driftIsReported(t *testing.T, admin *rest.Config, human client.Client, namespace, tenant string, unit schemas.Unit) {
	t.Helper()
	patchService(t, admin, tenant, unit.Model)
	cluster.Eventually(t, patience, "the drift to be reported", func() error {
		var r schemas.ModelRelease
		if err := human.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: unit.ReceiptName()}, &r); err != nil {
			return err
		}
		if len(r.Status.Drift) == 0 {
			return fmt.Errorf("no drift in the receipt: %v", r.Status.Conditions)
		}
		return nil
	})
}

func anEventIsThere(t *testing.T, admin *rest.Config, namespace string) {
	t.Helper()
	events, err := kubernetes.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, patience, "an event", func() error {
		list, err := events.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=ModelRelease"})
		if err == nil && len(list.Items) == 0 {
			err = fmt.Errorf("no event about a receipt")
		}
		return err
	})
}

// awaitApplied waits until a model is applied; that it becomes ready asks for no
// further right.
func awaitApplied(t *testing.T, c client.Client, namespace string, unit schemas.Unit) {
	t.Helper()
	cluster.Eventually(t, patience, unit.String()+" to be applied", func() error {
		var repo schemas.ModelRepository
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "models"}, &repo); err != nil {
			return err
		}
		var r schemas.ModelRelease
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: unit.ReceiptName()}, &r); err != nil {
			return fmt.Errorf("%w; the repository: %v", err, repo.Status.Conditions)
		}
		if r.Status.Applied == nil {
			return fmt.Errorf("phase %s: %v", r.Status.Phase, r.Status.Conditions)
		}
		return nil
	})
}

func patchService(t *testing.T, admin *rest.Config, namespace, model string) {
	t.Helper()
	c, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	services := resourceOf(release.WatchedKinds[len(release.WatchedKinds)-1])
	_, err = c.Resource(services).Namespace(namespace).Patch(t.Context(), model, types.MergePatchType,
		[]byte(`{"spec":{"predictor":{"maxReplicas":3}}}`), metav1.PatchOptions{FieldManager: "kubectl-patch"})
	if err != nil {
		t.Fatal(err)
	}
}

func deleteNamespace(t *testing.T, admin *rest.Config, namespace string) {
	t.Helper()
	t.Cleanup(func() {
		c, err := kubernetes.NewForConfig(admin)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete the namespace %s: %v", namespace, err)
		}
	})
}

// Pruning needs a pull request, which the test above has none of; that the rest
// of what is rendered may be written, removed and watched is asked directly. So
// is what must not be allowed.
func TestRightsAreWhatTheEngineNeedsAndNoMore(t *testing.T) {
	admin := cluster.Config(t)
	cluster.InstallCRDs(t, admin)
	namespace := cluster.Namespace(t)
	config := cluster.Account(t, admin, namespace)
	may := mayOf(t, config)
	for _, kind := range release.WatchedKinds {
		resource := resourceOf(kind)
		for _, verb := range []string{"list", "watch"} {
			if !may("", resource.Group, resource.Resource, "", verb) {
				t.Errorf("%s of %s is watched, and %s is not allowed", resource.Resource, resource.Group, verb)
			}
		}
		written := kind.Kind != "Deployment"
		for _, verb := range []string{"get", "create", "patch"} {
			if got := may("a-team", resource.Group, resource.Resource, "", verb); got != written {
				t.Errorf("%s %s: allowed is %v, want %v", verb, resource.Resource, got, written)
			}
		}
		if got, want := may("a-team", resource.Group, resource.Resource, "", "delete"), written && kind.Kind != "Namespace"; got != want {
			t.Errorf("delete %s: allowed is %v, want %v", resource.Resource, got, want)
		}
	}
	for _, r := range []struct {
		where, group, resource, subresource, verb string
		want                                      bool
	}{
		{namespace, schemas.Group, "modelreleases", "", "delete", true},
		{namespace, schemas.Group, "modelreleases", "status", "patch", true},
		{namespace, schemas.Group, "modelrepositories", "status", "patch", true},
		{namespace, schemas.Group, "modelrepositories", "", "patch", false},
		{namespace, schemas.Group, "modelrepositories", "", "delete", false},
		{namespace, "", "secrets", "", "get", true},
		{namespace, "", "secrets", "", "list", false},
		{namespace, "", "secrets", "", "create", false},
		{"a-team", "", "secrets", "", "get", false},
		{"a-team", "", "pods", "", "get", false},
		{"a-team", "", "pods", "exec", "create", false},
		{"a-team", "", "configmaps", "", "create", true},
		{"a-team", "monitoring.coreos.com", "podmonitors", "", "patch", true},
		{"a-team", "monitoring.coreos.com", "prometheusrules", "", "delete", true},
		{"a-team", "monitoring.coreos.com", "prometheuses", "", "patch", false},
		{"a-team", "apps", "deployments", "", "patch", false},
		{"a-team", "serving.kserve.io", "inferencegraphs", "", "patch", true},
		{"a-team", "gateway.networking.k8s.io", "httproutes", "", "patch", true},
		{"a-team", "gateway.networking.k8s.io", "gateways", "", "patch", false},
		{"", "rbac.authorization.k8s.io", "clusterroles", "", "patch", false},
		{"", "rbac.authorization.k8s.io", "clusterroles", "", "bind", false},
		{"", "rbac.authorization.k8s.io", "clusterroles", "", "escalate", false},
		{"a-team", "rbac.authorization.k8s.io", "roles", "", "create", false},
		{"", "", "nodes", "", "list", false},
		{"a-team", "", "serviceaccounts", "token", "create", false},
	} {
		if got := may(r.where, r.group, r.resource, r.subresource, r.verb); got != r.want {
			t.Errorf("%s %s/%s in %q: allowed is %v, want %v", r.verb, r.resource, r.subresource, r.where, got, r.want)
		}
	}
}

// The controller can write RoleBindings, so what it can bind is what it could
// give away.
func TestTheControllerLetsPeopleIntoATeamsNamespaceAndMakesNobodyMore(t *testing.T) {
	admin := cluster.Config(t)
	namespace := cluster.Namespace(t)
	c, err := kubernetes.NewForConfig(cluster.Account(t, admin, namespace))
	if err != nil {
		t.Fatal(err)
	}
	bind := func(role string) error {
		_, err := c.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "a-group"}},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	for _, role := range []string{"mooring-team-viewer", "mooring-team-operator"} {
		cluster.Eventually(t, patience, "the right to bind "+role, func() error { return bind(role) })
	}
	for _, role := range []string{"cluster-admin", "admin", "view"} {
		if err := bind(role); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want it forbidden", role, err)
		}
	}
}

// ask tells whether an account may do something.
type ask func(where, group, resource, subresource, verb string) bool

func mayOf(t *testing.T, config *rest.Config) ask {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return func(where, group, resource, subresource, verb string) bool {
		review, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: where, Group: group, Resource: resource, Subresource: subresource, Verb: verb,
				},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	}
}
