package release

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// blobs is content by its id, and counts what is read.
type blobs struct {
	content map[source.ID]string
	fails   map[source.ID]error
	read    int
}

func (b *blobs) ReadBlob(_ context.Context, id source.ID) ([]byte, error) {
	b.read++
	if err := b.fails[id]; err != nil {
		return nil, err
	}
	content, ok := b.content[id]
	if !ok {
		return nil, source.ErrMissing
	}
	return []byte(content), nil
}

func (b *blobs) put(content string) source.ID {
	id := source.ID(fmt.Sprintf("%x", sha1.Sum([]byte(content))))
	b.content[id] = content
	return id
}

// approve puts content into a ledger.
func (b *blobs) approve(l Ledger, path, content string) {
	id := b.put(content)
	l.Approved[path] = schemas.ApprovedFile{Path: path, Blob: id.String(), Commit: "commit-" + id.Short()}
}

// exampleLedger approves all of the example repository.
func exampleLedger(tb testing.TB) (*blobs, Ledger) {
	tb.Helper()
	b, l := &blobs{content: map[source.ID]string{}, fails: map[source.ID]error{}}, NewLedger()
	root := os.DirFS("../../example-repo")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !governed(path) {
			return err
		}
		content, err := fs.ReadFile(root, path)
		b.approve(l, path, string(content))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return b, l
}

