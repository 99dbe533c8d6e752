package review

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// ruled is what a world's rules have against a manifest as it stands.
func (w *world) ruled(ctx context.Context, doc *deployment, set desired.Set, req Request) schemas.Findings {
	bundle, _ := w.rules() // why they do not compile is a finding already
	if bundle == nil {
		return nil
	}
	result, err := bundle.Evaluate(ctx, w.inputOf(doc, set, req))
	if err != nil {
		return schemas.Findings{desired.At(doc, schemas.SeverityError, "spec", CodeRego, notEvaluated+err.Error(), "correct the rules under policy/")}
	}
	return ruleFindings(doc, result)
}

const notEvaluated = "the rules could not be evaluated: "

// tryRules asks changed rules of the chosen manifests and of those that the pull
// request brings, apart from this process.
func (i *impacts) tryRules(ctx context.Context, c *Change) {
	i.tried = map[*deployment]schemas.Findings{}
	if i.unfit {
		return
	}
	var asked []parsed
	for _, m := range i.manifests {
		if i.deep[m.doc] {
			asked = append(asked, m)
		}
	}
	for _, own := range i.report.Changes {
		if own.after != nil && len(asked) < maxRuled+maxRendered {
			asked = append(asked, parsed{key: keyOf(own.file.After), doc: own.after})
		}
	}
	inputs := make([]any, len(asked))
	for n, m := range asked {
		// Without objects where it cannot be rendered, which is found with the rest.
		inputs[n] = i.proposed.inputOf(m.doc, i.rendered(i.proposed, i.Repository, m.key, m.doc).set, i.Request)
	}
	tried, err := i.Rules.Try(ctx, i.proposed.ruleFiles, inputs)
	if err != nil {
		i.noteOn(c, policy.StageSecurity, policy.Error, fmt.Sprintf("the Rego rules could not be tried on the manifests that they govern: %v", err))
	}
	var faults []ruleFault
	for n, t := range tried {
		switch doc := asked[n].doc; {
		case t.Fault == nil:
			i.tried[doc] = ruleFindings(doc, t.Result)
		case !i.fails(ctx, asked[n]):
			faults = append(faults, ruleFault{*t.Fault, doc.File})
		}
	}
	if left := len(asked) - len(tried); err == nil && left > 0 && len(faults) == 0 {
		i.noteOn(c, policy.StageSecurity, policy.Error, fmt.Sprintf("the Rego rules take too long, or too much, on %s, as those of the base do, so they could not be tried on %s after it",
			asked[len(tried)-1].doc.File, plural(left, "manifest")))
	}
	i.findFaults(faults)
}

// fails reports whether the rules of the base could not judge a manifest either.
func (i *impacts) fails(ctx context.Context, m parsed) bool {
	bundle, _ := i.world.rules()
	if bundle == nil {
		return false
	}
	_, err := bundle.Evaluate(ctx, i.world.inputOf(m.doc, i.rendered(i.world, i.Repository, m.key, m.doc).set, i.Request))
	return err != nil
}

// ruleFault is why proposed rules cannot judge a manifest.
type ruleFault struct {
	finding  schemas.Finding
	manifest string
}

// findFaults fails the change of the rules: merged, they would stop every pull
// request that they are asked about. The same fault is told once.
func (i *impacts) findFaults(faults []ruleFault) {
	on := map[schemas.Finding][]string{}
	var order []schemas.Finding
	for _, f := range faults {
		if on[f.finding] == nil {
			order = append(order, f.finding)
		}
		on[f.finding] = append(on[f.finding], f.manifest)
	}
	changed := i.platformChanges()
	for _, f := range order {
		c, manifests := changedRule(changed, f.File), on[f]
		if f.File == "" {
			f.File, f.Line, f.Column = c.Path, firstRule(i.proposed.ruleFiles[c.Path]), 1
		}
		f.Message = notEvaluated + f.Message + ", found on " + manifests[0]
		if more := len(manifests) - 1; more > 0 {
			f.Message += fmt.Sprintf(" and %d more", more)
		}
		for _, own := range i.report.Changes { // the engine may say what it read in a manifest
			f.Message, f.Remedy = own.hide(f.Message), own.hide(f.Remedy)
		}
		i.find(c, policy.StageSecurity, f)
	}
}

// changedRule is the change of a file of rules, or the first that may be to blame.
func changedRule(changed map[string]*Change, file string) *Change {
	if c := changed[file]; c != nil {
		return c
	}
	for _, path := range slices.Sorted(maps.Keys(changed)) {
		if schemas.ClassifyPath(path) == schemas.PathPolicy && !strings.HasSuffix(path, "_test.rego") {
			return changed[path]
		}
	}
	return firstUnder(changed, schemas.PathPolicy)
}

var decisiveRule = regexp.MustCompile(`(?m)^(deny|warn|exception)\b`)

// firstRule is the line of the first rule that decides; 1 without any.
func firstRule(content []byte) int {
	at := decisiveRule.FindIndex(content)
	if at == nil {
		return 1
	}
	return 1 + strings.Count(string(content[:at[0]]), "\n")
}

// inputOf is what rules see of a manifest that stays as it is.
func (w *world) inputOf(doc *deployment, set desired.Set, req Request) compliance.Input {
	in := compliance.Input{
		Manifest: &doc.Value, Before: &doc.Value, Team: w.team(doc.Value.Spec.Team), Environment: w.environment(doc.Value.Spec.Environment),
		Objects: []any{}, Now: req.Now.UTC(),
	}
	if a, err := w.OwnRisk(doc.Value); err == nil {
		in.Risk = compliance.RiskOf(a)
	}
	for _, o := range set.Objects {
		in.Objects = append(in.Objects, o.Object)
	}
	return in
}
