package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

const schemaFile = "node_modules/@octokit/graphql-schema/schema.graphql"

// schemaOnce reads GitHub's public GraphQL schema once per run: it has 1.2 MB.
var schemaOnce = sync.OnceValues(func() (*ast.Schema, error) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		return nil, err
	}
	document, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Name: schemaFile, Input: string(data)})
	if err != nil {
		return nil, err
	}
	for _, d := range document.Definitions {
		dropRepeated(d)
	}
	return validator.ValidateSchemaDocument(document)
})

// dropRepeated mends the schema as GitHub publishes it, which defines some fields twice.
func dropRepeated(d *ast.Definition) {
	seen := map[string]bool{}
	d.Fields = slices.DeleteFunc(d.Fields, func(f *ast.FieldDefinition) bool {
		repeated := seen[f.Name]
		seen[f.Name] = true
		return repeated
	})
}

func graphQLSchema(t *testing.T) *ast.Schema {
	t.Helper()
	schema, err := schemaOnce()
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatal("GitHub's GraphQL schema is not installed: run npm ci --prefix test/contract")
		}
		t.Skip("GitHub's GraphQL schema is not installed: run npm ci --prefix test/contract")
	}
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkGraphQL holds a query and its answer against the schema.
func checkGraphQL(schema *ast.Schema, sent, got []byte) error {
	var in struct {
		Query     string
		Variables map[string]any
	}
	if err := json.Unmarshal(sent, &in); err != nil {
		return err
	}
	document, problems := gqlparser.LoadQueryWithRules(schema, in.Query, nil)
	if len(problems) > 0 {
		return problems
	}
	if len(document.Operations) != 1 {
		return errors.New("it is not one operation")
	}
	operation := document.Operations[0]
	if _, err := validator.VariableValues(schema, operation, in.Variables); err != nil {
		return err
	}
	var out struct {
		Data   map[string]any
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(got, &out); err != nil {
		return err
	}
	for _, e := range out.Errors {
		if e.Message == "" {
			return errors.New("an error without a message")
		}
	}
	if out.Data == nil {
		if len(out.Errors) == 0 {
			return errors.New("neither data nor errors")
		}
		return nil
	}
	a := answer{schema, len(out.Errors) > 0}
	return a.object(operation.SelectionSet, schema.Query, out.Data, "data")
}

// answer is one answer that is checked.
type answer struct {
	schema *ast.Schema
	failed bool // a field with an error is null
}

func (a answer) object(set ast.SelectionSet, of *ast.Definition, got map[string]any, path string) error {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			if name, known := got["__typename"].(string); known && name != s.TypeCondition {
				continue
			}
			if len(got) == 0 { // an object of another type, of which nothing was asked
				continue
			}
			if err := a.object(s.SelectionSet, a.schema.Types[s.TypeCondition], got, path); err != nil {
				return err
			}
		case *ast.Field:
			v, given := got[s.Alias]
			if !given {
				return fmt.Errorf("%s: %s.%s is missing", path, of.Name, s.Alias)
			}
			if err := a.value(s.SelectionSet, s.Definition.Type, v, path+"."+s.Alias); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a answer) value(set ast.SelectionSet, of *ast.Type, got any, path string) error {
	if got == nil {
		if of.NonNull && !a.failed {
			return fmt.Errorf("%s is null, but a %s never is", path, of)
		}
		return nil
	}
	if of.Elem != nil {
		list, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s is no list", path)
		}
		for i, one := range list {
			if err := a.value(set, of.Elem, one, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	definition := a.schema.Types[of.NamedType]
	if len(set) > 0 {
		fields, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object", path)
		}
		return a.object(set, definition, fields, path)
	}
	if !scalar(definition, got) {
		return fmt.Errorf("%s: %v is no %s", path, got, of.NamedType)
	}
	return nil
}

func scalar(of *ast.Definition, got any) bool {
	switch of.Name {
	case "Int":
		n, ok := got.(float64)
		return ok && n == math.Trunc(n)
	case "Boolean":
		_, ok := got.(bool)
		return ok
	default: // GitHub's own scalars, names and times, are strings
		_, ok := got.(string)
		return ok
	}
}

// TestTheGraphQLCheckNotices makes sure that the other tests could fail.
func TestTheGraphQLCheckNotices(t *testing.T) {
	schema := graphQLSchema(t)
	const query = `{"query":"query($o:String!){repository(owner:$o,name:\"m\"){pullRequest(number:1){isDraft createdAt}}}","variables":{"o":"acme"}}`
	for _, tc := range []struct {
		name, sent, got string
		wrong           bool
	}{
		{"a good answer", query, `{"data":{"repository":{"pullRequest":{"isDraft":false,"createdAt":"2026-01-01T00:00:00Z"}}}}`, false},
		{"nothing found", query, `{"data":{"repository":null},"errors":[{"message":"no"}]}`, false},
		{"a field that GitHub has not", `{"query":"{repository(owner:\"a\",name:\"b\"){stars}}"}`, `{"data":{"repository":null}}`, true},
		{"a variable that is missing", `{"query":"query($o:String!){repository(owner:$o,name:\"m\"){id}}"}`, `{"data":{"repository":null}}`, true},
		{"an answer without a field", query, `{"data":{"repository":{"pullRequest":{"isDraft":false}}}}`, true},
		{"an answer of the wrong type", query, `{"data":{"repository":{"pullRequest":{"isDraft":"no","createdAt":"x"}}}}`, true},
		{"null where nothing failed", query, `{"data":{"repository":{"pullRequest":{"isDraft":null,"createdAt":"x"}}}}`, true},
		{"nothing at all", query, `{}`, true},
	} {
		if err := checkGraphQL(schema, []byte(tc.sent), []byte(tc.got)); (err != nil) != tc.wrong {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
