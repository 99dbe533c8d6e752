package worktree_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/schemas"
)

func put(t *testing.T, root, name, content string) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	const path = "models/a/b/c/deployment.yaml"
	for name, tc := range map[string]struct {
		lay     func(t *testing.T, root string)
		path    string
		content string
		refused string
	}{
		"a file is read": {
			func(t *testing.T, root string) { put(t, root, path, "x") }, path, "x", "",
		},
		"a link is refused and not followed": {
			func(t *testing.T, root string) {
				put(t, root, "models/a/secret", "s")
				if err := os.Symlink("secret", filepath.Join(root, "models/a/link")); err != nil {
					t.Fatal(err)
				}
			}, "models/a/link", "", "symbolic link",
		},
		"a known folder that is a link is refused": {
			func(t *testing.T, root string) {
				if err := os.Symlink(t.TempDir(), filepath.Join(root, "models")); err != nil {
					t.Fatal(err)
				}
			}, "models", "", "symbolic link",
		},
		"a file over its cap is refused": {
			func(t *testing.T, root string) { put(t, root, path, strings.Repeat("x", 256<<10+1)) }, path, "", "262145 bytes",
		},
		"a rule may be larger": {
			func(t *testing.T, root string) { put(t, root, "policy/a.rego", strings.Repeat("x", 1<<20)) }, "policy/a.rego", strings.Repeat("x", 1<<20), "",
		},
		"a folder that Git takes for its own is refused": {
			func(t *testing.T, root string) { put(t, root, "models/a/.GIT/config", "x") }, "models/a/.GIT", "", "Git",
		},
		"folders that lie too deep are refused": {
			func(t *testing.T, root string) { put(t, root, "models/"+strings.Repeat("d/", 40)+"f", "x") },
			"models/" + strings.TrimSuffix(strings.Repeat("d/", 31), "/"), "", "deep",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			tc.lay(t, root)
			files, err := worktree.Read(root)
			if err != nil {
				t.Fatal(err)
			}
			var found *schemas.File
			for i := range files {
				if files[i].Path == tc.path {
					found = &files[i]
				}
			}
			if found == nil {
				t.Fatalf("%s is not listed: %d files", tc.path, len(files))
			}
			if string(found.Content) != tc.content || (tc.refused == "") != (found.Refused == "") || !strings.Contains(found.Refused, tc.refused) {
				t.Errorf("%d bytes, refused %q", len(found.Content), found.Refused)
			}
			if strings.Contains(found.Refused, root) {
				t.Errorf("the reason names a folder of this machine: %s", found.Refused)
			}
		})
	}
}

func TestWhatLiesOutsideIsNotRead(t *testing.T) {
	root := t.TempDir()
	put(t, root, "notes/deployment.yaml", "x")
	put(t, root, "governance.yml", "x")
	files, err := worktree.Read(root)
	if err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestNoFolder(t *testing.T) {
	root := t.TempDir()
	put(t, root, "file", "x")
	for _, dir := range []string{filepath.Join(root, "nowhere"), filepath.Join(root, "file")} {
		if _, err := worktree.Read(dir); !errors.Is(err, worktree.ErrNotFolder) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestStraysAreListed(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"governance.yml", "governance.yaml", "policies/x.rego", "team/a.yaml", "Models/a/b/c/deployment.yaml",
		"teams/a.yml", "README.md", ".github/policies/x.rego", "docs/team/a.yaml", "policies/README.md",
	} {
		put(t, root, name, "apiVersion: mlops-platform.com/v1alpha1\n")
	}
	put(t, root, "policies/x.rego", "# rules\npackage mooring\n")
	put(t, root, "policies/gatekeeper.rego", "package k8s\n")
	put(t, root, "team/oncall.yaml", "rota: []\n")
	put(t, root, "model/a/b/c/deployment.yaml", "kind: Deployment\napiVersion: apps/v1\n")
	if err := os.Symlink("a.yaml", filepath.Join(root, "team/b.yaml")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range worktree.Strays(root) {
		if f.Content != nil || f.Refused != "" {
			t.Errorf("%s has content", f.Path)
		}
		got = append(got, f.Path)
	}
	if want := "Models/a/b/c/deployment.yaml governance.yml policies/x.rego team/a.yaml"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	if strays := worktree.Strays(filepath.Join(root, "gone")); len(strays) > 0 {
		t.Errorf("got %v", strays)
	}
}
