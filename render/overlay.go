package render

import (
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings about overlays. They never change once released.
const (
	// CodeOverlayMissing: the environment names a folder without a kustomization.yaml.
	CodeOverlayMissing = "overlay-missing"
	// CodeOverlayTooLarge: the folder holds more than maxOverlayBytes, more than
	// maxOverlayEntries are to be done, or an object would outgrow maxObjectBytes.
	CodeOverlayTooLarge = "overlay-too-large"
	// CodeOverlaySyntax: a file is not the YAML it has to be.
	CodeOverlaySyntax = "overlay-syntax"
	// CodeOverlayField: a field of kustomize that an overlay may not use.
	CodeOverlayField = "overlay-field"
	// CodeOverlayPath: a path that is remote, absolute, outside the folder,
	// missing or used twice.
	CodeOverlayPath = "overlay-path"
	// CodeOverlayPatch: a patch that kustomize would not take.
	CodeOverlayPatch = "overlay-patch"
	// CodeOverlayTarget: a patch or replacement that can select nothing.
	CodeOverlayTarget = "overlay-target"
	// CodeOverlayUnfound: a step selects none of the objects that there are.
	CodeOverlayUnfound = "overlay-unfound"
	// CodeOverlayResource: an added object that an overlay may not add.
	CodeOverlayResource = "overlay-resource"
	// CodeOverlayIdentity: the overlay removes or renames a rendered object, or
	// changes one of Mooring's labels.
	CodeOverlayIdentity = "overlay-identity"
	// CodeOverlayWeakens: the overlay weakens placement, quota, limits, rights or
	// network policy.
	CodeOverlayWeakens = "overlay-weakens"
	// CodeOverlayBuild: kustomize fails on these objects.
	CodeOverlayBuild = "overlay-build"
)

// An overlay that nobody has approved is laid over the models of its environment
// to tell what it would do, so that what it may cost is bounded.
const (
	// maxOverlayBytes bounds the files of one overlay together.
	maxOverlayBytes = 1 << 20
	// maxOverlayEntries bounds what one overlay does: its patches with each of their
	// operations, labels, images, and the fields that replacements write.
	maxOverlayEntries = 1_000
	// maxObjectBytes bounds an object that comes out, as a manifest is bounded.
	maxObjectBytes = 256 << 10
	// maxFieldBytes bounds the path of a field that a replacement writes, and by that
	// how deep it may make an object.
	maxFieldBytes = 256
	// maxImageBytes bounds each part of an image's name; registries take less.
	maxImageBytes = 512
)

const kustomizationFile = "kustomization.yaml"

// CompiledOverlay is an overlay that was read and checked. It is immutable, so
// one serves all models of an environment, from as many goroutines as wanted.
type CompiledOverlay struct {
	// steps are what is done, in kustomize's order.
	steps []step
	// added are the overlay's own objects.
	added []addition
}

// CompileOverlay reads the overlay in the folder dir, such as
// "overlays/production". The keys of files are paths in the repository; what is
// outside dir is ignored. With an error among the findings there is no overlay.
func CompileOverlay(dir string, files map[string][]byte) (*CompiledOverlay, schemas.Findings) {
	c := newCompiler(path.Clean(dir), files)
	if c.checkSize() {
		c.folder("", false)
	}
	c.checkTargets()
	c.findings.Sort()
	if c.findings.Failed() {
		return nil, c.findings
	}
	return &CompiledOverlay{steps: c.steps, added: c.added}, c.findings
}

// CheckOverlay finds what is wrong with an overlay whatever it is laid over.
func CheckOverlay(dir string, files map[string][]byte) schemas.Findings {
	_, findings := CompileOverlay(dir, files)
	return findings
}

// Overlay lays an overlay over the objects of one model or one tenancy; see
// CompiledOverlay.Apply. For more than one set, compile once and apply often.
func Overlay(objects []*unstructured.Unstructured, dir string, files map[string][]byte) ([]*unstructured.Unstructured, schemas.Findings) {
	overlay, findings := CompileOverlay(dir, files)
	if overlay == nil {
		return nil, findings
	}
	out, applied := overlay.Apply(objects)
	return out, append(findings, applied...)
}
