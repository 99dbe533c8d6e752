package drift

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/schemas"
)

// Event is a reason to look at a unit again.
type Event struct {
	Unit schemas.Unit
	GVK  schema.GroupVersionKind
	// Namespace and Name of the object.
	Namespace, Name string
	// Object is the live object; for a deletion, its last known state. It is
	// shared with the cache: do not change it.
	Object *unstructured.Unstructured
	// Deleted: the object is gone, or no longer carries the labels.
	Deleted bool
	// Drifted: the owned fields are not those recorded. A candidate, which
	// Inspector.Inspect confirms.
	Drifted bool
	// HealthChanged: Health differs from what was last seen, or this is the
	// first sight of the object.
	HealthChanged bool
	Health        apply.Health
}

// WatcherOptions say what a Watcher looks at.
type WatcherOptions struct {
	// Environments narrows the watch; empty: all.
	Environments []string
	// Recorded is the fingerprint in the unit's inventory; false for an object
	// that is in none, such as what KServe makes of an InferenceService and
	// labels like it. It is called from watch goroutines and must not block.
	Recorded func(unit schemas.Unit, entry schemas.InventoryEntry) (fingerprint string, known bool)
	// OnEvent is called from watch goroutines and must not block: put the unit
	// into a work queue.
	OnEvent func(Event)
	// Logger for watches that cannot be established; nil: slog.Default.
	Logger *slog.Logger
}

// Watcher keeps the objects that carry Mooring's labels in memory, by one watch
// per kind. Watches resume by themselves after the API server was away.
type Watcher struct {
	options  WatcherOptions
	client   dynamic.Interface
	mapper   meta.RESTMapper
	selector string

	mu      sync.Mutex
	ctx     context.Context
	watches map[schema.GroupVersionKind]*watch
	running sync.WaitGroup
}

// NewWatcher prepares a Watcher for kinds; more can be added with Watch.
func NewWatcher(cfg *rest.Config, kinds []schema.GroupVersionKind, options WatcherOptions) (*Watcher, error) {
	if options.Recorded == nil || options.OnEvent == nil {
		return nil, errors.New("watcher: Recorded and OnEvent are needed")
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
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
	mapper, err := apiutil.NewDynamicRESTMapper(cfg, httpClient)
	if err != nil {
		return nil, fmt.Errorf("prepare discovery of %s: %w", cfg.Host, err)
	}
	w := &Watcher{
		options: options, client: client, mapper: mapper, selector: selector(options.Environments),
		watches: map[schema.GroupVersionKind]*watch{},
	}
	w.Watch(kinds...)
	return w, nil
}

func selector(environments []string) string {
	text := schemas.LabelManagedBy + "=" + schemas.ManagedByMooring
	if len(environments) == 0 {
		return text
	}
	sorted := slices.Sorted(slices.Values(environments))
	return text + "," + schemas.LabelEnvironment + " in (" + strings.Join(sorted, ",") + ")"
}

// Run watches until ctx ends, then waits for the watches to stop.
func (w *Watcher) Run(ctx context.Context) error {
	w.mu.Lock()
	if w.ctx != nil {
		w.mu.Unlock()
		return errors.New("watcher: runs already")
	}
	w.ctx = ctx
	for _, kind := range w.watches {
		w.start(kind)
	}
	w.mu.Unlock()
	<-ctx.Done()
	// Passing the lock once makes sure that no start is under way; later ones
	// see the ended context. It is not held while waiting: handlers need it.
	w.mu.Lock()
	//lint:ignore SA2001 empty on purpose
	w.mu.Unlock()
	w.running.Wait()
	return nil
}

// Watch adds kinds; those that are watched already cost nothing. A kind that
// the cluster does not know yet is watched once it does.
func (w *Watcher) Watch(kinds ...schema.GroupVersionKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, gvk := range kinds {
		if _, known := w.watches[gvk]; known {
			continue
		}
		kind := &watch{gvk: gvk, ready: make(chan struct{})}
		w.watches[gvk] = kind
		if w.ctx != nil && w.ctx.Err() == nil {
			w.start(kind)
		}
	}
}

// Synced waits until the first list of every kind arrived.
func (w *Watcher) Synced(ctx context.Context, kinds ...schema.GroupVersionKind) error {
	for _, gvk := range kinds {
		w.mu.Lock()
		kind, known := w.watches[gvk]
		w.mu.Unlock()
		if !known {
			return fmt.Errorf("watcher: %s is not watched", gvk)
		}
		select {
		case <-kind.ready:
		case <-ctx.Done():
			return fmt.Errorf("watcher: wait for %s: %w", gvk, ctx.Err())
		}
	}
	return nil
}

// Get reads an object from memory. Do not change it.
func (w *Watcher) Get(gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, bool) {
	w.mu.Lock()
	kind, known := w.watches[gvk]
	w.mu.Unlock()
	if !known {
		return nil, false
	}
	select {
	case <-kind.ready:
	default:
		return nil, false
	}
	item, found, err := kind.informer.GetStore().GetByKey(cache.NewObjectName(namespace, name).String())
	if err != nil || !found {
		return nil, false
	}
	obj, ok := item.(*unstructured.Unstructured)
	return obj, ok
}

// watch is the watch of one kind. informer is set before ready is closed and
// never changes after.
type watch struct {
	gvk      schema.GroupVersionKind
	informer cache.SharedIndexInformer
	ready    chan struct{}
}

func (w *Watcher) start(kind *watch) {
	ctx := w.ctx
	w.running.Go(func() {
		resource, ok := w.discover(ctx, kind.gvk)
		if !ok {
			return
		}
		informer, registration, err := w.informer(resource, kind.gvk)
		if err != nil {
			w.options.Logger.Error("cannot watch", "kind", kind.gvk.String(), "error", err)
			return
		}
		kind.informer = informer
		w.running.Go(func() {
			if cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
				close(kind.ready)
			}
		})
		informer.RunWithContext(ctx)
	})
}

// discover waits, with growing pauses, for a kind to be served. This is the one
// place that polls, and only for a kind that someone wants and that is missing.
func (w *Watcher) discover(ctx context.Context, gvk schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
	const longest = 15 * time.Second
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, longest) {
		mapping, err := w.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err == nil {
			return mapping.Resource, true
		}
		if pause == longest {
			w.options.Logger.Warn("a kind to watch is not served", "kind", gvk.String(), "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return schema.GroupVersionResource{}, false
		}
	}
}

func (w *Watcher) informer(resource schema.GroupVersionResource, gvk schema.GroupVersionKind) (cache.SharedIndexInformer, cache.ResourceEventHandlerRegistration, error) {
	list := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtimeObject, error) {
			options.LabelSelector = w.selector
			return w.client.Resource(resource).List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watchInterface, error) {
			options.LabelSelector = w.selector
			return w.client.Resource(resource).Watch(ctx, options)
		},
	}
	informer := cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(list, w.client), &unstructured.Unstructured{}, 0, cache.Indexers{})
	if err := informer.SetTransform(slim); err != nil {
		return nil, nil, err
	}
	registration, err := informer.AddEventHandler(&handler{watcher: w, gvk: gvk})
	return informer, registration, err
}
