package schemas

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// The platform's rollback strategy, which holds where a manifest names none.
const (
	defaultErrorRate        = 5 * percentUnit
	defaultLatencyP95Factor = 2
	defaultAvailability     = 99 * percentUnit
	defaultRollbackFor      = Duration(5 * 60 * 1e9)
)

// checkModelDeployment applies the rules between fields and fills the defaults.
func checkModelDeployment(r *report, m *ModelDeployment) {
	r.checkModel(&m.Spec)
	serving := &m.Spec.Serving
	r.checkReplicas("spec.serving.replicas", &serving.Replicas)
	r.checkResources("spec.serving.resources", &serving.Resources)
	r.checkEnv("spec.serving.env", serving.Env)
	if serving.Container != nil {
		r.checkEnv("spec.serving.container.env", serving.Container.Env)
	}
	for name, c := range map[string]*Component{"transformer": serving.Transformer, "explainer": serving.Explainer} {
		if c == nil {
			continue
		}
		r.checkReplicas("spec.serving."+name+".replicas", &c.Replicas)
		r.checkResources("spec.serving."+name+".resources", &c.Resources)
		r.checkEnv("spec.serving."+name+".env", c.Env)
	}
	r.checkAutoscaling(serving.Autoscaling)
	r.checkGraph(m.Metadata.Name, serving.Graph)
	if serving.Pool == "" {
		serving.Pool = PoolAuto
	}
	r.checkRollout(&m.Spec.Rollout)
	if m.Spec.Checks != nil {
		r.checkChecks(m.Spec.Checks)
	}
}

// checkModel: exactly one of version and alias; custom and a container go together.
func (r *report) checkModel(spec *ModelDeploymentSpec) {
	const model, container = "spec.model", "spec.serving.container"
	r.exactlyOne(model, "version", "alias")
	if !r.sound("spec.model.format", container) || !r.written("spec.model.format") {
		return
	}
	custom := spec.Model.Format == FormatCustom
	switch {
	case custom && spec.Serving.Container == nil:
		r.fault(container, CodeRequired, "a model of format custom needs spec.serving.container", "write its image, args and env")
	case !custom && spec.Serving.Container != nil:
		r.fault(container, CodeConflict, "spec.serving.container is only for models of format custom", "remove it or write format: custom")
	case custom && spec.Serving.Runtime != "":
		r.fault("spec.serving.runtime", CodeConflict, "a custom container runs in no serving runtime", "remove the runtime")
	case custom && spec.Serving.Env != nil:
		r.fault("spec.serving.env", CodeConflict, "the environment of a custom container stands in the container", "move it to spec.serving.container.env")
	}
}

// exactlyOne of two fields is written.
func (r *report) exactlyOne(parent, one, other string) {
	first, second := r.written(parent+"."+one), r.written(parent+"."+other)
	switch {
	case first && second:
		r.fault(parent+"."+other, CodeConflict, fmt.Sprintf("%s has both %s and %s", parent, one, other), "keep one of the two")
	case !first && !second && r.written(parent):
		r.fault(parent, CodeRequired, fmt.Sprintf("%s needs %s or %s", parent, one, other), "write one of the two")
	}
}

// checkReplicas fills the defaults and holds the minimum against the maximum.
func (r *report) checkReplicas(field string, replicas *Replicas) {
	low, high := replicas.Low(), replicas.High()
	replicas.Min, replicas.Max = &low, &high
	if low <= high || !r.sound(field) {
		return
	}
	at := field + ".max"
	r.fault(at, CodeOutOfRange, fmt.Sprintf("%s.max is %d, less than the minimum of %d", field, high, low), "raise max or lower min")
}

// checkResources demands requests of both kinds, completes the limits, and
// refuses a limit below its request.
func (r *report) checkResources(field string, resources *Resources) {
	requests := &resources.Requests
	if resources.Limits == nil {
		resources.Limits = &ResourceList{}
	}
	for _, one := range []struct {
		name           string
		request, limit **resource.Quantity
	}{
		{"cpu", &requests.CPU, &resources.Limits.CPU},
		{"memory", &requests.Memory, &resources.Limits.Memory},
	} {
		request, limit := field+".requests."+one.name, field+".limits."+one.name
		switch {
		case *one.request == nil:
			if r.written(field + ".requests") {
				r.fault(request, CodeRequired, request+" is missing", "write how much one replica asks for")
			}
		case *one.limit == nil:
			*one.limit = *one.request
		case r.sound(request, limit) && (*one.limit).Cmp(**one.request) < 0:
			r.fault(limit, CodeOutOfRange, limit+" is below the request", "raise the limit or lower the request")
		}
	}
}

