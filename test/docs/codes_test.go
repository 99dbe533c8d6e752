package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codesIn reads the constants named Code… of a folder's Go files.
func codesIn(t *testing.T, dir string) []string {
	t.Helper()
	var codes []string
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != len(spec.Values) {
				return true
			}
			for i, name := range spec.Names {
				lit, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING || !strings.HasPrefix(name.Name, "Code") {
					continue
				}
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
			return true
		})
	}
	return codes
}

var (
	codesMark = regexp.MustCompile(`(?s)<!-- codes -->(.*?)<!-- end -->`)
	codeRow   = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (error|warning|error or warning) \\| .+ \\|$")
)

func TestTheReferenceHasEveryFindingCode(t *testing.T) {
	known := map[string]bool{}
	for _, folder := range []string{"schemas", "policy", "render", "reconciler"} {
		err := filepath.WalkDir(filepath.Join(root(t), folder), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				for _, code := range codesIn(t, path) {
					known[code] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	section := codesMark.FindStringSubmatch(read(t, referencePath))
	if section == nil {
		t.Fatalf("%s has no table of codes", referencePath)
	}
	var listed []string
	for _, m := range codeRow.FindAllStringSubmatch(section[1], -1) {
		if slices.Contains(listed, m[1]) {
			t.Errorf("the code %s is listed twice", m[1])
		}
		listed = append(listed, m[1])
		if !known[m[1]] {
			t.Errorf("the code %s is listed and does not exist", m[1])
		}
	}
	for code := range known {
		if !slices.Contains(listed, code) {
			t.Errorf("the code %s is not listed", code)
		}
	}
}
