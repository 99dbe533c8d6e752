// Package example holds tests of example-repo, the model repository that users
// copy: it is valid, warned of nothing but what nothing acts on yet, its rules' own
// tests pass, and every file names the JSON Schema that an editor needs.
package example

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/reconciler/cases"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

const dir = "../../example-repo"

func read(t *testing.T) []schemas.File {
	t.Helper()
	files, err := worktree.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// It shows every field, also those that nothing acts on yet, and says so.
func TestTheExampleIsValidWithoutAnotherWarning(t *testing.T) {
	result, err := review.Validate(t.Context(), read(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Findings {
		if f.Code != review.CodeNotActedOn {
			t.Error(f)
		}
	}
	if !result.Valid || result.Manifests < 8 {
		t.Errorf("valid %v, %d manifests", result.Valid, result.Manifests)
	}
}

func TestTheExamplesRulesPassTheirOwnTests(t *testing.T) {
	rules := map[string][]byte{}
	for _, f := range read(t) {
		if schemas.ClassifyPath(f.Path) == schemas.PathPolicy {
			rules[f.Path] = f.Content
		}
	}
	bundle, findings := compliance.Compile(rules)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	results, err := bundle.Test(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 6 {
		t.Errorf("only %d tests ran", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s", r.Name, r.Message)
		}
	}
}

func TestEveryModelOfTheExampleIsRendered(t *testing.T) {
	sets, findings, err := desired.All(t.Context(), "models", read(t), desired.Selection{})
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	models := 0
	for _, s := range sets {
		if s.Unit.Model != "" {
			models++
		}
	}
	if models < 8 {
		t.Errorf("%d models are rendered", models)
	}
}

func TestTheExamplesGovernanceIsAsItsCasesSay(t *testing.T) {
	for _, f := range read(t) {
		if f.Path != schemas.GovernanceTestPath {
			continue
		}
		test, findings := schemas.ParseGovernanceTest(f.Path, f.Content)
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		results, err := cases.Run(t.Context(), test, read(t), nil, nil)
		if err != nil || len(results) < 8 {
			t.Fatalf("%d cases ran: %v", len(results), err)
		}
		for _, r := range results {
			if !r.Passed {
				t.Errorf("%s: %v", r.Name, r.Differences)
			}
		}
		return
	}
	t.Errorf("there is no %s", schemas.GovernanceTestPath)
}

var modeline = regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`)

func TestEveryFileNamesTheSchemaThatItSatisfies(t *testing.T) {
	checked := 0
	for _, f := range read(t) {
		kind := schemas.ClassifyPath(f.Path)
		if kind == schemas.PathOverlay || !strings.HasSuffix(f.Path, ".yaml") {
			continue
		}
		checked++
		line := modeline.FindSubmatch(f.Content)
		if line == nil {
			t.Errorf("%s does not begin with a yaml-language-server line", f.Path)
			continue
		}
		validate(t, f, filepath.Join(dir, filepath.Dir(f.Path), string(line[1])))
	}
	if checked < 13 {
		t.Errorf("only %d files were checked", checked)
	}
}

func validate(t *testing.T, f schemas.File, schemaFile string) {
	t.Helper()
	content, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Errorf("%s names a schema that does not exist: %v", f.Path, err)
		return
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(schemaFile, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(f.Content)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v", f.Path, err)
	}
}
