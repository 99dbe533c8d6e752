package render

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"github.com/mlops-platform/mooring/schemas"
)

// kustomization is what an overlay may use of kustomize.
type kustomization struct {
	APIVersion        string                   `yaml:"apiVersion"`
	Kind              string                   `yaml:"kind"`
	Metadata          map[string]any           `yaml:"metadata"`
	Resources         []string                 `yaml:"resources"`
	Components        []string                 `yaml:"components"`
	Patches           []types.Patch            `yaml:"patches"`
	Labels            []types.Label            `yaml:"labels"`
	CommonAnnotations map[string]string        `yaml:"commonAnnotations"`
	Images            []types.Image            `yaml:"images"`
	Replacements      []types.ReplacementField `yaml:"replacements"`
}

var allowedFields = []string{
	"apiVersion", "kind", "metadata", "resources", "components", "patches", "labels", "commonAnnotations", "images", "replacements",
}

// refusedFields says what to do instead of a field that is not allowed.
var refusedFields = map[string]string{
	"commonLabels":          "write labels, which leave selectors alone",
	"patchesStrategicMerge": "write them under patches",
	"patchesJson6902":       "write them under patches",
	"bases":                 "list files of the overlay's own folder under resources, or folders of it under components",
	"namespace":             "leave the namespace to the environment's template",
	"namePrefix":            "leave names alone, Mooring finds objects by them",
	"nameSuffix":            "leave names alone, Mooring finds objects by them",
	"replicas":              "set spec.serving.replicas in the manifest",
}

const refusedRemedy = "an overlay consists of patches, labels, commonAnnotations, images, replacements, and resources and components of its own folder"

// where is a place in a file of the repository.
type where struct {
	file         string
	line, column int
}

func at(file string, n *yaml.Node) where {
	if n == nil {
		return where{file: file}
	}
	return where{file, n.Line, n.Column}
}

// compiler reads an overlay, folder by folder.
type compiler struct {
	dir   string
	files map[string][]byte
	// used holds the files and folders that were referred to. None may be twice,
	// or folders that name each other's would multiply.
	used     map[string]bool
	layers   int
	entries  int
	steps    []step
	added    []addition
	findings schemas.Findings
}

func newCompiler(dir string, files map[string][]byte) *compiler {
	c := &compiler{dir: dir, files: map[string][]byte{}, used: map[string]bool{}}
	for name, data := range files {
		if inside, ok := strings.CutPrefix(name, dir+"/"); ok {
			c.files[inside] = data
		}
	}
	return c
}

// kustomization is the path, in the repository, of a folder's kustomization.
func (c *compiler) kustomization(folder string) string {
	return path.Join(c.dir, folder, kustomizationFile)
}

