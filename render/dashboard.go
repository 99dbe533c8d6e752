package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// The subset of Grafana's dashboards that Mooring writes.
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/

// dashboardSchema is of Grafana 11; later releases read it and bring it up to
// theirs.
const dashboardSchema = 39

type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Version       int        `json:"version"`
	Editable      bool       `json:"editable"`
	Refresh       string     `json:"refresh"`
	Timezone      string     `json:"timezone"`
	Time          timeRange  `json:"time"`
	Templating    templating `json:"templating"`
	Panels        []panel    `json:"-"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

type variable struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Type  string `json:"type"`
	Query string `json:"query"`
}

// JSON writes each panel on a line of its own: a change of one is a change of a
// line, and a dashboard is no longer than the rest of what is rendered.
func (d dashboard) JSON() (string, error) {
	head, err := oneLineJSON(d)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(strings.TrimSuffix(head, "}"))
	out.WriteString(",\"panels\":[")
	for i, p := range d.Panels {
		p.ID = i + 1
		line, err := oneLineJSON(p)
		if err != nil {
			return "", err
		}
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n" + line)
	}
	out.WriteString("\n]}\n")
	return out.String(), nil
}

// oneLineJSON keeps < and > as they are; nothing here becomes HTML.
func oneLineJSON(v any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", fmt.Errorf("write the dashboard: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// maxDashboardUID is Grafana's bound.
const maxDashboardUID = 40

// dashboardUID is the dashboard's address, which stays the same: a hash, because
// names are longer than Grafana lets an address be.
func (o *observed) dashboardUID() string {
	unit := schemas.Unit{Team: o.Deployment.Spec.Team, Model: o.name, Environment: o.Environment.Metadata.Name}
	sum := sha256.Sum256([]byte(o.Repository + "\n" + unit.String()))
	return ("mooring-" + hex.EncodeToString(sum[:]))[:maxDashboardUID]
}

// defaultDashboardLabels are those of Grafana's Helm chart.
var defaultDashboardLabels = map[string]string{"grafana_dashboard": "1"}

func (o *observed) dashboard() (object, error) {
	team, environment := o.Team.Metadata.Name, o.Environment.Metadata.Name
	text, err := dashboard{
		UID:           o.dashboardUID(),
		Title:         fmt.Sprintf("%s in %s", o.name, environment),
		Description:   fmt.Sprintf("The model %s of team %s in %s, rendered by Mooring from its manifest.", o.name, team, environment),
		Tags:          []string{"mooring", "team:" + team, "environment:" + environment},
		SchemaVersion: dashboardSchema, Version: 1, Refresh: "30s", Timezone: "browser",
		Time:       timeRange{From: "now-6h", To: "now"},
		Templating: templating{List: []variable{{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"}}},
		Panels:     o.panels(),
	}.JSON()
	if err != nil {
		return object{}, err
	}
	labels := o.settings.DashboardLabels
	if len(labels) == 0 {
		labels = defaultDashboardLabels
	}
	meta := o.meta(o.name + ".dashboard")
	meta.Labels = joined(labels, meta.Labels)
	// Grafana's sidecar writes the file of every namespace into one folder, so the
	// name has the namespace in it.
	file := o.namespace + "." + o.name + ".json"
	return object{APIVersion: corev1.SchemeGroupVersion.String(), Kind: kindConfigMap, Metadata: meta, Data: map[string]string{file: text}}, nil
}

const kindConfigMap = "ConfigMap"
