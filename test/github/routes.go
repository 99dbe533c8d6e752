package githubtest

import (
	"net/http"
	"strings"
)

// endpoints is the whole API, route by route.
func endpoints() []endpoint {
	const r = "/repos/{owner}/{repo}"
	return []endpoint{
		{"GET /user", None, "", getSelf},
		{"GET /users/{login}", None, "", getUser},
		{"GET /rate_limit", None, "", getRateLimit},
		{"GET /orgs/{org}/teams", None, "members:read", listTeams},
		{"GET /orgs/{org}/teams/{team}", None, "members:read", getTeam},
		{"GET /orgs/{org}/teams/{team}/members", None, "members:read", listMembers},
		{"GET /app", None, "app", getApp},
		{"POST /app/installations/{installation}/access_tokens", None, "app", createInstallationToken},
		{"GET " + r + "/installation", None, "app", getInstallation},
		{"GET " + r, Read, "metadata:read", getRepo},
		{"DELETE " + r, Admin, "administration:write", deleteRepo},
		{"GET " + r + "/pulls", Read, "pull_requests:read", listPulls},
		{"POST " + r + "/pulls", Read, "pull_requests:write", createPull},
		{"GET " + r + "/pulls/{number}", Read, "pull_requests:read", getPull},
		{"PATCH " + r + "/pulls/{number}", Read, "pull_requests:write", editPull},
		{"GET " + r + "/pulls/{number}/files", Read, "pull_requests:read", listPullFiles},
		{"GET " + r + "/pulls/{number}/commits", Read, "pull_requests:read", listPullCommits},
		{"PUT " + r + "/pulls/{number}/merge", Write, "contents:write", mergePull},
		{"GET " + r + "/pulls/{number}/reviews", Read, "pull_requests:read", listReviews},
		{"POST " + r + "/pulls/{number}/reviews", Read, "pull_requests:write", createReview},
		{"PUT " + r + "/pulls/{number}/reviews/{review}", Read, "pull_requests:write", editReview},
		{"PUT " + r + "/pulls/{number}/reviews/{review}/dismissals", Write, "pull_requests:write", dismissReview},
		{"GET " + r + "/issues/{number}/{what}", Read, "pull_requests:read", getIssueComments},
		{"POST " + r + "/issues/{number}/comments", Read, "pull_requests:write", createComment},
		{"PATCH " + r + "/issues/comments/{comment}", Read, "pull_requests:write", editComment},
		{"DELETE " + r + "/issues/comments/{comment}", Read, "pull_requests:write", deleteComment},
		{"POST " + r + "/statuses/{sha}", Write, "statuses:write", createStatus},
		{"GET " + r + "/commits/{ref}", Read, "contents:read", getCommit},
		{"GET " + r + "/commits/{ref}/statuses", Read, "statuses:read", listStatuses},
		{"GET " + r + "/commits/{ref}/status", Read, "statuses:read", getCombinedStatus},
		{"GET " + r + "/commits/{sha}/pulls", Read, "pull_requests:read", listCommitPulls},
		{"GET " + r + "/git/ref/{ref...}", Read, "contents:read", getRef},
		{"POST " + r + "/git/refs", Write, "contents:write", createRef},
		{"DELETE " + r + "/git/refs/{ref...}", Write, "contents:write", deleteRef},
		{"GET " + r + "/contents/{path...}", Read, "contents:read", getContents},
		{"PUT " + r + "/contents/{path...}", Write, "contents:write", putContents},
		{"DELETE " + r + "/contents/{path...}", Write, "contents:write", deleteContents},
		{"GET " + r + "/branches/{branch}/protection", Admin, "administration:read", getProtection},
		{"PUT " + r + "/branches/{branch}/protection", Admin, "administration:write", putProtection},
		{"DELETE " + r + "/branches/{branch}/protection", Admin, "administration:write", deleteProtection},
		{"GET " + r + "/hooks", Admin, "repository_hooks:read", listHooks},
		{"POST " + r + "/hooks", Admin, "repository_hooks:write", createHook},
	}
}

// handler puts the API, Git and the pages together.
func (s *Server) handler() http.Handler {
	api := http.NewServeMux()
	for _, e := range endpoints() {
		api.HandleFunc(e.pattern, s.serveAPI(e))
	}
	api.HandleFunc("/", s.serveAPI(endpoint{serve: func(*call) (int, any, error) { return 0, nil, notFound() }}))

	graphql := http.NewServeMux()
	graphql.HandleFunc("POST /graphql", s.serveAPI(endpoint{serve: postGraphQL}))

	web := http.NewServeMux()
	web.HandleFunc("GET /{owner}/{repo}/info/refs", s.faultyGit)
	web.HandleFunc("POST /{owner}/{repo}/git-upload-pack", s.faultyGit)
	web.HandleFunc("POST /{owner}/{repo}/git-receive-pack", s.faultyGit)
	s.pages(web)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v3/") {
			http.StripPrefix("/api/v3", api).ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/api/graphql" {
			http.StripPrefix("/api", graphql).ServeHTTP(w, r)
			return
		}
		web.ServeHTTP(w, r)
	})
}

// getIssueComments takes both /issues/7/comments and /issues/comments/7, which one router cannot tell apart.
func getIssueComments(c *call) (int, any, error) {
	switch {
	case c.path("number") == "comments":
		c.r.SetPathValue("comment", c.path("what"))
		return getComment(c)
	case c.path("what") == "comments":
		return listComments(c)
	default:
		return 0, nil, notFound()
	}
}

// Routes lists the API's routes as "METHOD /path/{parameter}", for the contract test to see that it met them all.
func Routes() []string {
	var list []string
	for _, e := range endpoints() {
		if strings.HasSuffix(e.pattern, "/issues/{number}/{what}") {
			list = append(list, strings.Replace(e.pattern, "{what}", "comments", 1), strings.Replace(e.pattern, "{number}/{what}", "comments/{comment}", 1))
			continue
		}
		list = append(list, strings.ReplaceAll(e.pattern, "...}", "}"))
	}
	return list
}
