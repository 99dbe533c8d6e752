package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/schemas"
)

// file is one kind of file with the name of its schema.
type file struct {
	kind  schemas.Kind
	value any
	path  string // where such files stand, for the title
}

var files = []file{
	{schemas.KindModelDeployment, &schemas.ModelDeployment{}, "models/TEAM/MODEL/ENVIRONMENT/deployment.yaml"},
	{schemas.KindGovernance, &schemas.Governance{}, "governance.yaml"},
	{schemas.KindEnvironment, &schemas.Environment{}, "environments/ENVIRONMENT.yaml"},
	{schemas.KindTeam, &schemas.Team{}, "teams/TEAM.yaml"},
	{schemas.KindGovernanceTest, &schemas.GovernanceTest{}, "governance_test.yaml"},
}

// writeSchemas writes schemas/json/KIND.schema.json for each kind.
func writeSchemas(root string) error {
	if err := os.Chdir(root); err != nil { // comments are read by relative path
		return err
	}
	for _, f := range files {
		content, err := schemaOf(f)
		if err != nil {
			return fmt.Errorf("schema of %s: %w", f.kind, err)
		}
		name := filepath.Join("schemas", "json", strings.ToLower(string(f.kind))+".schema.json")
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func schemaOf(f file) ([]byte, error) {
	r := &jsonschema.Reflector{ExpandedStruct: true, Mapper: scalar}
	if err := r.AddGoComments("github.com/mlops-platform/mooring", "./schemas", jsonschema.WithFullComment()); err != nil {
		return nil, err
	}
	schema := r.Reflect(f.value)
	schema.ID = jsonschema.ID("https://" + schemas.Group + "/" + schemas.Version + "/" + strings.ToLower(string(f.kind)) + ".schema.json")
	schema.Title = string(f.kind) + " (" + f.path + ")"
	g := &generator{definitions: schema.Definitions, seen: map[reflect.Type]bool{}}
	g.structure(reflect.TypeOf(f.value).Elem(), schema)
	return marshal(schema)
}

func marshal(schema *jsonschema.Schema) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(schema)
	return out.Bytes(), err
}

// scalar maps the types whose text has a meaning of its own. The patterns say
// what the loader's parsers accept.
func scalar(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[schemas.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9.]+[hms])*[0-9.]*[1-9][0-9.]*[hms]([0-9.]+[hms])*$`, Examples: []any{"720h", "5m"}}
	case reflect.TypeFor[schemas.Percent]():
		return &jsonschema.Schema{Type: "string", Pattern: `^0*(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%$`, Examples: []any{"5%", "99.5%"}}
	case reflect.TypeFor[schemas.Money]():
		return textOrNumber(`^[0-9]+(\.[0-9]{1,6})?$`, &jsonschema.Schema{Type: "number", Minimum: "0"})
	case reflect.TypeFor[resource.Quantity]():
		return textOrNumber(`^[+]?(0*[1-9][0-9]*(\.[0-9]*)?|[0-9]*\.0*[1-9][0-9]*)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$`,
			&jsonschema.Schema{Type: "number", ExclusiveMinimum: "0"})
	case reflect.TypeFor[schemas.Fragment]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[schemas.Date]():
		return &jsonschema.Schema{Type: "string", Format: "date", Pattern: schemas.FormatNamed("date").Pattern}
	case reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	}
	return nil
}

func textOrNumber(pattern string, number *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Pattern: pattern}, number}}
}
