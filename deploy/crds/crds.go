// Package crds holds the CustomResourceDefinitions of ModelRepository and
// ModelRelease. The YAML beside this file is generated from package schemas and
// embedded here, so that a binary can install what it was built with.
package crds

import "embed"

// Files holds one CustomResourceDefinition in each *.yaml file.
//
//go:embed mlops-platform.com_*.yaml
var Files embed.FS

// All returns the manifests, ordered by file name.
func All() ([][]byte, error) {
	entries, err := Files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, e := range entries {
		b, err := Files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}
