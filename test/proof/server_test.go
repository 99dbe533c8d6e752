package proof

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

const (
	// requests at once, which saturate an API server of two cores.
	requests = 16
	// patience for what takes seconds on an idle machine.
	patience = 4 * time.Minute
)

// server is the API server as Mooring talks to it.
type server struct {
	objects dynamic.Interface
	typed   kubernetes.Interface
	mapper  meta.RESTMapper
	// id is in the names of whatever this test creates.
	id string
}

func connect(t *testing.T) *server {
	t.Helper()
	config := cluster.Config(t)
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{} // of fractions of a byte, which are meant
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		t.Fatal(err)
	}
	return &server{objects: client, typed: typed, mapper: mapper, id: randomName(t, "t")}
}

func randomName(t *testing.T, prefix string) string {
	t.Helper()
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		t.Fatal(err)
	}
	return prefix + hex.EncodeToString(id)
}

func (s *server) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	return s.objects.Resource(mapping.Resource).Namespace(o.GetNamespace()), nil
}

// apply is a server-side apply with strict validation, as reconciler/apply makes it.
func (s *server) apply(ctx context.Context, o *unstructured.Unstructured, dryRun ...string) (*unstructured.Unstructured, error) {
	resource, err := s.resource(o)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	force := true
	var out *unstructured.Unstructured
	err = retry.OnError(retry.DefaultBackoff, unanswered, func() error {
		out, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{
			FieldManager: schemas.FieldManager, Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun,
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return out, nil
}

// unanswered tells a request to which a busy server has no answer, be it that a
// webhook took too long, from one that is rejected.
func unanswered(err error) bool {
	return apierrors.IsInternalError(err) || apierrors.IsTooManyRequests(err) || apierrors.IsTimeout(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsServiceUnavailable(err)
}

// establish applies objects one after the other, and removes their namespaces
// when the test ends.
func (s *server) establish(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		if _, err := s.apply(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if o.GetKind() == "Namespace" {
			s.removeNamespaceLater(t, o.GetName())
		}
	}
}

func (s *server) removeNamespaceLater(t *testing.T, name string) {
	t.Cleanup(func() {
		// Not the test's context, which has ended by now.
		err := s.typed.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("removing the namespace %s: %v", name, err)
		}
	})
}

// forEach does the work for every item, many at once. What goes wrong is the
// work's to report; the error of a context that has ended is all that comes back.
func forEach[T any](t *testing.T, items []T, work func(ctx context.Context, i int, item T)) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(requests)
	for i, item := range items {
		group.Go(func() error {
			work(ctx, i, item)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
