package proof

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
	"github.com/mlops-platform/mooring/test/fleet"
)

var stillFor = flag.Duration("still", 5*time.Minute, "how long nothing may drift")

// stillManifests are drawn beside those of the example repository.
const stillManifests = 300

// Everything of the example repository and of many drawn manifests is accepted,
// KServe makes it serve, to apply it again after that changes nothing, and then
// no field that Mooring owns changes: no false drift.
func TestWhatIsAppliedStaysAsItIs(t *testing.T) {
	t.Parallel()
	s, r := connect(t), fleet.Random(t)
	tenancies, models := everything(t, s, r)
	sets := slices.Concat(tenancies, models)
	l := live(t, sets)

	begin := time.Now()
	l.apply(t, tenancies)
	s.claim(t, tenancies)
	// KServe takes one after the other: tests beside this one wait for no more
	// than these.
	for some := range slices.Chunk(models, 25) {
		l.apply(t, some)
		l.awaitServing(t, some)
	}
	t.Logf("%d units of %d objects are applied, and all that can serve here does, after %s", len(sets), len(l.objects(t)), time.Since(begin).Round(time.Second))
	s.comparePods(t, sets)
	s.expectServicesLeadToServers(t, sets)

	before := l.objects(t)
	l.apply(t, tenancies)
	l.apply(t, models)
	touched := 0
	for name, again := range l.objects(t) {
		was := before[name]
		if diff := cmp.Diff(content(was), content(again)); diff != "" {
			t.Errorf("to apply %s again changes it (-before +after):\n%s", name, diff)
		}
		if was.GetResourceVersion() != again.GetResourceVersion() {
			touched++
		}
	}
	t.Logf("applied again: no change, %d objects with another resourceVersion", touched)

	select {
	case <-time.After(*stillFor):
	case <-l.moved:
	case <-t.Context().Done():
	}
	l.expectNoDrift(t, sets)
	for name, o := range l.objects(t) {
		if diff := cmp.Diff(content(before[name]), content(o)); diff != "" {
			t.Errorf("%s has changed (-before +after):\n%s", name, diff)
		}
	}
	t.Logf("%d objects stood still for %s", len(before), *stillFor)
}

// The ports of KServe's: its agent's, which logs and batches, and that of HTTP.
const (
	agentPort = 9081
	httpPort  = 8080
)

