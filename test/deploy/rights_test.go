package deploy_test

import (
	"context"
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

const patience = 2 * time.Minute

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

// account applies the ServiceAccount and the rights of deploy/ in a namespace,
// and returns a way to act as that account.
func account(t *testing.T, admin *rest.Config, namespace string) *rest.Config {
	t.Helper()
	c, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range moved(t, build(t), namespace) {
		switch o.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
		default:
			continue
		}
		var resource dynamic.ResourceInterface = c.Resource(resourceOf(o.GroupVersionKind()))
		if o.GetNamespace() != "" {
			resource = c.Resource(resourceOf(o.GroupVersionKind())).Namespace(o.GetNamespace())
		}
		if _, err := resource.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "deploy-test", Force: true}); err != nil {
			t.Fatalf("%s: %v", name(o), err)
		}
		if o.GetNamespace() == "" {
			t.Cleanup(func() {
				if err := resource.Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil {
					t.Errorf("delete the %s: %v", name(o), err)
				}
			})
		}
	}
	config := rest.CopyConfig(admin)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":mooring-controller",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	return config
}

// modelRepository commits a copy of the example whose namespaces are this test's
// own and whose models are all observed, and returns its folder and the commit.
func modelRepository(t *testing.T, suffix string) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root(t), "example-repo"))); err != nil {
		t.Fatal(err)
	}
	environments, err := filepath.Glob(filepath.Join(dir, "environments", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range environments {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		own := strings.Replace(string(content), `"{team}-{environment}"`, `"{team}-{environment}-`+suffix+`"`, 1)
		if !strings.Contains(own, "observability:") {
			own = strings.Replace(own, "  drift:", "  observability: {}\n  drift:", 1)
		}
		if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "init", "--quiet", "--initial-branch=main")
	git(t, dir, "add", "--all")
	git(t, dir, "-c", "user.name=dana", "-c", "user.email=dana@example.com", "commit", "--quiet", "--message=Start")
	return dir, strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
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

func TestTheControllerWorksWithTheRightsItIsGiven(t *testing.T) {
	admin := cluster.Config(t)
	cluster.InstallCRDs(t, admin)
	namespace := cluster.Namespace(t)
	config := account(t, admin, namespace)
	suffix := namespace[strings.LastIndexByte(namespace, '-')+1:]
	dir, commit := modelRepository(t, suffix)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
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
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the controller: %v", err)
		}
	}()

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
	repo := &schemas.ModelRepository{
		ObjectMeta: metav1.ObjectMeta{Name: "models", Namespace: namespace},
		Spec: schemas.ModelRepositorySpec{
			URL: "file://" + dir, Branch: "main", Interval: metav1.Duration{Duration: time.Second},
			Timeout: metav1.Duration{Duration: time.Minute}, Environments: []string{"development"}, TrustFrom: commit,
		},
	}
	if err := human.Create(ctx, repo); err != nil {
		t.Fatal(err)
	}
	unit := schemas.Unit{Team: "data-science", Model: "demand-forecast", Environment: "development"}
	awaitLive(t, human, namespace, unit)

	// A change by hand is noticed: watches and dry runs are allowed.
	patchService(t, admin, tenant, unit.Model)
	cluster.Eventually(t, patience, "the drift to be reported", func() error {
		var r schemas.ModelRelease
		if err := human.Get(ctx, client.ObjectKey{Namespace: namespace, Name: unit.ReceiptName()}, &r); err != nil {
			return err
		}
		if len(r.Status.Drift) == 0 {
			return fmt.Errorf("no drift in the receipt: %v", r.Status.Conditions)
		}
		return nil
	})
	events, err := kubernetes.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, patience, "an event", func() error {
		list, err := events.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=ModelRelease"})
		if err == nil && len(list.Items) == 0 {
			err = fmt.Errorf("no event about a receipt")
		}
		return err
	})
}

func awaitLive(t *testing.T, c client.Client, namespace string, unit schemas.Unit) {
	t.Helper()
	cluster.Eventually(t, patience, unit.String()+" to be live", func() error {
		var repo schemas.ModelRepository
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "models"}, &repo); err != nil {
			return err
		}
		var r schemas.ModelRelease
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: unit.ReceiptName()}, &r); err != nil {
			return fmt.Errorf("%w; the repository: %v", err, repo.Status.Conditions)
		}
		if r.Status.Phase != schemas.PhaseLive {
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
	config := account(t, admin, namespace)
	c, err := kubernetes.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	may := func(where, group, resource, subresource, verb string) bool {
		review, err := c.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User: config.Impersonate.UserName, Groups: config.Impersonate.Groups,
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
	cluster.Eventually(t, patience, "the rights to be in force", func() error {
		if !may("", "", "namespaces", "", "create") {
			return fmt.Errorf("namespaces may not be created")
		}
		return nil
	})
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
	c, err := kubernetes.NewForConfig(account(t, admin, namespace))
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
