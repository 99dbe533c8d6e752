package render

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

// observability are the objects by which Prometheus' operator and Grafana learn
// of the model: what to read, when to raise an alert and what to draw. They
// follow the model, through rollouts as well, so a canary has none of its own.
func (r *modelRenderer) observability() ([]object, error) {
	if r.Environment.Spec.Observability == nil {
		return nil, nil
	}
	o := r.observed()
	dashboard, err := o.dashboard()
	if err != nil {
		return nil, err
	}
	return slices.Concat(o.monitor(), []object{o.rules(), dashboard}), nil
}

// observed is a model as Prometheus sees it.
type observed struct {
	*modelRenderer
	settings schemas.Observability
	signals  signals
	// window is what rates are taken over: long enough for several scrapes.
	window string
}

const shortestWindow = 5 * time.Minute

func (r *modelRenderer) observed() *observed {
	stable := *r
	stable.name = r.Deployment.Metadata.Name
	o := &observed{modelRenderer: &stable, settings: *r.Environment.Spec.Observability}
	interval := time.Duration(cmp.Or(o.settings.Interval, schemas.DefaultScrapeInterval))
	o.window = promDuration(max(shortestWindow, 4*interval))
	o.signals = o.chooseSignals()
	return o
}

// monitorMeta is the metadata of what Prometheus' operator selects. No label of
// the environment's replaces one of Mooring's.
func (o *observed) monitorMeta() metadata {
	meta := o.meta(o.name)
	meta.Labels = joined(o.settings.Labels, meta.Labels)
	return meta
}

func joined(labels, own map[string]string) map[string]string {
	out := maps.Clone(own)
	for key, value := range labels {
		if _, taken := out[key]; !taken {
			out[key] = value
		}
	}
	return out
}

// identity are the labels of what is recorded and alerted of the model.
func (o *observed) identity() map[string]string {
	return map[string]string{
		"namespace": o.namespace, "model": o.name,
		"team": o.labels[schemas.LabelTeam], "environment": o.labels[schemas.LabelEnvironment],
	}
}

// recorded selects a series that the rules of this model have recorded.
func (o *observed) recorded(name string) string {
	return selector(name, equal("namespace", o.namespace), equal("model", o.name))
}

// deployments matches the Deployments of a component, in either mode: Knative
// makes one for each revision. Those of a canary are not among them.
func (o *observed) deployments(component string) string {
	if o.knative() {
		return matching("deployment", o.name+"-"+component+"-[0-9]{5}-deployment")
	}
	return equal("deployment", o.name+"-"+component)
}

// pods matches the names of all pods of the model, a canary's among them. What
// follows a component's name holds no more than two parts, so that the pods of a
// model "a-predictor" are not taken for those of a model "a".
func (o *observed) pods() string {
	var names []string
	for _, c := range o.components() {
		names = append(names, c.name)
	}
	revision := ""
	if o.knative() {
		revision = "-[0-9]{5}-deployment"
	}
	return matching("pod", fmt.Sprintf("%s(%s)?-(%s)%s-[a-z0-9]+(-[a-z0-9]+)?", o.name, schemas.CanarySuffix, strings.Join(names, "|"), revision))
}

// scalesToZero: no replica may be what is wanted.
func (o *observed) scalesToZero() bool { return o.Deployment.Spec.Serving.Replicas.Low() == 0 }

func selector(metric string, matchers ...string) string {
	return metric + "{" + strings.Join(matchers, ",") + "}"
}

func equal(label, value string) string { return label + "=" + strconv.Quote(value) }

func matching(label, pattern string) string { return label + "=~" + strconv.Quote(pattern) }

// number writes a number as PromQL and JSON read it.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// promDuration writes a duration as Prometheus does: whole numbers of units, of
// which the smallest is the millisecond.
func promDuration(d time.Duration) string {
	d = max(d, time.Millisecond)
	var out strings.Builder
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / u.size; n > 0 {
			fmt.Fprintf(&out, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	return out.String()
}
