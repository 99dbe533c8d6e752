package drift

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/schemas"
)

type (
	runtimeObject  = runtime.Object
	watchInterface = apiwatch.Interface
)

// handler turns a watch's deliveries into events. Most deliveries (status
// counters, leases of other controllers) end here.
type handler struct {
	watcher *Watcher
	gvk     schema.GroupVersionKind
}

var _ cache.ResourceEventHandler = (*handler)(nil)

func (h *handler) OnAdd(obj any, _ bool) {
	if live, ok := obj.(*unstructured.Unstructured); ok {
		h.judge(nil, live)
	}
}

func (h *handler) OnUpdate(old, obj any) {
	before, _ := old.(*unstructured.Unstructured)
	if live, ok := obj.(*unstructured.Unstructured); ok {
		h.judge(before, live)
	}
}

// OnDelete is also how an object arrives whose labels were removed. Its last
// state tells whose it was.
func (h *handler) OnDelete(obj any) {
	if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	last, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return
	}
	if event, ok := h.event(last); ok {
		event.Deleted = true
		_, event.Drifted = h.watcher.options.Recorded(event.Unit, entryOf(last))
		event.Health = apply.HealthOf(nil)
		event.HealthChanged = true
		h.watcher.options.OnEvent(event)
	}
}

func (h *handler) event(obj *unstructured.Unstructured) (Event, bool) {
	unit, ok := apply.UnitOf(obj)
	return Event{Unit: unit, GVK: h.gvk, Namespace: obj.GetNamespace(), Name: obj.GetName(), Object: obj}, ok
}

func (h *handler) judge(before, live *unstructured.Unstructured) {
	if before != nil && before.GetResourceVersion() == live.GetResourceVersion() {
		return
	}
	event, ok := h.event(live)
	if !ok || h.moved(before, event) {
		h.OnDelete(before)
	}
	if !ok {
		return
	}
	event.Health = apply.HealthOf(live)
	event.HealthChanged = before == nil || apply.HealthOf(before) != event.Health
	event.Drifted = h.drifted(event.Unit, before, live)
	if event.Drifted || event.HealthChanged {
		h.watcher.options.OnEvent(event)
	}
}

// moved reports that someone relabelled an object to another unit: the unit
// that had it must learn that it is gone.
func (h *handler) moved(before *unstructured.Unstructured, now Event) bool {
	if before == nil {
		return false
	}
	was, ok := h.event(before)
	return ok && was.Unit != now.Unit
}

// drifted is true once per change of the owned fields, not for every later
// delivery of an object whose drift is only reported.
func (h *handler) drifted(unit schemas.Unit, before, live *unstructured.Unstructured) bool {
	recorded, known := h.watcher.options.Recorded(unit, entryOf(live))
	if !known {
		return false
	}
	hash, err := Fingerprint(live, schemas.FieldManager)
	if err == nil && hash == recorded {
		return false
	}
	if before == nil {
		return true
	}
	previous, previousErr := Fingerprint(before, schemas.FieldManager)
	return previous != hash || (previousErr == nil) != (err == nil)
}

// slim drops what neither a fingerprint nor an inspection reads and what is
// often the largest part of an object.
func slim(obj any) (any, error) {
	live, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	if _, found := live.GetAnnotations()[lastApplied]; found {
		unstructured.RemoveNestedField(live.Object, "metadata", "annotations", lastApplied)
	}
	return live, nil
}
