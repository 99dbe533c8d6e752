package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
)

// The ends of GitHub's lists: what lies beyond is not told.
const (
	maxPullFiles   = 3000
	maxPullCommits = 250
)

func (c *call) pull() (*pull, error) {
	n, err := c.number("number")
	if err != nil {
		return nil, err
	}
	p := c.repo.pulls[int(n)]
	if p == nil {
		return nil, notFound()
	}
	return p, nil
}

func listPulls(c *call) (int, any, error) {
	q := c.r.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	if !slices.Contains([]string{"open", "closed", "all"}, state) {
		return 0, nil, invalid("PullRequest", "state", "invalid", "")
	}
	var list []*pull
	for _, p := range c.repo.pulls {
		if (state == "all" || (state == "open") == p.open) &&
			(q.Get("base") == "" || q.Get("base") == p.baseRef) &&
			(q.Get("head") == "" || strings.EqualFold(q.Get("head"), p.headOwner.login+":"+p.headRef)) {
			list = append(list, p)
		}
	}
	ascending := q.Get("direction") == "asc"
	byUpdate := q.Get("sort") == "updated"
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if !ascending {
			a, b = b, a
		}
		if byUpdate && !a.updated.Equal(b.updated) {
			return a.updated.Before(b.updated)
		}
		return a.number < b.number
	})
	out, err := page(c, list, func(p *pull) any { return c.s.pullJSON(p) })
	return http.StatusOK, out, err
}

func getPull(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	out, err := c.s.pullFullJSON(p)
	return http.StatusOK, out, err
}

func createPull(c *call) (int, any, error) {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Title == "" {
		return 0, nil, invalid("PullRequest", "title", "missing_field", "")
	}
	if tooLong(in.Body, maxBody) {
		return 0, nil, invalid("PullRequest", "body", "custom", "body is too long (maximum is %d characters)", maxBody)
	}
	p := &pull{
		repo: c.repo, author: c.who.account(), title: in.Title, body: in.Body, draft: in.Draft, open: true,
		baseRef: in.Base, created: c.s.now(), updated: c.s.now(),
	}
	if err := c.resolveHead(p, in.Head); err != nil {
		return 0, nil, err
	}
	if err := c.resolveBase(p, in.Base); err != nil {
		return 0, nil, err
	}
	if err := c.checkNewPull(p); err != nil {
		return 0, nil, err
	}
	p.id = c.s.id()
	p.number = c.repo.nextNumber
	if err := c.repo.git.setRef(fmt.Sprintf("refs/pull/%d/head", p.number), p.headSHA); err != nil {
		return 0, nil, err
	}
	c.repo.nextNumber++
	c.repo.pulls[p.number] = p
	c.s.emitPull(p, "opened", c.who.account())
	out, err := c.s.pullFullJSON(p)
	return http.StatusCreated, out, err
}

// resolveHead finds "branch" in the repository itself or "owner:branch" in a fork, and brings the commits
// over as GitHub does.
func (c *call) resolveHead(p *pull, head string) error {
	owner, branch, cross := strings.Cut(head, ":")
	p.headRepo = c.repo
	if !cross {
		owner, branch = c.repo.owner.login, head
	}
	if !strings.EqualFold(owner, c.repo.owner.login) {
		p.headRepo = c.s.forkOf(c.repo, owner)
		if p.headRepo == nil {
			return invalid("PullRequest", "head", "invalid", "")
		}
	}
	sha, err := p.headRepo.git.resolve("refs/heads/" + branch)
	if err != nil {
		return err
	}
	if sha == "" {
		return invalid("PullRequest", "head", "invalid", "")
	}
	p.headRef, p.headSHA, p.headOwner = branch, sha, p.headRepo.owner
	return c.s.bringOver(p)
}

func (s *Server) bringOver(p *pull) error {
	if p.headRepo == p.repo {
		return nil
	}
	_, err := p.repo.git.run("fetch", "--quiet", "--no-tags", p.headRepo.git.dir, p.headSHA)
	return err
}

func (c *call) resolveBase(p *pull, branch string) error {
	sha, err := c.repo.git.resolve("refs/heads/" + branch)
	if err != nil {
		return err
	}
	if branch == "" || sha == "" {
		return invalid("PullRequest", "base", "invalid", "")
	}
	p.baseRef, p.baseSHA = branch, sha
	return nil
}

func (c *call) checkNewPull(p *pull) error {
	ancestor, err := c.repo.git.isAncestor(p.headSHA, p.baseSHA)
	if err != nil {
		return err
	}
	if ancestor {
		return invalid("PullRequest", "base", "custom", "No commits between %s and %s", p.baseRef, p.headRef)
	}
	for _, other := range c.repo.pulls {
		if other.open && other.headRepo == p.headRepo && other.headRef == p.headRef && other.baseRef == p.baseRef {
			return invalid("PullRequest", "head", "custom", "A pull request already exists for %s:%s.", p.headOwner.login, p.headRef)
		}
	}
	return nil
}

func editPull(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	me := c.who.account()
	if me != p.author && c.who.user != nil && c.repo.permission(me) < Write {
		return 0, nil, refuse(http.StatusForbidden, "Must have write rights to Repository.")
	}
	var in struct{ Title, Body, State, Base *string }
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if err := c.editText(p, in.Title, in.Body); err != nil {
		return 0, nil, err
	}
	if in.Base != nil && *in.Base != p.baseRef {
		if err := c.resolveBase(p, *in.Base); err != nil {
			return 0, nil, err
		}
		c.s.emitPull(p, "edited", me)
	}
	if in.State != nil {
		if err := c.setState(p, *in.State); err != nil {
			return 0, nil, err
		}
	}
	p.updated = c.s.now()
	out, err := c.s.pullFullJSON(p)
	return http.StatusOK, out, err
}

