package release

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mlops-platform/mooring/schemas"
)

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	first, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewMetrics(registry)
	if err != nil {
		t.Fatalf("a second controller in the process: %v", err)
	}
	for _, m := range []*Metrics{first, again, nil} {
		m.applied(nil)
		m.applied(errors.New("no"))
		m.pruned(nil)
		m.drift(DriftHealed)
		m.Moved("", schemas.PhasePending)
		m.Moved(schemas.PhasePending, schemas.PhaseLive)
		m.Quarantined("ns/models", 2)
		m.Reviewed("pass", time.Second)
		m.Arrived(time.Second)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
		if f.GetName() == "mooring_releases" {
			for _, s := range f.GetMetric() {
				want := map[string]float64{"Pending": 0, "Live": 2}[s.GetLabel()[0].GetValue()]
				if got := s.GetGauge().GetValue(); got != want {
					t.Errorf("%s: %v, want %v", s.GetLabel()[0].GetValue(), got, want)
				}
			}
		}
	}
	if len(names) != 8 || slices.ContainsFunc(names, func(n string) bool { return !strings.HasPrefix(n, "mooring_") }) {
		t.Errorf("the metrics are %v", names)
	}
}
