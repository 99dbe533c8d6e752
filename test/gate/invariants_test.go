package gate

import (
	"context"
	"fmt"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

// check says which rule a state breaks; empty where none.
func (x *looker) check(ctx context.Context, s *state) string {
	for path, a := range s.ledger.Approved {
		why := ""
		switch {
		case a.PullRequest == 0:
			why = x.trusted(ctx, path, a)
		case path != manifestPath:
			why = "nobody in this world can approve a platform file"
		default:
			why = x.approved(s, a)
		}
		if why != "" {
			return fmt.Sprintf("%s may be applied with the content %.8s, but %s", path, a.Blob, why)
		}
	}
	if s.back {
		return "what a later pull request had replaced was approved anew"
	}
	if why := x.complete(s); why != "" {
		return why
	}
	p := s.current()
	if p == nil || !p.open {
		return ""
	}
	told, err := x.status(ctx, s, p)
	if err != nil {
		return err.Error()
	}
	stands := s.ledger.Approved[manifestPath].Blob // which is checked above
	known := map[string]bool{}
	for name := range manifests {
		known[name] = blobOf(name) == stands
	}
	if want := x.w.judge(s.tip, p.head, p, known).verdict; told != want {
		return fmt.Sprintf("#%d is told %s, and it is %s", p.number, told, want)
	}
	return ""
}

// trusted content stands by no pull request: it has to be the root's.
func (x *looker) trusted(ctx context.Context, path string, a schemas.ApprovedFile) string {
	content, err := x.w.governed(ctx, x.root)
	if err != nil {
		return err.Error()
	}
	if a.Commit != x.root.String() || content[path].String() != a.Blob {
		return "nobody vouched for that"
	}
	return ""
}

// approved content has a pull request that was merged, left exactly that on the
// branch, and had at that moment the right people's approval of exactly that.
func (x *looker) approved(s *state, a schemas.ApprovedFile) string {
	if a.PullRequest > len(s.pulls) || !s.pulls[a.PullRequest-1].merged {
		return fmt.Sprintf("#%d was never merged", a.PullRequest)
	}
	p := s.pulls[a.PullRequest-1]
	landed := x.w.at(p.landed[len(p.landed)-1])
	switch {
	case a.Commit != p.landed[len(p.landed)-1].String():
		return fmt.Sprintf("#%d did not end at the commit %s", p.number, a.Commit)
	case a.Blob != blobOf(landed.manifest) || a.Blob != blobOf(p.then.after):
		return fmt.Sprintf("#%d left %s on the branch and was about %s", p.number, landed.manifest, p.then.after)
	case a.Before != blobOf(p.then.before) || a.Digest != p.then.digest || a.Level != schemas.RiskMedium:
		return fmt.Sprintf("the approval of #%d is of %s (%s), not of %s → %s", p.number, a.Digest, a.Level, p.then.before, p.then.after)
	case x.w.at(p.from).manifest != p.then.before:
		return fmt.Sprintf("#%d was reviewed over %s and merged over %s", p.number, p.then.before, x.w.at(p.from).manifest)
	case p.then.verdict == refused || p.then.verdict == unknown:
		return fmt.Sprintf("#%d was %s when it was merged", p.number, p.then.verdict)
	}
	return fillsAllSeats(p, a.By)
}

// fillsAllSeats: each seat once, by distinct people who hold its role and whose
// approval counted when the pull request was merged.
func fillsAllSeats(p *pull, by []schemas.ApprovedBy) string {
	filled, people := map[string]bool{}, map[string]bool{}
	for _, b := range by {
		if !p.then.counting[b.Login] {
			return fmt.Sprintf("%s had not approved that when #%d was merged", b.Login, p.number)
		}
		holder := false
		for _, login := range holds[b.Role] {
			holder = holder || strings.EqualFold(login, b.Login)
		}
		if !holder || people[b.Login] || filled[b.Role] {
			return fmt.Sprintf("the seat of the %s is not %s's to fill in #%d", b.Role, b.Login, p.number)
		}
		filled[b.Role], people[b.Login] = true, true
	}
	if len(filled) != len(seats) {
		return fmt.Sprintf("only %v are filled in #%d", by, p.number)
	}
	return ""
}

// complete: the gate is no wall. What was approved in full, merged and not
// touched since may run once the controller has seen it.
func (x *looker) complete(s *state) string {
	if s.revision != s.tip || s.forced || s.foul {
		return ""
	}
	stood := "A"
	for _, p := range s.pulls {
		if p.withdrawn() {
			break // what is merged on top of it may count or not, too
		}
		founded := p.then.before == stood || p.then.after == stood
		if p.granted() && founded {
			stood = p.then.after
		}
		if !founded || !p.merged || p.landed[len(p.landed)-1] != s.tip || p.then.verdict != passed || p.then.before == p.then.after {
			continue
		}
		if a := s.ledger.Approved[manifestPath]; a.Blob != blobOf(p.then.after) {
			return fmt.Sprintf("#%d was approved and merged, and is held back: %s", p.number, s.ledger.Quarantined[manifestPath].Reason)
		}
	}
	return ""
}

// withdrawn: a review was dismissed. GitHub does not say when, so after a merge
// it may count or not.
func (p *pull) withdrawn() bool {
	for _, r := range p.reviews {
		if r.state == "DISMISSED" {
			return true
		}
	}
	return false
}
