package githubtest

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
)

// byEmail finds whose commits carry an address, nil when nobody's do.
func (s *Server) byEmail(email string) *account {
	if strings.EqualFold(email, "noreply@github.com") {
		return s.accounts["web-flow"]
	}
	for _, a := range s.accounts {
		if a.email != "" && strings.EqualFold(a.email, email) || slices.ContainsFunc(a.others, func(one string) bool { return strings.EqualFold(one, email) }) {
			return a
		}
	}
	return nil
}

func getSelf(c *call) (int, any, error) {
	if c.who.user == nil {
		return 0, nil, refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return http.StatusOK, c.s.ownProfileJSON(c.who.user), nil
}

func getUser(c *call) (int, any, error) {
	a := c.s.accounts[key(c.path("login"))]
	if a == nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.s.profileJSON(a), nil
}

// organisation finds the organisation of the path.
func (c *call) organisation() (*account, error) {
	a := c.s.accounts[key(c.path("org"))]
	if a == nil || a.org == nil {
		return nil, notFound()
	}
	return a, nil
}

// team finds a team of the path that the caller may see: members of the organisation see its visible
// teams, members of a secret team and owners see that, an App sees those where it is installed.
func (c *call) team() (*team, error) {
	a, err := c.organisation()
	if err != nil {
		return nil, err
	}
	t := a.org.teams[key(c.path("team"))]
	if t == nil || !c.seesTeam(t) {
		return nil, notFound()
	}
	return t, nil
}

func (c *call) seesTeam(t *team) bool {
	if in := c.who.installation; in != nil {
		return in.account.id == t.org.id
	}
	me := c.who.user
	if me == nil || t.org.org.members[me.id] == nil {
		return false
	}
	return !t.secret || t.org.org.owners[me.id] || contains(t.everyone(), me)
}

func listTeams(c *call) (int, any, error) {
	a, err := c.organisation()
	if err != nil {
		return 0, nil, err
	}
	var list []*team
	for _, t := range a.org.teams {
		if c.seesTeam(t) {
			list = append(list, t)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].slug < list[j].slug })
	out, err := page(c, list, func(t *team) any { return c.s.teamWithParentJSON(t) })
	return http.StatusOK, out, err
}

func getTeam(c *call) (int, any, error) {
	t, err := c.team()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.teamFullJSON(t), nil
}

func listMembers(c *call) (int, any, error) {
	t, err := c.team()
	if err != nil {
		return 0, nil, err
	}
	out, err := page(c, t.everyone(), func(a *account) any { return c.s.userJSON(a) })
	return http.StatusOK, out, err
}

func getRateLimit(c *call) (int, any, error) {
	r := c.s.rateOf(c.who.token)
	one := object{"limit": r.limit, "remaining": r.remaining, "used": r.limit - r.remaining, "reset": r.reset.Unix()}
	return http.StatusOK, object{"resources": object{"core": one, "search": one}, "rate": one}, nil
}

// Apps.

func getApp(c *call) (int, any, error) {
	a := c.who.app
	return http.StatusOK, object{
		"id": a.id, "slug": a.slug, "node_id": nodeID("Integration", a.id), "owner": c.s.userJSON(a.owner), "name": a.slug,
		"description": nil, "external_url": c.s.html("/apps/%s", a.slug), "html_url": c.s.html("/apps/%s", a.slug),
		"created_at": stamp(a.created), "updated_at": stamp(a.created), "permissions": object{}, "events": []string{},
	}, nil
}

func getInstallation(c *call) (int, any, error) {
	for _, in := range c.s.installations {
		if in.app == c.who.app && in.account.id == c.repo.owner.id {
			return http.StatusOK, c.s.installationJSON(in), nil
		}
	}
	return 0, nil, notFound()
}

func (s *Server) installationJSON(in *installation) object {
	return object{
		"id": in.id, "account": s.userJSON(in.account), "repository_selection": "all",
		"access_tokens_url": s.api("/app/installations/%d/access_tokens", in.id),
		"repositories_url":  s.api("/installation/repositories"),
		"html_url":          s.html("/organizations/%s/settings/installations/%d", in.account.login, in.id),
		"app_id":            in.app.id, "app_slug": in.app.slug, "target_id": in.account.id, "target_type": in.account.kind,
		"permissions": in.permissions, "events": []string{}, "created_at": stamp(in.created), "updated_at": stamp(in.created),
		"single_file_name": nil, "suspended_by": nil, "suspended_at": nil,
	}
}

func createInstallationToken(c *call) (int, any, error) {
	id, err := c.number("installation")
	if err != nil {
		return 0, nil, err
	}
	in := c.s.installations[id]
	if in == nil || in.app != c.who.app {
		return 0, nil, notFound()
	}
	token, err := newToken("ghs_")
	if err != nil {
		return 0, nil, err
	}
	expires := c.s.opts.Clock().Add(c.s.opts.InstallationTokenLifetime)
	c.s.tokens[token] = principal{token: token, installation: in, expires: expires}
	return http.StatusCreated, object{
		"token": token, "expires_at": expires.UTC().Format(time.RFC3339), "permissions": in.permissions,
		"repository_selection": "all",
	}, nil
}
