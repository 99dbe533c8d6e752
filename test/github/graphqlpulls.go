package githubtest

import (
	"errors"
	"fmt"
)

// gqlPulls counts a repository's pull requests in some states. They are not listed.
func (c *call) gqlPulls(r *repo, args map[string]any) (any, error) {
	if err := c.gqlAllowed("pull_requests:read"); err != nil {
		return nil, err
	}
	states, ok := args["states"].([]any)
	if !ok {
		return nil, errors.New("this server counts by `states`")
	}
	n := 0
	for _, p := range r.pulls {
		for _, state := range states {
			if fmt.Sprint(state) == p.graphState() {
				n++
			}
		}
	}
	return counted("PullRequestConnection", n), nil
}

func (p *pull) graphState() string {
	switch {
	case !p.merged.IsZero():
		return "MERGED"
	case p.open:
		return "OPEN"
	}
	return "CLOSED"
}

// gqlPullsOf are the pull requests that brought a commit. Of one that is not on the default branch they would be the
// open ones, too; nobody asks for those here.
func (c *call) gqlPullsOf(r *repo, sha string, args map[string]any) (any, error) {
	if err := c.gqlAllowed("pull_requests:read"); err != nil {
		return nil, err
	}
	first, err := pageArgument(args, "first")
	if err != nil {
		return nil, err
	}
	list, err := r.pullsWith(sha)
	if err != nil {
		return nil, err
	}
	var nodes []*gqlObject
	for _, p := range list[:min(first, len(list))] {
		nodes = append(nodes, &gqlObject{"PullRequest", map[string]gqlField{
			"number": value(p.number), "merged": value(!p.merged.IsZero()), "baseRefName": value(p.baseRef),
			"baseRepository": value(&gqlObject{"Repository", map[string]gqlField{"nameWithOwner": value(r.fullName())}}),
		}})
	}
	return &gqlObject{"PullRequestConnection", map[string]gqlField{
		"nodes": value(nodes), "totalCount": value(len(list)), "pageInfo": value(pageInfo(len(nodes) < len(list))),
	}}, nil
}
