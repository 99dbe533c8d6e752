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

	mu sync.Mutex
}

// Desired is what should become of one unit.
type Desired struct {
	Unit schemas.Unit
	// Approved is the manifest's standing; nil for a tenancy, and for a model of
	// which nothing was ever approved.
	Approved *schemas.ApprovedFile
	// Quarantined is content on the branch that may not run.
	Quarantined *schemas.QuarantinedFile

	doc      *schemas.Document[schemas.ModelDeployment]
	findings schemas.Findings
	// key names everything that the objects depend on.
	key  string
	once bool
	set  desired.Set
}

// Load builds the fleet of a ledger. Units whose content is that of the fleet
// before, which may be nil, are taken over as they are. The error is about
// reading blobs; what is wrong with their content is in the findings.
func Load(ctx context.Context, blobs Blobs, repository string, ledger Ledger, before *Fleet) (*Fleet, error) {
	f := &Fleet{units: map[schemas.Unit]*Desired{}}
	files, key, err := governing(ctx, blobs, ledger)
	if err != nil {
		return nil, err
	}
	f.worldKey = key
	if before != nil && before.worldKey == key {
		f.world, f.Broken = before.world, before.Broken
	} else {
		f.loadWorld(repository, files)
	}
	if err := f.loadUnits(ctx, blobs, ledger, before); err != nil {
		return nil, err
	}
	return f, nil
}

// governing reads the approved governing files, and a key over their content.
func governing(ctx context.Context, blobs Blobs, ledger Ledger) ([]schemas.File, string, error) {
	h := sha256.New()
	var files []schemas.File
	for _, path := range slices.Sorted(maps.Keys(ledger.Approved)) {
		if !schemas.IsPlatform(path) {
			continue
		}
		blob := ledger.Approved[path].Blob
		fmt.Fprintf(h, "%d:%s,%s\n", len(path), path, blob)
		content, err := read(ctx, blobs, path, blob)
		if err != nil {
			return nil, "", err
		}
		files = append(files, content)
	}
	return files, hex.EncodeToString(h.Sum(nil)), nil
}

func read(ctx context.Context, blobs Blobs, path, blob string) (schemas.File, error) {
	content, err := blobs.ReadBlob(ctx, source.ID(blob))
	if refused := (*source.Refused)(nil); errors.As(err, &refused) {
		return schemas.File{Path: path, Refused: refused.Error()}, nil
	}
	if errors.Is(err, source.ErrMissing) {
		// A forced push can take the approved content out of the repository. That
		// concerns this file alone; what is deployed of it stays.
		return schemas.File{Path: path, Refused: "the approved content is no longer in the repository"}, nil
	}
	if err != nil {
		return schemas.File{}, fmt.Errorf("read the approved content of %s: %w", path, err)
	}
	return schemas.File{Path: path, Content: content}, nil
}

func (f *Fleet) loadWorld(repository string, files []schemas.File) {
	var findings schemas.Findings
	f.world, findings = desired.NewWorld(repository, files)
	if f.world.Platform.Governance == nil {
		f.Broken = findings
	}
}

func (f *Fleet) loadUnits(ctx context.Context, blobs Blobs, ledger Ledger, before *Fleet) error {
	for path, approved := range ledger.Approved {
		unit, ok := schemas.ManifestUnit(path)
		if !ok {
			continue
		}
		d := f.unit(unit)
		d.Approved = &approved
		d.key = f.worldKey + "/" + approved.Blob
		if err := d.load(ctx, blobs, before); err != nil {
			return err
		}
		tenancy := f.unit(schemas.Unit{Team: unit.Team, Environment: unit.Environment})
		tenancy.key = f.worldKey
		tenancy.takeOver(before)
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
func (d *Desired) load(ctx context.Context, blobs Blobs, before *Fleet) error {
	if d.takeOver(before) {
		return nil
	}
	file, err := read(ctx, blobs, d.Unit.Path(), d.Approved.Blob)
	if err != nil {
		return err
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
	if before == nil {
		return false
	}
	before.mu.Lock()
	defer before.mu.Unlock()
	old := before.units[d.Unit]
	if old == nil || old.key != d.key {
		return false
	}
	d.doc, d.findings, d.once, d.set = old.doc, old.findings, old.once, old.set
	return true
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
	return o != nil && d.key == o.key && equalApproved(d.Approved, o.Approved) && equalQuarantined(d.Quarantined, o.Quarantined)
}

func equalApproved(a, b *schemas.ApprovedFile) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Blob == b.Blob && a.Commit == b.Commit
}

func equalQuarantined(a, b *schemas.QuarantinedFile) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Blob == b.Blob && a.Commit == b.Commit
}

// Set renders a unit, once for the same content.
func (f *Fleet) Set(d *Desired) (desired.Set, schemas.Findings) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !d.once {
		d.set, d.findings, d.once = f.render(d)
	}
	return d.set, d.findings
}

func (f *Fleet) render(d *Desired) (desired.Set, schemas.Findings, bool) {
	switch {
	case f.Broken.Failed():
		return desired.Set{Unit: d.Unit}, f.Broken, true
	case d.Unit.Model == "":
		set, findings := f.world.Tenancy(d.Unit.Team, d.Unit.Environment)
		return set, findings, true
	case d.doc == nil:
		return desired.Set{Unit: d.Unit}, d.findings, true
	}
	set, findings := f.world.Model(d.doc)
	return set, findings, true
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
