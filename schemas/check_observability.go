package schemas

import "strings"

// checkObservability fills the defaults and refuses what would be rendered and
// have no effect: metrics that nobody may read, labels that are Mooring's own.
func (r *report) checkObservability(spec *EnvironmentSpec) {
	o, n := spec.Observability, spec.Network
	if o == nil {
		return
	}
	const at = "spec.observability"
	fill(r, at+".interval", &o.Interval, DefaultScrapeInterval)
	if n.Enforced() && n != nil && n.Metrics != nil && len(n.Metrics) == 0 {
		r.fault("spec.network.metrics", CodeConflict, "spec.observability has the models' metrics read, and nobody may",
			"name the namespace of Prometheus, or remove spec.network.metrics for its default")
	}
	r.checkOwnLabels(at+".labels", o.Labels)
	r.checkOwnLabels(at+".dashboardLabels", o.DashboardLabels)
}

func (r *report) checkOwnLabels(field string, labels map[string]string) {
	for _, key := range sortedKeys(labels) {
		if key == LabelManagedBy || strings.HasPrefix(key, Group+"/") {
			r.fault(field, CodeConflict, echo(key)+" is a label that Mooring writes itself", "remove it")
		}
	}
}
