package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/controlplane"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// read returns a file of the source tree.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// pages lists every document, by path in the source tree.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "docs/operations/*.md", "example-repo/*.md", "terraform/*.md", "tools/*/*.md", "test/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			path, err := filepath.Rel(root(t), f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, path)
		}
	}
	return out
}

// fence is one fenced block.
type fence struct {
	page string
	line int
	// language and marks are the words after the opening fence.
	language string
	marks    []string
	lines    []string
}

func (f fence) marked(word string) bool { return slices.Contains(f.marks, word) }

// mark is the value of a mark NAME=VALUE.
func (f fence) mark(name string) string {
	for _, m := range f.marks {
		if v, ok := strings.CutPrefix(m, name+"="); ok {
			return v
		}
	}
	return ""
}

// split takes a page apart: its fenced blocks, and its text without them, line
// for line.
func split(t *testing.T, page string) (blocks []fence, text []string) {
	t.Helper()
	var open *fence
	for i, line := range strings.Split(read(t, page), "\n") {
		fenced := strings.HasPrefix(strings.TrimSpace(line), "```")
		switch {
		case fenced && open == nil:
			words := append(strings.Fields(strings.TrimLeft(strings.TrimSpace(line), "`")), "")
			open = &fence{page: page, line: i + 1, language: words[0], marks: words[1:]}
			text = append(text, "")
		case fenced:
			blocks = append(blocks, *open)
			open = nil
			text = append(text, "")
		case open != nil:
			open.lines = append(open.lines, line)
			text = append(text, "")
		default:
			text = append(text, line)
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the fence is never closed", page, open.line)
	}
	return blocks, text
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`^#+ (.*)$`)
	anchorTag  = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	inlineCode = regexp.MustCompile("`([^`]+)`")
	// treePath is a file or folder of the source tree.
	treePath = regexp.MustCompile(`^(\.ci|cmd|deploy|docs|example-repo|hack|internal|policy|reconciler|render|schemas|terraform|test|tools)/[A-Za-z0-9_./*-]*$`)
	// named is a file followed by something that stands in it.
	named       = regexp.MustCompile("`([a-z][A-Za-z0-9_./-]*\\.go)` \\(((?:`[A-Za-z.]+`(?:, )?)+)\\)")
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the places of a page that a link can lead to, as GitHub names them.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	_, text := split(t, page)
	for _, line := range text {
		if m := heading.FindStringSubmatch(line); m != nil {
			out[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
		}
		for _, m := range anchorTag.FindAllStringSubmatch(line, -1) {
			out[m[1]] = true
		}
	}
	return out
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		_, text := split(t, page)
		for i, line := range text {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				target, fragment, _ := strings.Cut(m[1], "#")
				if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				to := page
				if target != "" {
					to = filepath.Join(filepath.Dir(page), target)
				}
				if _, err := os.Stat(filepath.Join(root(t), to)); err != nil {
					t.Errorf("%s:%d: the link to %s leads nowhere", page, i+1, m[1])
					continue
				}
				if fragment != "" && !anchors(t, to)[fragment] {
					t.Errorf("%s:%d: %s has no heading for #%s", page, i+1, to, fragment)
				}
			}
		}
	}
}

func TestNamedFilesExist(t *testing.T) {
	for _, page := range pages(t) {
		_, text := split(t, page)
		for i, line := range text {
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				if !treePath.MatchString(m[1]) {
					continue
				}
				if !exists(t, m[1], ".", filepath.Dir(page), "example-repo") {
					t.Errorf("%s:%d: %s does not exist", page, i+1, m[1])
				}
			}
		}
	}
}

// exists looks for a path, which may hold wildcards, from several folders.
func exists(t *testing.T, path string, from ...string) bool {
	t.Helper()
	for _, folder := range from {
		found, err := filepath.Glob(filepath.Join(root(t), folder, path))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return true
		}
	}
	return false
}

// `reconciler/release/ledger.go` (`Ledger.Judge`) names a method and its file.
func TestNamedFunctionsStandInTheirFiles(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			content := read(t, m[1])
			for _, c := range inlineCode.FindAllStringSubmatch(m[2], -1) {
				count++
				name := c[1][strings.LastIndexByte(c[1], '.')+1:]
				declared := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |var |const |\t)` + name + `\b`)
				if !declared.MatchString(content) {
					t.Errorf("%s: %s does not declare %s", page, m[1], c[1])
				}
			}
		}
	}
	if count < 20 {
		t.Errorf("only %d functions are named; is the pattern of the pages still right?", count)
	}
}
