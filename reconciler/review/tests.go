package review

import (
	"context"
	"fmt"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/metrics"
	"github.com/mlops-platform/mooring/reconciler/desired"
)

// judgeMetrics is the stage test: it holds what a version's run logged against
// the manifest's checks and against the version that is live, which is the one
// that the base names. A registry that could not be asked is an Error already.
func (e *evaluation) judgeMetrics(context.Context) error {
	for _, c := range e.report.Changes {
		if c.after == nil || c.registered.after == nil || c.after.Value.Spec.Checks == nil {
			continue
		}
		var live map[string]float64
		// An alias of the base may have been moved since: what is live is then unknown.
		if c.registered.before != nil && c.before.Value.Spec.Model.Version != "" {
			live = c.registered.before.Metrics
		}
		c.Metrics = metrics.Check(c.after.Value.Spec.Checks.Metrics, c.registered.after.Metrics, live)
		for _, f := range metrics.Findings(c.Metrics) {
			e.find(c, policy.StageTest, desired.Locate(c.after, f))
		}
	}
	return nil
}

// tested is what the stage test says where nothing is wrong.
func (e *evaluation) tested() string {
	known, rows := 0, 0
	for _, c := range e.report.Changes {
		if c.registered.after != nil {
			known++
			rows += len(c.Metrics)
		}
	}
	switch {
	case known == 0:
		return "no registry is configured; metrics are not checked"
	case rows == 0:
		return "no manifest asks for metrics"
	}
	return plural(rows, "metric") + " within bounds"
}

func writeMetrics(b *strings.Builder, c *Change) {
	if len(c.Metrics) == 0 {
		return
	}
	fmt.Fprintf(b, "**Metrics** of version %s:\n\n| | metric | value | live | why |\n|---|---|---|---|---|\n", escape(c.Registered.Version))
	for _, row := range c.Metrics {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", mark(row.Verdict), escape(row.Name), number(row.Value), number(row.Baseline), escape(row.Reason))
	}
	b.WriteString("\n")
}

func number(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%g", *v)
}