func load(tb testing.TB, b *blobs, l Ledger, before *Fleet) *Fleet {
	tb.Helper()
	f, err := Load(context.Background(), b, "models", l, before)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func unitAt(tb testing.TB, path string) schemas.Unit {
	tb.Helper()
	u, ok := schemas.ManifestUnit(path)
	if !ok {
		tb.Fatalf("%s is no manifest", path)
	}
	return u
}

func rendered(tb testing.TB, f *Fleet, path string) string {
	tb.Helper()
	set, findings := f.Set(f.Unit(unitAt(tb, path)))
	if findings.Failed() {
		tb.Fatalf("%s: %v", path, findings)
	}
	return set.Hash
}

func TestFleetReadsParsesAndRendersOnlyWhatChanged(t *testing.T) {
	b, l := exampleLedger(t)
	before := load(t, b, l, nil)
	for _, d := range before.Units() {
		if _, findings := before.Set(d); findings.Failed() {
			t.Errorf("%s: %v", d.Unit, findings)
		}
	}
	next := l.clone()
	b.approve(next, low, strings.Replace(b.content[source.ID(l.Approved[low].Blob)], `version: "7"`, `version: "8"`, 1))
	b.read = 0
	after := load(t, b, next, before)
	if b.read != 1 {
		t.Errorf("%d blobs were read for one that changed", b.read)
	}
	if changed := after.Changed(before); len(changed) != 1 || changed[0] != unitAt(t, low) {
		t.Errorf("changed are %v", changed)
	}
	if high := unitAt(t, high); !after.Unit(high).rendered || after.Unit(unitAt(t, low)).rendered {
		t.Error("what did not change is rendered again, or what did is not")
	}
	if rendered(t, before, low) == rendered(t, after, low) {
		t.Error("the new version renders to the same")
	}
	if again := load(t, b, next, after); len(again.Changed(after)) != 0 {
		t.Errorf("loaded again, %v changed", again.Changed(after))
	}
}

func TestFleetOfChangedGoverningFiles(t *testing.T) {
	b, l := exampleLedger(t)
	before := load(t, b, l, nil)
	rules := l.clone()
	b.approve(rules, "policy/phi.rego", "package mooring")
	if changed := load(t, b, rules, before).Changed(before); len(changed) != 0 {
		t.Errorf("rules are the gate's alone, yet %v changed", changed)
	}
	team := l.clone()
	b.approve(team, "teams/data-science.yaml", strings.Replace(b.content[source.ID(l.Approved["teams/data-science.yaml"].Blob)], "CC-1001", "CC-2002", 1))
	after := load(t, b, team, before)
	if len(after.Changed(before)) == 0 || rendered(t, before, low) == rendered(t, after, low) {
		t.Error("another cost centre changed nothing")
	}
}

func TestFleetWithoutGovernanceRendersNothing(t *testing.T) {
	b, l := exampleLedger(t)
	b.approve(l, schemas.GovernancePath, "kind: Nonsense\n")
	f := load(t, b, l, nil)
	if _, findings := f.Set(f.Unit(unitAt(t, low))); !findings.Failed() {
		t.Error("it is rendered by a broken governance")
	}
}

func TestFleetOfOneBrokenManifestHarmsNoOther(t *testing.T) {
	b, l := exampleLedger(t)
	b.approve(l, low, "kind: [")
	f := load(t, b, l, nil)
	if _, findings := f.Set(f.Unit(unitAt(t, low))); !findings.Failed() {
		t.Error("a broken manifest was rendered")
	}
	rendered(t, f, high)
}

func TestMissingContentIsLookedForAgain(t *testing.T) {
	b, l := exampleLedger(t)
	id := source.ID(l.Approved[low].Blob)
	content := b.content[id]
	delete(b.content, id)
	before := load(t, b, l, nil)
	if _, findings := before.Set(before.Unit(unitAt(t, low))); !findings.Failed() || before.Lacking() != 1 {
		t.Errorf("%d are lacking, %v", before.Lacking(), findings)
	}
	b.content[id] = content // the mirror was cloned anew
	after := load(t, b, l, before)
	if changed := after.Changed(before); len(changed) != 1 || after.Lacking() != 0 {
		t.Errorf("changed are %v, lacking %d", changed, after.Lacking())
	}
	rendered(t, after, low)

	b.fails[id] = errors.New("input/output error")
	if _, err := Load(t.Context(), b, "models", l, nil); err == nil {
		t.Error("a file that cannot be read was passed over")
	}
}

func TestRemovedAndQuarantinedUnits(t *testing.T) {
	b, l := exampleLedger(t)
	l.Approved[low] = schemas.ApprovedFile{Path: low}
	const fresh = "models/data-science/fresh/development/deployment.yaml"
	l.Quarantined[fresh] = schemas.QuarantinedFile{Path: fresh, Blob: blobA.String()}
	f := load(t, b, l, nil)
	if d := f.Unit(unitAt(t, low)); d == nil || !d.Removed() {
		t.Error("the approved removal is not known to the fleet")
	}
	if d := f.Unit(unitAt(t, fresh)); d == nil || d.Approved != nil || d.Quarantined == nil {
		t.Error("content that was never approved is not known as quarantined")
	}
	if changed := load(t, b, l, f).Changed(f); len(changed) != 0 {
		t.Errorf("nothing changed, but %v did", changed)
	}
}

// thousand approves a thousand copies of one manifest.
func thousand(tb testing.TB) (*blobs, Ledger, func(version int) Ledger) {
	tb.Helper()
	b, l := exampleLedger(tb)
	template := b.content[source.ID(l.Approved[low].Blob)]
	path := func(i int) string {
		return fmt.Sprintf("models/data-science/demand-forecast%d/development/deployment.yaml", i)
	}
	manifest := func(i, version int) string {
		text := strings.Replace(template, "  name: demand-forecast", fmt.Sprintf("  name: demand-forecast%d", i), 1)
		return strings.Replace(text, `version: "7"`, fmt.Sprintf(`version: "%d"`, version), 1)
	}
	for i := range 1000 {
		b.approve(l, path(i), manifest(i, 7))
	}
	return b, l, func(version int) Ledger {
		next := l.clone()
		b.approve(next, path(500), manifest(500, version))
		return next
	}
}

func BenchmarkFleetOf1000WhenOneChanged(b *testing.B) {
	content, l, change := thousand(b)
	before := load(b, content, l, nil)
	for _, d := range before.Units() {
		if _, findings := before.Set(d); findings.Failed() {
			b.Fatal(findings)
		}
	}
	version := 7
	for b.Loop() {
		version++
		after := load(b, content, change(version), before)
		changed := after.Changed(before)
		if len(changed) != 1 {
			b.Fatalf("%d changed", len(changed))
		}
		if _, findings := after.Set(after.Unit(changed[0])); findings.Failed() {
			b.Fatal(findings)
		}
	}
}

// thousandUnderOverlay approves a thousand copies of a manifest of production,
// whose objects go through an overlay.
func thousandUnderOverlay(tb testing.TB) (*blobs, Ledger, func(version int) Ledger) {
	tb.Helper()
	b, l := exampleLedger(tb)
	const name, path = "product-ranker", "models/data-science/product-ranker/production/deployment.yaml"
	template := b.content[source.ID(l.Approved[path].Blob)]
	manifest := func(i, version int) (string, string) {
		text := strings.Replace(template, "  name: "+name, fmt.Sprintf("  name: %s%d", name, i), 1)
		text = regexp.MustCompile(`version: "\d+"`).ReplaceAllString(text, fmt.Sprintf(`version: "%d"`, version))
		return strings.Replace(path, name, fmt.Sprintf("%s%d", name, i), 1), text
	}
	for i := range 1000 {
		at, text := manifest(i, 7)
		b.approve(l, at, text)
	}
	return b, l, func(version int) Ledger {
		next := l.clone()
		at, text := manifest(500, version)
		b.approve(next, at, text)
		return next
	}
}

// renderAll renders the units that are not rendered yet, side by side as the
// controller does, and counts them.
func renderAll(tb testing.TB, f *Fleet) (rendered int) {
	tb.Helper()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, d := range f.Units() {
		if d.rendered {
			continue
		}
		rendered++
		group.Go(func() error {
			if _, findings := f.Set(d); findings.Failed() {
				return fmt.Errorf("%s: %v", d.Unit, findings)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
	return rendered
}

// It takes about 1 s of processor time. The limit is wide, because tests share
// their machine, yet half of what kustomize takes for all of it.
func TestAThousandModelsUnderAnOverlayAreRenderedInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("renders a thousand models")
	}
	const (
		limit      = 5 * time.Second
		limitBytes = 500 << 20
	)
	b, l, change := thousandUnderOverlay(t)
	begin, cpu := time.Now(), processorTime(t)
	fleet := load(t, b, l, nil)
	rendered := renderAll(t, fleet)
	took, spent := time.Since(begin), processorTime(t)-cpu
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d units rendered in %s, %s of processor time, %d MiB of memory",
		rendered, took.Round(time.Millisecond), spent.Round(time.Millisecond), memory.Sys>>20)
	if rendered < 1000 || spent > limit || memory.Sys > limitBytes {
		t.Errorf("%d units, %s of processor time, %d MiB", rendered, spent, memory.Sys>>20)
	}
	if again := renderAll(t, load(t, b, change(8), fleet)); again != 1 {
		t.Errorf("one manifest changed, and %d units are rendered", again)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkRender1000UnderAnOverlay(b *testing.B) {
	content, l, change := thousandUnderOverlay(b)
	b.ReportAllocs()
	for b.Loop() {
		before := load(b, content, l, nil)
		b.ReportMetric(float64(renderAll(b, before)), "rendered")
		b.ReportMetric(float64(renderAll(b, load(b, content, change(8), before))), "rendered-after-one-change")
	}
}
