package controller

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// smashed is a forge that knows of one merge, in whose pull request somebody
// broke the glass.
type smashed struct {
	silent
	at time.Time
}

func (s smashed) MergedPullRequest(_ context.Context, _ string, id source.ID) (*review.PullRequest, error) {
	if id != s.merged {
		return nil, nil
	}
	return &review.PullRequest{Number: 1, Author: "ada", AuthorID: 1, Head: id, Base: "main", MergedAt: s.at}, nil
}

func (s smashed) Reviews(context.Context, int) ([]review.Review, error) {
	return []review.Review{{
		User: "root", UserID: 2, Type: "User", State: "APPROVED", CommitID: s.merged.String(),
		SubmittedAt: s.at.Add(-time.Minute), Body: "/break-glass payments are down",
	}}, nil
}

func (s smashed) Commits(context.Context, int) (review.CommitList, error) {
	return review.CommitList{Commits: []review.AttributedCommit{{ID: s.merged, Author: "ada", AuthorID: 1, Committer: "ada", CommitterID: 1}}}, nil
}

func (smashed) FilesTruncated(context.Context, int) (bool, error) { return false, nil }

func (smashed) TeamMembers(context.Context, string) ([]review.Account, error) {
	return []review.Account{{Login: "root", ID: 2}}, nil
}

// TestABrokenGlassIsOnRecordBeforeAnythingIsDone: no unit is looked at, and no
// receipt says that there is something to apply, until the log has the record.
func TestABrokenGlassIsOnRecordBeforeAnythingIsDone(t *testing.T) {
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
	p.write("governance.yaml", "freezes:", "freezes:\n    - {environments: [development], from: \"2020-01-01T00:00:00Z\", to: \"2090-01-01T00:00:00Z\", reason: audit}")
	trusted := p.commit("Freeze")
	p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = trusted })
	p.mustLook()
	p.write(forecast, `version: "7"`, `version: "8"`)
	merged := source.ID(p.commit("Serve version 8"))
	p.loop.Dial = func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Forge: smashed{silent{merged: merged}, time.Now().Add(-time.Second)}}, nil
	}
	p.change(func(r *schemas.ModelRepository) { r.Spec.Interval.Duration = time.Hour })
	const unit = "development.data-science.demand-forecast"
	before := p.receipts()[unit].Status.Approved

	p.fails = errors.New("the disk is full")
	if _, err := p.look(); !errors.Is(err, p.fails) {
		t.Errorf("without a record: %v", err)
	}
	if got := p.receipts()[unit].Status.Approved; got == nil || got.Blob != before.Blob || p.looks[unit] {
		t.Errorf("without a record it was gone on with: %+v", got)
	}

	p.fails = nil
	p.mustLook()
	if want := []release.Action{release.ActionBreakGlass, release.ActionApprove}; !slices.Equal(p.actions, want) {
		t.Errorf("on record are %v, want %v", p.actions, want)
	}
	got := p.receipts()[unit].Status.Approved
	if got == nil || got.Blob == before.Blob || got.BrokenGlass == nil || got.BrokenGlass.By != "root" || !p.looks[unit] {
		t.Errorf("after it: %+v, looked at: %t", got, p.looks[unit])
	}
}