func (c *compiler) fail(w where, code, remedy, format string, args ...any) {
	c.findings = append(c.findings, schemas.Finding{
		Severity: schemas.SeverityError, File: w.file, Line: w.line, Column: w.column,
		Code: code, Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

func (c *compiler) checkSize() bool {
	total := 0
	for _, data := range c.files {
		total += len(data)
	}
	if total > maxOverlayBytes {
		c.fail(where{file: c.kustomization("")}, CodeOverlayTooLarge, "make it smaller",
			"the overlay's files hold %d bytes, more than %d", total, maxOverlayBytes)
	}
	return total <= maxOverlayBytes
}

// folder reads one folder's kustomization: its components first, then its own
// steps, as kustomize does.
func (c *compiler) folder(folder string, component bool) {
	file := c.kustomization(folder)
	data, ok := c.files[path.Join(folder, kustomizationFile)]
	if !ok {
		c.fail(where{file: file}, CodeOverlayMissing, "add the file, or leave the overlay out of the environment", "the overlay has no %s", file)
		return
	}
	docs, bad := parseYAML(data)
	if bad == nil && (len(docs) != 1 || docs[0].Kind != yaml.MappingNode) {
		bad = &yamlError{1, 1, "a kustomization is one YAML mapping"}
	}
	if bad != nil {
		c.fail(where{file, bad.line, bad.column}, CodeOverlaySyntax, "", "%s", bad.message)
		return
	}
	if !c.checkFields(file, docs[0], component) {
		return
	}
	var k kustomization
	if bad := decodeStrict(data, &k); bad != nil {
		c.fail(where{file, bad.line, bad.column}, CodeOverlaySyntax, "", "%s", bad.message)
		return
	}
	c.components(folder, docs[0], k)
	c.resources(folder, docs[0], k)
	c.layers++
	c.transformers(folder, docs[0], k)
}

func (c *compiler) checkFields(file string, root *yaml.Node, component bool) bool {
	ok := true
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if slices.Contains(allowedFields, key.Value) && !isNull(value) {
			continue
		}
		ok = false
		if isNull(value) {
			c.fail(at(file, key), CodeOverlaySyntax, "leave it out", "%s has no value", key.Value)
			continue
		}
		remedy := refusedFields[key.Value]
		if remedy == "" {
			remedy = refusedRemedy
		}
		c.fail(at(file, key), CodeOverlayField, remedy, "an overlay may not use %s", key.Value)
	}
	want := []string{"", types.KustomizationKind}
	if component {
		want = []string{types.ComponentKind}
	}
	if kind := text(root, "kind"); !slices.Contains(want, kind) {
		c.fail(at(file, child(root, "kind")), CodeOverlaySyntax, "write kind: "+want[len(want)-1], "kind %q does not belong here", kind)
		ok = false
	}
	return ok
}

func (c *compiler) components(folder string, root *yaml.Node, k kustomization) {
	for i, entry := range k.Components {
		w := at(c.kustomization(folder), child(root, "components").Content[i])
		if inside, ok := c.resolve(folder, entry, w); ok {
			if _, isFile := c.files[inside]; isFile {
				c.fail(w, CodeOverlayPath, "name a folder", "component %q is a file", entry)
				continue
			}
			c.folder(inside, true)
		}
	}
}

// resolve turns a path in a kustomization into one inside the overlay. kustomize
// would take a path that it does not find for a remote one and fetch it.
func (c *compiler) resolve(folder, entry string, w where) (string, bool) {
	const remedy = "name a path inside the overlay's own folder"
	inside := path.Join(folder, entry)
	switch {
	case strings.ContainsAny(entry, ":?\\") || strings.HasPrefix(entry, "git@"):
		c.fail(w, CodeOverlayPath, remedy, "%q is remote or no plain path", entry)
	case path.IsAbs(entry):
		c.fail(w, CodeOverlayPath, remedy, "%q is absolute", entry)
	case entry == "" || slices.Contains(strings.Split(entry, "/"), "..") || inside == path.Clean(folder) || inside == ".":
		c.fail(w, CodeOverlayPath, remedy, "%q leads out of its folder or to itself", entry)
	case !c.exists(inside):
		c.fail(w, CodeOverlayPath, "add it, or correct the path", "%q does not exist in the overlay's folder (nor is anything fetched from elsewhere)", entry)
	case c.used[inside]:
		c.fail(w, CodeOverlayPath, "refer to it once", "%q is used twice", entry)
	default:
		c.used[inside] = true
		return inside, true
	}
	return "", false
}

func (c *compiler) exists(inside string) bool {
	if _, ok := c.files[inside]; ok {
		return true
	}
	_, ok := c.files[path.Join(inside, kustomizationFile)]
	return ok
}

// load reads a file that a kustomization names.
func (c *compiler) load(folder, entry string, w where) ([]byte, string, bool) {
	inside, ok := c.resolve(folder, entry, w)
	if !ok {
		return nil, "", false
	}
	data, ok := c.files[inside]
	if !ok {
		c.fail(w, CodeOverlayPath, "name a file; a folder can be a component", "%q is a folder", entry)
		return nil, "", false
	}
	return data, path.Join(c.dir, inside), true
}

// renderedKinds are the kinds that a patch can be about, besides the overlay's own.
var renderedKinds = []resid.Gvk{
	resid.NewGvk("", "v1", "Namespace"),
	resid.NewGvk("", "v1", "ResourceQuota"),
	resid.NewGvk("", "v1", "LimitRange"),
	resid.NewGvk("", "v1", "ServiceAccount"),
	resid.NewGvk("rbac.authorization.k8s.io", "v1", kindRoleBinding),
	resid.NewGvk("networking.k8s.io", "v1", kindNetworkPolicy),
	resid.NewGvk("policy", "v1", kindDisruptionBudget),
	resid.NewGvk("serving.kserve.io", "v1beta1", kserveKind),
	resid.NewGvk("serving.kserve.io", "v1alpha1", graphKind),
	resid.NewGvk(gatewayGroup, "v1", routeKind),
	resid.NewGvk("monitoring.coreos.com", "v1", monitorKind),
	resid.NewGvk("monitoring.coreos.com", "v1", rulesKind),
	resid.NewGvk("", "v1", kindConfigMap),
}

// checkTargets finds steps that can select nothing. Those that select nothing
// among the objects of one model are right: an overlay serves all models and
// all tenancies.
func (c *compiler) checkTargets() {
	kinds := slices.Clone(renderedKinds)
	for _, a := range c.added {
		kinds = append(kinds, a.id.Gvk)
	}
	names := map[string]bool{}
	for _, k := range kinds {
		names[k.Kind] = true
	}
	for _, s := range c.steps {
		if s.selects != nil && !slices.ContainsFunc(kinds, s.selects.kind) {
			c.fail(s.where, CodeOverlayTarget, "target one of "+strings.Join(slices.Sorted(maps.Keys(names)), ", "),
				"%s is about no kind that is rendered", s.what)
		}
	}
}
