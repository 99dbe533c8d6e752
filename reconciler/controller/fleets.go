package controller

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// Fleets holds the desired state of every repository in this process, and the
// fingerprints that receipts record, for the watches to compare with.
type Fleets struct {
	// Enqueue puts a receipt into the queue of units.
	Enqueue func(client.ObjectKey)

	mu     sync.RWMutex
	fleets map[client.ObjectKey]fleetAt
	// owner says which repository, and so which namespace of receipts, a unit
	// belongs to.
	owner        map[schemas.Unit]client.ObjectKey
	fingerprints map[schemas.Unit]map[schemas.InventoryEntry]string
}

type fleetAt struct {
	fleet    *release.Fleet
	revision string
}

// Get is a repository's fleet; nil until its branch was judged.
func (f *Fleets) Get(name client.ObjectKey) *release.Fleet {
	fleet, _ := f.at(name)
	return fleet
}

func (f *Fleets) at(name client.ObjectKey) (*release.Fleet, string) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	at := f.fleets[name]
	return at.fleet, at.revision
}

// Set replaces a repository's fleet and asks for a look at the units that changed.
func (f *Fleets) Set(name client.ObjectKey, fleet *release.Fleet, revision string, changed []schemas.Unit) {
	f.mu.Lock()
	if f.fleets == nil {
		f.fleets = map[client.ObjectKey]fleetAt{}
		f.owner = map[schemas.Unit]client.ObjectKey{}
	}
	f.fleets[name] = fleetAt{fleet, revision}
	for _, unit := range changed {
		f.owner[unit] = name
	}
	f.mu.Unlock()
	for _, unit := range changed {
		f.Enqueue(client.ObjectKey{Namespace: name.Namespace, Name: unit.ReceiptName()})
	}
}

// Remove forgets a repository.
func (f *Fleets) Remove(name client.ObjectKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.fleets, name)
}

// EnqueueUnit asks for a look at the unit that an object belongs to.
func (f *Fleets) EnqueueUnit(unit schemas.Unit) {
	f.mu.RLock()
	name, ok := f.owner[unit]
	f.mu.RUnlock()
	if ok {
		f.Enqueue(client.ObjectKey{Namespace: name.Namespace, Name: unit.ReceiptName()})
	}
}

// EnqueueTeam asks for a look at all models of a team in an environment: their
// namespace has come to be.
func (f *Fleets) EnqueueTeam(name client.ObjectKey, team, environment string) {
	fleet := f.Get(name)
	if fleet == nil {
		return
	}
	for _, d := range fleet.Units() {
		if d.Unit.Model != "" && d.Unit.Team == team && d.Unit.Environment == environment {
			f.Enqueue(client.ObjectKey{Namespace: name.Namespace, Name: d.Unit.ReceiptName()})
		}
	}
}

// Record keeps the fingerprints of a unit's inventory.
func (f *Fleets) Record(unit schemas.Unit, inventory []schemas.InventoryEntry) {
	recorded := make(map[schemas.InventoryEntry]string, len(inventory))
	for _, entry := range inventory {
		fields := entry.Fields
		entry.Fields = ""
		recorded[entry] = fields
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fingerprints == nil {
		f.fingerprints = map[schemas.Unit]map[schemas.InventoryEntry]string{}
	}
	f.fingerprints[unit] = recorded
}

// Recorded is the fingerprint of an object in its unit's inventory; false for
// an object that is in none.
func (f *Fleets) Recorded(unit schemas.Unit, entry schemas.InventoryEntry) (string, bool) {
	entry.Fields = ""
	f.mu.RLock()
	defer f.mu.RUnlock()
	fields, ok := f.fingerprints[unit][entry]
	return fields, ok
}

// unitOf is the unit that a receipt is of.
func unitOf(r *schemas.ModelRelease) schemas.Unit {
	return schemas.Unit{Team: r.Spec.Team, Model: r.Spec.Model, Environment: r.Spec.Environment}
}
