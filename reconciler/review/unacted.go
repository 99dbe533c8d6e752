package review

import (
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

// CodeNotActedOn warns that a file declares what nothing acts on yet.
const CodeNotActedOn = "not-acted-on"

// unactedField is one, with all that stands below it. Where every file of the kind
// has to have it, nobody is told: it would be said of every file.
type unactedField struct {
	path     string
	required bool
}

const (
	fieldRollback  = "spec.rollout.rollback"
	fieldMetrics   = "spec.checks.metrics"
	fieldAutoMerge = "spec.approvals.low.autoMerge"
)

// unacted are the fields that are checked and stored and that nothing acts on yet.
// A test holds the daggers of the manifest reference against them.
func unacted(kind schemas.Kind) []unactedField {
	switch kind {
	case schemas.KindModelDeployment:
		return []unactedField{
			{path: "spec.rollout.canary"}, {path: fieldRollback}, {path: fieldMetrics}, {path: "spec.checks.smoke"}, {path: "spec.features"},
		}
	case schemas.KindEnvironment:
		return []unactedField{{path: "spec.promotion"}}
	case schemas.KindGovernance:
		return []unactedField{
			{path: fieldAutoMerge}, {"spec.approvals.low.review", true}, {"spec.approvals.medium.review", true},
			{"spec.approvals.high.review", true}, {"spec.approvals.high.revalidate", true},
		}
	case schemas.KindTeam:
		return []unactedField{{"spec.contacts.slack", true}, {"spec.contacts.email", true}}
	}
	return nil
}

// Unacted lists the fields of a kind of file that are checked and stored and that
// nothing acts on yet, each with all that stands below it.
func Unacted(kind schemas.Kind) []string {
	var paths []string
	for _, f := range unacted(kind) {
		paths = append(paths, f.path)
	}
	return paths
}

// notActedOn is one warning of all that a file declares and nothing acts on, but
// for what is excepted.
func notActedOn[T any](doc *schemas.Document[T], kind schemas.Kind, excepted ...string) schemas.Findings {
	var declared []string
	for _, f := range unacted(kind) {
		if !f.required && doc.Written(f.path) && !slices.Contains(excepted, f.path) {
			declared = append(declared, f.path)
		}
	}
	if len(declared) == 0 {
		return nil
	}
	are := " are"
	if len(declared) == 1 {
		are = " is"
	}
	f := doc.Finding(declared[0], CodeNotActedOn, strings.Join(declared, ", ")+are+" accepted and not acted on yet",
		"do not count on what they promise; Mooring's manifest reference marks such fields †")
	f.Severity = schemas.SeverityWarning
	return schemas.Findings{f}
}

// manifestNotActedOn is that of a manifest; a registry, where there is one, is asked
// for the metrics.
func (w *world) manifestNotActedOn(doc *deployment, registry bool) schemas.Findings {
	var excepted []string
	if registry {
		excepted = append(excepted, fieldMetrics)
	}
	findings := notActedOn(doc, schemas.KindModelDeployment, excepted...)
	env := w.environment(doc.Value.Spec.Environment)
	if len(findings) > 0 && env != nil && env.Spec.Observability != nil && doc.Written(fieldRollback) {
		findings[0].Message = strings.Replace(findings[0].Message, fieldRollback, fieldRollback+" (but for its alerts)", 1)
	}
	return findings
}

// platformNotActedOn is that of each governing file.
func (w *world) platformNotActedOn() schemas.Findings {
	var findings schemas.Findings
	if g := w.Platform.Governance; g != nil && g.Value.Spec.Approvals.Low.AutoMerge {
		findings = append(findings, notActedOn(g, schemas.KindGovernance)...)
	}
	for _, env := range w.Platform.Environments {
		findings = append(findings, notActedOn(env, schemas.KindEnvironment)...)
	}
	return findings
}
