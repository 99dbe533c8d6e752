package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

func TestEveryRecordThatIsRefusedIsCounted(t *testing.T) {
	b := newBench(t, high)
	registry := prometheus.NewRegistry()
	var err error
	if b.engine.Metrics, err = NewMetrics(registry); err != nil {
		t.Fatal(err)
	}
	refuse := func(line, reason string) {
		t.Helper()
		b.fails = map[string]error{line: errors.New("disk full")}
		if _, err := b.look(); err == nil {
			t.Errorf("%s: no error", line)
		}
		b.says("Ready", reason)
		b.fails = map[string]error{}
	}
	refuse("intent apply", ReasonNotRecorded)
	refuse("outcome apply", ReasonNotRecorded)
	b.bring()
	b.drifted = []schemas.DriftedField{field("minReplicas", b.now)}
	refuse("intent heal", ReasonNotRecorded)
	b.ledger.Approved[high] = schemas.ApprovedFile{Path: high}
	b.reload()
	refuse("intent prune", ReasonNotRecorded)
	refuse("outcome prune", ReasonNotRecorded)
	b.engine.Metrics.Unrecorded(ActionApprove, fmt.Errorf("it ends: %w", context.Canceled))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if f.GetName() == "mooring_records_refused_total" {
				got[s.GetLabel()[0].GetValue()] = s.GetCounter().GetValue()
			}
		}
	}
	if want := map[string]float64{"apply": 2, "heal": 1, "prune": 2}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
