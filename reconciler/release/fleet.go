package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Blobs reads content by its object id.
type Blobs interface {
	ReadBlob(ctx context.Context, id source.ID) ([]byte, error)
}

// Fleet is the desired state of one repository in this process: the approved
// content, parsed, and the objects that it renders to. It is replaced as a
// whole when the ledger changes and rendered lazily, unit by unit, so that one
// commit costs what it touched.
type Fleet struct {
	world    desired.World
	worldKey string
	// Broken says what is wrong with the approved governing files, and then
	// nothing is rendered: what is deployed stays as it is.
	Broken schemas.Findings
	units  map[schemas.Unit]*Desired
	// lacking counts approved files that are not in the repository at hand.
	lacking int
}

// Desired is what should become of one unit.
type Desired struct {
	Unit schemas.Unit
	// Approved is the manifest's standing; nil for a tenancy, and for a model of
	// which nothing was ever approved.
	Approved *schemas.ApprovedFile
	// Quarantined is content on the branch that may not run.
	Quarantined *schemas.QuarantinedFile

	// key names everything that the objects depend on; empty: they depend on
	// something that was not at hand, and are made anew each time.
	key      string
	doc      *schemas.Document[schemas.ModelDeployment]
	findings schemas.Findings

	// mu guards what is rendered at the first use, and past.
	mu       sync.Mutex
	rendered bool
	set      desired.Set
	// past are those that this one came after while it was not applied yet, the
	// oldest first: while a release is held one of them is what is deployed.
	past []*Desired
}

// Removed reports whether the manifest's removal is approved, so that its
// objects have to go.
func (d *Desired) Removed() bool { return d.Approved != nil && d.Approved.Blob == "" }

// Load builds the fleet of a ledger. Of content that is that of the fleet
// before, which may be nil, nothing is read, parsed or rendered again. The error
// is about reading blobs; what is wrong with their content is in the findings.
func Load(ctx context.Context, blobs Blobs, repository string, ledger Ledger, before *Fleet) (*Fleet, error) {
	f := &Fleet{units: make(map[schemas.Unit]*Desired, len(ledger.Approved))}
	if err := f.loadWorld(ctx, blobs, repository, ledger, before); err != nil {
		return nil, err
	}
	if err := f.loadUnits(ctx, blobs, ledger, before); err != nil {
		return nil, err
	}
	if before != nil {
		for unit, d := range f.units {
			d.follow(before.units[unit])
		}
	}
	return f, nil
}

// loadWorld reads the approved governing files that rendering depends on. The
// rules under policy/ are the gate's alone.
func (f *Fleet) loadWorld(ctx context.Context, blobs Blobs, repository string, ledger Ledger, before *Fleet) error {
	h := sha256.New()
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(ledger.Approved)) {
		if schemas.IsPlatform(path) && schemas.ClassifyPath(path) != schemas.PathPolicy {
			paths = append(paths, path)
			fmt.Fprintf(h, "%d:%s,%s\n", len(path), path, ledger.Approved[path].Blob)
		}
	}
	f.worldKey = hex.EncodeToString(h.Sum(nil))
	if before != nil && before.worldKey == f.worldKey {
		f.world, f.Broken = before.world, before.Broken
		return nil
	}
	files := make([]schemas.File, 0, len(paths))
	for _, path := range paths {
		file, err := f.read(ctx, blobs, path, ledger.Approved[path].Blob)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if f.lacking > 0 {
		f.worldKey = "" // to be read again
	}
	var findings schemas.Findings
	if f.world, findings = desired.NewWorld(repository, files); f.world.Platform.Governance == nil {
		f.Broken = findings
	}
	return nil
}

func (f *Fleet) read(ctx context.Context, blobs Blobs, path, blob string) (schemas.File, error) {
	content, err := blobs.ReadBlob(ctx, source.ID(blob))
	if refused := (*source.Refused)(nil); errors.As(err, &refused) {
		return schemas.File{Path: path, Refused: refused.Error()}, nil
	}
	if errors.Is(err, source.ErrMissing) {
		// A forced push can take the approved content out of the repository. That
		// concerns this file alone; what is deployed of it stays.
		f.lacking++
		return schemas.File{Path: path, Refused: "the approved content is no longer in the repository"}, nil
	}
	if err != nil {
		return schemas.File{}, fmt.Errorf("read the approved content of %s: %w", path, err)
	}
	return schemas.File{Path: path, Content: content}, nil
}

// Lacking counts the approved files whose content is not in the repository.
func (f *Fleet) Lacking() int { return f.lacking }

func (f *Fleet) loadUnits(ctx context.Context, blobs Blobs, ledger Ledger, before *Fleet) error {
	for path, approved := range ledger.Approved {
		unit, ok := schemas.ManifestUnit(path)
		if !ok {
			continue
		}
		d := f.unit(unit)
		d.Approved = &approved
		if d.Removed() {
			continue
		}
		if err := f.load(ctx, blobs, d, before); err != nil {
			return err
		}
		tenancy := f.unit(schemas.Unit{Team: unit.Team, Environment: unit.Environment})
		if tenancy.key == "" && f.worldKey != "" {
			tenancy.key = f.worldKey
			tenancy.takeOver(before)
		}
	}
	for path, quarantined := range ledger.Quarantined {
		if unit, ok := schemas.ManifestUnit(path); ok {
			f.unit(unit).Quarantined = &quarantined
		}
	}
	return nil
}

