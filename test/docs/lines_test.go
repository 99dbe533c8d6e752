package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// placed is a file, a line of it, and what stands there:
// `terraform/modules/network/main.tf:20` (`aws_vpc.this`).
var placed = regexp.MustCompile("`([A-Za-z][A-Za-z0-9_./-]*\\.[a-z]+):(\\d+)` \\(`([^`]+)`\\)")

// bare is a line that nothing says what stands there.
var bare = regexp.MustCompile("`[A-Za-z][A-Za-z0-9_./-]*\\.(?:go|tf|yaml|rego|sh):\\d+`(?: \\(`)?")

// declaration is how a language declares a name. Of other files the first line
// that holds the text counts.
func declaration(file, name string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(name)
	switch filepath.Ext(file) {
	case ".go":
		return regexp.MustCompile(`^(func (\([^)]*\) )?|type |var |const )` + quoted + `\b`)
	case ".tf":
		kind, rest, _ := strings.Cut(name, ".")
		switch kind {
		case "var":
			return regexp.MustCompile(`^variable "` + regexp.QuoteMeta(rest) + `"`)
		case "module", "output":
			return regexp.MustCompile(`^` + kind + ` "` + regexp.QuoteMeta(rest) + `"`)
		case "local":
			return regexp.MustCompile(`^  ` + regexp.QuoteMeta(rest) + `\s+=`)
		}
		return regexp.MustCompile(`^resource "` + regexp.QuoteMeta(kind) + `" "` + regexp.QuoteMeta(rest) + `"`)
	}
	return regexp.MustCompile(quoted)
}

// lineOf is where a file declares a name, from 1; 0 if it does not.
func lineOf(content, file, name string) int {
	lines := strings.Split(content, "\n")
	return slices.IndexFunc(lines, declaration(file, name).MatchString) + 1
}

// The lines are written by this test:  go test ./test/docs -run Lines -update
func TestLinesThatAreNamedHoldWhatIsSaid(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range bare.FindAllString(text, -1) {
			if !strings.HasSuffix(m, "(`") && !strings.HasPrefix(page, "tools/") {
				t.Errorf("%s: say in brackets what stands at %s, or the line cannot be checked", page, m)
			}
		}
		updated := placed.ReplaceAllStringFunc(text, func(reference string) string {
			count++
			m := placed.FindStringSubmatch(reference)
			content, err := os.ReadFile(filepath.Join(root(t), m[1]))
			if err != nil {
				t.Errorf("%s: %v", page, err)
				return reference
			}
			line := lineOf(string(content), m[1], m[3])
			if line == 0 {
				t.Errorf("%s: %s does not declare %s", page, m[1], m[3])
				return reference
			}
			if said, err := strconv.Atoi(m[2]); (err != nil || said != line) && !*update {
				t.Errorf("%s: %s stands at %s:%d, not %s (-update writes the lines anew)", page, m[3], m[1], line, m[2])
			}
			return fmt.Sprintf("`%s:%d` (`%s`)", m[1], line, m[3])
		})
		if *update && updated != text {
			if err := os.WriteFile(filepath.Join(root(t), page), []byte(updated), 0o600); err != nil {
				t.Error(err)
			}
		}
	}
	if count < 50 {
		t.Errorf("only %d lines are named; is the pattern of the pages still right?", count)
	}
}

func TestDeclarationsAreFound(t *testing.T) {
	for _, c := range []struct {
		file, name, content string
		want                int
	}{
		{"a.tf", "aws_vpc.this", "# aws_vpc.this\nresource \"aws_vpc\" \"this\" {\n", 2},
		{"a.tf", "aws_vpc.that", "resource \"aws_vpc\" \"this\" {\n", 0},
		{"a.tf", "local.groups", "locals {\n  groups = {\n", 2},
		{"a.go", "Judge", "// Judge does.\nfunc (l Ledger) Judge() {}\n", 2},
		{"a.go", "Judge", "\tJudge bool\n\nfunc Judges() {}\n", 0},
		{"a.yaml", "name: x", "kind: A\nmetadata:\n  name: x\n", 3},
	} {
		if got := lineOf(c.content, c.file, c.name); got != c.want {
			t.Errorf("%s in %q is at %d, want %d", c.name, c.content, got, c.want)
		}
	}
}
