package apply_test

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/apply"
)

const perSet = 50

func (f fixture) services(run int) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, perSet)
	for i := range objects {
		objects[i] = f.object(unit, fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: s-%d-%d}
spec: {clusterIP: None, selector: {app: a}, ports: [{port: 80}]}`, run, i))
	}
	return objects
}

// BenchmarkApply measures whole sets: each object is looked up (when new), tried and written.
func BenchmarkApply(b *testing.B) {
	b.Run("create", func(b *testing.B) {
		f := setup(b)
		run := 0
		for b.Loop() {
			run++
			f.mustApply(apply.Set{Unit: unit, Objects: f.services(run)})
		}
		b.ReportMetric(float64(perSet*b.N)/b.Elapsed().Seconds(), "objects/s")
	})
	b.Run("no-op", func(b *testing.B) {
		f := setup(b)
		set := apply.Set{Unit: unit, Objects: f.services(0)}
		set.Previous = f.mustApply(set).Inventory
		for b.Loop() {
			f.mustApply(set)
		}
		b.ReportMetric(float64(perSet*b.N)/b.Elapsed().Seconds(), "objects/s")
	})
}
