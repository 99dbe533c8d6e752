package docs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/schemas"
)

var update = flag.Bool("update", false, "write the tables of docs/manifest-reference.md anew")

const referencePath = "docs/manifest-reference.md"

// tables of the reference: the files, and the shapes that occur in several places.
var tables = []struct {
	name string
	of   reflect.Type
}{
	{"ModelDeployment", reflect.TypeFor[schemas.ModelDeployment]()},
	{"Governance", reflect.TypeFor[schemas.Governance]()},
	{"Environment", reflect.TypeFor[schemas.Environment]()},
	{"Team", reflect.TypeFor[schemas.Team]()},
	{"GovernanceTest", reflect.TypeFor[schemas.GovernanceTest]()},
	{"component", reflect.TypeFor[schemas.Component]()},
	{"env", reflect.TypeFor[schemas.EnvVar]()},
	{"resources", reflect.TypeFor[schemas.Resources]()},
	{"taint", reflect.TypeFor[schemas.Taint]()},
	{"holders", reflect.TypeFor[schemas.RoleHolders]()},
	{"quota", reflect.TypeFor[schemas.Quota]()},
	{"peer", reflect.TypeFor[schemas.NetworkPeer]()},
}

// shapes are described once and linked to.
var shapes = map[reflect.Type]string{
	reflect.TypeFor[schemas.Component]():   "component",
	reflect.TypeFor[schemas.EnvVar]():      "env",
	reflect.TypeFor[schemas.Resources]():   "resources",
	reflect.TypeFor[schemas.Taint]():       "taint",
	reflect.TypeFor[schemas.RoleHolders](): "holders",
	reflect.TypeFor[schemas.Quota]():       "quota",
	reflect.TypeFor[schemas.NetworkPeer](): "peer",
}

// scalars are types that stand as one value in a file.
var scalars = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity](): "[quantity](#values)",
	reflect.TypeFor[schemas.Duration]():  "[duration](#values)",
	reflect.TypeFor[schemas.Percent]():   "[percentage](#values)",
	reflect.TypeFor[schemas.Money]():     "[amount](#values)",
	reflect.TypeFor[schemas.Date]():      "[day](#values)",
	reflect.TypeFor[schemas.Fragment]():  "[merge patch](#values)",
	reflect.TypeFor[time.Time]():         "[time](#values)",
}

// presence of fields that rules between fields decide; the tags know only
// "required" and "optional".
var presence = map[string]string{
	"spec.model.version":                   "this or `alias`",
	"spec.model.alias":                     "this or `version`",
	"spec.model.uri":                       "the environment's `artifacts`",
	"spec.serving.replicas.max":            "`min`",
	"spec.serving.capacity":                "the environment's",
	"spec.serving.container":               "required with format `custom`, else not allowed",
	"spec.serving.container.image":         "required",
	"spec.serving.protocol":                "by format",
	"spec.serving.runtime":                 "KServe's choice",
	"spec.justification":                   "required at level high",
	"spec.checks.metrics[].min":            "one of the three",
	"spec.checks.metrics[].max":            "one of the three",
	"spec.checks.smoke.instances":          "this or `inputs`",
	"spec.checks.smoke.inputs":             "this or `instances`",
	"resources/requests.cpu":               "required",
	"resources/requests.memory":            "required",
	"resources/limits.cpu":                 "the request",
	"resources/limits.memory":              "the request",
	"component/replicas.max":               "`min`",
	"env/value":                            "this or `valueFrom`",
	"env/valueFrom":                        "this or `value`",
	"env/valueFrom.secretKeyRef":           "one of the three",
	"env/valueFrom.configMapKeyRef":        "one of the three",
	"env/valueFrom.fieldRef":               "one of the three",
	"spec.cases[].patch":                   "one of the three",
	"spec.cases[].content":                 "one of the three",
	"spec.cases[].remove":                  "one of the three",
	"spec.cases[].at":                      "`spec.at`",
	"peer/namespaces":                      "this or `cidr`",
	"peer/cidr":                            "this or `namespaces`",
	"holders/teams":                        "this or `users`, or both",
	"holders/users":                        "this or `teams`, or both",
	"holders/alternates.teams":             "this or `users`, or both",
	"holders/alternates.users":             "this or `teams`, or both",
	"spec.checks.metrics[].maxRegression":  "one of the three",
	"spec.serving.autoscaling.target":      "required but for `external`",
	"spec.serving.autoscaling.query":       "required with `prometheus`",
	"spec.serving.graph.steps[].weight":    "required with `splitter`",
	"spec.serving.graph.steps[].condition": "required with `switch`",
	"spec.serving.graph.steps[].data":      "`request`",
	"spec.serving.graph.steps[].optional":  "`false`",
}

