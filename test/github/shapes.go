package githubtest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// The shapes of GitHub's answers: every field that its API description requires.

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stampOrNull is null for what has not happened.
func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func nodeID(kind string, id any) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s%v", kind, id))
}

func (s *Server) userJSON(a *account) object {
	page := a.login
	if a.kind == "Bot" {
		page = "apps/" + strings.TrimSuffix(a.login, "[bot]")
	}
	escaped := strings.NewReplacer("[", "%5B", "]", "%5D").Replace(a.login)
	u := object{
		"login": a.login, "id": a.id, "node_id": nodeID("User", a.id), "type": a.kind, "site_admin": false,
		"avatar_url": s.html("/avatars/u/%d?v=4", a.id), "gravatar_id": "", "user_view_type": "public",
		"url": s.api("/users/%s", escaped), "html_url": s.html("/%s", page),
	}
	for field, tail := range map[string]string{
		"followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
		"starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
		"repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
	} {
		u[field] = s.api("/users/%s", escaped) + tail
	}
	return u
}

// userOrNull is null for nobody: an author whose e-mail belongs to no account, a deleted account.
func (s *Server) userOrNull(a *account) any {
	if a == nil {
		return nil
	}
	return s.userJSON(a)
}

func (s *Server) profileJSON(a *account) object {
	u := s.userJSON(a)
	for _, field := range []string{"company", "location", "hireable", "bio", "email"} {
		u[field] = nil
	}
	u["name"], u["blog"] = a.name, ""
	u["public_repos"], u["public_gists"], u["followers"], u["following"] = 0, 0, 0, 0
	u["created_at"], u["updated_at"] = stamp(a.created), stamp(a.created)
	return u
}

// ownProfileJSON is what only the person themselves sees.
func (s *Server) ownProfileJSON(a *account) object {
	u := s.profileJSON(a)
	u["user_view_type"] = "private"
	u["email"] = a.email
	for _, field := range []string{"private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators"} {
		u[field] = 0
	}
	u["two_factor_authentication"] = true
	return u
}

func (s *Server) orgJSON(a *account) object {
	o := object{
		"login": a.login, "id": a.id, "node_id": nodeID("Organization", a.id), "description": nil, "type": "Organization",
		"avatar_url": s.html("/avatars/u/%d?v=4", a.id), "html_url": s.html("/%s", a.login),
		"url": s.api("/orgs/%s", a.login), "name": a.name,
		"has_organization_projects": false, "has_repository_projects": false, "public_repos": 0, "public_gists": 0,
		"followers": 0, "following": 0, "created_at": stamp(a.created), "updated_at": stamp(a.created), "archived_at": nil,
	}
	for field, tail := range map[string]string{
		"repos_url": "/repos", "events_url": "/events", "hooks_url": "/hooks", "issues_url": "/issues",
		"members_url": "/members{/member}", "public_members_url": "/public_members{/member}",
	} {
		o[field] = s.api("/orgs/%s", a.login) + tail
	}
	return o
}

func (s *Server) teamJSON(t *team) object {
	privacy := "closed"
	if t.secret {
		privacy = "secret"
	}
	return object{
		"id": t.id, "node_id": nodeID("Team", t.id), "name": t.name, "slug": t.slug, "description": nil,
		"privacy": privacy, "permission": "pull", "type": "organization",
		"notification_setting": "notifications_enabled",
		"url":                  s.api("/organizations/%d/team/%d", t.org.id, t.id),
		"html_url":             s.html("/orgs/%s/teams/%s", t.org.login, t.slug),
		"members_url":          s.api("/organizations/%d/team/%d/members{/member}", t.org.id, t.id),
		"repositories_url":     s.api("/organizations/%d/team/%d/repos", t.org.id, t.id),
	}
}

func (s *Server) teamWithParentJSON(t *team) object {
	o := s.teamJSON(t)
	o["parent"] = nil
	if t.parent != nil {
		o["parent"] = s.teamJSON(t.parent)
	}
	return o
}

func (s *Server) teamFullJSON(t *team) object {
	o := s.teamWithParentJSON(t)
	o["members_count"], o["repos_count"] = len(t.everyone()), 0
	o["created_at"], o["updated_at"] = stamp(t.created), stamp(t.created)
	o["organization"] = s.orgJSON(t.org)
	return o
}

var repoLinks = map[string]string{
	"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
	"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
	"comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
	"contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
	"downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks", "git_commits_url": "/git/commits{/sha}",
	"git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
	"issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
	"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
	"languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
	"releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
	"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags", "teams_url": "/teams",
	"trees_url": "/git/trees{/sha}",
}

