package review

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mlops-platform/mooring/policy/secrets"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

type deployment = schemas.Document[schemas.ModelDeployment]

// parsed is a manifest as it was read, or what is wrong with it.
type parsed struct {
	key      fileKey
	doc      *deployment
	findings schemas.Findings
}

// reader reads the trees of one repository, through a cache: the base and the
// head of a pull request share almost all, and so do pull requests.
type reader struct {
	repo  *source.Repository
	cache *Cache
}

// newReader reads through the cache, or through one of its own where there is
// none.
func newReader(repo *source.Repository, cache *Cache) *reader {
	if cache == nil {
		cache = newCache()
	}
	return &reader{repo: repo, cache: cache}
}

// changes is what a branch changes.
func (r *reader) changes(ctx context.Context, base, head source.ID) (source.Diff, error) {
	key := commits{base, head}
	if d, ok := r.cache.diffs.Get(key); ok {
		return d, nil
	}
	d, err := r.repo.Changes(ctx, base, head)
	if err != nil {
		return d, fmt.Errorf("compare %s with %s: %w", base.Short(), head.Short(), err)
	}
	r.cache.diffs.Put(key, d, 1+len(d.Files))
	r.cache.forks.Put(key, d.MergeBase, 1)
	return d, nil
}

// fork is where a branch left the base.
func (r *reader) fork(ctx context.Context, base, head source.ID) (source.ID, error) {
	key := commits{base, head}
	if id, ok := r.cache.forks.Get(key); ok {
		return id, nil
	}
	id, err := r.repo.MergeBase(ctx, base, head)
	if err == nil {
		r.cache.forks.Put(key, id, 1)
	}
	return id, err
}

