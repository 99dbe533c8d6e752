package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const gettingStarted = "docs/getting-started.md"

// Somebody new does what the page says, in its order and nothing else, in a
// source tree of Mooring.
func TestGettingStartedWorksWhenItIsFollowed(t *testing.T) {
	dir := t.TempDir()
	buildMlops(t, dir)
	at := filepath.Join(dir, "mooring")
	if err := os.CopyFS(filepath.Join(at, "example-repo"), os.DirFS(filepath.Join(root(t), "example-repo"))); err != nil {
		t.Fatal(err)
	}
	blocks, _ := split(t, gettingStarted)
	output, steps := "", 0
	for _, b := range blocks {
		switch {
		case b.language == "sh" && (b.marked("run") || b.marked("walk")):
			steps++
			output, at = step(t, dir, at, b)
		case b.language == "text" && b.marked("output"):
			checkOutput(t, b, output)
		}
		if t.Failed() {
			return // whoever follows the page is stuck here
		}
	}
	if steps < 8 {
		t.Errorf("only %d blocks are run; are the page's marks still right?", steps)
	}
	noSchemaOfTheSourceTree(t, at)
}

// step runs a block and says in which folder it ends.
func step(t *testing.T, workshop, at string, b fence) (output, ends string) {
	t.Helper()
	place := filepath.Join(workshop, "place")
	b.lines = append([]string{"trap 'pwd > " + place + "' EXIT"}, b.lines...)
	output = runBlock(t, workshop, at, b)
	after, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	return output, strings.TrimSpace(string(after))
}

// noSchemaOfTheSourceTree: editors find each schema from the copy, too, and the
// address leads to a file that there is.
func noSchemaOfTheSourceTree(t *testing.T, repo string) {
	t.Helper()
	const address = "$schema=https://raw.githubusercontent.com/mlops-platform/mooring/main/"
	seen := 0
	err := filepath.WalkDir(repo, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(content), "\n")
		_, schema, ok := strings.Cut(first, address)
		if !ok {
			if strings.Contains(first, "$schema=") {
				t.Errorf("%s: %s", path, first)
			}
			return nil
		}
		seen++
		_, err = os.Stat(filepath.Join(root(t), schema))
		return err
	})
	if err != nil || seen < 10 {
		t.Errorf("%d files name their schema: %v", seen, err)
	}
}
