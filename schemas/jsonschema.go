package schemas

import (
	"embed"
	"strings"
)

//go:embed json/*.schema.json
var jsonSchemas embed.FS

// JSONSchema is the JSON Schema (draft 2020-12) of a kind of file, for editors:
// it knows the fields and the rules of each, but not what refers to other
// fields or files. It is nil for a kind that is no file's.
func JSONSchema(kind Kind) []byte {
	b, err := jsonSchemas.ReadFile("json/" + strings.ToLower(string(kind)) + ".schema.json")
	if err != nil {
		return nil
	}
	return b
}
