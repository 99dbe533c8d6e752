package schemas

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// beyondSchema names the broken examples that a JSON Schema has no words for,
// or no longer sees as broken once YAML was read: rules between fields, the
// spelling of numbers, calendars.
var beyondSchema = map[string]bool{
	"a fraction in an integer": true, "an exponent in an integer": true, "NaN in a payload": true, "True as a boolean": true,
	"a null in a payload": true, "a date in a payload": true,
	"an upper-case boolean in a payload": true, "an unquoted date as version": true,
	"a maximum below the minimum": true, "a maximum of none without a minimum": true, "a limit below the request": true,
	"a variable twice": true, "canary steps that fall": true, "a canary step twice": true,
	"a metric's maximum below its minimum": true,
	"a user twice in other case":           true, "levels that fall": true, "an automatic role that is not defined": true,
	"a seat that is not defined": true, "a board that is not defined": true, "a chair that is not defined": true,
	"the chair among the members": true, "a quorum beyond the seats": true, "a meeting that ends before it begins": true,
	"a time zone that does not exist": true, "the machine's own time zone": true, "a freeze that ends before it begins": true,
	"a break-glass role that is not defined": true, "a window in a zone that does not exist": true,
	"an environment that waits for itself": true, "a KServe that is too old": true, "two pools of one name": true,
	"a taint twice": true, "more nodes at least than at most": true, "a registry that admits longer names": true,
	"a budget that denies before it warns":    true,
	"isolated data without a pool of its own": true, "isolated artefacts among the others": true, "isolated artefacts without a folder": true,
	"isolated artefacts in a bucket that begins alike": true, "a group of Kubernetes' own": true,
	"a peer that is pods and addresses": true, "a peer that is nothing": true, "addresses with labels": true,
	"a range with a bit beyond its prefix": true, "a range that is none": true,
	"an accelerator of Kubernetes' own": true, "an accelerator of a domain of Kubernetes' own": true, "a quota for an accelerator": true,
	"metrics that nobody may read": true, "a label of Mooring's own on monitors": true, "a label of Mooring's own on dashboards": true,
	"memory in thousandths of a byte": true, "memory without a unit": true, "memory below 1Mi": true, "half a byte of memory above 1Mi": true,
	"a limit of thousandths of a byte":                 true,
	"memory of a transformer in thousandths of a byte": true,
	"a quota of memory in thousandths of a byte":       true, "a quota of memory without a unit": true,
	"memory of a node without a unit": true,
	"a case twice":                    true, "a team in two spellings": true, "a path where nothing is judged": true,
}

func TestTheSchemasAgreeWithTheLoader(t *testing.T) {
	for _, kind := range []struct {
		kind      Kind
		fixture   string
		mutations []mutation
	}{
		{KindModelDeployment, "deployment.yaml", append(manifestFields, manifestScalars...)},
		{KindGovernance, "governance.yaml", governanceRules},
		{KindEnvironment, "environment.yaml", environmentRules},
		{KindTeam, "team.yaml", teamRules},
		{KindGovernanceTest, "governance_test.yaml", governanceTestRules},
	} {
		schema := compiledSchema(t, kind.kind)
		if err := schema.Validate(generic(t, fixture(t, kind.fixture))); err != nil {
			t.Errorf("the example of a %s is refused: %v", kind.kind, err)
		}
		for _, m := range kind.mutations {
			t.Run(string(kind.kind)+"/"+m.name, func(t *testing.T) {
				text, _ := m.apply(t, fixture(t, kind.fixture))
				err := schema.Validate(generic(t, text))
				switch {
				case m.code == "" && err != nil:
					t.Errorf("the schema refuses what the loader takes: %v", err)
				case m.code != "" && err == nil && !beyondSchema[m.name]:
					t.Error("the schema takes what the loader refuses")
				case m.code != "" && err != nil && beyondSchema[m.name]:
					t.Error("the schema can express this after all: take it off the list")
				}
			})
		}
	}
}

func compiledSchema(t *testing.T, kind Kind) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema(kind)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("schema.json")
}

// generic is a YAML text as a validator of JSON sees it in an editor.
func generic(t *testing.T, text string) any {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return genericNode(doc.Content[0])
}

func genericNode(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = genericNode(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, item := range n.Content {
			l = append(l, genericNode(item))
		}
		return l
	}
	switch {
	case n.Tag == "!!bool":
		return n.Value == "true"
	case n.Tag == "!!null":
		return nil
	case (n.Tag == "!!int" || n.Tag == "!!float") && numberText.MatchString(n.Value):
		return json.Number(n.Value)
	}
	return n.Value
}

func TestOnlyFileKindsHaveASchema(t *testing.T) {
	if JSONSchema(KindModelRelease) != nil {
		t.Error("a receipt is no file")
	}
}
