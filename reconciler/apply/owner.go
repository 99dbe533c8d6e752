package apply

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

// AnnotationAdopt on a live object permits the unit whose ReceiptName it holds
// to take the object over.
const AnnotationAdopt = schemas.Group + "/adopt-by"

// UnitOf reads the unit from an object's labels; false if it is not Mooring's.
func UnitOf(obj *unstructured.Unstructured) (schemas.Unit, bool) {
	labels := obj.GetLabels()
	if labels[schemas.LabelManagedBy] != schemas.ManagedByMooring || labels[schemas.LabelTeam] == "" {
		return schemas.Unit{}, false
	}
	return schemas.Unit{
		Team:        labels[schemas.LabelTeam],
		Model:       labels[schemas.LabelModel],
		Environment: labels[schemas.LabelEnvironment],
	}, true
}

// Owns reports whether obj carries the labels of unit.
func Owns(unit schemas.Unit, obj *unstructured.Unstructured) bool {
	got, ok := UnitOf(obj)
	return ok && got == unit
}

// ownership refuses to overwrite an object that someone else made, or that is
// another unit's.
func ownership(unit schemas.Unit, t *target, live *unstructured.Unstructured) error {
	if Owns(unit, live) || live.GetAnnotations()[AnnotationAdopt] == unit.ReceiptName() {
		return nil
	}
	message := "exists already and is not managed by Mooring"
	if other, ok := UnitOf(live); ok {
		message = "exists already and belongs to " + other.String()
	}
	return &Refusal{
		Object: t.name(), Cause: CauseNotOurs, Message: message,
		Remedy: fmt.Sprintf("rename one of the two, delete the existing one, or permit taking it over: kubectl annotate %s %s%s %s=%s",
			t.gvr.GroupResource(), live.GetName(), namespaceFlag(live), AnnotationAdopt, unit.ReceiptName()),
	}
}

func namespaceFlag(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return ""
	}
	return " -n " + obj.GetNamespace()
}
