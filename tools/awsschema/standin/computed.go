package standin

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mlops-platform/mooring/tools/awsschema/schema"
)

// computedOnly finds attributes that are given a value and are only computed.
func computedOnly(block schema.Block, config *tfprotov5.DynamicValue) ([]*tfprotov5.Diagnostic, error) {
	value, err := config.Unmarshal(block.ObjectType().Type)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return inBlock(block, value, tftypes.NewAttributePath())
}

func inBlock(block schema.Block, value tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov5.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var fields map[string]tftypes.Value
	if err := value.As(&fields); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var problems []*tfprotov5.Diagnostic
	for name, attribute := range block.Attributes {
		if attribute.Computed && !attribute.Optional && !attribute.Required && !fields[name].IsNull() {
			problems = append(problems, &tfprotov5.Diagnostic{
				Severity: tfprotov5.DiagnosticSeverityError, Attribute: path.WithAttributeName(name),
				Summary: "Value for computed attribute", Detail: fmt.Sprintf("%s is computed by AWS and takes no value.", name),
			})
		}
	}
	for name, nested := range block.Blocks {
		found, err := inNested(nested, fields[name], path.WithAttributeName(name))
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

func inNested(nested schema.NestedBlock, value tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov5.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	if nested.Nesting == schema.Single {
		return inBlock(nested.Block, value, path)
	}
	var elements []tftypes.Value
	if err := value.As(&elements); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var problems []*tfprotov5.Diagnostic
	for i, element := range elements {
		step := path.WithElementKeyInt(i)
		if nested.Nesting == schema.Set {
			step = path.WithElementKeyValue(element)
		}
		found, err := inBlock(nested.Block, element, step)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}
