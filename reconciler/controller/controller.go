package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// Options configure a controller.
type Options struct {
	Config *rest.Config
	// Namespace holds the ModelRepository objects, their Secrets and the receipts.
	Namespace string
	// MirrorDir keeps the copies of Git repositories; it may be lost at any time.
	MirrorDir string
	Audit     release.Auditor
	// Witness answers for the same log as Audit.
	Witness release.Witness
	// Trail opens that log once this process leads; nil where it is open already.
	Trail Trail
	Dial  Dialer
	// Rules checks what pull requests propose under policy/.
	Rules review.RuleChecker
	// MetricsAddress, ProbeAddress and WebhookAddress are "host:port"; "0" serves none.
	MetricsAddress string
	ProbeAddress   string
	WebhookAddress string
	// LeaderElection lets one of several replicas work.
	LeaderElection bool
	// Concurrency is how many units are looked at at a time; 0 means 8.
	Concurrency int
	Log         *slog.Logger
}

// Trail is an audit log that one process at a time may have open.
type Trail interface {
	// Open returns once the log is open. Its error ends the controller.
	Open(ctx context.Context) error
	// Err is why the log takes no more records; nil while it does, and before it is open.
	Err() error
}

// Controller is the whole service.
type Controller struct {
	manager manager.Manager
}

// Scheme knows Kubernetes' own kinds and Mooring's.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register Kubernetes' kinds: %w", err)
	}
	if err := schemas.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register Mooring's kinds: %w", err)
	}
	return scheme, nil
}

// New wires a controller. Nothing runs yet.
func New(o Options) (*Controller, error) {
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := checkDefinitions(o.Config); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.MirrorDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of mirrors: %w", err)
	}
	m, err := newManager(o)
	if err != nil {
		return nil, err
	}
	parts, err := newParts(o, m)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(parts.register(o, m), parts.probe(o, m)); err != nil {
		return nil, err
	}
	return &Controller{manager: m}, nil
}

// Run works until the context ends, then stops what is under way.
func (c *Controller) Run(ctx context.Context) error {
	if err := c.manager.Start(ctx); err != nil {
		return fmt.Errorf("run the controller: %w", err)
	}
	return nil
}

// The lease by which one replica works.
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=mooring-system,resources=leases,verbs=get;create;update

// What happened, to ModelRepositories and receipts; and who leads.
// +kubebuilder:rbac:groups="",namespace=mooring-system,resources=events,verbs=create;patch

func newManager(o Options) (manager.Manager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	grace := 20 * time.Second
	m, err := ctrl.NewManager(o.Config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   cache.Options{DefaultNamespaces: map[string]cache.Config{o.Namespace: {}}},
		Metrics:                 server.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:  o.ProbeAddress,
		LeaderElection:          o.LeaderElection,
		LeaderElectionID:        "mooring-controller." + schemas.Group,
		LeaderElectionNamespace: o.Namespace,
		// The lease is given back at the end, so that the next replica starts at once.
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &grace,
		// Two controllers in one process (a test that restarts one) have the same names.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the controller: %w", err)
	}
	return m, nil
}

// parts are the loops and what they share.
type parts struct {
	repositories *Repositories
	units        *Units
	reviews      *Reviews
	statuses     *Statuses
	chase        *Chase
	sight        *sight
	hooks        *hooks
	// led is closed once this process leads and the audit log is open.
	led chan struct{}
	// hints and looks bring keys from outside into the two queues.
	hints, looks *inbox
}

