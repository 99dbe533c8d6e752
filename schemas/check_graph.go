package schemas

import (
	"fmt"
	"slices"
)

// checkAutoscaling: each metric has the fields that mean something for it.
func (r *report) checkAutoscaling(a *Autoscaling) {
	const at = "spec.serving.autoscaling"
	if a == nil || !r.sound(at) {
		return
	}
	switch {
	case a.Metric == ScaleExternal && a.Target != 0:
		r.fault(at+".target", CodeConflict, "an external autoscaler has a target of its own", "remove the target")
	case a.Metric != ScaleExternal && a.Target == 0:
		r.fault(at+".target", CodeRequired, at+".target is missing", "write the target at which the replicas are right")
	case a.Metric == ScalePrometheus && a.Query == "":
		r.fault(at+".query", CodeRequired, at+".query is missing", "write the PromQL query to scale on")
	case a.Metric != ScalePrometheus && a.Query != "":
		r.fault(at+".query", CodeConflict, "a query is only for metric prometheus", "remove the query, or write metric: prometheus")
	}
}

// checkGraph: the model is in its own graph, each model once, and each step has
// the fields that its router reads.
func (r *report) checkGraph(model string, g *Graph) {
	const at = "spec.serving.graph"
	if g == nil || !r.sound(at, "metadata.name") {
		return
	}
	seen := map[string]int{}
	var weights int32
	for i, step := range g.Steps {
		field := fmt.Sprintf("%s.steps[%d]", at, i)
		if first, twice := seen[step.Model]; twice {
			r.fault(field+".model", CodeDuplicateValue, fmt.Sprintf("%s asks the model of %s.steps[%d] again", field, at, first), "keep one of the two")
		}
		seen[step.Model] = i
		r.checkStep(field, g.Router, step)
		if step.Weight != nil {
			weights += *step.Weight
		}
	}
	if _, in := seen[model]; !in {
		r.fault(at+".steps", CodeRequired, "the graph does not ask this model itself", "make it one of the steps, or declare the graph with a model that is")
	}
	if g.Router == GraphSplitter && weights != 100 {
		r.fault(at+".steps", CodeOutOfRange, fmt.Sprintf("the weights add up to %d, not 100", weights), "correct the weights")
	}
}

func (r *report) checkStep(at string, router GraphRouter, step GraphStep) {
	for _, rule := range []struct {
		field    string
		set      bool
		required bool
		routers  []GraphRouter
	}{
		{"weight", step.Weight != nil, true, []GraphRouter{GraphSplitter}},
		{"condition", step.Condition != "", router == GraphSwitch, []GraphRouter{GraphSwitch, GraphSequence}},
		{"data", step.Data != "", false, []GraphRouter{GraphSequence}},
	} {
		reads := slices.Contains(rule.routers, router)
		switch {
		case rule.set && !reads:
			r.fault(at+"."+rule.field, CodeConflict, fmt.Sprintf("a %s does not read %s", router, rule.field), "remove it, or choose another router")
		case !rule.set && reads && rule.required:
			r.fault(at+"."+rule.field, CodeRequired, fmt.Sprintf("a %s needs the %s of each step", router, rule.field), "write it")
		}
	}
}

// graph: KServe's router asks models over HTTP by the protocol v1, at the address
// of each service, and runs in the mode of the services.
func (c *references) graph(e *EnvironmentSpec) {
	if c.spec.Serving.Graph == nil {
		return
	}
	const at = "spec.serving.graph"
	if release, err := ParseKServeVersion(e.KServe.Version); err == nil && !release.AtLeast(KServeGraph) {
		c.fault(at, CodeServingMode, fmt.Sprintf("graphs need KServe %s or later, the environment has %s", KServeGraph, release), "remove the graph, or upgrade KServe and write its version")
	}
	if e.PodSecurity == PodSecurityRestricted {
		c.restrictedGraph(at, e.KServe.Mode)
	}
	if c.spec.InferenceProtocol().GRPC() {
		c.fault(at, CodeConflict, "a graph asks its models over HTTP, and this one speaks "+string(c.spec.InferenceProtocol()), "serve it over v1 or v2")
	}
}

// restrictedGraph: KServe gives its router no seccomp profile, which the restricted
// standard demands, and an InferenceGraph has no field for one. Knative can be set
// up to add it (secure-pod-defaults).
func (c *references) restrictedGraph(at string, mode KServeMode) {
	message := "KServe's router has no seccomp profile, and the namespaces of " + c.spec.Environment + " enforce the restricted standard, which demands one"
	if mode == ModeKnative {
		c.warn(at, CodeConflict, message, "set secure-pod-defaults in Knative's ConfigMap config-features, or write podSecurity: baseline in the environment")
		return
	}
	c.fault(at, CodeConflict, message+": its pods are refused", "write podSecurity: baseline in the environment, or remove the graph")
}

// ServedModel is what others of its team have to know of a model.
type ServedModel struct {
	Namespace string
	Protocol  Protocol
}

// CheckTogether judges a manifest by the others of its team and environment: the
// models that its graph asks are among them, in its own namespace and over HTTP,
// and no two models want one Service. KServe makes several of each
// InferenceService, and whoever comes last takes them over.
func CheckTogether(d *Document[ModelDeployment], served map[Unit]ServedModel) (fs Findings) {
	unit := d.Value.Unit()
	beside := func(name string) (ServedModel, bool) {
		model, ok := served[Unit{Team: unit.Team, Model: name, Environment: unit.Environment}]
		return model, ok
	}
	for _, component := range []string{"-predictor", "-transformer", "-explainer"} {
		if _, taken := beside(unit.Model + component); taken {
			other := echo(unit.Model + component)
			f := d.Finding("metadata.name", CodeReservedName, "KServe makes a Service of the name "+other+", which the model "+other+" of the same team wants, too",
				"give one of the two another name")
			f.Severity = SeverityWarning
			fs = append(fs, f)
		}
	}
	g := d.Value.Spec.Serving.Graph
	if g == nil {
		return fs
	}
	if _, taken := beside(unit.Model + GraphSuffix); taken {
		fs = append(fs, d.Finding("spec.serving.graph", CodeReservedName, "the graph's name is that of the model "+echo(unit.Model+GraphSuffix)+" of the same team", "give that model another name"))
	}
	for i, step := range g.Steps {
		at := fmt.Sprintf("spec.serving.graph.steps[%d].model", i)
		model, there := beside(step.Model)
		switch {
		case !there:
			fs = append(fs, d.Finding(at, CodeUnknownModel, fmt.Sprintf("%s has no model %s in %s", unit.Team, echo(step.Model), unit.Environment),
				"name a manifest of the same team and environment; a graph reaches no other"))
		case model.Namespace != served[unit].Namespace:
			fs = append(fs, d.Finding(at, CodeIsolation,
				fmt.Sprintf("%s runs in the namespace %s, the graph in %s: one of them reads isolated data, and a graph asks the models of its own namespace", echo(step.Model), model.Namespace, served[unit].Namespace),
				"ask models of the same data alone"))
		case model.Protocol.GRPC() && step.Model != unit.Model: // its own is a finding already
			fs = append(fs, d.Finding(at, CodeConflict, fmt.Sprintf("a graph asks its models over HTTP, and %s speaks %s", echo(step.Model), model.Protocol),
				"serve that model over v1 or v2, or take it out of the graph"))
		}
	}
	return fs
}
