package render

import (
	"regexp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

// Found says, for each step of an overlay, whether it has found an object among
// those that it was laid over.
type Found []bool

// With joins what was found in two sets of objects.
func (f Found) With(other Found) Found {
	if f == nil {
		f = make(Found, len(other))
	}
	for i, found := range other {
		f[i] = f[i] || found
	}
	return f
}

// Found compares an overlay with the objects of one set as they were before and
// as they came out: a step may look for a label that another one sets or takes
// away.
func (o *CompiledOverlay) Found(before, after []*unstructured.Unstructured) Found {
	out := make(Found, len(o.steps))
	for i, s := range o.steps {
		out[i] = s.finds(before) || s.finds(after)
	}
	return out
}

// Unfound tells of the steps that found nothing in any of the sets that an
// overlay was laid over. It is a warning: the model may be gone, or yet to come,
// and an overlay holds before the manifests that it is meant for.
func (o *CompiledOverlay) Unfound(found Found) schemas.Findings {
	var findings schemas.Findings
	for i, s := range o.steps {
		if i < len(found) && !found[i] {
			findings = append(findings, schemas.Finding{
				Severity: schemas.SeverityWarning, File: s.where.file, Line: s.where.line, Column: s.where.column, Code: CodeOverlayUnfound,
				Message: s.what + " selects nothing of what is rendered", Remedy: "correct the name or the selector, or take the entry out",
			})
		}
	}
	return findings
}

func (s step) finds(objects []*unstructured.Unstructured) bool {
	switch {
	case s.image != nil:
		named, err := regexp.Compile(`^` + s.image.Name + `([:@].*)?$`)
		// A name that is no pattern is kustomize's to refuse.
		return err != nil || anyOf(objects, func(u *unstructured.Unstructured) bool { return runsImage(u.Object, named) })
	case s.replacement != nil:
		return (s.selects == nil || s.selects.among(objects)) && s.writes(objects)
	}
	return s.selects == nil && len(objects) > 0 || s.selects != nil && s.selects.among(objects)
}

// writes reports whether any target of a replacement is there.
func (s step) writes(objects []*unstructured.Unstructured) bool {
	for _, t := range s.replacement.Targets {
		if t.Select == nil {
			continue
		}
		// A target that is no pattern is kustomize's to refuse.
		if target, err := selectTarget(*t.Select); err != nil || target.among(objects) {
			return true
		}
	}
	return false
}

func (s *selection) among(objects []*unstructured.Unstructured) bool {
	return anyOf(objects, func(u *unstructured.Unstructured) bool { return s.object(objectID(u)) && s.marks(u) })
}

func anyOf(objects []*unstructured.Unstructured, is func(*unstructured.Unstructured) bool) bool {
	for _, u := range objects {
		if is(u) {
			return true
		}
	}
	return false
}

// runsImage looks where kustomize does: in containers, at any depth.
func runsImage(value any, named *regexp.Regexp) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if key == "containers" || key == "initContainers" {
				containers, _, _ := lists(v, nil, key)
				for _, c := range containers {
					if image, ok := c["image"].(string); ok && named.MatchString(image) {
						return true
					}
				}
			}
			if runsImage(inner, named) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if runsImage(inner, named) {
				return true
			}
		}
	}
	return false
}
