package review

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

const imageRemedy = "use an image of an allowed registry, pinned by digest where the environment asks for it"

// imageFindings holds the images that a manifest names against the
// environment's registries and its wish for digests.
func imageFindings(doc *deployment, allowed schemas.Images) schemas.Findings {
	var findings schemas.Findings
	for _, image := range ownImages(doc) {
		if err := imageAllowed(image.ref, allowed); err != nil {
			p := doc.Position(image.field)
			findings = append(findings, schemas.Finding{
				Severity: schemas.SeverityError, File: doc.File, Line: p.Line, Column: p.Column, Code: CodeImage,
				Message: err.Error(), Remedy: imageRemedy,
			})
		}
	}
	return findings
}

// namedImage is an image and the field that names it.
type namedImage struct{ field, ref string }

func ownImages(doc *deployment) []namedImage {
	s := doc.Value.Spec.Serving
	var images []namedImage
	if s.Container != nil {
		images = append(images, namedImage{"spec.serving.container.image", s.Container.Image})
	}
	if s.Transformer != nil {
		images = append(images, namedImage{"spec.serving.transformer.image", s.Transformer.Image})
	}
	if s.Explainer != nil {
		images = append(images, namedImage{"spec.serving.explainer.image", s.Explainer.Image})
	}
	return images
}

// overlayImages holds what a model's pods would run against the environment's
// registries and its wish for digests, where the overlay and not the manifest
// names it.
func (w *world) overlayImages(doc *deployment, objects []*unstructured.Unstructured) schemas.Findings {
	env := w.environment(doc.Value.Spec.Environment)
	if env == nil || env.Spec.Overlay == "" {
		return nil
	}
	own := ownImages(doc)
	var findings schemas.Findings
	for _, o := range objects {
		for _, ref := range imagesIn(o.Object["spec"], nil) {
			err := imageAllowed(ref, env.Spec.Images)
			if err == nil || slices.ContainsFunc(own, func(i namedImage) bool { return i.ref == ref }) {
				continue
			}
			name, _, _ := strings.Cut(ref, "@")
			file, line := w.likelyFault(env.Spec.Overlay, name, imageTag.ReplaceAllString(name, ""))
			findings = append(findings, schemas.Finding{
				Severity: schemas.SeverityError, File: file, Line: line, Column: 1, Code: CodeImage,
				Message: fmt.Sprintf("the overlay has pods run %s: %v", ref, err), Remedy: imageRemedy,
			})
		}
	}
	return findings
}

// imageTag is the tag of an image; what stands before a port is followed by a path.
var imageTag = regexp.MustCompile(`:[^:/]*$`)

// imagesIn collects the images of containers and of volumes below a value.
func imagesIn(value any, out []string) []string {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			ref, isText := v[key].(string)
			if isText && (key == "image" || key == "reference") {
				out = append(out, ref)
			}
			out = imagesIn(v[key], out)
		}
	case []any:
		for _, inner := range v {
			out = imagesIn(inner, out)
		}
	}
	return out
}

// imageAllowed says everything that is wrong with an image at once.
func imageAllowed(ref string, allowed schemas.Images) error {
	var wrong []string
	if allowed.Digest == schemas.DigestRequired && !digestPattern.MatchString(ref) {
		wrong = append(wrong, "is not pinned by digest (@sha256:…)")
	}
	if !allowed.Admits(ref) {
		wrong = append(wrong, "comes from none of the allowed registries: "+strings.Join(allowed.Registries, ", "))
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New("the image " + strings.Join(wrong, ", and "))
}

// digestPattern is the end of a reference that is pinned by its content.
var digestPattern = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
