package gate

import (
	"fmt"
	"slices"
)

// action is something that somebody does. It changes a state that is its own,
// and reports whether it was possible at all.
type action struct {
	words string
	do    func(w *world, s *state) bool
	// rare actions are left to the random schedules: with them, every schedule
	// would be too many.
	rare bool
}

// people are the actions of everybody but the controller.
func people() []action {
	return []action{
		{"Ada pushes B to the pull request", push(ada, "B"), false},
		{"Ada pushes C to the pull request", push(ada, "C"), false},
		{"mia pushes C to the pull request", push(mia, "C"), true},
		{"Ada forces the pull request back to A", forceBack, false},
		{"Ada rebases the pull request", rebase, true},
		{"mia approves", reviewing(mia, "APPROVED"), false},
		{"Sen approves", reviewing(sen, "APPROVED"), false},
		{"Ada approves", reviewing(ada, "APPROVED"), false},
		{"sam, a stranger, approves", reviewing(sam, "APPROVED"), true},
		{"mia requests changes", reviewing(mia, "CHANGES_REQUESTED"), false},
		{"mia's review is dismissed", dismiss(mia), false},
		{"an administrator merges by squash, whatever the statuses say", merge("squash"), false},
		{"an administrator merges by merge, whatever the statuses say", merge("merge"), false},
		{"an administrator merges by rebase, whatever the statuses say", merge("rebase"), false},
		{"the pull request's head is pushed to the branch", pushHead, false},
		{"the branch is pushed to a merge of itself into the pull request", pushOtherWay, false},
		{"Ada pushes C to the branch, and pat makes the pull request a small edit of it", editPush, false},
		{"B is pushed to the branch", direct(func(c content) content { c.manifest = "B"; return c }), false},
		{"C is pushed to the branch", direct(func(c content) content { c.manifest = "C"; return c }), false},
		{"rules that seat the stranger are pushed to the branch", direct(func(c content) content { c.rules = otherRules; return c }), false},
		{"the branch is forced back by one commit", forceBranch, false},
		{"what the first merge made of the branch is pushed again", again, true},
		{"the pull request is closed, or reopened", reopen, true},
	}
}

// push adds a commit to the pull request, and opens one where there is none.
func push(by, manifest string) func(*world, *state) bool {
	return func(w *world, s *state) bool {
		p := s.current()
		if p == nil || p.merged {
			if len(s.pulls) == 2 || w.at(s.tip).manifest == manifest {
				return false
			}
			head := w.commit(by, "Change", content{manifest, w.at(s.tip).rules}, s.tip)
			s.pulls = append(s.pulls, &pull{number: len(s.pulls) + 1, author: pat, head: head, open: true})
			return true
		}
		if !p.open || w.at(p.head).manifest == manifest {
			return false
		}
		return s.moveHead(w, p, w.commit(by, "Change", content{manifest, w.at(p.head).rules}, p.head))
	}
}

func (s *state) moveHead(w *world, p *pull, head id) bool {
	if head == p.head {
		return false
	}
	p.head = head
	s.arrive(w, s.tip)
	return true
}

func forceBack(w *world, s *state) bool {
	p := s.current()
	if p == nil || !p.open {
		return false
	}
	base := w.mergeBase(s.tip, p.head)
	return s.moveHead(w, p, w.commit(ada, "Back", content{"A", w.at(base).rules}, base))
}

func rebase(w *world, s *state) bool {
	p := s.current()
	if p == nil || !p.open {
		return false
	}
	landed, ok := w.replay(s.tip, p.head, "rebased")
	return ok && len(landed) > 0 && s.moveHead(w, p, landed[len(landed)-1])
}

// replay puts the commits of head onto a tip, each with its author.
func (w *world) replay(tip, head id, message string) (landed []id, ok bool) {
	for _, c := range w.between(tip, head) {
		old := w.info(c)
		next, clean := mergedContent(w.at(old.parents[0]), w.at(tip), old.content)
		if !clean || len(old.parents) > 1 {
			return nil, false
		}
		tip = w.commit(old.author, message, next, tip)
		landed = append(landed, tip)
	}
	return landed, true
}

func reviewing(user, opinionState string) func(*world, *state) bool {
	return func(_ *world, s *state) bool {
		p := s.current()
		if p == nil || !p.open && !p.merged {
			return false
		}
		for _, r := range slices.Backward(p.reviews) {
			if r.user == user {
				if r.state == opinionState && r.commit == p.head {
					return false // saying it again says nothing
				}
				break
			}
		}
		p.reviews = append(p.reviews, opinion{user, opinionState, p.head, p.event()})
		return true
	}
}

// dismiss takes back a person's latest review, in place, as GitHub does.
func dismiss(user string) func(*world, *state) bool {
	return func(_ *world, s *state) bool {
		p := s.current()
		if p == nil {
			return false
		}
		for i, r := range slices.Backward(p.reviews) {
			if r.user == user && r.state != "DISMISSED" {
				p.reviews[i].state = "DISMISSED"
				return true
			}
		}
		return false
	}
}

