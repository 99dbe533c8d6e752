package schemas

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// Whatever is valid survives being written, as JSON and as YAML.
func TestAValidManifestReadsBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyManifest(t)
		asJSON, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		asYAML, err := yaml.JSONToYAML(asJSON)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string][]byte{"JSON": asJSON, "YAML": asYAML} {
			doc, findings := ParseModelDeployment("f.yaml", text)
			if len(findings) > 0 {
				t.Fatalf("%s refused: %v\n%s", form, findings, text)
			}
			if diff := cmp.Diff(want, doc.Value); diff != "" {
				t.Fatalf("%s differs: %s\n%s", form, diff, text)
			}
		}
	})
}

// anyManifest draws a valid manifest with its defaults filled in.
func anyManifest(t *rapid.T) ModelDeployment {
	m := ModelDeployment{APIVersion: APIVersion, Kind: KindModelDeployment}
	m.Metadata.Name = draw(t, rapid.StringMatching(`[a-z]([-a-z0-9]{0,38}[a-z0-9])?`))
	m.Spec = ModelDeploymentSpec{
		Team:          draw(t, rapid.StringMatching(`[a-z]([-a-z0-9]{0,38}[a-z0-9])?`)),
		Environment:   draw(t, rapid.StringMatching(`[a-z][a-z0-9]{0,39}`)),
		Model:         anyModel(t),
		Serving:       anyServing(t),
		Rollout:       anyRollout(t),
		Features:      optional(t, rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zA-Z0-9_]{1,20}`), 1, 4, rapid.ID)),
		Justification: draw(t, rapid.StringMatching(`[ -~é→\n]{0,80}`)),
		Governance: Facts{
			BusinessImpact: "high", CustomerExposure: "yes", DataSensitivity: "pii", Explainability: "n0",
			Regulations: draw(t, rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"gdpr", "sox", "off", "1e"}), 0, 3, rapid.ID)),
		},
	}
	if m.Spec.Model.Format == FormatCustom {
		m.Spec.Serving.Container = &Container{Image: "registry.example.com/server:1", Args: []string{"--x", "1", "1", "true", "null", ""}}
		m.Spec.Serving.Env = nil
	}
	m.Spec.Checks = &Checks{
		Metrics: []MetricCheck{{Name: "auc", Min: new(draw(t, rapid.Float64Range(-1e9, 1e9)))}},
		Smoke:   &Smoke{Instances: []any{anyPayload(t, 3)}},
	}
	return m
}

func draw[T any](t *rapid.T, g *rapid.Generator[T]) T { return g.Draw(t, "value") }

// optional is a drawn slice or none: an empty one is not written.
func optional[T any](t *rapid.T, g *rapid.Generator[[]T]) []T {
	if draw(t, rapid.Bool()) {
		return nil
	}
	return draw(t, g)
}

func anyModel(t *rapid.T) Model {
	registered := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,127}`)
	m := Model{Name: draw(t, registered), Format: draw(t, rapid.SampledFrom(ModelFormats))}
	if draw(t, rapid.Bool()) {
		m.Version = draw(t, registered)
	} else {
		m.Alias = draw(t, registered)
	}
	return m
}

func anyServing(t *rapid.T) Serving {
	low := draw(t, rapid.Int32Range(0, 1000))
	high := draw(t, rapid.Int32Range(low, 1000))
	quantity := func(unit string) *resource.Quantity {
		return new(resource.MustParse(fmt.Sprintf("%d%s", draw(t, rapid.IntRange(1, 5000)), unit)))
	}
	s := Serving{
		Replicas:  Replicas{Min: &low, Max: &high},
		Resources: Resources{Requests: ResourceList{CPU: quantity("m"), Memory: quantity("Mi")}},
		Pool:      draw(t, rapid.SampledFrom([]string{PoolAuto, "gpu", "no", "1"})),
		Capacity:  draw(t, rapid.SampledFrom([]Capacity{"", CapacitySpot, CapacityOnDemand})),
	}
	s.Resources.Limits = &ResourceList{CPU: s.Resources.Requests.CPU, Memory: s.Resources.Requests.Memory}
	names := optional(t, rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z_][A-Z0-9_]{1,12}`), 1, 3, rapid.ID))
	for _, name := range names {
		s.Env = append(s.Env, EnvVar{Name: name, Value: new(draw(t, rapid.StringMatching(`[ -~é]{0,20}`)))})
	}
	return s
}

func anyRollout(t *rapid.T) Rollout {
	r := Rollout{Rollback: Rollback{
		ErrorRate:        Percent(draw(t, rapid.Int64Range(0, 100*percentUnit))),
		LatencyP95Factor: draw(t, rapid.Float64Range(1, 1000)),
		Availability:     Percent(draw(t, rapid.Int64Range(0, 100*percentUnit))),
		For:              Duration(draw(t, rapid.Int64Range(1, 1000)) * 1e9),
	}}
	if draw(t, rapid.Bool()) {
		first := draw(t, rapid.Int32Range(1, 50))
		r.Canary = &Canary{Steps: []int32{first, first + draw(t, rapid.Int32Range(1, 49))}, Interval: Duration(90 * 1e9)}
	}
	return r
}

// anyPayload draws JSON as the loader returns it.
func anyPayload(t *rapid.T, depth int) any {
	switch draw(t, rapid.IntRange(0, 3+min(depth, 2))) {
	case 0:
		return draw(t, rapid.StringMatching(`[ -~é]{0,12}`))
	case 1:
		return draw(t, rapid.Bool())
	case 2:
		return json.Number(fmt.Sprint(draw(t, rapid.Int32())))
	case 3:
		return json.Number(fmt.Sprintf("%d.5", draw(t, rapid.Int32Range(0, 1000))))
	case 4:
		list := []any{}
		for range draw(t, rapid.IntRange(0, 3)) {
			list = append(list, anyPayload(t, depth-1))
		}
		return list
	default:
		object := map[string]any{}
		for i := range draw(t, rapid.IntRange(0, 3)) {
			object[fmt.Sprintf("k%d", i)] = anyPayload(t, depth-1)
		}
		return object
	}
}
