package release

import (
	"context"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"

	"github.com/mlops-platform/mooring/policy/window"
	"github.com/mlops-platform/mooring/schemas"
)

// ClosedUntil reports whether an environment is closed for releases at a time,
// by a freeze or outside of its change windows, and when it opens. It errs where
// a window cannot be understood.
func (f *Fleet) ClosedUntil(environment string, at time.Time) (opens time.Time, closed bool, err error) {
	if f.world.Platform == nil || f.world.Platform.Governance == nil {
		return at, false, nil // nothing is rendered then, and nothing applied
	}
	g := f.world.Platform.Governance.Value.Spec
	if opens, err = window.Free(g.Freezes, g.Windows, environment, at); err != nil {
		return at, true, err
	}
	return opens, opens.After(at), nil
}

// held holds back a change of what is deployed: while the environment is closed,
// and where its approval rests on somebody who lost the role meanwhile. The
// duration says when to look again.
//
// What was begun is finished, and what an operator vouched for (trustFrom) is
// deployed where nothing of it is yet, such as in a new cluster.
func (w *work) held(ctx context.Context) (time.Duration, bool) {
	approved, applied := w.desired.Approved, w.receipt.Status.Applied
	if w.desired.Unit.Model == "" || approved == nil {
		return 0, false
	}
	begun := w.interrupted || applied == nil && len(w.receipt.Status.Inventory) > 0 || applied != nil && applied.Hash == ""
	if begun && w.receipt.Status.Begun == approved.Blob {
		return 0, false
	}
	if vouched := applied == nil && approved.PullRequest == 0; !begun && !vouched {
		if again, closed := w.closed(); closed {
			w.wait()
			return again, true
		}
	}
	return w.unbacked(ctx)
}

// closed reports whether the unit's environment is, unless somebody broke the
// glass for the change.
func (w *work) closed() (time.Duration, bool) {
	if w.desired.Approved.BrokenGlass != nil {
		return 0, false
	}
	opens, closed, err := w.fleet.ClosedUntil(w.desired.Unit.Environment, w.Now())
	if err != nil {
		w.phase(schemas.PhasePending)
		w.stall(ReasonWindowClosed, "nothing is deployed: %v", err)
		return 0, true
	}
	if !closed {
		return 0, false
	}
	w.phase(schemas.PhasePending)
	conditions.Delete(w.receipt, "Stalled")
	conditions.MarkFalse(w.receipt, "Ready", ReasonWindowClosed, "%s opens %s; what is approved is deployed then, and what is deployed stays until then",
		w.desired.Unit.Environment, opens.Format("Monday 2006-01-02 15:04 ")+opens.Location().String())
	return max(opens.Sub(w.Now()), time.Second), true
}

// keep watches over what is deployed while the release after it is held: drift
// of that is looked for and healed. It is not where this process did not see it
// deployed; then nothing is changed until the release. Again is when the hold ends.
func (w *work) keep(ctx context.Context, again time.Duration) (time.Duration, error) {
	applied := w.receipt.Status.Applied
	if applied == nil {
		return again, nil
	}
	before, set := w.desired.deployed(applied.Hash)
	if before == nil {
		return again, nil
	}
	past := *w
	past.desired, past.revision = before, applied.Revision
	mended, err := past.mend(ctx, set.Objects)
	return sooner(again, mended), err
}

// GlassEvent is the record of a broken glass, which stands before that of any
// apply.
func GlassEvent(repo *schemas.ModelRepository, a schemas.ApprovedFile) Event {
	unit, _ := schemas.ManifestUnit(a.Path) // a platform file is of no unit
	return Event{
		Occasion: string(repo.UID), Phase: Decided, Action: ActionBreakGlass, Repository: repo.Name, Path: a.Path,
		Team: unit.Team, Model: unit.Model, Environment: unit.Environment,
		Actor: a.BrokenGlass.By, Commit: a.Commit, Digest: a.Digest, Reason: a.BrokenGlass.Reason,
		Evidence: map[string]any{"lifted": a.BrokenGlass.Lifted, "pullRequest": a.PullRequest, "head": a.Head, "blob": a.Blob},
	}
}