func merge(way string) func(*world, *state) bool {
	return func(w *world, s *state) bool {
		p := s.current()
		if p == nil || !p.open {
			return false
		}
		merged, clean := mergedContent(w.at(w.mergeBase(s.tip, p.head)), w.at(s.tip), w.at(p.head))
		if !clean {
			return false
		}
		// Two merges never make the same commit: GitHub's tell the time.
		landed, of := []id{}, fmt.Sprint(" #", p.number)
		switch way {
		case "squash":
			landed = append(landed, w.commit(pat, "Squash"+of, merged, s.tip))
		case "merge":
			landed = append(landed, w.commit(root, "Merge"+of, merged, s.tip, p.head))
		case "rebase":
			var ok bool
			if landed, ok = w.replay(s.tip, p.head, "landed"+of); !ok || len(landed) == 0 {
				return false
			}
		}
		s.land(w, p, landed)
		s.tip = landed[len(landed)-1]
		s.foul = s.foul || w.at(s.tip).rules != trustedRules
		return true
	}
}

// land closes a pull request as merged, and asks the oracle what it was worth.
func (s *state) land(w *world, p *pull, landed []id) {
	p.then = w.judge(s.tip, p.head, p, s.everApproved())
	p.open, p.merged, p.mergedAt, p.from, p.landed = false, true, p.event(), s.tip, landed
}

// pushHead moves the branch to the pull request's head, which GitHub takes for
// a merge.
func pushHead(w *world, s *state) bool {
	p := s.current()
	if p == nil || !p.open || !w.ancestors(p.head)[s.tip] {
		return false
	}
	s.move(w, p.head)
	return true
}

// pushOtherWay moves the branch to a merge whose first parent is the pull
// request's head, with what that holds. Where the branch stood is on no path of
// first parents any more: who has not seen it there cannot know of it, as after a
// forced push.
func pushOtherWay(w *world, s *state) bool {
	p := s.current()
	if p == nil || !p.open || s.revision != s.tip || w.ancestors(p.head)[s.tip] || w.ancestors(s.tip)[p.head] {
		return false
	}
	s.forced = true
	s.move(w, w.commit(sam, "Other way", content{w.at(p.head).manifest, w.at(s.tip).rules}, p.head, s.tip))
	return true
}

// editPush builds a pull request by somebody else on what Ada pushed, so that none
// of its own commits is hers.
func editPush(w *world, s *state) bool {
	p := s.current()
	if p == nil || !p.open || !direct(func(c content) content { c.manifest = "C"; return c })(w, s) {
		return false
	}
	return s.moveHead(w, p, w.commit(pat, "Edit", content{"B", w.at(s.tip).rules}, s.tip))
}

func direct(change func(content) content) func(*world, *state) bool {
	return func(w *world, s *state) bool {
		before := w.at(s.tip)
		after := change(before)
		if before == after {
			return false
		}
		s.move(w, w.commit(ada, "Pushed", after, s.tip))
		return true
	}
}

func forceBranch(w *world, s *state) bool {
	parents := w.info(s.tip).parents
	if len(parents) == 0 {
		return false
	}
	back := parents[0]
	for _, p := range s.pulls { // after a merge the other way round that is the second
		if p.merged && p.landed[len(p.landed)-1] == s.tip && slices.Contains(parents, p.from) {
			back = p.from
		}
	}
	s.forced = true
	s.move(w, back)
	return true
}

// again forces the branch to where the first merge left it.
func again(w *world, s *state) bool {
	if len(s.pulls) == 0 || !s.pulls[0].merged {
		return false
	}
	landed := s.pulls[0].landed
	if tip := landed[len(landed)-1]; tip != s.tip {
		s.forced = true
		s.move(w, tip)
		return true
	}
	return false
}

// move puts the branch somewhere.
func (s *state) move(w *world, tip id) {
	s.arrive(w, tip)
	s.tip = tip
	s.foul = s.foul || w.at(tip).rules != trustedRules
}

// arrive marks an open pull request as merged whose head is on the branch.
func (s *state) arrive(w *world, tip id) {
	p := s.current()
	if p == nil || !p.open || !w.ancestors(tip)[p.head] {
		return
	}
	landed := w.between(s.tip, p.head)
	if len(landed) == 0 || w.info(landed[0]).parents[0] != s.tip && w.ancestors(tip)[s.tip] {
		landed = []id{tip}
	}
	s.land(w, p, landed)
}

func reopen(w *world, s *state) bool {
	p := s.current()
	if p == nil || p.merged {
		return false
	}
	p.open = !p.open
	if p.open {
		s.arrive(w, s.tip)
	}
	return true
}
