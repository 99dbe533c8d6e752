package render

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"github.com/mlops-platform/mooring/schemas"
)

// step is one entry of a kustomization. Exactly one of its last fields is set.
type step struct {
	where where
	// what names the step in a finding.
	what string
	// layer counts the kustomization that the step stands in; within one,
	// kustomize orders steps by their kind.
	layer int
	// selects is nil for a step that concerns every object.
	selects *selection
	// direct is nil for a step that kustomize has to do.
	direct direct

	patch *types.Patch
	// operations counts those of a JSON patch.
	operations  int
	label       *types.Label
	annotations map[string]string
	image       *types.Image
	replacement *types.ReplacementField
}

// needs reports whether kustomize must have an object for the step. A
// replacement reads one object and writes others, so it needs all.
func (s step) needs(id resid.ResId) bool {
	return s.selects == nil || s.replacement != nil || s.selects.object(id)
}

// selection says what a step is about: the kinds, and the objects among them. An
// object's labels and annotations may have to fit besides, as they are when the
// step comes to it; an earlier step may have set them.
type selection struct {
	kind        func(resid.Gvk) bool
	object      func(resid.ResId) bool
	labels      labels.Selector
	annotations labels.Selector
}

// marks reports whether an object's labels and annotations fit.
func (s *selection) marks(u *unstructured.Unstructured) bool {
	return (s.labels == nil || s.labels.Matches(labels.Set(u.GetLabels()))) &&
		(s.annotations == nil || s.annotations.Matches(labels.Set(u.GetAnnotations())))
}

// transformers turns a kustomization's entries into steps.
func (c *compiler) transformers(folder string, root *yaml.Node, k kustomization) {
	file := c.kustomization(folder)
	entry := func(field string, i int) where { return at(file, child(root, field).Content[i]) }
	for i := range k.Patches {
		c.patch(folder, entry("patches", i), k.Patches[i])
	}
	for i := range k.Labels {
		w := entry("labels", i)
		if k.Labels[i].IncludeSelectors {
			c.fail(w, CodeOverlayField, "leave includeSelectors out", "labels in selectors would select no pod")
		}
		if len(k.Labels[i].FieldSpecs) > 0 {
			c.fail(w, CodeOverlayField, "write a patch", "labels go to an object's metadata, not to fields")
		}
		c.checkLabels(w, k.Labels[i].Pairs)
		c.add(step{where: w, what: "labels", label: &k.Labels[i], direct: directLabels(k.Labels[i])})
	}
	if len(k.CommonAnnotations) > 0 {
		c.add(step{where: at(file, child(root, "commonAnnotations")), what: "commonAnnotations",
			annotations: k.CommonAnnotations, direct: setAll("annotations", k.CommonAnnotations)})
	}
	for i := range k.Images {
		w, image := entry("images", i), &k.Images[i]
		if max(len(image.Name), len(image.NewName), len(image.NewTag), len(image.Digest), len(image.TagSuffix)) > maxImageBytes {
			c.fail(w, CodeOverlayTooLarge, "make it shorter", "a part of the image's name is longer than %d bytes", maxImageBytes)
		}
		c.add(step{where: w, what: "images", image: image})
	}
	for i := range k.Replacements {
		c.replacements(folder, entry("replacements", i), k.Replacements[i])
	}
}

func (c *compiler) add(s step) {
	if before := c.entries; before <= maxOverlayEntries {
		if c.entries += s.weight(); c.entries > maxOverlayEntries {
			c.fail(s.where, CodeOverlayTooLarge, "make it smaller",
				"up to here the overlay does more than %d things (operations of patches, labels, images, fields of replacements)", maxOverlayEntries)
		}
	}
	s.layer = c.layers
	c.steps = append(c.steps, s)
}

// weight is how many things a step does.
func (s step) weight() int {
	switch {
	case s.label != nil:
		return 1 + len(s.label.Pairs)
	case s.annotations != nil:
		return 1 + len(s.annotations)
	case s.replacement != nil:
		n := 1
		for _, t := range s.replacement.Targets {
			if t != nil {
				n += max(1, len(t.FieldPaths))
			}
		}
		return n
	}
	return max(1, s.operations)
}

// ownLabel reports whether only Mooring may write a label.
func ownLabel(key string) bool {
	return key == schemas.LabelManagedBy || strings.HasPrefix(key, schemas.Group+"/")
}

