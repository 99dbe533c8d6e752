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
	"github.com/mlops-platform/mooring/schemas"
)

// podFindings holds a manifest's objects against the Pod Security Standard.
func (e *evaluation) podFindings(f fileKey, doc *deployment) schemas.Findings {
	r := e.render(f, doc)
	if r.findings.Failed() {
		return nil // which the build finds
	}
	return e.world.unrestricted(doc.Value.Spec.Environment, r.set.Objects, schemas.Finding{File: doc.File, Line: doc.Position("spec.serving").Line})
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
			where.File, where.Line = w.likelyFault(env.Spec.Overlay, v)
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

// likelyFault is the first line of an overlay that has to do with a violation.
func (w *world) likelyFault(overlay string, v podsecurity.Violation) (file string, line int) {
	text := v.String()
	_, object, _ := strings.Cut(v.Object, " ")
	words := append(slices.DeleteFunc(slices.Clone(weakenings), func(word string) bool { return !strings.Contains(text, word) }), "name: "+object)
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
// the objects of everything that they govern. What is not restricted at the base
// already is not their doing.
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
		known := map[string]bool{}
		found := map[string]schemas.Finding{}
		err := e.governed(ctx, c.Path, proposed, func(unit schemas.Unit, doc *deployment) {
			for _, f := range e.world.unrestrictedUnit(unit, doc) {
				known[f.Message] = true
			}
			for _, f := range proposed.unrestrictedUnit(unit, doc) {
				found[f.Message] = f
			}
		})
		if err != nil {
			return err
		}
		maps.DeleteFunc(found, func(message string, _ schemas.Finding) bool { return known[message] })
		messages := slices.Sorted(maps.Keys(found))
		for _, message := range messages[:min(len(messages), maxBroken)] {
			e.find(c, policy.StageSecurity, found[message])
		}
		if more := len(messages) - maxBroken; more > 0 {
			e.noteOn(c, policy.StageSecurity, policy.Fail, fmt.Sprintf("%s more that are not restricted", plural(more, "pod or namespace")))
		}
	}
	return nil
}

// governed calls a function with the tenancies and the first models at the head
// that a governing file has a say in; the document is nil for a tenancy.
func (e *evaluation) governed(ctx context.Context, path string, proposed *world, each func(schemas.Unit, *deployment)) error {
	manifests, err := e.manifests(ctx, e.head, func(string) bool { return true })
	if err != nil {
		return fmt.Errorf("read the manifests that %s governs: %w", path, err)
	}
	tenancies, models := map[schemas.Unit]bool{}, 0
	for _, m := range manifests {
		if m.doc == nil || !governs(path, unitOf(m.doc), e.world, proposed) {
			continue
		}
		unit := unitOf(m.doc)
		tenancy := schemas.Unit{Team: unit.Team, Environment: unit.Environment}
		if !tenancies[tenancy] {
			tenancies[tenancy] = true
			each(tenancy, nil)
		}
		if models < maxRendered {
			models++
			each(unit, m.doc)
		}
	}
	return nil
}

func (w *world) unrestrictedUnit(unit schemas.Unit, doc *deployment) schemas.Findings {
	at := schemas.Finding{File: schemas.EnvironmentPath(unit.Environment), Line: 1}
	if doc == nil {
		set, _ := w.Tenancy(unit.Team, unit.Environment)
		return w.unrestricted(unit.Environment, set.Objects, at)
	}
	set, _ := w.Model(doc) // without objects where it cannot be rendered, which is a finding elsewhere
	return w.unrestricted(unit.Environment, set.Objects, at)
}
