package bindings

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mlops-platform/mooring/tools/awsschema/schema"
)

// The generator of the bindings writes every file in one form; what does not have that form
// is an error here and never skipped.
var (
	classPattern     = regexp.MustCompile(`(?ms)^export class (\w+) extends cdktf\.(\w+) \{$(.*?)^\}$`)
	interfacePattern = regexp.MustCompile(`(?ms)^export interface (\w+)(?: extends [\w.]+)? \{$(.*?)^\}$`)
	hclPattern       = regexp.MustCompile(`(?ms)^export function (\w+)ToHclTerraform\(.*?^\}$`)
	// An attribute is announced by a comment with its name in Terraform.
	attributePattern = regexp.MustCompile(`(?m)^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$`)
	getterPattern    = regexp.MustCompile(`(?m)^  public get \w+\(\) \{\n    return (.*);$`)
	complexPattern   = regexp.MustCompile(`(?m)^  private _\w+ = new ((?:cdktf\.)?\w+)\(this, "\w+"(?:, (true|false))?\);`)
	fieldPattern     = regexp.MustCompile(`(?m)^  private _\w+\?: (.*?);`)
	blockPattern     = regexp.MustCompile(`(?m)^  \* (\w+) block$`)
	memberPattern    = regexp.MustCompile(`(?m)^  readonly (\w+)(\??): (.*);$`)
	kindPattern      = regexp.MustCompile(`(?m)^ +(\w+): \{\n +value: .*(?:struct!\.|this\._)(\w+).*\n +isBlock: (?:true|false),\n +type: "(\w+)"`)
	versionPattern   = regexp.MustCompile(`providerVersion: '([\d.]+)'`)
	typePattern      = regexp.MustCompile(`(?m)^  public static readonly tfResourceType = "(\w+)";$`)
)

// file is one of the bindings' source files.
type file struct {
	classes    map[string]class
	interfaces map[string]string             // the body by name
	written    map[string]map[string]written // for each struct, lower case first: by attribute, how it is written to Terraform
	resource   string                        // what Terraform calls it
	version    string
}

type class struct{ base, body string }

// written says which member of a struct an attribute is, and how it is held: simple, list, set,
// map or struct.
type written struct{ member, kind string }

func readFile(source string) (*file, error) {
	f := &file{classes: map[string]class{}, interfaces: map[string]string{}, written: map[string]map[string]written{}}
	for _, match := range classPattern.FindAllStringSubmatch(source, -1) {
		f.classes[match[1]] = class{base: match[2], body: match[3]}
		if strings.HasPrefix(match[2], "Terraform") {
			f.written[lowerFirst(match[1])] = writtenBy(match[3])
		}
	}
	for _, match := range interfacePattern.FindAllStringSubmatch(source, -1) {
		f.interfaces[match[1]] = match[2]
	}
	for _, match := range hclPattern.FindAllStringSubmatch(source, -1) {
		f.written[match[1]] = writtenBy(match[0])
	}
	resource, version := typePattern.FindStringSubmatch(source), versionPattern.FindStringSubmatch(source)
	if resource == nil || version == nil {
		return nil, fmt.Errorf("no tfResourceType or no providerVersion: not a file of the bindings as they are known here")
	}
	f.resource, f.version = resource[1], version[1]
	return f, nil
}

func writtenBy(body string) map[string]written {
	attributes := map[string]written{}
	for _, match := range kindPattern.FindAllStringSubmatch(body, -1) {
		attributes[match[1]] = written{member: match[2], kind: match[3]}
	}
	return attributes
}

// top reads the class that stands for the resource, data source or provider itself.
func (f *file) top() (schema.Block, error) {
	for name, class := range f.classes {
		if strings.HasPrefix(class.base, "Terraform") {
			if class.base == "TerraformProvider" {
				return f.configuration(name, name+"Config")
			}
			return f.block(name, class.body, name+"Config")
		}
	}
	return schema.Block{}, fmt.Errorf("no class of a resource, a data source or a provider")
}

// block reads a struct from its class; what are blocks is said in the comments of the interface.
func (f *file) block(name, body, interfaceName string) (schema.Block, error) {
	result := schema.Block{Attributes: map[string]schema.Attribute{}, Blocks: map[string]schema.NestedBlock{}}
	blocks := map[string]bool{}
	for _, match := range blockPattern.FindAllStringSubmatch(f.interfaces[interfaceName], -1) {
		blocks[match[1]] = true
	}
	found := attributePattern.FindAllStringSubmatchIndex(body, -1)
	for i, at := range found {
		end := len(body)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		text := func(group int) string { return body[at[2*group]:at[2*group+1]] }
		attribute, flags := text(1), schema.Attribute{Computed: text(2) == "true", Optional: text(3) == "true", Required: text(4) == "true"}
		if err := f.member(&result, name, attribute, body[at[1]:end], flags, blocks[attribute]); err != nil {
			return result, fmt.Errorf("%s.%s: %w", name, attribute, err)
		}
	}
	return result, nil
}