// row is one field of the reference.
type row struct{ field, form, presence string }

func rowsOf(table string, t reflect.Type) []row {
	var rows []row
	prefix := ""
	if !strings.HasPrefix(table, strings.ToUpper(table[:1])) {
		prefix = table + "/"
	}
	var visit func(path string, t reflect.Type)
	visit = func(path string, t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			at := strings.TrimPrefix(path+"."+name, ".")
			rule := schemas.RuleOf(f)
			inner, suffix := open(f.Type)
			isObject := inner.Kind() == reflect.Struct && scalars[inner] == ""
			// An object that must be there says nothing of its own.
			if !isObject || shapes[inner] != "" || suffix != "" || !rule.Required {
				rows = append(rows, row{at, formOf(f, rule, inner, suffix), presenceOf(prefix+at, f, rule)})
			}
			if isObject && shapes[inner] == "" {
				visit(at+suffix, inner)
			}
		}
	}
	visit("", t)
	return rows
}

// open looks through pointers, lists and mappings.
func open(t reflect.Type) (inner reflect.Type, suffix string) {
	for {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
		case reflect.Slice:
			t, suffix = t.Elem(), suffix+"[]"
		case reflect.Map:
			t, suffix = t.Elem(), suffix+".KEY"
		default:
			return t, suffix
		}
	}
}

func presenceOf(field string, f reflect.StructField, rule schemas.Rule) string {
	if p := presence[field]; p != "" {
		return p
	}
	if d, ok := strings.CutPrefix(f.Tag.Get("jsonschema"), "default="); ok {
		return "`" + d + "`"
	}
	if rule.Required {
		return "required"
	}
	return "–"
}

func formOf(f reflect.StructField, rule schemas.Rule, inner reflect.Type, suffix string) string {
	text := valueForm(f, rule, inner)
	switch {
	case strings.HasSuffix(suffix, ".KEY[]"):
		text = "mapping to lists of " + text
	case strings.HasSuffix(suffix, ".KEY"):
		text = "mapping to " + text
		if key := formatIn(f, "key="); key != "" {
			text += ", keys: " + form(key)
		}
	case suffix == "[]":
		text = "list of " + strings.Replace(text, "integer", "integers", 1)
	}
	if rule.Items > 0 {
		text += ", not empty"
	}
	if rule.Set {
		text += ", each once"
	}
	return text
}

func valueForm(f reflect.StructField, rule schemas.Rule, inner reflect.Type) string {
	switch {
	case rule.Const != "":
		return "`" + rule.Const + "`"
	case shapes[inner] != "":
		return fmt.Sprintf("[%s](#%s)", shapes[inner], shapes[inner])
	case len(schemas.Values(inner)) > 0:
		return "`" + strings.Join(schemas.Values(inner), "`, `") + "`"
	case scalars[inner] != "":
		return scalars[inner]
	case formatIn(f, "") != "":
		return form(formatIn(f, ""))
	}
	switch inner.Kind() {
	case reflect.Struct:
		return "object"
	case reflect.Interface:
		return "any JSON"
	case reflect.Bool:
		return "`true`, `false`"
	case reflect.Float64:
		return "number" + span(rule)
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "integer" + span(rule)
	}
	if rule.Length > 0 {
		return fmt.Sprintf("text, at most %d characters", rule.Length)
	}
	return "text"
}