// expectServicesLeadToServers holds where KServe's Services lead against where the
// models' servers speak the protocol of the manifest.
func (s *server) expectServicesLeadToServers(t *testing.T, sets []desired.Set) {
	t.Helper()
	overGRPC := 0
	for _, set := range sets {
		for _, o := range set.Objects {
			if o.GetKind() != "InferenceService" || o.GetAnnotations()["serving.kserve.io/deploymentMode"] == string(schemas.ModeKnative) {
				continue
			}
			service, err := s.typed.CoreV1().Services(o.GetNamespace()).Get(t.Context(), o.GetName()+"-predictor", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			predictor := o.Object["spec"].(map[string]any)["predictor"].(map[string]any)
			protocol, _, err := unstructured.NestedString(predictor, "model", "protocolVersion")
			if err != nil {
				t.Fatal(err)
			}
			want := httpPort
			switch speaks := schemas.Protocol(protocol); {
			case predictor["logger"] != nil || predictor["batcher"] != nil:
				want = agentPort
			case speaks.GRPC() && predictor["model"].(map[string]any)["runtime"] == "kserve-torchserve":
				want = 8081
			case speaks.GRPC():
				want = 9000
			}
			if schemas.Protocol(protocol).GRPC() {
				overGRPC++
			}
			if port := service.Spec.Ports[0]; port.Port != 80 || port.TargetPort.IntValue() != want {
				t.Errorf("%s speaks %q, and its Service leads from port %d to %s, not to %d", o.GetName(), protocol, port.Port, port.TargetPort.String(), want)
			}
		}
	}
	if overGRPC == 0 {
		t.Error("no model speaks gRPC")
	}
}

// everything is the example repository and the drawn manifests, rendered for
// nodes that this test alone has.
func everything(t *testing.T, s *server, r *rand.Rand) (tenancies, models []desired.Set) {
	t.Helper()
	example := fleet.Example(t, s.id)
	files := append(fleet.Platform(t, s.id), slices.DeleteFunc(example, func(f schemas.File) bool {
		return schemas.ClassifyPath(f.Path) != schemas.PathManifest
	})...)
	for i := range stillManifests {
		files = append(files, fleet.ManifestFile(t, fleet.Manifest(r, fmt.Sprintf("m%d", i), environments[i%len(environments)])))
	}
	repo, findings := schemas.LoadRepository(files)
	world, wrong := desired.NewWorld("proof", files)
	if findings = append(findings, wrong...); findings.Failed() {
		t.Fatal(findings)
	}
	world.Platform = repo.Platform
	var nodes []*corev1.Node
	for _, name := range slices.Sorted(maps.Keys(world.Platform.Environments)) {
		env := world.Platform.Environments[name]
		c := isolate(s, name, env.Value.Spec)
		env.Value.Spec = c.env
		for _, p := range c.env.Pools {
			// Room for all: what fits where is another test's question.
			p.Allocatable.CPU, p.Allocatable.Memory = resource.MustParse("4000"), resource.MustParse("16Ti")
			if p.Accelerator != nil {
				many := *p.Accelerator
				many.PerNode = 1000
				p.Accelerator = &many
			}
			for i := range 3 {
				nodes = append(nodes, c.node(p, false, fmt.Sprintf("zone-%c", 'a'+i)))
			}
		}
	}
	for _, n := range nodes {
		n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("2000")
	}
	s.raise(t, nodes)

	add := func(set desired.Set, findings schemas.Findings) desired.Set {
		if findings.Failed() {
			t.Fatal(findings)
		}
		return set
	}
	teams := map[schemas.Unit]bool{}
	for _, path := range slices.Sorted(maps.Keys(repo.Deployments)) {
		set := add(world.Model(repo.Deployments[path]))
		models = append(models, set)
		team := schemas.Unit{Team: set.Unit.Team, Environment: set.Unit.Environment}
		if teams[team] {
			continue
		}
		teams[team] = true
		tenancies = append(tenancies, add(world.Tenancy(team.Team, team.Environment)))
	}
	for _, set := range tenancies {
		for _, o := range set.Objects {
			if o.GetKind() == "Namespace" {
				s.removeNamespaceLater(t, o.GetName())
			}
		}
	}
	return tenancies, models
}

// claim makes the volumes that some of the drawn models are read from.
func (s *server) claim(t *testing.T, tenancies []desired.Set) {
	t.Helper()
	for _, set := range tenancies {
		if set.Unit.Team != fleet.Team {
			continue
		}
		for _, o := range set.Objects {
			if o.GetKind() != "Namespace" {
				continue
			}
			size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
			modes, none := []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}, ""
			volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: o.GetName()}, Spec: corev1.PersistentVolumeSpec{
				Capacity: size, AccessModes: modes, ClaimRef: &corev1.ObjectReference{Namespace: o.GetName(), Name: "claim"},
				PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/models"}},
			}}
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "claim"}, Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: modes, StorageClassName: &none, VolumeName: o.GetName(), Resources: corev1.VolumeResourceRequirements{Requests: size},
			}}
			if _, err := s.typed.CoreV1().PersistentVolumes().Create(t.Context(), volume, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				// Not the test's context, which has ended by now.
				if err := s.typed.CoreV1().PersistentVolumes().Delete(context.Background(), volume.Name, metav1.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			})
			if _, err := s.typed.CoreV1().PersistentVolumeClaims(o.GetName()).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// living is what the controller does with a cluster, without its decisions:
// it applies sets, and watches them for drift.
type living struct {
	applier *apply.Applier
	watcher *drift.Watcher
	// own are the objects that it applies; the tests beside it apply others, some
	// of the same units.
	own map[string]bool
	// moved is closed at the first drift.
	moved chan struct{}

	mu        sync.Mutex
	inventory map[schemas.Unit][]schemas.InventoryEntry
	drifted   []string
}