// member reads one attribute or block of a struct from the code below its comment.
func (f *file) member(into *schema.Block, owner, name, code string, flags schema.Attribute, isBlock bool) error {
	getter := getterPattern.FindStringSubmatch(code)
	if getter == nil {
		return fmt.Errorf("has no getter")
	}
	if plain, known := plainType(getter[1]); known {
		flags.Type = plain
		into.Attributes[name] = flags
		return nil
	}
	complex := complexPattern.FindStringSubmatch(code)
	if complex == nil {
		return fmt.Errorf("has a getter that is not known here: %s", getter[1])
	}
	if mapped, known := cdktfMaps[complex[1]]; known {
		flags.Type = mapped
		into.Attributes[name] = flags
		return nil
	}
	nested, err := f.nested(owner, name, complex[1], complex[2] == "true")
	if err != nil {
		return err
	}
	if isBlock {
		if flags.Required {
			nested.MinItems = 1
		}
		if nested.Nesting == schema.Single {
			nested.MinItems, nested.MaxItems = 0, 0
		}
		into.Blocks[name] = nested
		return nil
	}
	flags.Type = nested.Type()
	if strings.HasSuffix(complex[1], "Map") {
		flags.Type = schema.MapOf(nested.Block.ObjectType())
	}
	into.Attributes[name] = flags
	return nil
}

// nested reads the struct behind a list, a set, a map or a single object.
func (f *file) nested(owner, name, className string, isSet bool) (schema.NestedBlock, error) {
	result := schema.NestedBlock{Nesting: schema.List}
	base, single := strings.CutSuffix(className, "OutputReference")
	switch {
	case single:
		result.MaxItems = 1
		switch kind := f.written[lowerFirst(owner)][name].kind; kind {
		case "list":
		case "set":
			result.Nesting = schema.Set
		case "struct", "": // What is computed only is not written to Terraform: the generator has a class alone for objects.
			result.Nesting = schema.Single
		default:
			return result, fmt.Errorf("is held in a way that is not known here: %q", kind)
		}
	case strings.HasSuffix(className, "List"):
		base = strings.TrimSuffix(className, "List")
		if isSet {
			result.Nesting = schema.Set
		}
	case strings.HasSuffix(className, "Map"):
		base = strings.TrimSuffix(className, "Map")
	default:
		return result, fmt.Errorf("is of a class that is not known here: %s", className)
	}
	class, known := f.classes[base+"OutputReference"]
	if !known {
		return result, fmt.Errorf("is of the class %sOutputReference, which is in another file", base)
	}
	var err error
	result.Block, err = f.block(base, class.body, base)
	return result, err
}

// configuration reads the provider's own arguments, which nothing can refer to: the bindings
// have no classes for their blocks, only interfaces.
func (f *file) configuration(name, interfaceName string) (schema.Block, error) {
	result := schema.Block{Attributes: map[string]schema.Attribute{}, Blocks: map[string]schema.NestedBlock{}}
	attributes := f.written[lowerFirst(name)]
	snakes := map[string]string{}
	for snake, attribute := range attributes {
		snakes[attribute.member] = snake
	}
	for _, match := range memberPattern.FindAllStringSubmatch(f.interfaces[interfaceName], -1) {
		snake, known := snakes[match[1]]
		if match[1] == "alias" { // Terraform's own, as in every provider block.
			continue
		}
		if !known {
			return result, fmt.Errorf("%s.%s: is not written to Terraform", interfaceName, match[1])
		}
		flags := schema.Attribute{Optional: match[2] == "?", Required: match[2] == ""}
		declared := strings.TrimSuffix(match[3], " | cdktf.IResolvable")
		if plain, known := declaredTypes[declared]; known {
			if declared == "string[]" && attributes[snake].kind == "set" {
				plain = schema.SetOf(schema.String)
			}
			flags.Type = plain
			result.Attributes[snake] = flags
			continue
		}
		inner := strings.TrimSuffix(declared, "[]")
		block, err := f.configuration(inner, inner)
		if err != nil {
			return result, err
		}
		nesting := schema.List
		if attributes[snake].kind == "set" {
			nesting = schema.Set
		}
		result.Blocks[snake] = schema.NestedBlock{Nesting: nesting, Block: block}
	}
	if len(result.Attributes)+len(result.Blocks) == 0 {
		return result, fmt.Errorf("%s has no members", interfaceName)
	}
	return result, nil
}

var declaredTypes = map[string]schema.Type{
	"string": schema.String, "number": schema.Number, "boolean": schema.Bool,
	"string[]": schema.ListOf(schema.String), "{ [key: string]: string }": schema.MapOf(schema.String),
}

var cdktfMaps = map[string]schema.Type{
	"cdktf.StringMap": schema.MapOf(schema.String), "cdktf.NumberMap": schema.MapOf(schema.Number), "cdktf.BooleanMap": schema.MapOf(schema.Bool),
	"cdktf.StringMapList": schema.ListOf(schema.MapOf(schema.String)),
}

var plainGetter = regexp.MustCompile(`^(cdktf\.Token\.asNumberList\()?(cdktf\.Fn\.tolist\()?this\.(\w+)\('\w+'\)+$`)

// plainType reads the type from what a getter calls.
func plainType(expression string) (schema.Type, bool) {
	match := plainGetter.FindStringSubmatch(expression)
	if match == nil {
		return schema.Type{}, false
	}
	collection := schema.ListOf
	if match[2] != "" {
		collection = schema.SetOf
	}
	types := map[string]schema.Type{
		"getStringAttribute": schema.String, "getNumberAttribute": schema.Number, "getBooleanAttribute": schema.Bool,
		"getListAttribute": collection(schema.String), "getNumberListAttribute": collection(schema.Number),
		"getStringMapAttribute": schema.MapOf(schema.String), "getNumberMapAttribute": schema.MapOf(schema.Number),
		"getBooleanMapAttribute": schema.MapOf(schema.Bool), "interpolationForAttribute": schema.Dynamic,
	}
	found, known := types[match[3]]
	return found, known
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