func (f *Fleet) unit(u schemas.Unit) *Desired {
	if f.units[u] == nil {
		f.units[u] = &Desired{Unit: u}
	}
	return f.units[u]
}

// load parses the manifest, or takes it over from the fleet before.
func (f *Fleet) load(ctx context.Context, blobs Blobs, d *Desired, before *Fleet) error {
	if f.worldKey != "" {
		d.key = f.worldKey + "/" + d.Approved.Blob
	}
	if d.takeOver(before) {
		return nil
	}
	lacking := f.lacking
	file, err := f.read(ctx, blobs, d.Unit.Path(), d.Approved.Blob)
	if err != nil {
		return err
	}
	if f.lacking > lacking {
		d.key = ""
	}
	if file.Refused != "" {
		d.findings = schemas.Findings{{
			Severity: schemas.SeverityError, File: d.Unit.Path(), Line: 1, Column: 1, Code: schemas.CodeRefusedFile,
			Message: file.Refused, Remedy: "make it a regular file within the limits",
		}}
		return nil
	}
	d.doc, d.findings = schemas.ParseModelDeployment(d.Unit.Path(), file.Content)
	return nil
}

// takeOver copies what was parsed and rendered before from the same content.
func (d *Desired) takeOver(before *Fleet) bool {
	if before == nil || d.key == "" {
		return false
	}
	old := before.units[d.Unit]
	if old == nil || old.key != d.key {
		return false
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	d.doc, d.findings, d.rendered, d.set = old.doc, old.findings, old.rendered, old.set
	return true
}

// maxPast bounds what a unit remembers: what was deployed when the hold began,
// which is the oldest, and what came last.
const maxPast = 3

// follow remembers what was there before, as it may be deployed.
func (d *Desired) follow(old *Desired) {
	if old == nil || d.Unit.Model == "" {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	d.past = slices.Clone(old.past)
	if old.rendered && (d.key == "" || d.key != old.key) {
		d.past = append(d.past, old)
	}
	if len(d.past) > maxPast {
		d.past = slices.Delete(d.past, 1, len(d.past)-maxPast+1)
	}
}

// deployed is which of those before was rendered to the objects of a hash, with
// these; nil where none was.
func (d *Desired) deployed(hash string) (*Desired, desired.Set) {
	d.mu.Lock()
	past := d.past
	d.mu.Unlock()
	for _, p := range past {
		p.mu.Lock()
		set := p.set
		p.mu.Unlock()
		if set.Hash != "" && set.Hash == hash {
			return p, set
		}
	}
	return nil, desired.Set{}
}

// settle forgets what was before: this one is deployed.
func (d *Desired) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.past = nil
}

// Units lists all units of the fleet, in no order.
func (f *Fleet) Units() []*Desired { return slices.Collect(maps.Values(f.units)) }

// Unit is what should become of a unit; nil: it should not be there.
func (f *Fleet) Unit(u schemas.Unit) *Desired { return f.units[u] }

// Changed lists the units that differ between two fleets: in what they render
// to or in their standing. Before may be nil.
func (f *Fleet) Changed(before *Fleet) []schemas.Unit {
	var out []schemas.Unit
	for u, d := range f.units {
		if before == nil || !d.same(before.units[u]) {
			out = append(out, u)
		}
	}
	if before != nil {
		for u := range before.units {
			if f.units[u] == nil {
				out = append(out, u)
			}
		}
	}
	return out
}

func (d *Desired) same(o *Desired) bool {
	settled := d.key != "" || d.Removed() || d.Approved == nil && d.Unit.Model != ""
	return o != nil && settled && d.key == o.key && equalApproved(d.Approved, o.Approved) && equalQuarantined(d.Quarantined, o.Quarantined)
}

func equalApproved(a, b *schemas.ApprovedFile) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Blob == b.Blob && a.Commit == b.Commit
}

func equalQuarantined(a, b *schemas.QuarantinedFile) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Blob == b.Blob && a.Commit == b.Commit
}

// Set renders a unit, once for the same content. Units are rendered side by side.
func (f *Fleet) Set(d *Desired) (desired.Set, schemas.Findings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.rendered {
		d.set, d.findings = f.render(d)
		d.rendered = true
	}
	return d.set, d.findings
}

// render makes the objects of a unit, or says what keeps them from being made.
func (f *Fleet) render(d *Desired) (desired.Set, schemas.Findings) {
	switch {
	case f.Broken.Failed():
		return desired.Set{Unit: d.Unit}, f.Broken
	case d.Unit.Model == "":
		return f.world.Tenancy(d.Unit.Team, d.Unit.Environment)
	case d.doc == nil:
		return desired.Set{Unit: d.Unit}, d.findings
	}
	return f.world.Model(d.doc)
}

// DriftPolicy is what the unit's environment says about drift.
func (f *Fleet) DriftPolicy(u schemas.Unit) schemas.DriftPolicy {
	if f.world.Platform != nil {
		if e := f.world.Platform.Environments[u.Environment]; e != nil {
			return e.Value.Spec.Drift
		}
	}
	return schemas.DriftReport
}
