package desired

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/internal/vary"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// Origin is a field of a file that decides a field of an object.
type Origin struct {
	// File is empty for what is in no file of the repository.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Field in the file, such as "spec.serving.replicas.min".
	Field string `json:"field"`
	// Default: the file does not hold the field; its default decides.
	Default bool `json:"default,omitempty"`
	// Reason of a decision that was taken by more than this field.
	Reason string `json:"reason,omitempty"`
}

// Explained is an object and where it comes from.
type Explained struct {
	Object *unstructured.Unstructured
	// Exists says without what there would be no such object.
	Exists []Origin
	// Fields are the origins of the object's single values by their path, such as
	// "spec.predictor.tolerations[0].key". A value that is absent is Mooring's own.
	Fields map[string][]Origin
}

// ExplainModel renders a manifest as Model does, and says where each value comes
// from. It finds out by trying: a value's origins are those fields of the
// manifest, the team and the environment which, when they alone change, change
// it. The choice of the pools and the level of risk, which many fields decide
// together, are held and explained by their own reasons.
func (w World) ExplainModel(doc *schemas.Document[schemas.ModelDeployment]) ([]Explained, schemas.Findings) {
	set, findings := w.Model(doc)
	if findings.Failed() {
		return nil, findings
	}
	d := doc.Value
	envDoc, teamDoc := w.Platform.Environments[d.Spec.Environment], w.Platform.Teams[d.Spec.Team]
	e, err := newExplainer(func(in inputs) ([]*unstructured.Unstructured, error) {
		return render.Model(modelInput(in.repository, in.manifest, &in.team, &in.environment, in.placed, in.level))
	}, inputs{w.Repository, d, envDoc.Value, teamDoc.Value, set.Placement, set.Level})
	if err != nil {
		return nil, append(findings, At(doc, schemas.SeverityError, "spec", CodeRender, err.Error(), "correct the manifest"))
	}
	vary.Each(d, func(v schemas.ModelDeployment, c vary.Change) {
		in := e.inputs
		in.manifest = v
		e.tryChange(in, c, originOf(doc, c.Field))
	})
	e.governing(envDoc, teamDoc)
	e.decisions(w, doc)
	return e.explained(set, originOf(envDoc, "spec.overlay")), findings
}

// ExplainTenancy is ExplainModel for a team's namespaces in an environment.
func (w World) ExplainTenancy(team, environment string) ([]Explained, schemas.Findings) {
	set, findings := w.Tenancy(team, environment)
	if findings.Failed() {
		return nil, findings
	}
	envDoc, teamDoc := w.Platform.Environments[environment], w.Platform.Teams[team]
	e, err := newExplainer(func(in inputs) ([]*unstructured.Unstructured, error) {
		return render.Tenancy(render.TenancyInput{Repository: in.repository, Team: &in.team, Environment: &in.environment})
	}, inputs{repository: w.Repository, environment: envDoc.Value, team: teamDoc.Value})
	if err != nil {
		return nil, append(findings, At(teamDoc, schemas.SeverityError, "spec", CodeRender, err.Error(), "correct the team's file"))
	}
	e.governing(envDoc, teamDoc)
	return e.explained(set, originOf(envDoc, "spec.overlay")), findings
}

func originOf[T any](doc *schemas.Document[T], field string) Origin {
	return Origin{File: doc.File, Line: doc.Position(field).Line, Field: field, Default: !doc.Written(field)}
}

// inputs are all that is rendered from.
type inputs struct {
	repository  string
	manifest    schemas.ModelDeployment
	environment schemas.Environment
	team        schemas.Team
	placed      placement.Placement
	level       schemas.RiskLevel
}

// evidence ranks origins: a value is explained by the best that there are.
type evidence int

const (
	// byRemoval: the value goes when the whole field goes.
	byRemoval evidence = iota
	byDefault
	byValue
)

type cause struct {
	Origin
	evidence evidence
}

// ofPresence is the cause as one of whether there is an object at all: there a
// field that has to be written counts as much as one that has to have a value.
func (c cause) ofPresence() cause {
	if c.evidence == byRemoval {
		c.evidence = byValue
	}
	return c
}

// explainer renders changed inputs and notes what becomes of each value.
type explainer struct {
	render func(inputs) ([]*unstructured.Unstructured, error)
	inputs inputs
	// objects as the inputs have them, without the overlay.
	objects []*unstructured.Unstructured
	// exists and fields are what was found, by object.
	exists [][]cause
	fields []map[string][]cause
}

func newExplainer(r func(inputs) ([]*unstructured.Unstructured, error), in inputs) (*explainer, error) {
	objects, err := r(in)
	e := &explainer{render: r, inputs: in, objects: objects, exists: make([][]cause, len(objects))}
	for range objects {
		e.fields = append(e.fields, map[string][]cause{})
	}
	return e, err
}

// governing tries what the team, the environment and the repository's name say.
func (e *explainer) governing(env *schemas.Document[schemas.Environment], team *schemas.Document[schemas.Team]) {
	vary.Each(env.Value, func(v schemas.Environment, c vary.Change) {
		in := e.inputs
		in.environment = v
		e.tryChange(in, c, originOf(env, c.Field))
	})
	vary.Each(team.Value, func(v schemas.Team, c vary.Change) {
		in := e.inputs
		in.team = v
		e.tryChange(in, c, originOf(team, c.Field))
	})
	in := e.inputs
	in.repository += "x"
	e.try(in, cause{Origin{Field: "the name of the ModelRepository"}, byValue})
}

