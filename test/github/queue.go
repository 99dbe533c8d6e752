package githubtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// queued is a pull request in a merge queue: merged for trial onto the branch, or onto the one before it.
type queued struct {
	pull       *pull
	by         *account
	base, head string
}

func (q *queued) ref() string {
	return fmt.Sprintf("refs/heads/gh-readonly-queue/%s/pr-%d-%s", q.pull.baseRef, q.pull.number, q.base)
}

// Enqueue puts a pull request whose required statuses are green into its branch's merge queue. The queue squashes.
// It merges when the required statuses of the queued commit succeed, and drops what fails.
func (p *Person) Enqueue(_ context.Context, repo string, number int) error {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(repo)
	if err != nil {
		return err
	}
	pr, by := r.pulls[number], s.accounts[key(p.Login)]
	if pr == nil || !pr.open || pr.draft || r.permission(by) < Write {
		return refuse(http.StatusUnprocessableEntity, "#%d cannot be queued by %s", number, p.Login)
	}
	if missing := s.unmet(pr); len(missing) > 0 {
		return refuse(http.StatusUnprocessableEntity, "required status check %q is expected", missing[0])
	}
	if slices.ContainsFunc(r.queue, func(q *queued) bool { return q.pull == pr }) {
		return refuse(http.StatusUnprocessableEntity, "#%d is queued already", number)
	}
	return s.enqueue(r, pr, by)
}

// Queued lists the numbers of the pull requests that wait in a branch's merge queue, the next first, each with
// the commit that would become the branch's.
func (s *Server) Queued(repo, branch string) (numbers []int, heads []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(repo)
	if err != nil {
		return nil, nil, err
	}
	for _, q := range r.queueOf(branch) {
		numbers, heads = append(numbers, q.pull.number), append(heads, q.head)
	}
	return numbers, heads, nil
}

func (r *repo) queueOf(branch string) []*queued {
	var list []*queued
	for _, q := range r.queue {
		if q.pull.baseRef == branch {
			list = append(list, q)
		}
	}
	return list
}

// enqueue makes the branch of one more pull request and asks for its statuses.
func (s *Server) enqueue(r *repo, p *pull, by *account) error {
	base, err := r.git.resolve("refs/heads/" + p.baseRef)
	if err != nil {
		return err
	}
	if before := r.queueOf(p.baseRef); len(before) > 0 {
		base = before[len(before)-1].head
	}
	c := &call{s: s, who: principal{user: by}, repo: r}
	head, err := c.merged(p, base, mergeRequest{Method: "squash"})
	if errors.Is(err, errConflict) {
		return nil // GitHub drops what no longer merges
	}
	if err != nil {
		return err
	}
	q := &queued{p, by, base, head}
	if err := r.git.setRef(q.ref(), head); err != nil {
		return err
	}
	r.queue = append(r.queue, q)
	s.emitGroup(r, q, "checks_requested", "")
	return nil
}

func (s *Server) emitGroup(r *repo, q *queued, action, reason string) {
	payload := object{"action": action, "merge_group": object{
		"head_sha": q.head, "head_ref": q.ref(), "base_sha": q.base, "base_ref": "refs/heads/" + q.pull.baseRef,
		"head_commit": object{
			"id": q.head, "tree_id": q.head, "message": q.pull.title, "timestamp": stamp(s.now()),
			"author": object{"name": q.by.name, "email": q.by.email}, "committer": object{"name": "GitHub", "email": "noreply@github.com"},
		},
	}}
	if reason != "" {
		payload["reason"] = reason
	}
	s.emit(r, "merge_group", q.by, payload)
}

// dequeue takes one out of the queue and removes its branch.
func (s *Server) dequeue(r *repo, q *queued, reason string) error {
	r.queue = slices.DeleteFunc(r.queue, func(one *queued) bool { return one == q })
	s.emitGroup(r, q, "destroyed", reason)
	return r.git.deleteRef(q.ref())
}

// advanceQueue does what the statuses of a branch's queue call for: the first is merged when it is green, a
// failed one is dropped and all behind it are made anew.
func (s *Server) advanceQueue(r *repo, branch string) error {
	for {
		waiting := r.queueOf(branch)
		if len(waiting) == 0 {
			return nil
		}
		first := waiting[0]
		tip, err := r.git.resolve("refs/heads/" + branch)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(waiting, func(q *queued) bool { return !q.pull.open || s.queueState(r, q) == "failure" }); at >= 0 {
			return s.rebuildQueue(r, waiting[at:], waiting[at], "dequeued")
		}
		if first.base != tip {
			return s.rebuildQueue(r, waiting, nil, "invalidated")
		}
		if s.queueState(r, first) != "success" {
			return nil
		}
		r.queue = slices.DeleteFunc(r.queue, func(one *queued) bool { return one == first })
		if err := r.git.deleteRef(first.ref()); err != nil {
			return err
		}
		c := &call{s: s, who: principal{user: first.by}, repo: r}
		if err := c.land(first.pull, tip, first.head); err != nil {
			return err
		}
		s.emitGroup(r, first, "destroyed", "merged")
	}
}

func (s *Server) rebuildQueue(r *repo, from []*queued, without *queued, reason string) error {
	for _, q := range from {
		if err := s.dequeue(r, q, reason); err != nil {
			return err
		}
	}
	for _, q := range from {
		if q == without || !q.pull.open {
			continue
		}
		if err := s.enqueue(r, q.pull, q.by); err != nil {
			return err
		}
	}
	return nil
}

// queueState is success where every required status of the queued commit is, failure where one failed.
func (s *Server) queueState(r *repo, q *queued) string {
	states := map[string]string{}
	for _, st := range r.latest(q.head) {
		states[st.context] = st.state
	}
	rule := r.protection[q.pull.baseRef]
	if rule == nil {
		return "success"
	}
	all := "success"
	for _, context := range rule.contexts {
		switch states[context] {
		case "success":
		case "failure", "error":
			return "failure"
		default:
			all = "pending"
		}
	}
	return all
}

// queueOfCommit finds the branch in whose queue a commit waits.
func (r *repo) queueOfCommit(sha string) (branch string, waits bool) {
	for _, q := range r.queue {
		if q.head == sha {
			return q.pull.baseRef, true
		}
	}
	return "", false
}