func live(t *testing.T, sets []desired.Set) *living {
	t.Helper()
	kinds, own := map[schema.GroupVersionKind]bool{}, map[string]bool{}
	for _, set := range sets {
		for _, o := range set.Objects {
			own[identity(o.GetKind(), o.GetNamespace(), o.GetName())] = true
			kinds[o.GroupVersionKind()] = true
		}
	}
	config := cluster.Config(t)
	config.QPS = -1
	l := &living{own: own, moved: make(chan struct{}), inventory: map[schemas.Unit][]schemas.InventoryEntry{}}
	var err error
	if l.applier, err = apply.New(config, apply.Options{}); err != nil {
		t.Fatal(err)
	}
	l.watcher, err = drift.NewWatcher(config, slices.Collect(maps.Keys(kinds)), drift.WatcherOptions{Recorded: l.recorded, OnEvent: l.see})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *living) recorded(unit schemas.Unit, entry schemas.InventoryEntry) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.inventory[unit] {
		fields := e.Fields
		if e.Fields, entry.Fields = "", ""; e == entry {
			return fields, true
		}
	}
	return "", false
}

func (l *living) see(e drift.Event) {
	name := identity(e.GVK.Kind, e.Namespace, e.Name)
	if !l.own[name] || !e.Drifted && !e.Deleted {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drifted = append(l.drifted, name); len(l.drifted) == 1 {
		close(l.moved)
	}
}

func identity(kind, namespace, name string) string { return kind + " " + namespace + "/" + name }

// apply applies sets side by side.
func (l *living) apply(t *testing.T, sets []desired.Set) {
	t.Helper()
	forEach(t, sets, func(ctx context.Context, _ int, set desired.Set) {
		l.mu.Lock()
		had := l.inventory[set.Unit]
		l.mu.Unlock()
		result, err := l.applier.Apply(ctx, apply.Set{Unit: set.Unit, Objects: set.Objects, Previous: had})
		if err != nil {
			t.Errorf("%s: %v", set.Unit, err)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.inventory[set.Unit] = result.Inventory
	})
	if t.Failed() {
		t.FailNow()
	}
}

// awaitServing waits until KServe has made every model ready. Without Knative,
// what Knative would run is never ready; there KServe has taken it up.
func (l *living) awaitServing(t *testing.T, sets []desired.Set) {
	t.Helper()
	cluster.Eventually(t, 3*patience, "the models to be ready", func() error {
		waiting, last := 0, ""
		for _, set := range sets {
			for _, o := range set.Objects {
				if why := l.unready(o); why != "" {
					waiting, last = waiting+1, fmt.Sprintf("%s %s/%s: %s", o.GetKind(), o.GetNamespace(), o.GetName(), why)
				}
			}
		}
		if waiting > 0 {
			return fmt.Errorf("%d objects are not, among them %s", waiting, last)
		}
		return nil
	})
}

func (l *living) unready(o *unstructured.Unstructured) string {
	seen, ok := l.watcher.Get(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	switch {
	case !ok:
		return "it is not seen"
	case o.GetAnnotations()["serving.kserve.io/deploymentMode"] == string(schemas.ModeKnative):
		if len(seen.GetFinalizers()) == 0 {
			return "KServe has not taken it up"
		}
		return ""
	}
	if health := apply.HealthOf(seen); health.Status != apply.Ready {
		return health.Reason + ": " + health.Message
	}
	return ""
}

// objects are as the cluster has them.
func (l *living) objects(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	out := map[string]*unstructured.Unstructured{}
	for _, entries := range l.inventory {
		for _, e := range entries {
			o, err := l.applier.Get(t.Context(), e)
			if err != nil || o == nil {
				t.Fatalf("%v: %v", e, err)
			}
			out[identity(e.Kind, e.Namespace, e.Name)] = o
		}
	}
	return out
}

// expectNoDrift asks the drift engine.
func (l *living) expectNoDrift(t *testing.T, sets []desired.Set) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.drifted {
		t.Errorf("%s is reported as a candidate for drift", name)
	}
	inspector := drift.NewInspector(l.applier, l.watcher, drift.InspectorOptions{PerSecond: 1000, Burst: 1000})
	for _, set := range sets {
		found, err := inspector.Inspect(t.Context(), set.Objects, l.inventory[set.Unit])
		if err != nil {
			t.Error(err)
		}
		if len(found.Drifted)+len(found.Renew) > 0 {
			t.Errorf("%s has drifted: %+v", set.Unit, found)
		}
	}
}

// content of an object is all but its status and the API server's own records.
func content(o *unstructured.Unstructured) map[string]any {
	out := o.DeepCopy().Object
	delete(out, "status")
	metadata := out["metadata"].(map[string]any)
	delete(metadata, "managedFields")
	delete(metadata, "resourceVersion")
	return out
}
