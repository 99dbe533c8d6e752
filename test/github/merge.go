package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// computeMergeability is what GitHub does in the background: it tries the merge, keeps the commit under
// refs/pull/N/merge and shows it as merge_commit_sha while the pull request is open.
func (s *Server) computeMergeability(p *pull) error {
	if !p.open {
		return nil
	}
	git := p.repo.git
	base, err := git.resolve("refs/heads/" + p.baseRef)
	if err != nil {
		return err
	}
	if p.mergeability.base == base && p.mergeability.head == p.headSHA {
		return nil
	}
	ref := fmt.Sprintf("refs/pull/%d/merge", p.number)
	tree, err := git.mergeTree(base, p.headSHA)
	if errors.Is(err, errConflict) {
		p.mergeability = mergeability{base, p.headSHA, false}
		p.mergeCommitSHA = ""
		return git.deleteRef(ref)
	}
	if err != nil {
		return err
	}
	who := webFlow(s.now())
	sha, err := git.commitTree(tree, fmt.Sprintf("Merge %s into %s", p.headSHA, base), who, who, base, p.headSHA)
	if err != nil {
		return err
	}
	p.mergeability = mergeability{base, p.headSHA, true}
	p.mergeCommitSHA = sha
	return git.setRef(ref, sha)
}

type mergeRequest struct {
	SHA     string `json:"sha"`
	Method  string `json:"merge_method"`
	Title   string `json:"commit_title"`
	Message string `json:"commit_message"`
}

func mergePull(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	in := mergeRequest{Method: "merge"}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if err := c.mergeAllowed(p, in); err != nil {
		return 0, nil, err
	}
	base, err := c.repo.git.resolve("refs/heads/" + p.baseRef)
	if err != nil {
		return 0, nil, err
	}
	tip, err := c.merged(p, base, in)
	if errors.Is(err, errConflict) {
		return 0, nil, refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	if err != nil {
		return 0, nil, err
	}
	if err := c.land(p, base, tip); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, object{"sha": tip, "merged": true, "message": "Pull Request successfully merged"}, nil
}

// mergeAllowed refuses in GitHub's order: the state, the pinned head, the branch's protection.
func (c *call) mergeAllowed(p *pull, in mergeRequest) error {
	rule := c.repo.protection[p.baseRef]
	switch {
	case !p.open:
		return refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case p.draft:
		return refuse(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	case in.SHA != "" && in.SHA != p.headSHA:
		return refuse(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case rule == nil:
		return nil
	}
	isAdmin := c.who.user != nil && c.repo.permission(c.who.user) >= Admin
	if isAdmin && !rule.enforceAdmins {
		return nil
	}
	missing := c.s.unmet(p)
	switch len(missing) {
	case 0:
	case 1:
		return refuse(http.StatusMethodNotAllowed, "Required status check %q is expected.", missing[0])
	default:
		return refuse(http.StatusMethodNotAllowed, "%d of %d required status checks are expected.", len(missing), len(rule.contexts))
	}
	return c.upToDate(p, rule)
}

func (c *call) upToDate(p *pull, rule *protection) error {
	if !rule.strict {
		return nil
	}
	ok, err := c.repo.git.isAncestor("refs/heads/"+p.baseRef, p.headSHA)
	if err == nil && !ok {
		return refuse(http.StatusMethodNotAllowed, "Head branch is out of date with the base branch.")
	}
	return err
}

// merged makes the commit or commits and gives the new tip of the base branch.
func (c *call) merged(p *pull, base string, in mergeRequest) (string, error) {
	me := c.who.account()
	now := c.s.now()
	git := c.repo.git
	switch in.Method {
	case "rebase":
		return git.rebase(base, p.headSHA, webFlow(now))
	case "merge", "squash", "":
	default:
		return "", invalid("PullRequest", "merge_method", "invalid", "")
	}
	tree, err := git.mergeTree(base, p.headSHA)
	if err != nil {
		return "", err
	}
	title, message, author, parents := mergeTitle(p), p.title, me, []string{base, p.headSHA}
	if in.Method == "squash" {
		title, author, parents = fmt.Sprintf("%s (#%d)", p.title, p.number), p.author, parents[:1]
		if message, err = c.squashMessage(p, base); err != nil {
			return "", err
		}
	}
	if in.Title != "" {
		title = in.Title
	}
	if in.Message != "" {
		message = in.Message
	}
	text := strings.TrimSpace(title+"\n\n"+message) + "\n"
	return git.commitTree(tree, text, signature{author.name, author.email, now}, webFlow(now), parents...)
}

func mergeTitle(p *pull) string {
	return fmt.Sprintf("Merge pull request #%d from %s/%s", p.number, p.headOwner.login, p.headRef)
}

// squashMessage lists the squashed commits and names everybody else who wrote one.
func (c *call) squashMessage(p *pull, base string) (string, error) {
	commits, err := c.repo.git.between(base, p.headSHA)
	if err != nil {
		return "", err
	}
	if len(commits) == 1 {
		_, rest, _ := strings.Cut(commits[0].message, "\n")
		return strings.TrimSpace(rest), nil
	}
	var text strings.Builder
	var others []string
	seen := map[string]bool{p.author.email: true}
	for _, g := range commits {
		fmt.Fprintf(&text, "* %s\n\n", g.message)
		if !seen[g.author.email] {
			seen[g.author.email] = true
			others = append(others, fmt.Sprintf("Co-authored-by: %s <%s>", g.author.name, g.author.email))
		}
	}
	return strings.TrimSpace(text.String() + strings.Join(others, "\n")), nil
}

// land moves the base branch and closes the pull request.
func (c *call) land(p *pull, base, tip string) error {
	me, git := c.who.account(), c.repo.git
	if err := git.setRef("refs/heads/"+p.baseRef, tip); err != nil {
		return err
	}
	if err := git.deleteRef(fmt.Sprintf("refs/pull/%d/merge", p.number)); err != nil {
		return err
	}
	commits, err := git.log(base+".."+tip, "--first-parent")
	if err != nil {
		return err
	}
	for _, g := range commits {
		p.landed = append(p.landed, g.sha)
	}
	now := c.s.now()
	p.open, p.closed, p.merged, p.updated, p.mergedBy = false, now, now, now, me
	p.baseSHA, p.mergeCommitSHA = base, tip
	c.repo.pushed = now
	c.s.emitPull(p, "closed", me)
	return c.s.branchMoved(c.repo, refUpdate{ref: "refs/heads/" + p.baseRef, before: base, after: tip}, me)
}