func (c *call) editText(p *pull, title, body *string) error {
	if body != nil && tooLong(*body, maxBody) {
		return invalid("PullRequest", "body", "custom", "body is too long (maximum is %d characters)", maxBody)
	}
	if title != nil {
		p.title = *title
	}
	if body != nil {
		p.body = *body
	}
	if title != nil || body != nil {
		c.s.emitPull(p, "edited", c.who.account())
	}
	return nil
}

func (c *call) setState(p *pull, state string) error {
	switch {
	case state == "closed" && p.open:
		p.open, p.closed = false, c.s.now()
		c.s.happened(p, "ClosedEvent")
		c.s.emitPull(p, "closed", c.who.account())
	case state == "open" && !p.open:
		sha, err := c.reopenable(p)
		if err != nil {
			return err
		}
		p.headSHA, p.open, p.closed = sha, true, p.merged
		c.s.happened(p, "ReopenedEvent")
		c.s.emitPull(p, "reopened", c.who.account())
	case state != "open" && state != "closed":
		return invalid("PullRequest", "state", "invalid", "")
	}
	return nil
}

// happened keeps an event of a pull request.
func (s *Server) happened(p *pull, kind string) {
	p.updated = s.now()
	p.timeline = append(p.timeline, timelineEvent{kind, s.now()})
}

// setDraft is what GitHub's page does; REST has no way to.
func (s *Server) setDraft(fullName string, number int, login string, draft bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return err
	}
	p, by := r.pulls[number], s.accounts[key(login)]
	if p == nil || !p.open || p.draft == draft {
		return fmt.Errorf("%s#%d cannot be changed so", fullName, number)
	}
	kind, action := "ReadyForReviewEvent", "ready_for_review"
	if draft {
		kind, action = "ConvertToDraftEvent", "converted_to_draft"
	}
	p.draft = draft
	s.happened(p, kind)
	s.emitPull(p, action, by)
	return nil
}

func (c *call) reopenable(p *pull) (string, error) {
	if !p.merged.IsZero() || p.headRepo.deleted {
		return "", invalid("PullRequest", "state", "invalid", "state cannot be changed. The pull request cannot be reopened.")
	}
	sha, err := p.headRepo.git.resolve("refs/heads/" + p.headRef)
	if err == nil && sha == "" {
		err = invalid("PullRequest", "state", "invalid", "state cannot be changed. The %s branch has been deleted.", p.headRef)
	}
	return sha, err
}

// difference gives the files and commits between base and head.
func (p *pull) difference() (pullDiff, error) {
	if p.diff.base == p.baseSHA && p.diff.head == p.headSHA {
		return p.diff, nil
	}
	git := p.repo.git
	base, err := git.mergeBase(p.baseSHA, p.headSHA)
	if err != nil {
		return pullDiff{}, err
	}
	if base == "" {
		return pullDiff{}, errors.New("base and head share no history")
	}
	d := pullDiff{base: p.baseSHA, head: p.headSHA}
	if d.files, err = git.changes(base, p.headSHA); err != nil {
		return pullDiff{}, err
	}
	if d.commits, err = git.between(p.baseSHA, p.headSHA); err != nil {
		return pullDiff{}, err
	}
	p.diff = d
	return d, nil
}

func listPullFiles(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	diff, err := p.difference()
	if err != nil {
		return 0, nil, err
	}
	files := diff.files[:min(len(diff.files), maxPullFiles)]
	out, err := page(c, files, func(f fileChange) any { return c.s.fileJSON(c.repo, p.headSHA, f) })
	return http.StatusOK, out, err
}

func listPullCommits(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	diff, err := p.difference()
	if err != nil {
		return 0, nil, err
	}
	commits := diff.commits[:min(len(diff.commits), maxPullCommits)]
	out, err := page(c, commits, func(g gitCommit) any { return c.s.commitJSON(c.repo, g) })
	return http.StatusOK, out, err
}

// listCommitPulls lists the pull requests that a commit belongs to: the one that brought it into the
// branch, or the open ones that contain it.
func listCommitPulls(c *call) (int, any, error) {
	sha, err := c.repo.git.resolve(c.path("sha"))
	if err != nil {
		return 0, nil, err
	}
	if sha == "" {
		return 0, nil, invalid("Commit", "sha", "custom", "No commit found for SHA: %s", c.path("sha"))
	}
	list, err := c.repo.pullsWith(sha)
	if err != nil {
		return 0, nil, err
	}
	out, err := page(c, list, func(p *pull) any { return c.s.pullJSON(p) })
	return http.StatusOK, out, err
}

// pullsWith lists the pull requests that a commit belongs to.
func (r *repo) pullsWith(sha string) ([]*pull, error) {
	var list []*pull
	for _, p := range r.pulls {
		has, err := r.contains(p, sha)
		if err != nil {
			return nil, err
		}
		if has {
			list = append(list, p)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].number < list[j].number })
	return list, nil
}

func (r *repo) contains(p *pull, sha string) (bool, error) {
	if sha == p.headSHA || slices.Contains(p.landed, sha) {
		return true, nil
	}
	diff, err := p.difference()
	return slices.ContainsFunc(diff.commits, func(c gitCommit) bool { return c.sha == sha }), err
}