// tree lists a commit's known folders.
func (r *reader) tree(ctx context.Context, commit source.ID) (*source.Tree, error) {
	if t, ok := r.cache.trees.Get(commit); ok {
		return t, nil
	}
	t, err := r.repo.Tree(ctx, commit)
	if err == nil {
		r.cache.trees.Put(commit, t, 1+len(t.Files()))
	}
	return t, err
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

// world reads the governing files of a tree.
func (r *reader) world(ctx context.Context, tree *source.Tree) (*world, error) {
	var governing []source.File
	for _, f := range tree.Files() {
		if schemas.IsPlatform(f.Path) {
			governing = append(governing, f)
		}
	}
	key, size := worldKeyOf(governing)
	if w, ok := r.cache.worlds.Get(key); ok {
		return w, nil
	}
	files := make([]schemas.File, 0, len(governing))
	for _, f := range governing {
		file, err := r.file(ctx, f)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	w := newWorld(files)
	w.governing, w.blobs = governing, map[string]source.ID{}
	var overlays []source.File
	for _, f := range governing {
		w.blobs[f.Path] = f.Blob
		if schemas.ClassifyPath(f.Path) == schemas.PathOverlay {
			overlays = append(overlays, f)
		}
	}
	w.overlays, _ = worldKeyOf(overlays)
	r.cache.worlds.Put(key, w, size)
	return w, nil
}

// scan looks for secrets in a file. One that is absent or refused has none.
func (r *reader) scan(ctx context.Context, f source.File) (secrets.Report, error) {
	if !f.Exists() || f.Refused != nil {
		return secrets.Report{}, nil
	}
	if report, ok := r.cache.scans.Get(keyOf(f)); ok {
		return report, nil
	}
	file, err := r.file(ctx, f)
	if err != nil {
		return secrets.Report{}, fmt.Errorf("read %s: %w", f.Path, err)
	}
	report, err := secrets.Scan(ctx, f.Path, file.Content)
	if err != nil {
		return report, &unscanned{f.Path, err}
	}
	r.cache.scans.Put(keyOf(f), report, 1+len(report.Matches))
	return report, nil
}

// unscanned: a file could be read, but not searched for secrets to its end.
type unscanned struct {
	path string
	err  error
}

func (u *unscanned) Error() string {
	return u.path + " could not be scanned for secrets: " + u.err.Error()
}
func (u *unscanned) Unwrap() error { return u.err }

// parse reads one manifest. A file that is absent has no document and no finding.
func (r *reader) parse(ctx context.Context, f source.File) (parsed, error) {
	if !f.Exists() {
		return parsed{}, nil
	}
	if f.Refused != nil {
		return parseManifest(keyOf(f), schemas.File{Path: f.Path, Refused: f.Refused.Error()}), nil
	}
	key := keyOf(f)
	if p, ok := r.cache.manifests.Get(key); ok {
		return p, nil
	}
	file, err := r.file(ctx, f)
	if err != nil {
		return parsed{}, err
	}
	return r.parseFile(key, file), nil
}

func (r *reader) parseFile(key fileKey, file schemas.File) parsed {
	p := parseManifest(key, file)
	r.cache.manifests.Put(key, p, perValue+len(file.Content))
	name := ""
	if p.doc != nil {
		name = p.doc.Value.Spec.Model.Name
	}
	r.cache.names.Put(key, name, 1)
	return p
}

func parseManifest(key fileKey, f schemas.File) parsed {
	if f.Refused != "" {
		return parsed{key: key, findings: schemas.Findings{refusedFile(f)}}
	}
	doc, findings := schemas.ParseModelDeployment(f.Path, f.Content)
	return parsed{key: key, doc: doc, findings: findings}
}

func refusedFile(f schemas.File) schemas.Finding {
	return schemas.Finding{
		Severity: schemas.SeverityError, File: f.Path, Line: 1, Column: 1, Code: schemas.CodeRefusedFile,
		Message: f.Refused, Remedy: "make it a regular file within the limits",
	}
}

// teamManifests parses all manifests of a team in a tree.
func (r *reader) teamManifests(ctx context.Context, tree *source.Tree, team string) ([]parsed, error) {
	prefix := "models/" + team + "/"
	return r.manifests(ctx, tree, func(path string) bool { return strings.HasPrefix(path, prefix) })
}

// manifests parses the manifests of a tree that keep selects.
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
// models, by that name, whatever the number of names.
func (r *reader) manifestsOf(ctx context.Context, tree *source.Tree, names []string) (map[string][]*deployment, error) {
	out := map[string][]*deployment{}
	for _, f := range tree.Files() {
		if len(names) == 0 {
			break
		}
		if f.Refused != nil || schemas.ClassifyPath(f.Path) != schemas.PathManifest {
			continue
		}
		p, err := r.parseIfNamed(ctx, f, names)
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

// parseIfNamed parses a manifest that may name one of the models. What a file
// names is remembered. A reader that will not be asked again passes over files
// whose bytes hold none of the names, which is cheaper than to parse them, unless
// they hold a backslash: a quoted scalar may spell a name with escapes.
func (r *reader) parseIfNamed(ctx context.Context, f source.File, names []string) (parsed, error) {
	key := keyOf(f)
	if name, known := r.cache.names.Get(key); known {
		if !slices.Contains(names, name) {
			return parsed{}, nil
		}
		return r.parse(ctx, f)
	}
	file, err := r.file(ctx, f)
	if err != nil {
		return parsed{}, err
	}
	may := func(n string) bool { return bytes.Contains(file.Content, []byte(n)) }
	if !r.cache.lasting && !bytes.ContainsRune(file.Content, '\\') && !slices.ContainsFunc(names, may) {
		return parsed{}, nil
	}
	return r.parseFile(key, file), nil
}

// rendered is what a manifest renders to under a world.
func (r *reader) rendered(w *world, repository string, file fileKey, doc *deployment) rendering {
	return r.renderedBy(setKey{w.rulersOf(doc), repository, file}, func() (desired.Set, schemas.Findings) {
		return w.named(repository).Model(doc)
	})
}

// tenancy is what a team's namespace, quota and limits in an environment render to.
func (r *reader) tenancy(w *world, repository string, unit schemas.Unit) rendering {
	key := setKey{w.tenancyRulers(unit.Team, unit.Environment), repository, fileKey{path: unit.String()}}
	return r.renderedBy(key, func() (desired.Set, schemas.Findings) {
		return w.named(repository).Tenancy(unit.Team, unit.Environment)
	})
}

func (r *reader) renderedBy(key setKey, make func() (desired.Set, schemas.Findings)) rendering {
	if out, ok := r.cache.sets.Get(key); ok {
		return out
	}
	var out rendering
	out.set, out.findings = make()
	objects := out.set.Objects
	out.text = sync.OnceValues(func() (string, error) {
		text, err := render.YAML(objects)
		return string(text), err
	})
	r.cache.sets.Put(key, out, perValue+objectSize*len(objects))
	return out
}

// fit places a manifest in its environment, which must be one of the world.
func (r *reader) fit(w *world, m parsed) fit {
	name := m.doc.Value.Spec.Environment
	key := fitKey{w.blobs[schemas.EnvironmentPath(name)], m.key}
	if out, ok := r.cache.fits.Get(key); ok {
		return out
	}
	out := w.fit(m.doc.Value)
	r.cache.fits.Put(key, out, 1)
	return out
}

// totals is what manifests of a team ask for together.
func (r *reader) totals(w *world, team *schemas.Team, manifests []parsed) totals {
	var docs []schemas.ModelDeployment
	var fits []fit
	for _, m := range manifests {
		docs = append(docs, m.doc.Value)
		if w.environment(m.doc.Value.Spec.Environment) != nil {
			fits = append(fits, r.fit(w, m))
		}
	}
	return w.totals(team, docs, fits)
}
