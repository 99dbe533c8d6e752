// Package uses finds which resources and data sources a folder of Terraform code names.
package uses

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/mlops-platform/mooring/tools/awsschema/bindings"
)

// Of parses every .tf file below a folder. A file that does not parse is an error.
func Of(folder string) (bindings.Uses, error) {
	parser, resources, data := hclparse.NewParser(), map[string]bool{}, map[string]bool{}
	content := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "resource", LabelNames: []string{"type", "name"}}, {Type: "data", LabelNames: []string{"type", "name"}},
	}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".terraform" {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".tf" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, problems := parser.ParseHCL(text, path)
		if problems.HasErrors() {
			return problems
		}
		body, _, problems := parsed.Body.PartialContent(content)
		if problems.HasErrors() {
			return problems
		}
		for _, block := range body.Blocks {
			if name := block.Labels[0]; strings.HasPrefix(name, "aws_") {
				map[string]map[string]bool{"resource": resources, "data": data}[block.Type][name] = true
			}
		}
		return nil
	})
	if err != nil {
		return bindings.Uses{}, fmt.Errorf("find what %s uses: %w", folder, err)
	}
	return bindings.Uses{Resources: slices.Sorted(maps.Keys(resources)), DataSources: slices.Sorted(maps.Keys(data))}, nil
}
