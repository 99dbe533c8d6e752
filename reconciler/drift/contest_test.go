package drift

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/schemas"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func drifted(path, manager string) schemas.DriftedField {
	return schemas.DriftedField{Object: "InferenceService/ds/churn", Path: path, Manager: manager, Operation: "Update", State: schemas.DriftDetected}
}

func healed(field schemas.DriftedField, ago time.Duration) schemas.DriftedField {
	field.State = schemas.DriftHealed
	field.HealedAt = &metav1.Time{Time: noon.Add(-ago)}
	return field
}

func TestDecide(t *testing.T) {
	replicas, image := drifted(".spec.replicas", "hpa"), drifted(".spec.image", "kubectl")
	gone := drifted("", "")
	contested := replicas
	contested.State = schemas.DriftContested
	cases := []struct {
		name    string
		history []schemas.DriftedField
		found   []schemas.DriftedField
		want    Heal
		at      time.Duration
	}{
		{"a first drift is healed at once", nil, []schemas.DriftedField{replicas}, HealNow, 0},
		{"a second one waits", []schemas.DriftedField{healed(replicas, 10*time.Second)}, []schemas.DriftedField{replicas}, HealLater, 20 * time.Second},
		{"a pause that is over is over", []schemas.DriftedField{healed(replicas, 31*time.Second)}, []schemas.DriftedField{replicas}, HealNow, 0},
		{"the pause doubles, from the last heal", []schemas.DriftedField{healed(replicas, 20*time.Second), healed(replicas, 40*time.Minute)}, []schemas.DriftedField{replicas}, HealLater, 40 * time.Second},
		{"the third heal was the last", []schemas.DriftedField{healed(replicas, time.Minute), healed(replicas, 2*time.Minute), healed(replicas, 3*time.Minute)}, []schemas.DriftedField{replicas}, HealNever, 0},
		{"heals before the window do not count", []schemas.DriftedField{healed(replicas, 61*time.Minute), healed(replicas, 62*time.Minute), healed(replicas, 63*time.Minute)}, []schemas.DriftedField{replicas}, HealNow, 0},
		{"another manager is another matter", []schemas.DriftedField{healed(replicas, time.Minute), healed(replicas, 2*time.Minute), healed(replicas, 3*time.Minute)}, []schemas.DriftedField{drifted(".spec.replicas", "kubectl")}, HealNow, 0},
		{"another field is another matter", []schemas.DriftedField{healed(replicas, time.Second)}, []schemas.DriftedField{image}, HealNow, 0},
		{"one contested field holds the unit", []schemas.DriftedField{contested}, []schemas.DriftedField{image, replicas}, HealNever, 0},
		{"an object that someone keeps deleting is contested", []schemas.DriftedField{healed(gone, time.Minute), healed(gone, 2*time.Minute), healed(gone, 3*time.Minute)}, []schemas.DriftedField{gone}, HealNever, 0},
		{"the longest pause decides", []schemas.DriftedField{healed(replicas, time.Second), healed(image, 20*time.Second)}, []schemas.DriftedField{replicas, image}, HealLater, 29 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := HealPolicy{}.Decide(c.history, c.found, noon)
			if got.Heal != c.want || got.Reason == "" {
				t.Fatalf("decision %+v, want %s", got, c.want)
			}
			if c.want == HealLater && got.At.Sub(noon) != c.at {
				t.Errorf("in %s, want %s", got.At.Sub(noon), c.at)
			}
			if (c.want == HealNever) != (len(got.Contested) > 0) {
				t.Errorf("contested %+v", got.Contested)
			}
		})
	}
}

// A fight must end, whatever the opponent's pace, after a bounded number of heals.
func TestAFightEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		field := drifted(".spec.replicas", "other")
		var history []schemas.DriftedField
		now := noon
		for heals := 0; ; {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Minute)).Draw(t, "pause")))
			decision := HealPolicy{}.Decide(history, []schemas.DriftedField{field}, now)
			if decision.Heal == HealNever {
				return
			}
			if decision.Heal == HealLater {
				if !decision.At.After(now) {
					t.Fatal("later is not in the future")
				}
				now = decision.At
			}
			if heals++; heals > 3 {
				t.Fatal("healed more than three times within the window")
			}
			done := field
			done.State, done.HealedAt = schemas.DriftHealed, &metav1.Time{Time: now}
			history = append([]schemas.DriftedField{done}, history...)
		}
	})
}
