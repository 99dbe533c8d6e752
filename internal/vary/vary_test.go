package vary

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/schemas"
)

type inner struct {
	On bool `json:"on"`
}

type sample struct {
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Count    int32             `json:"count,omitempty"`
	Low      *int32            `json:"low,omitempty"`
	Absent   *inner            `json:"absent,omitempty"`
	Inner    *inner            `json:"inner,omitempty"`
	List     []inner           `json:"list"`
	Labels   map[string]string `json:"labels"`
	Mode     schemas.Capacity  `json:"mode"`
	Memory   resource.Quantity `json:"memory"`
	Fraction float64           `json:"fraction"`
}

func newSample() sample {
	low := int32(2)
	return sample{
		Name: "a", Version: "0.15", Count: 3, Low: &low, Inner: &inner{}, List: []inner{{}, {On: true}},
		Labels: map[string]string{"b.example.com/c": "d"}, Mode: schemas.CapacitySpot, Memory: resource.MustParse("1Gi"), Fraction: 0.5,
	}
}

var same = cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })

// Each change is another one, and leaves neither the value nor the next copy changed.
func TestEachChangesOnePlaceAtATime(t *testing.T) {
	t.Parallel()
	v := newSample()
	var fields []string
	Each(v, func(changed sample, c Change) {
		if cmp.Equal(changed, newSample(), same) {
			t.Errorf("%v changes nothing", c)
		}
		name := c.Field
		if c.Removed {
			name += " removed"
		}
		fields = append(fields, name)
		if c.Field != "name" && changed.Name != "a" || c.Field != "labels.b.example.com/c" && changed.Labels["b.example.com/c"] != "d" {
			t.Errorf("%v changes more: %+v", c, changed)
		}
	})
	want := []string{
		"name", "version", "count", "low", "inner.on", "inner removed",
		"list[0].on", "list[0] removed", "list[1].on", "list[1] removed",
		"labels.b.example.com/c", "labels.b.example.com/c removed", "mode", "memory", "fraction",
	}
	if diff := cmp.Diff(want, slices.Compact(fields)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(newSample(), v, same); diff != "" {
		t.Errorf("the value itself has changed:\n%s", diff)
	}
}

func TestOtherValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  []any
	}{
		{true, []any{false}},
		{int32(2), []any{int64(3), int64(1), int64(0), int64(1), int64(4)}},
		{int32(0), []any{int64(1), int64(1)}},
		{"0.15", []any{"0.16", "0.14"}},
		{"a", []any{"ax"}},
		{schemas.CapacitySpot, []any{string(schemas.CapacityOnDemand)}},
		{[]string(nil), nil},
	} {
		var got []any
		for _, o := range others(reflect.ValueOf(c.value)) {
			got = append(got, o.Interface())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("others of %v (-want +got):\n%s", c.value, diff)
		}
	}
}
