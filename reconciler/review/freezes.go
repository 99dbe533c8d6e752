package review

import (
	"context"
	"fmt"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/freeze"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeFreezes fails changes of models in an environment that is frozen.
func (e *evaluation) judgeFreezes(context.Context) error {
	if len(e.report.Changes) == 0 {
		return nil // and perhaps no governance either
	}
	freezes := e.world.governance().Freezes
	for _, c := range e.report.Changes {
		if c.Platform() {
			continue
		}
		for _, f := range freeze.At(freezes, c.Environment, e.Now) {
			e.find(c, policy.StageApproval, schemas.Finding{
				Severity: schemas.SeverityError, File: c.Path, Line: 1, Column: 1, Code: CodeFreeze,
				Message: fmt.Sprintf("%s is frozen from %s to %s: %s", c.Environment, f.From.Format(time.RFC3339), f.To.Format(time.RFC3339), f.Reason),
				Remedy:  "merge after " + freeze.Until(freezes, c.Environment, e.Now).Format(time.RFC3339),
			})
		}
	}
	return nil
}