// decisions tries other pools, capacities and levels.
func (e *explainer) decisions(w World, doc *schemas.Document[schemas.ModelDeployment]) {
	for i, c := range e.inputs.placed.Components {
		why := originOf(doc, "spec.serving.pool")
		why.Reason = fmt.Sprintf("pool %s for the %s: %s", c.Choice.Pool, c.Name, c.Choice.Reason)
		for _, pool := range e.inputs.environment.Spec.Pools {
			in := e.inputs
			in.placed.Components = slices.Clone(in.placed.Components)
			in.placed.Components[i].Choice.Pool = pool.Name
			e.try(in, cause{why, byValue})
		}
		capacity := originOf(doc, "spec.serving.capacity")
		if env := w.Platform.Environments[doc.Value.Spec.Environment]; capacity.Default {
			capacity = originOf(env, "spec.capacity")
		}
		for _, other := range schemas.Values(reflect.TypeFor[schemas.Capacity]()) {
			in := e.inputs
			in.placed.Components = slices.Clone(in.placed.Components)
			in.placed.Components[i].Choice.Capacity = schemas.Capacity(other)
			e.try(in, cause{capacity, byValue})
		}
	}
	risk := originOf(doc, "spec.governance")
	if a, err := w.OwnRisk(doc.Value); err == nil { // the manifest was rendered, so it can be assessed
		risk.Reason = fmt.Sprintf("risk %s: %d of 50 points", a.Level, a.Score)
	}
	in := e.inputs
	in.level += "x"
	e.try(in, cause{risk, byValue})
}

func (e *explainer) tryChange(in inputs, c vary.Change, o Origin) {
	found := cause{o, byValue}
	switch {
	case c.Removed:
		found.evidence = byRemoval
	case o.Default:
		found.evidence = byDefault
	}
	e.try(in, found)
}

// try notes the cause with every value that the inputs render otherwise. Inputs
// that render nothing tell nothing.
func (e *explainer) try(in inputs, c cause) {
	objects, err := e.render(in)
	if err != nil {
		return
	}
	counterpart := matchObjects(e.objects, objects)
	for i, o := range e.objects {
		other := counterpart(i)
		if other == nil {
			e.exists[i] = note(e.exists[i], c.ofPresence())
			continue
		}
		differences(o.Object, other.Object, "", func(at string) { e.fields[i][at] = note(e.fields[i][at], c) })
	}
}

func note(causes []cause, c cause) []cause {
	for i, had := range causes {
		if had.File == c.File && had.Field == c.Field {
			causes[i].evidence = max(had.evidence, c.evidence)
			return causes
		}
	}
	return append(causes, c)
}

// matchObjects finds an object among others: by its name or, since a change can
// rename it, by its place among those of its kind where there are as many.
func matchObjects(objects, others []*unstructured.Unstructured) func(int) *unstructured.Unstructured {
	kinds, otherKinds := map[string][]int{}, map[string][]*unstructured.Unstructured{}
	for i, o := range objects {
		kinds[o.GetKind()] = append(kinds[o.GetKind()], i)
	}
	for _, o := range others {
		otherKinds[o.GetKind()] = append(otherKinds[o.GetKind()], o)
	}
	return func(i int) *unstructured.Unstructured {
		o := objects[i]
		same, candidates := kinds[o.GetKind()], otherKinds[o.GetKind()]
		if len(same) == len(candidates) {
			return candidates[slices.Index(same, i)]
		}
		for _, c := range candidates {
			if c.GetNamespace() == o.GetNamespace() && c.GetName() == o.GetName() {
				return c
			}
		}
		return nil
	}
}

// differences calls found with the path of each single value of a that b has
// otherwise or not at all.
func differences(a, b any, at string, found func(string)) {
	switch a := a.(type) {
	case map[string]any:
		b, _ := b.(map[string]any)
		for key, value := range a {
			differences(value, b[key], strings.TrimPrefix(at+"."+key, "."), found)
		}
	case []any:
		b, _ := b.([]any)
		for i, value := range a {
			var other any
			if i < len(b) {
				other = b[i]
			}
			differences(value, other, fmt.Sprintf("%s[%d]", at, i), found)
		}
	default:
		if !reflect.DeepEqual(a, b) {
			found(at)
		}
	}
}

// explained joins what was found with the set's objects, which the overlay has
// gone over.
func (e *explainer) explained(set Set, overlay Origin) []Explained {
	overlay.Reason = "the overlay " + path.Join(e.inputs.environment.Spec.Overlay, "kustomization.yaml")
	plain := map[string]int{}
	for i, o := range e.objects {
		plain[identity(o)] = i
	}
	var out []Explained
	for _, o := range set.Objects {
		x := Explained{Object: o, Fields: map[string][]Origin{}}
		i, known := plain[identity(o)]
		if known {
			x.Exists = best(e.exists[i])
			for at, causes := range e.fields[i] {
				x.Fields[at] = best(causes)
			}
			differences(o.Object, e.objects[i].Object, "", func(at string) { x.Fields[at] = []Origin{overlay} })
		} else {
			x.Exists = []Origin{overlay}
		}
		out = append(out, x)
	}
	return out
}

func identity(o *unstructured.Unstructured) string {
	return o.GroupVersionKind().GroupKind().String() + " " + o.GetNamespace() + "/" + o.GetName()
}

// best are the causes of the highest evidence.
func best(causes []cause) []Origin {
	var top evidence
	for _, c := range causes {
		top = max(top, c.evidence)
	}
	var out []Origin
	for _, c := range causes {
		if c.evidence == top {
			out = append(out, c.Origin)
		}
	}
	return out
}
