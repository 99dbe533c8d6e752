package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/render"
)

// A dashboard is longer than all else that a model renders to, and a machine
// wrote it. The comment tells of it in a line; the report's diff has all of it.

// dashboardFields are those of Grafana's dashboards. What has others may be data
// of something else, and is shown.
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
var dashboardFields = []string{
	"annotations", "description", "editable", "fiscalYearStartMonth", "gnetId", "graphTooltip", "id", "links", "liveNow", "panels", "preload",
	"refresh", "schemaVersion", "style", "tags", "templating", "time", "timepicker", "timezone", "title", "uid", "version", "weekStart",
}

func isDashboard(text string) bool {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return false
	}
	for name := range fields {
		if !slices.Contains(dashboardFields, name) {
			return false
		}
	}
	var panels []json.RawMessage
	var schema int
	return json.Unmarshal(fields["panels"], &panels) == nil && panels != nil && json.Unmarshal(fields["schemaVersion"], &schema) == nil && schema > 0
}

// dashboardKey is one value of a ConfigMap's data.
type dashboardKey struct{ namespace, name, key string }

// dashboards finds those among rendered objects.
func dashboards(objects []*unstructured.Unstructured) map[dashboardKey]string {
	found := map[dashboardKey]string{}
	for _, o := range objects {
		for key, text := range dashboardsIn(o) {
			found[dashboardKey{o.GetNamespace(), o.GetName(), key}] = text
		}
	}
	return found
}

// dashboardsIn are an object's, by the key of its data.
func dashboardsIn(o *unstructured.Unstructured) map[string]string {
	if o.GetAPIVersion() != "v1" || o.GetKind() != "ConfigMap" {
		return nil
	}
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil {
		return nil // no ConfigMap that a cluster takes: it is shown as it is
	}
	maps.DeleteFunc(data, func(_, text string) bool { return !isDashboard(text) })
	return data
}

// toldDashboard is one that differs between the base and the head.
type toldDashboard struct {
	name, became string
	lines        int
}

func (d toldDashboard) String() string {
	return fmt.Sprintf("dashboard %s %s, %s", code(d.name), d.became, plural(d.lines, "line"))
}

// tellDashboards lists those that differ, in the order of their names. A value
// that is a dashboard on one side alone is shown on the other.
func tellDashboards(before, after map[dashboardKey]string) []toldDashboard {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var told []toldDashboard
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b dashboardKey) int {
		return strings.Compare(a.name+"/"+a.key+"/"+a.namespace, b.name+"/"+b.key+"/"+b.namespace)
	}) {
		was, wasOne := before[key]
		is, isOne := after[key]
		d := toldDashboard{name: key.name, became: "changed", lines: lineCount(all[key])}
		switch {
		case !wasOne:
			d.became = "added"
		case !isOne:
			d.became = "removed"
		case was == is:
			continue
		}
		told = append(told, d)
	}
	return told
}

func lineCount(text string) int { return strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1 }

// withoutDashboards is the objects as YAML with a word in place of each dashboard.
func withoutDashboards(objects []*unstructured.Unstructured) (string, error) {
	short := slices.Clone(objects)
	for i, o := range objects {
		for key, text := range dashboardsIn(o) {
			if short[i] == o {
				short[i] = o.DeepCopy()
			}
			word := fmt.Sprintf("(dashboard, %s)", plural(lineCount(text), "line"))
			if err := unstructured.SetNestedField(short[i].Object, word, "data", key); err != nil {
				return "", fmt.Errorf("leave out the dashboard of %s: %w", o.GetName(), err)
			}
		}
	}
	text, err := render.YAML(short)
	return string(text), err
}

// abridge makes the comment's form of a change's diff, where dashboards differ.
func (c *Change) abridge(before, after []*unstructured.Unstructured) error {
	if c.dashboards = tellDashboards(dashboards(before), dashboards(after)); len(c.dashboards) == 0 {
		return nil
	}
	from, err := withoutDashboards(before)
	if err != nil {
		return err
	}
	to, err := withoutDashboards(after)
	if err != nil {
		return err
	}
	diff, err := unifiedDiff(c, from, to)
	c.abridged = c.hide(diff)
	return err
}

// shown is the diff as the comment has it.
func (c *Change) shown() string {
	if len(c.dashboards) > 0 {
		return c.abridged
	}
	return c.Diff
}

// writeDashboards tells of those that the diff does not show.
func writeDashboards(b *strings.Builder, c *Change) {
	if len(c.dashboards) == 0 {
		return
	}
	var told []string
	for _, d := range c.dashboards {
		told = append(told, d.String())
	}
	fmt.Fprintf(b, "**Not shown here:** %s; `mlops plan` on a clone shows all of it.\n\n", c.hide(strings.Join(atMost(maxNext, told), ", ")))
}
