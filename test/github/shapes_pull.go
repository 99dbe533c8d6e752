package githubtest

import (
	"net/url"
	"strings"
)

func urlPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// pullJSON is a pull request as lists show it.
func (s *Server) pullJSON(p *pull) object {
	state := "open"
	if !p.open {
		state = "closed"
	}
	self, page := s.api("/repos/%s/pulls/%d", p.repo.fullName(), p.number), s.html("/%s/pull/%d", p.repo.fullName(), p.number)
	issue := s.api("/repos/%s/issues/%d", p.repo.fullName(), p.number)
	statuses := s.api("/repos/%s/statuses/%s", p.repo.fullName(), p.headSHA)
	reviewComment := s.api("/repos/%s/pulls/comments{/number}", p.repo.fullName())
	o := object{
		"url": self, "id": p.id, "node_id": nodeID("PullRequest", p.id), "html_url": page, "diff_url": page + ".diff",
		"patch_url": page + ".patch", "issue_url": issue, "commits_url": self + "/commits",
		"review_comments_url": self + "/comments", "review_comment_url": reviewComment, "comments_url": issue + "/comments",
		"statuses_url": statuses, "number": p.number, "state": state, "locked": false, "title": p.title,
		"user": s.userJSON(p.author), "body": nil, "labels": []object{}, "milestone": nil, "draft": p.draft,
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stampOrNull(p.closed),
		"merged_at": stampOrNull(p.merged), "merge_commit_sha": nil, "assignee": nil, "assignees": []object{},
		"requested_reviewers": []object{}, "requested_teams": []object{}, "author_association": association(p.repo, p.author),
		"auto_merge": nil, "head": s.headJSON(p), "base": s.baseJSON(p),
		"_links": object{
			"self": object{"href": self}, "html": object{"href": page}, "issue": object{"href": issue},
			"comments": object{"href": issue + "/comments"}, "review_comments": object{"href": self + "/comments"},
			"review_comment": object{"href": reviewComment}, "commits": object{"href": self + "/commits"},
			"statuses": object{"href": statuses},
		},
	}
	if p.body != "" {
		o["body"] = p.body
	}
	if p.mergeCommitSHA != "" {
		o["merge_commit_sha"] = p.mergeCommitSHA
	}
	return o
}

// headJSON has no repository once that has been deleted, as GitHub answers then.
func (s *Server) headJSON(p *pull) object {
	o := object{
		"label": p.headOwner.login + ":" + p.headRef, "ref": p.headRef, "sha": p.headSHA,
		"user": s.userJSON(p.headOwner), "repo": nil,
	}
	if !p.headRepo.deleted {
		o["repo"] = s.repoJSON(p.headRepo)
	}
	return o
}

func (s *Server) baseJSON(p *pull) object {
	return object{
		"label": p.repo.owner.login + ":" + p.baseRef, "ref": p.baseRef, "sha": p.baseSHA,
		"user": s.userJSON(p.repo.owner), "repo": s.repoJSON(p.repo),
	}
}

// pullFullJSON is a pull request asked for alone, with what GitHub computes then.
func (s *Server) pullFullJSON(p *pull) (object, error) {
	if err := s.computeMergeability(p); err != nil {
		return nil, err
	}
	diff, err := p.difference()
	if err != nil {
		return nil, err
	}
	additions, deletions := 0, 0
	for _, f := range diff.files {
		additions += f.additions
		deletions += f.deletions
	}
	o := s.pullJSON(p)
	o["merged"], o["merged_by"] = !p.merged.IsZero(), s.userOrNull(p.mergedBy)
	o["mergeable"], o["mergeable_state"] = nil, "unknown"
	if p.open {
		o["mergeable"], o["mergeable_state"] = p.mergeability.clean, s.mergeableState(p)
	}
	o["comments"], o["review_comments"], o["maintainer_can_modify"] = len(p.comments), 0, false
	o["commits"], o["changed_files"], o["additions"], o["deletions"] = len(diff.commits), len(diff.files), additions, deletions
	return o, nil
}

func (s *Server) mergeableState(p *pull) string {
	switch {
	case !p.mergeability.clean:
		return "dirty"
	case p.draft:
		return "draft"
	case len(s.unmet(p)) > 0:
		return "blocked"
	default:
		return "clean"
	}
}