func newParts(o Options, m manager.Manager) (*parts, error) {
	p := &parts{hints: &inbox{}, looks: &inbox{}, hooks: newHooks(o.Log), led: make(chan struct{})}
	applier, err := apply.New(o.Config, apply.Options{})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	numbers, err := release.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	if err := p.hooks.deliveries.register(metrics.Registry); err != nil {
		return nil, err
	}
	p.reviews = NewReviews(o.Log, numbers)
	p.statuses = NewStatuses(m.GetAPIReader(), o.Log)
	fleets := &Fleets{Namespace: o.Namespace, Enqueue: p.looks.Add}
	watcher, err := drift.NewWatcher(o.Config, release.WatchedKinds, drift.WatcherOptions{
		Recorded: fleets.Recorded, OnEvent: fleets.Seen, Logger: o.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the watches: %w", err)
	}
	p.sight = newSight(watcher, release.WatchedKinds, fleets.EnqueueAll)
	//lint:ignore SA1019 its successor cannot say a reason and a message with arguments as conditions do
	events := m.GetEventRecorderFor("mooring")
	p.chase = (&Chase{
		Client: m.GetClient(), Reader: m.GetAPIReader(), Audit: o.Audit, Witness: o.Witness, Notify: eventNotifier{events},
		Metrics: numbers, Now: time.Now, Log: o.Log,
	}).start()
	p.reviews.Chase = p.chase
	p.repositories = &Repositories{
		Client: m.GetClient(), Reader: m.GetAPIReader(), Store: release.Store{Client: m.GetClient(), Reader: m.GetAPIReader()},
		Dial: p.hooks.dialer(o.Dial), MirrorDir: o.MirrorDir, Audit: o.Audit, Witness: o.Witness, Events: events, Now: time.Now, Log: o.Log, Differ: applier,
		Hint: p.hints.Add, Forget: p.forget, Fleets: fleets, Reviews: p.reviews, Rules: o.Rules, Statuses: p.statuses, Chase: p.chase, Metrics: numbers,
	}
	p.units = &Units{
		Reader: m.GetAPIReader(), Hint: p.hints.Add, Fleets: fleets, Statuses: p.statuses, Metrics: numbers, Now: time.Now,
		Engine: &release.Engine{
			Client: m.GetClient(), Applier: applier, Sight: p.sight, Audit: o.Audit, Events: events, Metrics: numbers,
			Now: time.Now, Members: p.repositories.members,
			Inspector: drift.NewInspector(applier, p.sight, drift.InspectorOptions{}),
		},
	}
	return p, nil
}

// forget ends what is kept of a repository that is gone.
func (p *parts) forget(repository client.ObjectKey) {
	p.hooks.remove(repository)
	p.units.forget(repository)
}

// register puts the loops into the manager.
func (p *parts) register(o Options, m manager.Manager) error {
	errs := []error{
		ctrl.NewControllerManagedBy(m).Named("repositories").
			For(&schemas.ModelRepository{}, builder.WithPredicates(predicate.Or(
				predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
			WatchesRawSource(p.hints).
			WithOptions(queueOptions(4)).Complete(p.repositories),
		ctrl.NewControllerManagedBy(m).Named("units").
			// The status is this process's own to write; only what others do is news.
			For(&schemas.ModelRelease{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
			WatchesRawSource(p.looks).
			WithOptions(queueOptions(o.Concurrency)).Complete(p.units),
		m.Add(leaderTask(func(ctx context.Context) error { return p.lead(ctx, o.Trail) })),
		m.Add(leaderTask(p.reviews.Start)),
		m.Add(leaderTask(p.statuses.Start)),
		m.Add(leaderTask(p.chase.Start)),
		m.Add(leaderTask(p.sight.Run)),
	}
	if o.WebhookAddress != "" && o.WebhookAddress != "0" {
		errs = append(errs, m.Add(leaderTask(func(ctx context.Context) error { return p.hooks.serve(ctx, o.WebhookAddress) })))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("register the loops: %w", err)
	}
	return nil
}

// queueOptions retry with a pause that grows to a minute.
func queueOptions(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](100*time.Millisecond, time.Minute),
	}
}

// leaderTask runs only where this process leads.
type leaderTask func(context.Context) error

func (t leaderTask) Start(ctx context.Context) error { return t(ctx) }

// NeedLeaderElection keeps replicas that wait from working.
func (leaderTask) NeedLeaderElection() bool { return true }
