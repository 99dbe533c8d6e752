package schema

import "testing"

func TestBlocksAreOfTheTypeThatTerraformSends(t *testing.T) {
	plain := Block{Attributes: map[string]Attribute{"name": {Type: String}}}
	anything := Block{Attributes: map[string]Attribute{"settings": {Type: Dynamic}}}
	for _, c := range []struct {
		name  string
		block NestedBlock
		want  Type
	}{
		{"a list of what is of one type is a list", NestedBlock{Nesting: List, Block: plain}, ListOf(plain.ObjectType())},
		{"a set is a set", NestedBlock{Nesting: Set, Block: plain}, SetOf(plain.ObjectType())},
		{"a list of what can be of any type comes with its type", NestedBlock{Nesting: List, Block: anything}, Dynamic},
		{
			"so does a list of what has that further in",
			NestedBlock{Nesting: List, Block: Block{Blocks: map[string]NestedBlock{"query": {Nesting: List, Block: anything}}}}, Dynamic,
		},
		{"a single one is itself", NestedBlock{Nesting: Single, Block: anything}, anything.ObjectType()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.block.Type(); !got.Equal(c.want.Type) {
				t.Errorf("it is %s, want %s", got, c.want)
			}
		})
	}
}
