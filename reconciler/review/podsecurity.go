package review

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/podsecurity"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// podFindings holds a manifest's objects against the Pod Security Standard, and
// what an overlay has them run against the environment's images.
func (e *evaluation) podFindings(f fileKey, doc *deployment) schemas.Findings {
	r := e.render(f, doc)
	if r.findings.Failed() {
		return nil // which the build finds
	}
	at := schemas.Finding{File: doc.File, Line: doc.Position("spec.serving").Line}
	return append(e.world.unrestricted(doc.Value.Spec.Environment, r.set.Objects, at), e.world.overlayImages(doc, r.set.Objects)...)
}

// unrestricted lists what is not restricted of an environment's objects. Mooring
// renders nothing of the kind itself, so the overlay is at fault where there is
// one; else it is said at a place of the caller's choice.
func (w *world) unrestricted(environment string, objects []*unstructured.Unstructured, at schemas.Finding) schemas.Findings {
	finding := func(where schemas.Finding, message string) schemas.Finding {
		where.Severity, where.Code, where.Message = schemas.SeverityError, podsecurity.Code, message
		where.Column, where.Remedy = max(where.Column, 1), "keep everything that is rendered to the Pod Security Standard \"restricted\""
		return where
	}
	violations, err := podsecurity.Check(objects)
	var findings schemas.Findings
	for _, v := range violations {
		where := at
		if env := w.environment(environment); env != nil && env.Spec.Overlay != "" {
			where.File, where.Line = w.likelyFault(env.Spec.Overlay, wordsOf(v)...)
		}
		findings = append(findings, finding(where, v.String()))
	}
	if err != nil {
		findings = append(findings, finding(at, "an object's pods cannot be judged: "+err.Error()))
	}
	return findings
}

// weakenings are the words by which a file weakens a pod; a violation's text has
// one of them.
var weakenings = []string{
	"privileged", "hostNetwork", "hostPID", "hostIPC", "hostPath", "hostPort", "hostProcess", "procMount", "sysctls", "seLinuxOptions", "appArmorProfile",
	"allowPrivilegeEscalation", "runAsNonRoot", "runAsUser", "seccompProfile", "capabilities", "pod-security.kubernetes.io/enforce",
}

// wordsOf are what a line that brings about a violation is likely to hold.
func wordsOf(v podsecurity.Violation) []string {
	text := v.String()
	_, object, _ := strings.Cut(v.Object, " ")
	return append(slices.DeleteFunc(slices.Clone(weakenings), func(word string) bool { return !strings.Contains(text, word) }), "name: "+object)
}

// likelyFault is the first line of an overlay that holds one of the words, the
// first word before the second.
func (w *world) likelyFault(overlay string, words ...string) (file string, line int) {
	for _, word := range words {
		for _, file := range slices.Sorted(maps.Keys(w.Overlays)) {
			if at := bytes.Index(w.Overlays[file], []byte(word)); at >= 0 && strings.HasPrefix(file, overlay+"/") {
				return file, 1 + bytes.Count(w.Overlays[file][:at], []byte("\n"))
			}
		}
	}
	return path.Join(overlay, "kustomization.yaml"), 1
}

// judgeWeakening looks at what changed overlays and environments would make of
// the objects of everything that they govern: pods that are not restricted or run
// images from elsewhere, and overlays that weaken what is rendered. What is so at the base already is not
// their doing.
func (e *evaluation) judgeWeakening(ctx context.Context) error {
	proposed, err := e.proposal(ctx)
	if proposed == nil || err != nil {
		return err
	}
	for _, c := range e.report.Changes {
		kind := schemas.ClassifyPath(c.Path)
		if kind != schemas.PathOverlay && kind != schemas.PathEnvironment {
			continue
		}
		manifests, err := e.manifests(ctx, e.head, func(string) bool { return true })
		if err != nil {
			return fmt.Errorf("read the manifests that %s governs: %w", c.Path, err)
		}
		found := map[string]schemas.Finding{}
		e.governed(manifests, c.Path, proposed, func(unit schemas.Unit, m parsed) {
			for _, f := range e.weakenedUnit(proposed, unit, m) {
				found[f.Message] = f
			}
		})
		if len(found) > 0 {
			e.governed(manifests, c.Path, proposed, func(unit schemas.Unit, m parsed) {
				for _, f := range e.weakenedUnit(e.world, unit, m) {
					delete(found, f.Message)
				}
			})
		}
		messages := slices.Sorted(maps.Keys(found))
		for _, message := range messages[:min(len(messages), maxBroken)] {
			e.find(c, weakeningStage(found[message].Code), found[message])
		}
		if more := len(messages) - maxBroken; more > 0 {
			e.noteOn(c, policy.StageSecurity, policy.Fail, fmt.Sprintf("%s more that are weaker than they may be", plural(more, "pod or object")))
		}
	}
	return nil
}

// weakeningStage is where a weakening fails: what is no longer as rendered was
// not built.
func weakeningStage(code string) policy.Stage {
	if code == podsecurity.Code || code == CodeImage {
		return policy.StageSecurity
	}
	return policy.StageBuild
}

// maxWeakened bounds how many models a changed overlay or environment is tried
// on. It is larger than what the impact shows: a weakening that is missed runs.
const maxWeakened = 50

// governed calls a function with the tenancies and some models that a governing
// file has a say in: those that an overlay names, then the first of the others.
// Nothing is parsed for a tenancy.
func (e *evaluation) governed(manifests []parsed, path string, proposed *world, each func(schemas.Unit, parsed)) {
	tenancies := map[schemas.Unit]bool{}
	var named, others []parsed
	for _, m := range manifests {
		if m.doc == nil || !governs(path, m.doc.Value.Unit(), e.world, proposed) {
			continue
		}
		unit := m.doc.Value.Unit()
		tenancy := schemas.Unit{Team: unit.Team, Environment: unit.Environment}
		if !tenancies[tenancy] {
			tenancies[tenancy] = true
			each(tenancy, parsed{})
		}
		if proposed.overlaysName(unit.Model) {
			named = append(named, m)
		} else {
			others = append(others, m)
		}
	}
	models := append(named, others...)
	for _, m := range models[:min(len(models), maxWeakened)] {
		each(m.doc.Value.Unit(), m)
	}
}

// overlaysName reports whether any overlay holds a model's name: a patch of a
// single model has to.
func (w *world) overlaysName(model string) bool {
	for _, content := range w.Overlays {
		if bytes.Contains(content, []byte(model)) {
			return true
		}
	}
	return false
}

// weakenedUnit is what a world weakens of a unit. What else keeps it from being
// rendered is a finding elsewhere.
func (e *evaluation) weakenedUnit(w *world, unit schemas.Unit, m parsed) schemas.Findings {
	var r rendering
	if m.doc == nil {
		r = e.tenancy(w, e.Repository, unit)
	} else {
		r = e.rendered(w, e.Repository, m.key, m.doc)
	}
	weak := slices.DeleteFunc(slices.Clone(r.findings), func(f schemas.Finding) bool { return !slices.Contains(weakeningCodes, f.Code) })
	at := schemas.Finding{File: schemas.EnvironmentPath(unit.Environment), Line: 1}
	weak = append(weak, w.unrestricted(unit.Environment, r.set.Objects, at)...)
	if m.doc != nil {
		weak = append(weak, w.overlayImages(m.doc, r.set.Objects)...)
	}
	return weak
}

// weakeningCodes are of overlays that do what none may, whoever approves it.
var weakeningCodes = []string{render.CodeOverlayWeakens, render.CodeOverlayIdentity, render.CodeOverlayResource}
