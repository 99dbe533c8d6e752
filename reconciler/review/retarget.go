package review

import (
	"context"
	"fmt"

	"github.com/mlops-platform/mooring/reconciler/source"
)

// Retargets is a forge on which an open pull request can be moved to another
// branch. A status is about a commit: what was judged for one branch would stand
// there for every other that asks for it.
type Retargets interface {
	// AllOpen is OpenPullRequests, and the open pull requests to other branches in
	// the same look.
	AllOpen(ctx context.Context, branch string) (open, elsewhere []PullRequest, err error)
	// Status is the latest of a context on a commit; nil where there is none.
	Status(ctx context.Context, commit source.ID, name string) (*Status, error)
}

// AllOpen asks a forge for the open pull requests to the branch, and for those
// to others where it can tell.
func AllOpen(ctx context.Context, forge Forge, branch string) (open, elsewhere []PullRequest, err error) {
	if r, ok := forge.(Retargets); ok {
		return r.AllOpen(ctx, branch)
	}
	open, err = forge.OpenPullRequests(ctx, branch)
	return open, nil, err
}

// Withdraw takes back the verdict on a pull request that now goes to another
// branch. It knows its own work by the status' address, so it needs no memory of
// it, and leaves alone what was judged for another pull request of that commit.
func (r *Reviewer) Withdraw(ctx context.Context, pr PullRequest) error {
	forge, ok := r.Forge.(Retargets)
	if !ok {
		return nil
	}
	standing, err := forge.Status(ctx, pr.Head, StatusContext)
	if err != nil {
		return fmt.Errorf("read what stands on #%d: %w", pr.Number, err)
	}
	if standing == nil || standing.TargetURL != pr.URL {
		return nil
	}
	if r.Memory != nil {
		r.Memory.forget(pr.Number) // on its return it is told again, even if nothing else has changed
	}
	return r.Forge.SetStatus(ctx, pr.Head, Status{
		Context: StatusContext, State: StateError, TargetURL: pr.URL,
		Description: "not judged: it no longer goes to the branch that is deployed, but to " + pr.Base,
	})
}
