package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/schemas"
)

// hostile content of a manifest, by what it is.
var hostile = []struct {
	model, what string
	content     func(good string) string
}{
	{"bomb", "an alias bomb", func(string) string {
		bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
		for c := 'b'; c < 'j'; c++ {
			bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9), ", "))
		}
		return bomb
	}},
	{"documents", "two documents", func(good string) string { return good + "---\n" + good }},
	{"huge", "a file over its cap", func(good string) string { return good + "# " + strings.Repeat("x", 300<<10) + "\n" }},
	{"broken", "YAML that does not parse", func(good string) string { return good + "  - [\n" }},
	{"unknown", "a field that does not exist", func(good string) string { return good + "  runAsRoot: true\n" }},
	{"binary", "bytes that are no text", func(good string) string { return good + "# \x00\xff\xfe\n" }},
	{"elsewhere", "a model under another's name", func(good string) string { return strings.ReplaceAll(good, "elsewhere", "demand-forecast") }},
}

// hostileFiles are the hostile manifests at their places.
func hostileFiles(w *world) map[string][]byte {
	w.t.Helper()
	good, err := w.Manifest(w.t.Context(), demo.Forecast)
	w.must(err)
	files := map[string][]byte{}
	for _, h := range hostile {
		named := strings.ReplaceAll(string(good), demo.Forecast.Model, h.model)
		files[low(h.model).Path()] = []byte(h.content(named))
	}
	return files
}

// A pull request with hostile files fails, and its comment names each of them.
// Pushed past the gate, they are quarantined, and other models go on.
func TestHostileContentHarmsNothing(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	files := hostileFiles(w)

	w.refusesInReview(files)

	// Past the gate: the same files, and a link.
	pushed := pushWithLink(w, files, low("link").Path(), "/etc/passwd")
	w.hasStatus(pushed, "mooring", "failure", "quarantined")
	w.must(w.Until(t.Context(), "all of it is quarantined", func(context.Context) (string, bool, error) {
		n := w.repository().Status.QuarantinedFiles
		return fmt.Sprint(n, " files"), n == len(files)+1, nil
	}))
	w.says("Ready", "True", "Judged")
	for _, h := range hostile {
		r, err := w.Receipt(t.Context(), low(h.model))
		w.must(err)
		if r == nil || r.Status.Quarantined == nil || len(r.Status.Inventory) > 0 {
			t.Errorf("%s is not quarantined: %+v", h.what, r)
		}
	}

	// Beside them another model is judged, merged and deployed.
	number, head, err := w.Propose(t.Context(), demo.Classifier, "Serve email-classifier v6", `version: "5"`, `version: "6"`)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	_, err = w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.must(w.Live(t.Context(), demo.Classifier, "6"))

	// When it is taken away, nothing is left of it.
	away := map[string][]byte{low("link").Path(): nil}
	for path := range files {
		away[path] = nil
	}
	_, err = w.PushToMain(t.Context(), "Mend the branch", away)
	w.must(err)
	w.must(w.Until(t.Context(), "what was hostile is forgotten", func(ctx context.Context) (string, bool, error) {
		n := w.repository().Status.QuarantinedFiles
		r, err := w.Receipt(ctx, low("bomb"))
		return fmt.Sprint(n, " files"), n == 0 && r == nil, err
	}))
	w.nothingOrphaned()
}

// Governing files that were pushed past the gate govern nothing: what is
// deployed stays under the approved ones, and nobody is judged by the others.
func TestUnapprovedRulesRuleNothing(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	staging := schemas.EnvironmentPath("staging")
	long := "overlays/" + strings.Repeat("long/", 90) + "kustomization.yaml" // as long as paths get
	pushed, err := w.PushToMain(t.Context(), "Loosen the rules", map[string][]byte{staging: []byte("spec: [\n"), long: []byte("resources: []\n")})
	w.must(err)
	w.hasStatus(pushed, "mooring", "failure", "quarantined")
	w.says("Quarantined", "True", "Unapproved")
	w.healed(demo.Churn)
	number, head, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(head, "mooring", "error", "governing file")
	if _, err := w.Merge(t.Context(), demo.Author, number, "squash", head); err == nil {
		t.Fatal("it could be merged")
	}
	_, err = w.PushToMain(t.Context(), "Restore the rules", map[string][]byte{staging: trustedFile(w, staging), long: nil})
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	_, err = w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
	w.says("Quarantined", "False", "Clean")
	w.nothingOrphaned()
}

// refusesInReview proposes hostile files and makes sure that each is named.
func (w *world) refusesInReview(files map[string][]byte) {
	w.t.Helper()
	number, head, err := w.ProposeFiles(w.t.Context(), "Be hostile", files)
	w.must(err)
	w.hasStatus(head, "mooring", "failure", "")
	w.hasStatus(head, "mooring/validate", "failure", "")
	w.must(w.Until(w.t.Context(), "one comment names every file", func(ctx context.Context) (string, bool, error) {
		comments, err := w.Comments(ctx, number)
		if err != nil || len(comments) != 1 {
			return fmt.Sprint(len(comments), " comments"), false, err
		}
		for _, h := range hostile {
			if path := low(h.model).Path(); !strings.Contains(comments[0], path) {
				return fmt.Sprintf("the comment does not name %s:\n%s", path, comments[0]), false, nil
			}
		}
		return "", true, nil
	}))
}

// trustedFile reads a file at the commit that the world started from.
func trustedFile(w *world, path string) []byte {
	w.t.Helper()
	var file struct {
		Content []byte `json:"content"`
	}
	w.must(w.People[demo.Admin].Call(w.t.Context(), "GET", "/repos/"+demo.FullName+"/contents/"+path+"?ref="+w.Trusted, nil, &file))
	return file.Content
}

// pushWithLink pushes files and a symbolic link to the branch, as git does it.
func pushWithLink(w *world, files map[string][]byte, link, target string) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "clone")
	remote := strings.Replace(w.GitHub.CloneURL(demo.FullName), "http://", "http://"+demo.Admin+":"+w.People[demo.Admin].Token+"@", 1)
	git(w.t, "", "clone", "--quiet", "--depth=1", remote, dir)
	for path, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(path))
		w.must(os.MkdirAll(filepath.Dir(file), 0o755))
		w.must(os.WriteFile(file, content, 0o644))
	}
	w.must(os.MkdirAll(filepath.Join(dir, filepath.Dir(link)), 0o755))
	w.must(os.Symlink(target, filepath.Join(dir, filepath.FromSlash(link))))
	git(w.t, dir, "add", "--all")
	git(w.t, dir, "-c", "user.name=mallory", "-c", "user.email=mallory@example.com", "commit", "--quiet", "-m", "Harmless")
	git(w.t, dir, "push", "--quiet", "origin", "HEAD:main")
	return strings.TrimSpace(git(w.t, dir, "rev-parse", "HEAD"))
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}
