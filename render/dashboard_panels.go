package render

type panel struct {
	ID          int          `json:"id"`
	Type        string       `json:"type"`
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	GridPos     gridPos      `json:"gridPos"`
	Datasource  *datasource  `json:"datasource,omitempty"`
	FieldConfig *fieldConfig `json:"fieldConfig,omitempty"`
	Options     panelOptions `json:"options"`
	Targets     []target     `json:"targets,omitempty"`
}

type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Instant      bool       `json:"instant,omitempty"`
}

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []struct{}    `json:"overrides"`
}

type fieldDefaults struct {
	Unit       string       `json:"unit"`
	Min        *float64     `json:"min,omitempty"`
	Max        *float64     `json:"max,omitempty"`
	Color      *colorMode   `json:"color,omitempty"`
	Thresholds *thresholds  `json:"thresholds,omitempty"`
	Custom     *seriesStyle `json:"custom,omitempty"`
	NoValue    string       `json:"noValue,omitempty"`
}

type colorMode struct {
	Mode string `json:"mode"`
}

type thresholds struct {
	Mode  string          `json:"mode"`
	Steps []thresholdStep `json:"steps"`
}

// thresholdStep begins at its value; the first has none.
type thresholdStep struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type seriesStyle struct {
	FillOpacity     int            `json:"fillOpacity"`
	ThresholdsStyle thresholdStyle `json:"thresholdsStyle"`
}

type thresholdStyle struct {
	Mode string `json:"mode"`
}

// panelOptions are those of graphs (legend, tooltip), of single values or of text.
type panelOptions struct {
	Mode          string          `json:"mode,omitempty"`
	Content       string          `json:"content,omitempty"`
	Legend        *legendOptions  `json:"legend,omitempty"`
	Tooltip       *tooltipOptions `json:"tooltip,omitempty"`
	ReduceOptions *reduceOptions  `json:"reduceOptions,omitempty"`
	ColorMode     string          `json:"colorMode,omitempty"`
	GraphMode     string          `json:"graphMode,omitempty"`
}

type legendOptions struct {
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	Calcs       []string `json:"calcs"`
}

type tooltipOptions struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

type reduceOptions struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

// The units of Grafana that panels use.
const (
	unitRequests = "reqps"
	unitShare    = "percentunit"
	unitPercent  = "percent"
	unitSeconds  = "s"
	unitBytes    = "bytes"
	unitMebibyte = "mbytes"
	unitCount    = "short"
)

const (
	gridWidth  = 24
	statHeight = 4
	plotHeight = 8
)

var prometheusVariable = datasource{Type: "prometheus", UID: "${datasource}"}

// query is an expression and what its line is called.
type query struct{ expr, legend string }

func targets(queries []query, instant bool) []target {
	var out []target
	for i, q := range queries {
		out = append(out, target{RefID: string(rune('A' + i)), Datasource: prometheusVariable, Expr: q.expr, LegendFormat: q.legend, Instant: instant})
	}
	return out
}

// limit is where a value turns from good to bad.
type limit struct {
	at float64
	// floor: below is bad; else above is.
	floor bool
}

func (l limit) thresholds() *thresholds {
	below, above := "green", "red"
	if l.floor {
		below, above = above, below
	}
	return &thresholds{Mode: "absolute", Steps: []thresholdStep{{Color: below}, {Color: above, Value: ptr(l.at)}}}
}

// stat is a single value, as it is now.
func stat(title, unit string, l *limit, q query) panel {
	p := panel{
		Type: "stat", Title: title, GridPos: gridPos{H: statHeight}, Datasource: &prometheusVariable,
		FieldConfig: &fieldConfig{Defaults: fieldDefaults{Unit: unit, NoValue: "no data"}, Overrides: []struct{}{}},
		Options:     panelOptions{ReduceOptions: &reduceOptions{Calcs: []string{"lastNotNull"}}, ColorMode: "value", GraphMode: "none"},
		Targets:     targets([]query{q}, true),
	}
	if l != nil {
		p.FieldConfig.Defaults.Thresholds, p.FieldConfig.Defaults.Color = l.thresholds(), &colorMode{"thresholds"}
	}
	return p
}

// plot is values over time. A limit is a line across it.
func plot(title, description, unit string, l *limit, queries ...query) panel {
	style := seriesStyle{FillOpacity: 10, ThresholdsStyle: thresholdStyle{"off"}}
	p := panel{
		Type: "timeseries", Title: title, Description: description, GridPos: gridPos{H: plotHeight}, Datasource: &prometheusVariable,
		FieldConfig: &fieldConfig{Defaults: fieldDefaults{Unit: unit, Min: ptr(0.0), Color: &colorMode{"palette-classic"}, Custom: &style}, Overrides: []struct{}{}},
		Options: panelOptions{
			Legend:  &legendOptions{DisplayMode: "table", Placement: "bottom", Calcs: []string{"lastNotNull", "max"}},
			Tooltip: &tooltipOptions{Mode: "multi", Sort: "desc"},
		},
		Targets: targets(queries, false),
	}
	if l != nil {
		p.FieldConfig.Defaults.Thresholds = l.thresholds()
		style.ThresholdsStyle.Mode = "line"
	}
	return p
}

// note is a text in place of a graph.
func note(title, text string) panel {
	return panel{Type: "text", Title: title, GridPos: gridPos{H: plotHeight}, Options: panelOptions{Mode: "markdown", Content: text}}
}

// layout places the single values in one row and the graphs in rows of two.
func layout(stats, plots []panel) []panel {
	for i := range stats {
		from, to := i*gridWidth/len(stats), (i+1)*gridWidth/len(stats)
		stats[i].GridPos.X, stats[i].GridPos.W = from, to-from
	}
	for i := range plots {
		plots[i].GridPos.X, plots[i].GridPos.W = i%2*gridWidth/2, gridWidth/2
		plots[i].GridPos.Y = statHeight + i/2*plotHeight
	}
	return append(stats, plots...)
}
