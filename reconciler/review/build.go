package review

import (
	"context"
	"fmt"

	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeBuild renders what each change would bring, and what it differs in from
// what the base renders.
func (e *evaluation) judgeBuild(context.Context) error {
	var objects int
	for _, c := range e.report.Changes {
		if c.Platform() {
			continue
		}
		after := e.renderSide(c, keyOf(c.file.After), c.after, true)
		if len(after.objects) == 0 && c.file.After.Exists() {
			e.tellUnrendered(c)
			continue
		}
		before := e.renderSide(c, keyOf(c.file.Before), c.before, false)
		objects += len(after.objects)
		diff, err := unifiedDiff(c, before.text, after.text)
		if err != nil {
			return err
		}
		c.Diff = c.hide(diff)
		if err := c.abridge(before.objects, after.objects); err != nil {
			return err
		}
	}
	if objects > 0 {
		e.note(policy.StageBuild, policy.Pass, plural(objects, "object")+" rendered")
	}
	return nil
}

// tellUnrendered says that a manifest has no objects. To compare with none would
// look like the model's removal.
func (e *evaluation) tellUnrendered(c *Change) {
	if !c.Findings.Failed() && hasCode(c.Findings, desired.CodeAlias) {
		c.unrendered = "not rendered: the registry resolves the alias at the release"
		e.noteOn(c, policy.StageBuild, policy.Pass, c.unrendered)
		return
	}
	c.unrendered = "not rendered: see the problems above"
	e.noteOn(c, policy.StageBuild, policy.Pending, "not rendered because of its problems")
}

// render makes a manifest's objects by the base's world. The rules, the build
// and the comparison with the cluster need them.
func (e *evaluation) render(f fileKey, doc *deployment) rendering {
	r, ok := e.sets[f]
	if !ok {
		r = e.rendered(e.world, e.Repository, f, doc)
		e.sets[f] = r
	}
	return r
}

type side struct {
	text    string
	objects []*unstructured.Unstructured
}

// renderSide renders one side of a change. Only the side that would be merged
// can fail the build; what is wrong with it in ways that other stages have
// found already is not said twice.
func (e *evaluation) renderSide(c *Change, f fileKey, doc *deployment, merged bool) side {
	if doc == nil {
		return side{}
	}
	r := e.render(f, doc)
	if merged {
		e.find(c, policy.StageBuild, e.newFindings(c, r.findings)...)
	}
	if r.findings.Failed() {
		return side{}
	}
	text, err := r.text()
	if err != nil {
		e.noteOn(c, policy.StageBuild, policy.Error, fmt.Sprintf("the objects could not be written as YAML: %v", err))
		return side{}
	}
	return side{text: text, objects: r.set.Objects}
}

func (e *evaluation) newFindings(c *Change, findings schemas.Findings) schemas.Findings {
	seen := map[string]bool{}
	for _, f := range c.Findings {
		seen[f.Code] = true
	}
	if seen[schemas.CodeUnknownAccelerator] { // no pool fits for that alone; see untold
		seen[placement.CodeNoPoolFits], seen[placement.CodePoolUnfit] = true, true
	}
	var out schemas.Findings
	for _, f := range findings {
		switch {
		case f.Code == desired.CodeAlias:
			// The registry resolves it at the release; offline it is no fault.
			f.Severity = schemas.SeverityWarning
			out = append(out, f)
		case !seen[f.Code] && !(f.Code == desired.CodeRender && c.Findings.Failed()):
			out = append(out, f)
		}
	}
	return out
}

func unifiedDiff(c *Change, before, after string) (string, error) {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(before), B: difflib.SplitLines(after),
		FromFile: "base/" + c.unit().String(), ToFile: "head/" + c.unit().String(), Context: 3,
	})
	if err != nil {
		return "", fmt.Errorf("compare the rendered objects of %s: %w", c.Path, err)
	}
	return text, nil
}