func (s *Server) repoJSON(r *repo) object {
	open := 0
	for _, p := range r.pulls {
		if p.open {
			open++
		}
	}
	o := object{
		"id": r.id, "node_id": nodeID("Repository", r.id), "name": r.name, "full_name": r.fullName(),
		"owner": s.userJSON(r.owner), "private": !r.public, "description": nil, "fork": r.parent != nil,
		"url": s.api("/repos/%s", r.fullName()), "html_url": s.html("/%s", r.fullName()),
		"clone_url": s.CloneURL(r.fullName()), "git_url": strings.Replace(s.CloneURL(r.fullName()), "http:", "git:", 1),
		"ssh_url": "git@" + strings.TrimPrefix(s.url, "http://") + ":" + r.fullName() + ".git",
		"svn_url": s.html("/%s", r.fullName()), "mirror_url": nil, "homepage": nil, "language": nil, "license": nil,
		"default_branch": r.defaultBranch, "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0,
		"watchers_count": 0, "size": 0, "open_issues": open, "open_issues_count": open,
		"has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false,
		"has_discussions": false, "archived": false, "disabled": false,
		"created_at": stamp(r.created), "updated_at": stamp(r.pushed), "pushed_at": stamp(r.pushed),
	}
	for field, tail := range repoLinks {
		o[field] = s.api("/repos/%s", r.fullName()) + tail
	}
	return o
}

func (s *Server) repoFullJSON(r *repo) object {
	o := s.repoJSON(r)
	o["subscribers_count"], o["network_count"] = 0, 0
	return o
}

// association is the relation of a person to a repository.
func association(r *repo, a *account) string {
	switch {
	case a == nil:
		return "NONE"
	case a.id == r.owner.id:
		return "OWNER"
	case r.owner.org != nil && r.owner.org.members[a.id] != nil:
		return "MEMBER"
	case r.access[a.id] > None:
		return "COLLABORATOR"
	default:
		return "CONTRIBUTOR"
	}
}

func (s *Server) reviewJSON(p *pull, v *review) object {
	self := s.html("/%s/pull/%d#pullrequestreview-%d", p.repo.fullName(), p.number, v.id)
	pullURL := s.api("/repos/%s/pulls/%d", p.repo.fullName(), p.number)
	return object{
		"id": v.id, "node_id": nodeID("PullRequestReview", v.id), "user": s.userOrNull(v.user), "body": v.body,
		"state": v.state, "html_url": self, "pull_request_url": pullURL, "commit_id": v.commitID,
		"submitted_at": stamp(v.submitted), "author_association": association(p.repo, v.user),
		"_links": object{"html": object{"href": self}, "pull_request": object{"href": pullURL}},
	}
}

func (s *Server) commentJSON(p *pull, c *comment) object {
	return object{
		"id": c.id, "node_id": nodeID("IssueComment", c.id), "user": s.userOrNull(c.user), "body": c.body,
		"url":        s.api("/repos/%s/issues/comments/%d", p.repo.fullName(), c.id),
		"html_url":   s.html("/%s/pull/%d#issuecomment-%d", p.repo.fullName(), p.number, c.id),
		"issue_url":  s.api("/repos/%s/issues/%d", p.repo.fullName(), p.number),
		"created_at": stamp(c.created), "updated_at": stamp(c.updated), "performed_via_github_app": nil,
		"author_association": association(p.repo, c.user),
	}
}

// statusJSON shows a status; with its creator in lists, without in the combined status.
func (s *Server) statusJSON(r *repo, sha string, st *status, creator bool) object {
	o := object{
		"id": st.id, "node_id": nodeID("StatusContext", st.id), "state": st.state, "context": st.context,
		"description": st.description, "target_url": st.targetURL,
		"url":        s.api("/repos/%s/statuses/%s", r.fullName(), sha),
		"avatar_url": s.html("/avatars/u/%d?v=4", st.creator.id),
		"created_at": stamp(st.created), "updated_at": stamp(st.created),
	}
	if creator {
		o["creator"] = s.userJSON(st.creator)
	}
	return o
}

func (s *Server) commitJSON(r *repo, c gitCommit) object {
	base := s.api("/repos/%s", r.fullName())
	person := func(sig signature) object {
		return object{"name": sig.name, "email": sig.email, "date": stamp(sig.when)}
	}
	parents := []object{}
	for _, p := range c.parents {
		parents = append(parents, object{"sha": p, "url": base + "/commits/" + p, "html_url": s.html("/%s/commit/%s", r.fullName(), p)})
	}
	return object{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "parents": parents,
		"url": base + "/commits/" + c.sha, "html_url": s.html("/%s/commit/%s", r.fullName(), c.sha),
		"comments_url": base + "/commits/" + c.sha + "/comments",
		"author":       s.userOrNull(s.byEmail(c.author.email)), "committer": s.userOrNull(s.byEmail(c.committer.email)),
		"commit": object{
			"author": person(c.author), "committer": person(c.committer), "message": c.message, "comment_count": 0,
			"url":          base + "/git/commits/" + c.sha,
			"tree":         object{"sha": c.tree, "url": base + "/git/trees/" + c.tree},
			"verification": object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
		},
	}
}

func (s *Server) fileJSON(r *repo, head string, f fileChange) object {
	o := object{
		"sha": f.sha, "filename": f.path, "status": f.status,
		"additions": f.additions, "deletions": f.deletions, "changes": f.additions + f.deletions,
		"blob_url":     s.html("/%s/blob/%s/%s", r.fullName(), head, urlPath(f.path)),
		"raw_url":      s.html("/%s/raw/%s/%s", r.fullName(), head, urlPath(f.path)),
		"contents_url": s.api("/repos/%s/contents/%s?ref=%s", r.fullName(), urlPath(f.path), head),
	}
	if f.previous != "" {
		o["previous_filename"] = f.previous
	}
	return o
}
