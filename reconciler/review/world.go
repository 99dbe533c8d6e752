package review

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

type deployment = schemas.Document[schemas.ModelDeployment]

// parsed is a manifest as it was read, or what is wrong with it.
type parsed struct {
	doc      *deployment
	findings schemas.Findings
}

// reader reads the trees of one repository and remembers what it parsed, by
// path and content: the base and the head of a pull request share almost all.
type reader struct {
	repo *source.Repository

	mu       sync.Mutex
	manifest map[manifestKey]parsed
}

type manifestKey struct {
	path string
	blob source.ID
}

func newReader(repo *source.Repository) *reader {
	return &reader{repo: repo, manifest: map[manifestKey]parsed{}}
}

// file reads one entry of a tree in the form that the loader takes.
func (r *reader) file(ctx context.Context, f source.File) (schemas.File, error) {
	if f.Refused != nil {
		return schemas.File{Path: f.Path, Refused: f.Refused.Error()}, nil
	}
	content, err := r.repo.ReadBlob(ctx, f.Blob)
	if refused := (*source.Refused)(nil); errors.As(err, &refused) {
		return schemas.File{Path: f.Path, Refused: refused.Error()}, nil
	}
	return schemas.File{Path: f.Path, Content: content}, err
}

// files reads the entries of a tree that keep selects.
func (r *reader) files(ctx context.Context, tree *source.Tree, keep func(path string) bool) ([]schemas.File, error) {
	var out []schemas.File
	for _, f := range tree.Files() {
		if !keep(f.Path) {
			continue
		}
		file, err := r.file(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, file)
	}
	return out, nil
}

// parse reads one manifest. A file that is absent has no document and no finding.
func (r *reader) parse(ctx context.Context, f source.File) (parsed, error) {
	if !f.Exists() {
		return parsed{}, nil
	}
	key := manifestKey{f.Path, f.Blob}
	r.mu.Lock()
	p, ok := r.manifest[key]
	r.mu.Unlock()
	if ok {
		return p, nil
	}
	file, err := r.file(ctx, f)
	if err != nil {
		return parsed{}, err
	}
	p = parseManifest(file)
	r.mu.Lock()
	r.manifest[key] = p
	r.mu.Unlock()
	return p, nil
}

func parseManifest(f schemas.File) parsed {
	if f.Refused != "" {
		return parsed{findings: schemas.Findings{refusedFile(f)}}
	}
	doc, findings := schemas.ParseModelDeployment(f.Path, f.Content)
	return parsed{doc: doc, findings: findings}
}

func refusedFile(f schemas.File) schemas.Finding {
	return schemas.Finding{
		Severity: schemas.SeverityError, File: f.Path, Line: 1, Column: 1, Code: schemas.CodeRefusedFile,
		Message: f.Refused, Remedy: "make it a regular file within the limits",
	}
}

// world is everything by which the manifests of one tree are judged: the
// governing files, the overlays and the rules of that tree.
type world struct {
	desired.World
	// rules compiles the Rego rules, when they are first asked for: those that
	// nobody approved yet are never compiled in this process. The bundle is nil
	// where the findings say that they do not compile.
	rules func() (*compliance.Bundle, []schemas.Finding)
	// findings are about governance, environments and teams.
	findings schemas.Findings
	// files are what all of this was read from.
	files []schemas.File
}

// loadWorld reads the governing files of a tree.
func (r *reader) loadWorld(ctx context.Context, tree *source.Tree) (*world, error) {
	files, err := r.files(ctx, tree, schemas.IsPlatform)
	if err != nil {
		return nil, err
	}
	return newWorld(files), nil
}

func newWorld(files []schemas.File) *world {
	w := &world{files: files}
	w.World, w.findings = desired.NewWorld("", files)
	w.rules = sync.OnceValues(func() (*compliance.Bundle, []schemas.Finding) { return compliance.Compile(w.ruleFiles()) })
	return w
}

// ruleFiles are the files under policy/, by path.
func (w *world) ruleFiles() map[string][]byte {
	rules := map[string][]byte{}
	for _, f := range w.files {
		if f.Refused == "" && schemas.ClassifyPath(f.Path) == schemas.PathPolicy {
			rules[f.Path] = f.Content
		}
	}
	return rules
}

// governance is the rule book, or nil where it is missing or broken.
func (w *world) governance() *schemas.GovernanceSpec {
	if w.Platform.Governance == nil {
		return nil
	}
	return &w.Platform.Governance.Value.Spec
}

func (w *world) environment(name string) *schemas.Environment {
	if e := w.Platform.Environments[name]; e != nil {
		return &e.Value
	}
	return nil
}

func (w *world) team(name string) *schemas.Team {
	if t := w.Platform.Teams[name]; t != nil {
		return &t.Value
	}
	return nil
}

// teamManifests parses all manifests of a team in a tree.
func (r *reader) teamManifests(ctx context.Context, tree *source.Tree, team string) ([]parsed, error) {
	prefix := "models/" + team + "/"
	return r.manifests(ctx, tree, func(path string) bool { return strings.HasPrefix(path, prefix) })
}

func (r *reader) manifests(ctx context.Context, tree *source.Tree, keep func(path string) bool) ([]parsed, error) {
	var out []parsed
	for _, f := range tree.Files() {
		if !keep(f.Path) || schemas.ClassifyPath(f.Path) != schemas.PathManifest {
			continue
		}
		p, err := r.parse(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// manifestsOf parses the manifests of a tree that name one of the registered
// models, by that name. Every file is read once, whatever the number of names.
// One whose bytes hold none of them is passed over unparsed, unless it holds a
// backslash: a quoted scalar may spell a name with escapes.
func (r *reader) manifestsOf(ctx context.Context, tree *source.Tree, names []string) (map[string][]*deployment, error) {
	out := map[string][]*deployment{}
	for _, f := range tree.Files() {
		if len(names) == 0 {
			break
		}
		if f.Refused != nil || schemas.ClassifyPath(f.Path) != schemas.PathManifest {
			continue
		}
		file, err := r.file(ctx, f)
		if err != nil {
			return nil, err
		}
		content := file.Content
		if !bytes.ContainsRune(content, '\\') && !slices.ContainsFunc(names, func(n string) bool { return bytes.Contains(content, []byte(n)) }) {
			continue
		}
		p, err := r.parse(ctx, f)
		if err != nil {
			return nil, err
		}
		if p.doc == nil {
			continue
		}
		if name := p.doc.Value.Spec.Model.Name; slices.Contains(names, name) {
			out[name] = append(out[name], p.doc)
		}
	}
	return out, nil
}
