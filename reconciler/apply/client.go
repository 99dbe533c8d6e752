package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/mlops-platform/mooring/schemas"
)

// DefaultParallel requests at once saturate an API server of a few cores; more
// are no faster. DefaultMaxPrune is more than one release ever drops.
const (
	DefaultParallel = 16
	DefaultMaxPrune = 10
)

// Options of an Applier; the zero value is good.
type Options struct {
	// Parallel bounds the requests in flight, over all sets together.
	Parallel int
	// Retry says how to repeat what failed for a passing reason.
	Retry Retry
}

// Applier talks to one cluster. It is safe for concurrent use and holds no
// state about units.
type Applier struct {
	client dynamic.Interface
	mapper meta.RESTMapper
	slots  chan struct{}
	retry  Retry
}

// New connects to a cluster. The client has no rate limit of its own: the API
// server's priority and fairness protects it better and knows its load.
func New(cfg *rest.Config, options Options) (*Applier, error) {
	if options.Parallel <= 0 {
		options.Parallel = DefaultParallel
	}
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.Burst = -1, 0
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare a client for %s: %w", cfg.Host, err)
	}
	client, err := dynamic.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, fmt.Errorf("prepare a client for %s: %w", cfg.Host, err)
	}
	// This mapper asks for a group when it first needs it, and again when a
	// kind is unknown, so a CRD that is installed later works.
	mapper, err := apiutil.NewDynamicRESTMapper(cfg, httpClient)
	if err != nil {
		return nil, fmt.Errorf("prepare discovery of %s: %w", cfg.Host, err)
	}
	return &Applier{
		client: client, mapper: mapper,
		slots: make(chan struct{}, options.Parallel), retry: options.Retry.orDefault(),
	}, nil
}

func (a *Applier) mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	return a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
}

// parallel runs step over all targets at once and returns one error per
// target. What is bounded is requests, by call.
func parallel(ctx context.Context, targets []*target, step func(context.Context, *target) error) []error {
	errs := make([]error, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() { errs[i] = step(ctx, t) })
	}
	wait.Wait()
	return errs
}

// call makes one request, repeated for passing reasons. The bound on requests
// is the Applier's, so that many sets at once do not multiply it, and it is
// free during a pause, so that a set that waits holds back no other.
func (a *Applier) call(ctx context.Context, request func() error) error {
	return a.retry.do(ctx, func() error {
		select {
		case a.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-a.slots }()
		return request()
	})
}

type patchMode bool

const (
	dryRun  patchMode = true
	forReal patchMode = false
)

// patch is one server-side apply. It forces: Mooring owns what Git declares,
// and fields that others should own are never rendered.
func (a *Applier) patch(ctx context.Context, t *target, mode patchMode) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(withoutServerFields(t.obj))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", t.name(), err)
	}
	force := true
	options := metav1.PatchOptions{FieldManager: schemas.FieldManager, Force: &force, FieldValidation: metav1.FieldValidationStrict}
	if mode == dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	var answer *unstructured.Unstructured
	err = a.call(ctx, func() error {
		var err error
		answer, err = a.resource(t.gvr, t.obj.GetNamespace()).Patch(ctx, t.obj.GetName(), types.ApplyPatchType, body, options)
		return err
	})
	return answer, err
}

// withoutServerFields drops what a server-side apply may not carry, so that an
// object that was read from a cluster can be applied again.
func withoutServerFields(obj *unstructured.Unstructured) map[string]any {
	if obj.GetManagedFields() == nil && obj.GetResourceVersion() == "" && obj.GetUID() == "" {
		return obj.Object
	}
	clean := obj.DeepCopy()
	clean.SetManagedFields(nil)
	for _, field := range []string{"resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"} {
		unstructured.RemoveNestedField(clean.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(clean.Object, "status")
	return clean.Object
}

// get returns nil for an object that is not there.
func (a *Applier) get(ctx context.Context, t *target) (*unstructured.Unstructured, error) {
	var live *unstructured.Unstructured
	err := a.call(ctx, func() error {
		var err error
		live, err = a.resource(t.gvr, t.entry.Namespace).Get(ctx, t.entry.Name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

func (a *Applier) resource(gvr schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return a.client.Resource(gvr)
	}
	return a.client.Resource(gvr).Namespace(namespace)
}

// Get reads one object; nil, without an error, if it or its kind is not there.
func (a *Applier) Get(ctx context.Context, entry schemas.InventoryEntry) (*unstructured.Unstructured, error) {
	t, err := a.locate(entry)
	if t == nil || err != nil {
		return nil, err
	}
	live, err := a.get(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name(), withoutValues(t.obj, err))
	}
	return live, nil
}

// DryRun is what applying obj now would make of the live object. It writes
// nothing. A refusal is a *Refusal.
func (a *Applier) DryRun(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t := &target{obj: obj, entry: Entry(obj)}
	mapping, err := a.mapping(obj.GroupVersionKind())
	if err != nil {
		return nil, unavailable("look up "+obj.GetKind(), err)
	}
	t.gvr = mapping.Resource
	answer, err := a.patch(ctx, t, dryRun)
	if err == nil {
		return answer, nil
	}
	if refusal, ok := explain(t, err); ok {
		return nil, &refusal
	}
	return nil, unavailable("try "+t.name(), withoutValues(obj, err))
}

// locate finds the resource of an inventory entry; nil if its kind is unknown.
func (a *Applier) locate(entry schemas.InventoryEntry) (*target, error) {
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(entry.APIVersion)
	obj.SetKind(entry.Kind)
	obj.SetNamespace(entry.Namespace)
	obj.SetName(entry.Name)
	mapping, err := a.mapping(obj.GroupVersionKind())
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("look up "+entry.Kind, err)
	}
	return &target{obj: obj, gvr: mapping.Resource, entry: entry}, nil
}

func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