func span(r schemas.Rule) string {
	switch {
	case r.Min != nil && r.Max != nil:
		return fmt.Sprintf(", %g–%g", *r.Min, *r.Max)
	case r.Min != nil:
		return fmt.Sprintf(", at least %g", *r.Min)
	}
	return ""
}

// formatIn is the name of the format in a field's tag, of its keys or its value.
func formatIn(f reflect.StructField, prefix string) string {
	for word := range strings.SplitSeq(f.Tag.Get("rule"), ",") {
		name, ok := strings.CutPrefix(word, prefix)
		if ok && schemas.FormatNamed(name) != nil && (prefix != "" || !strings.Contains(word, "=")) {
			return name
		}
	}
	return ""
}

func form(name string) string { return fmt.Sprintf("[%s](#form-%s)", name, name) }

var tableMark = regexp.MustCompile(`(?s)<!-- fields: (\S+) -->\n.*?<!-- end -->`)

// tableRow matches what an earlier run wrote, to keep the last cell.
var tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*\\| ([^|\n]*) \\|$")

func TestTheReferenceHasEveryFieldAsTheTypesHaveIt(t *testing.T) {
	file := filepath.Join(root(t), referencePath)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	want := tableMark.ReplaceAllStringFunc(string(content), func(old string) string {
		name := tableMark.FindStringSubmatch(old)[1]
		seen[name] = true
		return writeTable(t, name, old)
	})
	for _, table := range tables {
		if !seen[table.name] {
			t.Errorf("%s has no table of %s", referencePath, table.name)
		}
	}
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatalf("%s is not as the types are; run: go test ./test/docs -run TestTheReference -update", referencePath)
	}
	if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeTable(t *testing.T, name, old string) string {
	t.Helper()
	meaning := map[string]string{}
	for _, m := range tableRow.FindAllStringSubmatch(old, -1) {
		meaning[m[1]] = m[2]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- fields: %s -->\n\n| field | form | default | meaning |\n| --- | --- | --- | --- |\n", name)
	for _, table := range tables {
		if table.name != name {
			continue
		}
		for _, r := range rowsOf(name, table.of) {
			if meaning[r.field] == "" {
				t.Errorf("%s: %s has no meaning yet", name, r.field)
				meaning[r.field] = "TODO"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.field, r.form, r.presence, meaning[r.field])
		}
	}
	return b.String() + "\n<!-- end -->"
}

// formRow is one row of the table of forms.
var formRow = regexp.MustCompile(`(?m)^\| <a id="form-([a-z-]+)"></a>` + "`([a-z-]+)` \\| (.*) \\|$")

func TestTheReferenceDescribesEveryForm(t *testing.T) {
	content := read(t, referencePath)
	described := map[string]bool{}
	for _, m := range formRow.FindAllStringSubmatch(content, -1) {
		described[m[1]] = true
		format := schemas.FormatNamed(m[1])
		if m[1] != m[2] || format == nil {
			t.Errorf("the form %s is described and does not exist", m[1])
			continue
		}
		if want := strings.ReplaceAll(format.Meaning, "|", `\|`); m[3] != want {
			t.Errorf("the form %s is described as %q, and is %q", m[1], m[3], want)
		}
	}
	for _, m := range regexp.MustCompile(`\(#form-([a-z-]+)\)`).FindAllStringSubmatch(content, -1) {
		if !described[m[1]] {
			t.Errorf("the form %s is used and not described: %s", m[1], schemas.FormatNamed(m[1]).Meaning)
			described[m[1]] = true
		}
	}
}
