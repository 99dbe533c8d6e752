// Package schema is the part of a Terraform provider's schema that the configuration in
// terraform/ is checked against: which resources and data sources there are, and which
// arguments, blocks and attributes each has.
package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Provider is the schema of one version of a provider.
type Provider struct {
	Version     string           `json:"version"`
	Config      Block            `json:"config"`
	Resources   map[string]Block `json:"resources"`
	DataSources map[string]Block `json:"dataSources"`
}

// Block is the body of a resource, a data source or a block in one.
type Block struct {
	Attributes map[string]Attribute   `json:"attributes,omitempty"`
	Blocks     map[string]NestedBlock `json:"blocks,omitempty"`
}

// Attribute is an argument, something that the provider computes, or both.
type Attribute struct {
	Type     Type `json:"type"`
	Required bool `json:"required,omitempty"`
	Optional bool `json:"optional,omitempty"`
	Computed bool `json:"computed,omitempty"`
}

// NestedBlock says how often a block may stand: MaxItems 0 is without bound.
type NestedBlock struct {
	Nesting  Nesting `json:"nesting"`
	MinItems int64   `json:"minItems,omitempty"`
	MaxItems int64   `json:"maxItems,omitempty"`
	Block    Block   `json:"block"`
}

// Nesting is how the instances of a block are held.
type Nesting string

// The nestings that the AWS provider has.
const (
	List   Nesting = "list"
	Set    Nesting = "set"
	Single Nesting = "single"
)

// Type is a Terraform type in its JSON form: "string", ["list","string"].
type Type struct{ tftypes.Type }

// Types by their short names.
var (
	String  = Type{tftypes.String}
	Number  = Type{tftypes.Number}
	Bool    = Type{tftypes.Bool}
	Dynamic = Type{tftypes.DynamicPseudoType}
)

// ListOf is a list of a type.
func ListOf(t Type) Type { return Type{tftypes.List{ElementType: t.Type}} }

// SetOf is a set of a type.
func SetOf(t Type) Type { return Type{tftypes.Set{ElementType: t.Type}} }

// MapOf is a map from names to a type.
func MapOf(t Type) Type { return Type{tftypes.Map{ElementType: t.Type}} }

// UnmarshalJSON reads the form that MarshalJSON of tftypes writes.
func (t *Type) UnmarshalJSON(text []byte) error {
	parsed, err := tftypes.ParseJSONType(text) //nolint:staticcheck // The only reader of this form that the library exports.
	if err != nil {
		return fmt.Errorf("read the type %s: %w", text, err)
	}
	t.Type = parsed
	return nil
}

// ObjectType is the type of values that a block's body gives.
func (b Block) ObjectType() Type {
	fields := make(map[string]tftypes.Type, len(b.Attributes)+len(b.Blocks))
	for name, attribute := range b.Attributes {
		fields[name] = attribute.Type.Type
	}
	for name, nested := range b.Blocks {
		fields[name] = nested.Type().Type
	}
	return Type{tftypes.Object{AttributeTypes: fields}}
}

// Type is the type of values that all blocks of a name give together.
func (n NestedBlock) Type() Type {
	object := n.Block.ObjectType()
	switch n.Nesting {
	case List:
		// Each instance may then be of a type of its own, and Terraform sends a tuple with its type:
		// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/configs/configschema/implied_type.go
		if n.Block.dynamic() {
			return Dynamic
		}
		return ListOf(object)
	case Set:
		return SetOf(object)
	default:
		return object
	}
}

// dynamic says whether an attribute in the block, however deep, is of any type.
func (b Block) dynamic() bool {
	for _, attribute := range b.Attributes {
		if attribute.Type.Is(tftypes.DynamicPseudoType) {
			return true
		}
	}
	for _, nested := range b.Blocks {
		if nested.Block.dynamic() {
			return true
		}
	}
	return false
}

// Protocol gives the block in the words of Terraform's plugin protocol.
func (b Block) Protocol() *tfprotov5.SchemaBlock {
	block := &tfprotov5.SchemaBlock{}
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		attribute := b.Attributes[name]
		block.Attributes = append(block.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: attribute.Type.Type,
			Required: attribute.Required, Optional: attribute.Optional, Computed: attribute.Computed,
		})
	}
	nestings := map[Nesting]tfprotov5.SchemaNestedBlockNestingMode{
		List:   tfprotov5.SchemaNestedBlockNestingModeList,
		Set:    tfprotov5.SchemaNestedBlockNestingModeSet,
		Single: tfprotov5.SchemaNestedBlockNestingModeSingle,
	}
	for _, name := range slices.Sorted(maps.Keys(b.Blocks)) {
		nested := b.Blocks[name]
		block.BlockTypes = append(block.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Nesting: nestings[nested.Nesting],
			MinItems: nested.MinItems, MaxItems: nested.MaxItems, Block: nested.Block.Protocol(),
		})
	}
	return block
}

// Read reads what json.Marshal has written of a Provider.
func Read(text []byte) (*Provider, error) {
	provider := &Provider{}
	if err := json.Unmarshal(text, provider); err != nil {
		return nil, fmt.Errorf("read the provider's schema: %w", err)
	}
	return provider, nil
}
