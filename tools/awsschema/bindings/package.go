// Package bindings reads the AWS provider's schema from the npm package @cdktf/provider-aws:
// code that is generated from the schema of a released provider, one file for each resource
// and data source. The package holds compiled JavaScript; the TypeScript it came from, which
// says of each attribute whether it is required, optional or computed, is in the source maps.
//
// What the bindings do not say is not known here either: which values an argument takes,
// which arguments exclude each other, which are sensitive, and bounds of blocks above one.
package bindings

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/mlops-platform/mooring/tools/awsschema/schema"
)

// Uses are the resources and data sources whose schema is wanted, as Terraform calls them.
type Uses struct{ Resources, DataSources []string }

// Read reads the schema of what is used from the package's archive, whose digest must be
// integrity, in the form of package-lock.json. A name that the provider does not have is left
// out of the result.
func Read(archive, integrity string, uses Uses) (*schema.Provider, error) {
	content, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(content)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != integrity {
		return nil, fmt.Errorf("%s has the digest %s where %s is pinned: it is not the package that was reviewed", archive, got, integrity)
	}
	wanted := map[string]string{"package/lib/provider/index.js": ""}
	for _, name := range uses.Resources {
		wanted[folder("", name)] = name
	}
	for _, name := range uses.DataSources {
		wanted[folder("data-aws-", name)] = name
	}
	sources, err := extract(content, wanted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	return assemble(sources, wanted)
}

func folder(prefix, name string) string {
	return path.Join("package/lib", prefix+strings.ReplaceAll(strings.TrimPrefix(name, "aws_"), "_", "-"), "index.js")
}

// extract gives the TypeScript of the wanted files of an npm archive.
func extract(content []byte, wanted map[string]string) (map[string]string, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	sources := map[string]string{}
	files := tar.NewReader(unzipped)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return sources, nil
		}
		if err != nil {
			return nil, err
		}
		if _, ok := wanted[header.Name]; !ok {
			continue
		}
		script, err := io.ReadAll(files)
		if err != nil {
			return nil, err
		}
		if sources[header.Name], err = typescript(string(script)); err != nil {
			return nil, fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

// typescript gives the source that a script was compiled from, out of its inline source map.
func typescript(script string) (string, error) {
	const marker = "//# sourceMappingURL=data:application/json;base64,"
	_, encoded, found := strings.Cut(script, "\n"+marker)
	if !found {
		return "", fmt.Errorf("has no source map")
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", fmt.Errorf("decode the source map: %w", err)
	}
	var sourceMap struct {
		SourcesContent []string `json:"sourcesContent"`
	}
	if err := json.Unmarshal(text, &sourceMap); err != nil {
		return "", fmt.Errorf("read the source map: %w", err)
	}
	if len(sourceMap.SourcesContent) != 1 {
		return "", fmt.Errorf("is compiled from %d sources where one is expected", len(sourceMap.SourcesContent))
	}
	return sourceMap.SourcesContent[0], nil
}

func assemble(sources, wanted map[string]string) (*schema.Provider, error) {
	provider := &schema.Provider{Resources: map[string]schema.Block{}, DataSources: map[string]schema.Block{}}
	for name, source := range sources {
		file, err := readFile(source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		block, err := file.top()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		switch {
		case name == "package/lib/provider/index.js":
			provider.Config, provider.Version = block, file.version
		case file.resource != wanted[name]:
			return nil, fmt.Errorf("%s is of %s where %s is expected", name, file.resource, wanted[name])
		case strings.HasPrefix(name, "package/lib/data-aws-"):
			provider.DataSources[file.resource] = block
		default:
			provider.Resources[file.resource] = block
		}
	}
	if provider.Version == "" {
		return nil, fmt.Errorf("the package has no provider: it is not @cdktf/provider-aws")
	}
	return provider, nil
}