func (c *compiler) checkLabels(w where, pairs map[string]string) {
	for key := range pairs {
		if ownLabel(key) {
			c.fail(w, CodeOverlayIdentity, "choose another label", "label %s is Mooring's own", key)
		}
	}
}

// patch turns an entry of patches into steps. Its text is always inlined, and a
// strategic merge patch without a target gets the target that it names itself:
// kustomize fails when that object is missing, and it is missing from every
// model but one.
func (c *compiler) patch(folder string, w where, p types.Patch) {
	source := w
	if p.Path != "" {
		data, file, ok := c.load(folder, p.Path, w)
		if !ok {
			return
		}
		if p.Patch != "" {
			c.fail(w, CodeOverlayPatch, "keep one of them", "a patch has either path or patch")
			return
		}
		p.Path, p.Patch, source = "", string(data), where{file: file}
	}
	if p.Options != nil && (p.Options.AllowNameChange || p.Options.AllowKindChange) {
		c.fail(w, CodeOverlayField, "leave options out", "a patch may change neither name nor kind")
		return
	}
	p.Options = nil
	docs, bad := parseYAML([]byte(p.Patch))
	switch {
	case bad != nil && source.line == 0:
		c.fail(where{source.file, bad.line, bad.column}, CodeOverlaySyntax, "", "%s", bad.message)
	case bad != nil:
		c.fail(w, CodeOverlaySyntax, "", "line %d of the patch: %s", bad.line, bad.message)
	case len(docs) == 0:
		c.fail(w, CodeOverlayPatch, "write the patch, or leave the entry out", "the patch is empty")
	case p.Target != nil:
		c.targeted(w, p, docs)
	default:
		c.untargeted(w, docs)
	}
}

func (c *compiler) targeted(w where, p types.Patch, docs []*yaml.Node) {
	sel, err := selectTarget(*p.Target)
	switch {
	case err != nil:
		c.fail(w, CodeOverlayTarget, "correct the target", "the patch's target: %v", err)
	case len(docs) > 1:
		c.fail(w, CodeOverlayPatch, "write one entry for each", "a patch with a target holds one document, not %d", len(docs))
	case !wellFormed(docs[0]):
		c.fail(w, CodeOverlayPatch, "", "a patch is a list of JSON patch operations (op, path), or an object with apiVersion, kind and metadata.name")
	default:
		c.addPatch(step{where: w, what: "the patch", selects: sel}, docs[0], p.Target)
	}
}

func (c *compiler) untargeted(w where, docs []*yaml.Node) {
	for _, doc := range docs {
		if doc.Kind != yaml.MappingNode || !wellFormed(doc) {
			c.fail(w, CodeOverlayPatch, "add a target", "a patch without a target is an object with apiVersion, kind and metadata.name")
			return
		}
		id := nodeID(doc)
		c.addPatch(step{
			where: w, what: fmt.Sprintf("the patch of %s %s", id.Kind, id.Name),
			selects: &selection{
				kind: func(k resid.Gvk) bool { return sameKind(k, id.Gvk) },
				object: func(o resid.ResId) bool {
					return sameKind(o.Gvk, id.Gvk) && o.Name == id.Name && (id.Namespace == "" || o.Namespace == id.Namespace)
				},
			},
		}, doc, exactly(id))
	}
}

// addPatch hands the patch to kustomize as JSON: of a list in YAML's flow style
// it takes the bracket for JSON and fails.
func (c *compiler) addPatch(s step, doc *yaml.Node, target *types.Selector) {
	data, err := nodeJSON(doc)
	if err != nil {
		c.fail(s.where, CodeOverlayPatch, "", "%v", err)
		return
	}
	if doc.Kind == yaml.SequenceNode {
		s.operations = len(doc.Content)
		if i := slices.IndexFunc(doc.Content, func(op *yaml.Node) bool { return text(op, "op") == "copy" }); i >= 0 {
			// Each copy of what was copied before doubles the object.
			c.fail(s.where, CodeOverlayPatch, "write the value with op: add", "operation %d of the patch copies", i+1)
			return
		}
	}
	s.patch, s.direct = &types.Patch{Patch: string(data), Target: target}, directPatch(data)
	c.add(s)
}

func sameKind(a, b resid.Gvk) bool {
	return a.Group == b.Group && a.Version == b.Version && a.Kind == b.Kind
}