// checkEnv: each name once, and exactly one source for each.
func (r *report) checkEnv(field string, env []EnvVar) {
	seen := map[string]int{}
	for i, e := range env {
		at := fmt.Sprintf("%s[%d]", field, i)
		if first, twice := seen[e.Name]; twice && e.Name != "" {
			r.fault(at+".name", CodeDuplicateValue, fmt.Sprintf("%s repeats the name of %s[%d]", at, field, first), "keep one of the two")
		}
		seen[e.Name] = i
		// KServe's webhook refuses it: the servers depend on theirs.
		if e.Name == "PYTHONPATH" {
			r.fault(at+".name", CodeUnknownValue, "PYTHONPATH may not be set: KServe refuses it", "install the module into the image")
		}
		r.exactlyOne(at, "value", "valueFrom")
		if e.ValueFrom == nil || !r.sound(at+".valueFrom") {
			continue
		}
		sources := 0
		for _, set := range []bool{e.ValueFrom.SecretKeyRef != nil, e.ValueFrom.ConfigMapKeyRef != nil, e.ValueFrom.FieldRef != nil} {
			if set {
				sources++
			}
		}
		if sources != 1 {
			r.fault(at+".valueFrom", CodeConflict, at+".valueFrom needs exactly one source", "write one of secretKeyRef, configMapKeyRef, fieldRef")
		}
	}
}

// checkRollout: rising canary steps; the platform's rollback where none is written.
func (r *report) checkRollout(rollout *Rollout) {
	if c := rollout.Canary; c != nil {
		for i := 1; i < len(c.Steps); i++ {
			at := fmt.Sprintf("spec.rollout.canary.steps[%d]", i)
			if r.sound(at, fmt.Sprintf("spec.rollout.canary.steps[%d]", i-1)) && c.Steps[i] <= c.Steps[i-1] {
				r.fault(at, CodeNotAscending, fmt.Sprintf("step %d%% does not lie above the %d%% before it", c.Steps[i], c.Steps[i-1]),
					"write the steps in strictly ascending order")
			}
		}
	}
	const at = "spec.rollout.rollback."
	rollback := &rollout.Rollback
	fill(r, at+"errorRate", &rollback.ErrorRate, defaultErrorRate)
	fill(r, at+"latencyP95Factor", &rollback.LatencyP95Factor, defaultLatencyP95Factor)
	fill(r, at+"availability", &rollback.Availability, defaultAvailability)
	fill(r, at+"for", &rollback.For, defaultRollbackFor)
}

// fill sets a default unless the file has the field: a written 0% is no default.
func fill[T any](r *report, field string, into *T, value T) {
	if !r.written(field) {
		*into = value
	}
}

// checkChecks: a metric check needs a bound; a smoke test one payload.
func (r *report) checkChecks(checks *Checks) {
	seen := map[string]int{}
	for i, m := range checks.Metrics {
		at := fmt.Sprintf("spec.checks.metrics[%d]", i)
		if first, twice := seen[m.Name]; twice && m.Name != "" {
			r.fault(at+".name", CodeDuplicateValue, fmt.Sprintf("%s checks the metric of spec.checks.metrics[%d] again", at, first), "merge the two")
		}
		seen[m.Name] = i
		if m.Min == nil && m.Max == nil && m.MaxRegression == nil {
			r.fault(at, CodeRequired, at+" checks nothing", "write min, max or maxRegression")
		}
		r.checkBounds(at, m.Min, m.Max)
	}
	if checks.Smoke == nil {
		return
	}
	r.exactlyOne("spec.checks.smoke", "instances", "inputs")
	if e := checks.Smoke.Expect; e != nil {
		r.checkBounds("spec.checks.smoke.expect", e.Min, e.Max)
	}
}

func (r *report) checkBounds(field string, low, high *float64) {
	if low != nil && high != nil && *low > *high && r.sound(field+".min", field+".max") {
		r.fault(field+".max", CodeOutOfRange, field+".max is below min", "swap the two or correct one")
	}
}

// expand replaces the placeholders of a template, each written {name}.
func expand(template string, values ...string) string {
	return strings.NewReplacer(values...).Replace(template)
}
