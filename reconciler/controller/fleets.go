package controller

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// Fleets holds the desired state of every repository in this process, and what
// receipts record of each unit, for the watches to compare with.
type Fleets struct {
	// Namespace holds the receipts.
	Namespace string
	// Enqueue puts a receipt into the queue of units; it never blocks.
	Enqueue func(client.ObjectKey)

	mu     sync.RWMutex
	fleets map[client.ObjectKey]fleetAt
	// waiting are units that were looked at before there was a fleet to say what
	// should become of them, by repository.
	waiting map[client.ObjectKey]map[schemas.Unit]bool
	// receipts are those that were looked at.
	receipts map[schemas.Unit]recorded
}

// fleetAt is a fleet, the commit that it is of, and when that was first seen.
type fleetAt struct {
	fleet    *release.Fleet
	revision string
	seen     time.Time
	// coming is the one whose receipts are being written.
	coming *release.Fleet
}

// comes reports whether a unit is new: its receipt is written before the fleet
// that it is in is worked by.
func (at fleetAt) comes(unit schemas.Unit) bool {
	return at.fleet.Unit(unit) == nil && at.coming != nil && at.coming.Unit(unit) != nil
}

type recorded struct {
	phase        schemas.ReleasePhase
	fingerprints map[schemas.InventoryEntry]string
}

// Get is a repository's fleet; nil until its branch was judged.
func (f *Fleets) Get(name client.ObjectKey) *release.Fleet {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.fleets[name].fleet
}

// of is the fleet that a unit is looked at by; false while none can say what
// should become of it. Set asks for the look again: the event that led to it
// does not come twice.
func (f *Fleets) of(name client.ObjectKey, unit schemas.Unit) (fleetAt, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.fleets[name]
	if at.fleet != nil && !at.comes(unit) {
		return at, true
	}
	if f.waiting == nil {
		f.waiting = map[client.ObjectKey]map[schemas.Unit]bool{}
	}
	if f.waiting[name] == nil {
		f.waiting[name] = map[schemas.Unit]bool{}
	}
	f.waiting[name][unit] = true
	return at, false
}

// Announce tells of the fleet that is set next, before its receipts are written:
// to the fleet of before they would be receipts of what nobody wants.
func (f *Fleets) Announce(name client.ObjectKey, fleet *release.Fleet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, known := f.fleets[name]; known {
		at.coming = fleet
		f.fleets[name] = at
	}
}

// Set replaces a repository's fleet and asks for a look at the units that changed,
// and at those that waited for it.
func (f *Fleets) Set(name client.ObjectKey, fleet *release.Fleet, revision string, seen time.Time) {
	f.mu.Lock()
	if f.fleets == nil {
		f.fleets = map[client.ObjectKey]fleetAt{}
	}
	before := f.fleets[name]
	if before.revision == revision {
		seen = before.seen
	}
	f.fleets[name] = fleetAt{fleet: fleet, revision: revision, seen: seen}
	waiting := f.waiting[name]
	delete(f.waiting, name)
	f.mu.Unlock()
	for _, unit := range fleet.Changed(before.fleet) {
		f.EnqueueUnit(unit)
	}
	for unit := range waiting {
		f.EnqueueUnit(unit) // the queue holds each once
	}
}

// Remove forgets a repository.
func (f *Fleets) Remove(name client.ObjectKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.fleets, name)
}

// EnqueueUnit asks for a look at a unit.
func (f *Fleets) EnqueueUnit(unit schemas.Unit) {
	f.Enqueue(client.ObjectKey{Namespace: f.Namespace, Name: unit.ReceiptName()})
}

// wanting lists the repositories that want a unit deployed.
func (f *Fleets) wanting(unit schemas.Unit) []client.ObjectKey {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var names []client.ObjectKey
	for name, at := range f.fleets {
		if d := at.fleet.Unit(unit); d != nil && !d.Removed() {
			names = append(names, name)
		}
	}
	return names
}

// EnqueueAll asks for a look at every unit.
func (f *Fleets) EnqueueAll() {
	f.mu.RLock()
	var fleets []*release.Fleet
	for _, at := range f.fleets {
		fleets = append(fleets, at.fleet)
	}
	f.mu.RUnlock()
	for _, fleet := range fleets {
		for _, d := range fleet.Units() {
			f.EnqueueUnit(d.Unit)
		}
	}
}

// Seen asks for a look at the unit that an event is about. Where it is a team's
// namespace, the team's models may have waited for it to come into sight.
func (f *Fleets) Seen(e drift.Event) {
	f.EnqueueUnit(e.Unit)
	if e.Unit.Model != "" || e.GVK.Kind != "Namespace" || e.Deleted {
		return
	}
	f.mu.RLock()
	var models []schemas.Unit
	for _, at := range f.fleets {
		for _, d := range at.fleet.Units() {
			if u := d.Unit; u.Model != "" && u.Team == e.Unit.Team && u.Environment == e.Unit.Environment {
				models = append(models, u)
			}
		}
	}
	f.mu.RUnlock()
	for _, unit := range models {
		f.EnqueueUnit(unit)
	}
}

// Record keeps what a unit's receipt says, and returns the phase that it said
// before. A phase of "" forgets the unit.
func (f *Fleets) Record(unit schemas.Unit, phase schemas.ReleasePhase, inventory []schemas.InventoryEntry) schemas.ReleasePhase {
	fingerprints := make(map[schemas.InventoryEntry]string, len(inventory))
	for _, entry := range inventory {
		fields := entry.Fields
		entry.Fields = ""
		fingerprints[entry] = fields
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.receipts == nil {
		f.receipts = map[schemas.Unit]recorded{}
	}
	before := f.receipts[unit].phase
	if phase == "" {
		delete(f.receipts, unit)
	} else {
		f.receipts[unit] = recorded{phase, fingerprints}
	}
	return before
}

// Recorded is the fingerprint of an object in its unit's inventory; false for
// an object that is in none.
func (f *Fleets) Recorded(unit schemas.Unit, entry schemas.InventoryEntry) (string, bool) {
	entry.Fields = ""
	f.mu.RLock()
	defer f.mu.RUnlock()
	fields, ok := f.receipts[unit].fingerprints[entry]
	return fields, ok
}
