package drift

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
	"github.com/mlops-platform/mooring/schemas"
)

// Cluster answers questions about the cluster, without writing. *apply.Applier is one.
type Cluster interface {
	// Get returns nil for an object that is not there.
	Get(ctx context.Context, entry schemas.InventoryEntry) (*unstructured.Unstructured, error)
	// DryRun is what applying obj would make of the live object.
	DryRun(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// Cache holds live objects that a watch delivered. *Watcher is one.
type Cache interface {
	Get(gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, bool)
}

// InspectorOptions set an Inspector's pace; the zero value is good.
type InspectorOptions struct {
	// PerSecond and Burst bound the dry runs, over all units.
	PerSecond float32
	Burst     int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Inspector tells drift from mere change. It is safe for concurrent use.
type Inspector struct {
	cluster Cluster
	cache   Cache
	limit   flowcontrol.RateLimiter
	now     func() time.Time
}

// NewInspector returns an Inspector that asks cluster only about objects whose
// fingerprint in cache differs from the recorded one.
func NewInspector(cluster Cluster, cache Cache, options InspectorOptions) *Inspector {
	if options.PerSecond <= 0 {
		options.PerSecond = 10
	}
	if options.Burst <= 0 {
		options.Burst = 20
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Inspector{
		cluster: cluster, cache: cache, now: options.Now,
		limit: flowcontrol.NewTokenBucketRateLimiter(options.PerSecond, options.Burst),
	}
}

// Inspection is what was found.
type Inspection struct {
	// Drifted lists real differences, in the order of the desired objects.
	Drifted []schemas.DriftedField
	// Renew lists objects that are as they should be while their evidence is
	// gone or of another version; Fields holds the fingerprint they have now,
	// empty if they have none. Applying the unit again renews ownership; if
	// Fields is set, recording it is enough to keep quiet until then.
	Renew []schemas.InventoryEntry
}

// Inspect compares the unit's objects, desired as they were last applied, with
// the cluster. An error about one object leaves the findings on all others in
// the result.
func (i *Inspector) Inspect(ctx context.Context, desired []*unstructured.Unstructured, inventory []schemas.InventoryEntry) (Inspection, error) {
	recorded := make(map[string]string, len(inventory))
	for _, entry := range inventory {
		recorded[refKey(entry.Kind, entry.Namespace, entry.Name)] = entry.Fields
	}
	var found Inspection
	var errs []error
	for _, obj := range desired {
		want := recorded[refKey(obj.GetKind(), obj.GetNamespace(), obj.GetName())]
		if err := i.inspectOne(ctx, obj, want, &found); err != nil {
			errs = append(errs, fmt.Errorf("inspect %s: %w", fields.Name(obj), err))
		}
	}
	return found, errors.Join(errs...)
}

func refKey(kind, namespace, name string) string { return fields.FormatName(kind, namespace, name) }

func (i *Inspector) inspectOne(ctx context.Context, desired *unstructured.Unstructured, recorded string, found *Inspection) error {
	live, cached := i.cache.Get(desired.GroupVersionKind(), desired.GetNamespace(), desired.GetName())
	if cached && recorded != "" {
		if hash, err := Fingerprint(live, schemas.FieldManager); err == nil && hash == recorded {
			return nil
		}
	}
	if err := i.limit.Wait(ctx); err != nil {
		return err
	}
	if !cached {
		// Not in the cache means gone, or stripped of the label that it is
		// watched by, or not seen yet: only the API server knows.
		var err error
		if live, err = i.cluster.Get(ctx, entryOf(desired)); err != nil {
			return err
		}
		if live == nil {
			found.Drifted = append(found.Drifted, i.missing(desired))
			return nil
		}
	}
	return i.confirm(ctx, desired, live, found)
}

// confirm asks what healing would change. The cache may be behind the apply
// that the caller just made; the answer's resource version tells.
func (i *Inspector) confirm(ctx context.Context, desired, live *unstructured.Unstructured, found *Inspection) error {
	healed, err := i.cluster.DryRun(ctx, desired)
	if err != nil {
		return err
	}
	if healed.GetResourceVersion() != live.GetResourceVersion() {
		if live, err = i.cluster.Get(ctx, entryOf(desired)); err != nil {
			return err
		}
		if live == nil {
			found.Drifted = append(found.Drifted, i.missing(desired))
			return nil
		}
	}
	owned, err := fields.Owned(healed, schemas.FieldManager)
	if err != nil {
		return err
	}
	changes := fields.OwnedChanges(healed, live, owned)
	if len(changes) == 0 {
		entry := entryOf(desired)
		hash, err := Fingerprint(live, schemas.FieldManager)
		if err != nil && !errors.Is(err, ErrNoEvidence) {
			return err
		}
		entry.Fields = hash
		found.Renew = append(found.Renew, entry)
		return nil
	}
	for _, change := range changes {
		found.Drifted = append(found.Drifted, i.describe(live, change))
	}
	return nil
}

func (i *Inspector) describe(live *unstructured.Unstructured, change fields.Change) schemas.DriftedField {
	field := schemas.DriftedField{
		Object: fields.Name(live), Path: change.Path, Before: change.Before, After: change.After,
		Since: metav1.NewTime(i.now()), State: schemas.DriftDetected,
	}
	if author, ok := fields.AuthorOf(live, change.Owned, schemas.FieldManager); ok {
		field.Manager, field.Operation = author.Manager, author.Operation
		if !author.At.IsZero() {
			field.Since = author.At
		}
	}
	return field
}

func (i *Inspector) missing(desired *unstructured.Unstructured) schemas.DriftedField {
	return schemas.DriftedField{
		Object: fields.Name(desired), Before: "present", After: "absent",
		Operation: "Delete", Since: metav1.NewTime(i.now()), State: schemas.DriftDetected,
	}
}

func entryOf(obj *unstructured.Unstructured) schemas.InventoryEntry {
	return schemas.InventoryEntry{
		APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(),
		Namespace: obj.GetNamespace(), Name: obj.GetName(),
	}
}
