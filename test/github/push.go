package githubtest

import (
	"fmt"
	"sort"
	"strings"
)

const zeroSHA = "0000000000000000000000000000000000000000"

// refUpdate is one branch that a push moved, made (before is zero) or deleted (after is zero).
type refUpdate struct{ ref, before, after string }

// updates compares two listings of refs.
func updates(before, after map[string]string) []refUpdate {
	var list []refUpdate
	for ref, sha := range after {
		if old, known := before[ref]; !known {
			list = append(list, refUpdate{ref, zeroSHA, sha})
		} else if old != sha {
			list = append(list, refUpdate{ref, old, sha})
		}
	}
	for ref, sha := range before {
		if _, still := after[ref]; !still {
			list = append(list, refUpdate{ref, sha, zeroSHA})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ref < list[j].ref })
	return list
}

// branchMoved does what GitHub does after every push: pull requests of the branch follow it, those whose
// commits have reached their base are merged, and webhooks go out.
func (s *Server) branchMoved(r *repo, u refUpdate, by *account) error {
	r.pushed = s.now()
	if err := s.emitPush(r, u, by); err != nil {
		return err
	}
	branch := strings.TrimPrefix(u.ref, "refs/heads/")
	for _, p := range s.pullsOf(r, branch) {
		if err := s.followHead(p, u, by); err != nil {
			return err
		}
	}
	return s.mergeIndirectly(r, branch, u, by)
}

// pullsOf lists the open pull requests, of this repository and those it was forked from, whose head the branch is.
func (s *Server) pullsOf(r *repo, branch string) []*pull {
	var list []*pull
	for _, base := range s.repos {
		for _, p := range base.pulls {
			if p.open && p.headRepo == r && p.headRef == branch {
				list = append(list, p)
			}
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].id < list[j].id })
	return list
}

func (s *Server) followHead(p *pull, u refUpdate, by *account) error {
	p.updated = s.now()
	if u.after == zeroSHA { // the branch was deleted
		p.open, p.closed = false, s.now()
		s.happened(p, "ClosedEvent")
		s.emitPull(p, "closed", by)
		return nil
	}
	p.headSHA = u.after
	if err := s.bringOver(p); err != nil {
		return err
	}
	if err := p.repo.git.setRef(fmt.Sprintf("refs/pull/%d/head", p.number), u.after); err != nil {
		return err
	}
	base, err := p.repo.git.resolve("refs/heads/" + p.baseRef)
	if err != nil {
		return err
	}
	p.baseSHA = base // GitHub moves base.sha with the head, not with the base
	s.emitPull(p, "synchronize", by)
	return nil
}

// mergeIndirectly marks pull requests as merged whose head a push has put on their base branch.
func (s *Server) mergeIndirectly(r *repo, branch string, u refUpdate, by *account) error {
	if u.after == zeroSHA {
		return nil
	}
	for _, p := range r.pulls {
		if !p.open || p.baseRef != branch {
			continue
		}
		arrived, err := r.git.isAncestor(p.headSHA, u.after)
		if err != nil {
			return err
		}
		if !arrived {
			continue
		}
		now := s.now()
		p.open, p.closed, p.merged, p.updated, p.mergedBy = false, now, now, now, by
		p.mergeCommitSHA, p.landed = u.after, []string{u.after}
		if u.before != zeroSHA {
			p.baseSHA = u.before
		}
		s.emitPull(p, "closed", by)
	}
	return nil
}