// exactly selects one object; every field of a selector is an anchored regular
// expression, and an empty one matches anything.
func exactly(id resid.ResId) *types.Selector {
	quote := regexp.QuoteMeta
	return &types.Selector{ResId: resid.ResId{
		Gvk:  resid.Gvk{Group: quote(id.Group), Version: quote(id.Version), Kind: quote(id.Kind)},
		Name: quote(id.Name), Namespace: quote(id.Namespace),
	}}
}

// selectTarget compiles a patch's target.
func selectTarget(target types.Selector) (*selection, error) {
	byLabel, err := labels.Parse(target.LabelSelector)
	if err != nil {
		return nil, err
	}
	byAnnotation, err := labels.Parse(target.AnnotationSelector)
	if err != nil {
		return nil, err
	}
	re, err := types.NewSelectorRegex(&target)
	if err != nil {
		return nil, err
	}
	return &selection{kind: re.MatchGvk, labels: byLabel, annotations: byAnnotation, object: func(id resid.ResId) bool {
		return re.MatchGvk(id.Gvk) && re.MatchName(id.Name) && re.MatchNamespace(id.EffectiveNamespace())
	}}, nil
}

// wellFormed reports whether kustomize can take a document for a patch.
func wellFormed(doc *yaml.Node) bool {
	if doc.Kind == yaml.SequenceNode {
		return len(doc.Content) > 0 && !slices.ContainsFunc(doc.Content, func(op *yaml.Node) bool {
			return text(op, "op") == "" || !strings.HasPrefix(text(op, "path"), "/")
		})
	}
	id := nodeID(doc)
	return id.Version != "" && id.Kind != "" && id.Name != ""
}

func nodeID(doc *yaml.Node) resid.ResId {
	group, version := resid.ParseGroupVersion(text(doc, "apiVersion"))
	return resid.NewResIdWithNamespace(
		resid.NewGvk(group, version, text(doc, "kind")), text(doc, "metadata", "name"), text(doc, "metadata", "namespace"))
}

// replacements turns an entry of replacements into steps. A replacement runs
// only where its source is, since kustomize fails when it is not.
func (c *compiler) replacements(folder string, w where, r types.ReplacementField) {
	list := []types.Replacement{r.Replacement}
	if r.Path != "" {
		var ok bool
		if list, ok = c.loadReplacements(folder, r, w); !ok {
			return
		}
	}
	for _, r := range list {
		if (r.Source == nil) == (r.SourceValue == nil) || len(r.Targets) == 0 {
			c.fail(w, CodeOverlayPatch, "", "a replacement has one source and at least one target")
			continue
		}
		if slices.ContainsFunc(r.Targets, longField) {
			c.fail(w, CodeOverlayTooLarge, "make it shorter", "a field of the replacement is longer than %d bytes", maxFieldBytes)
			continue
		}
		s := step{where: w, what: "the replacement", replacement: &types.ReplacementField{Replacement: r}}
		if r.Source != nil {
			source := r.Source.ResId
			s.selects = &selection{
				kind:   func(k resid.Gvk) bool { return k.IsSelected(&source.Gvk) },
				object: func(id resid.ResId) bool { return id.IsSelectedBy(source) },
			}
		}
		c.add(s)
	}
}

func longField(t *types.TargetSelector) bool {
	return t != nil && slices.ContainsFunc(t.FieldPaths, func(field string) bool { return len(field) > maxFieldBytes })
}

// loadReplacements reads a file that holds one replacement or a list of them.
func (c *compiler) loadReplacements(folder string, r types.ReplacementField, w where) ([]types.Replacement, bool) {
	data, file, ok := c.load(folder, r.Path, w)
	if !ok {
		return nil, false
	}
	docs, bad := parseYAML(data)
	var list []types.Replacement
	switch {
	case bad != nil:
	case len(docs) != 1:
		bad = &yamlError{1, 1, path.Base(file) + " is one YAML document"}
	case docs[0].Kind == yaml.SequenceNode:
		bad = decodeStrict(data, &list)
	default:
		list = make([]types.Replacement, 1)
		bad = decodeStrict(data, &list[0])
	}
	if bad != nil {
		c.fail(where{file, bad.line, bad.column}, CodeOverlaySyntax, "", "%s", bad.message)
	}
	return list, bad == nil
}
