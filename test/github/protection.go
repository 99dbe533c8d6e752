package githubtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// rule finds the protection of the path's branch.
func (c *call) rule() (*protection, error) {
	rule := c.repo.protection[c.path("branch")]
	if rule == nil {
		return nil, refuse(http.StatusNotFound, "Branch not protected")
	}
	return rule, nil
}

func getProtection(c *call) (int, any, error) {
	rule, err := c.rule()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.protectionJSON(rule), nil
}

func (c *call) protectionJSON(rule *protection) object {
	self := c.s.api("/repos/%s/branches/%s/protection", c.repo.fullName(), c.path("branch"))
	checks := []object{}
	for _, context := range rule.contexts {
		checks = append(checks, object{"context": context, "app_id": nil})
	}
	return object{
		"url": self,
		"required_status_checks": object{
			"url": self + "/required_status_checks", "strict": rule.strict, "contexts": append([]string{}, rule.contexts...),
			"contexts_url": self + "/required_status_checks/contexts", "checks": checks,
		},
		"enforce_admins": object{"url": self + "/enforce_admins", "enabled": rule.enforceAdmins},
	}
}

func putProtection(c *call) (int, any, error) {
	var in struct {
		Checks *struct {
			Strict   bool
			Contexts []string
			Checks   []struct{ Context string }
		} `json:"required_status_checks"`
		EnforceAdmins *bool `json:"enforce_admins"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	branch := c.path("branch")
	sha, err := c.repo.git.resolve("refs/heads/" + branch)
	if err != nil {
		return 0, nil, err
	}
	if sha == "" {
		return 0, nil, refuse(http.StatusNotFound, "Branch not found")
	}
	rule := &protection{enforceAdmins: in.EnforceAdmins != nil && *in.EnforceAdmins}
	if in.Checks != nil {
		rule.strict, rule.contexts = in.Checks.Strict, in.Checks.Contexts
		for _, check := range in.Checks.Checks {
			if !slices.Contains(rule.contexts, check.Context) {
				rule.contexts = append(rule.contexts, check.Context)
			}
		}
	}
	c.repo.protection[branch] = rule
	return http.StatusOK, c.protectionJSON(rule), nil
}

func deleteProtection(c *call) (int, any, error) {
	if _, err := c.rule(); err != nil {
		return 0, nil, err
	}
	delete(c.repo.protection, c.path("branch"))
	return http.StatusNoContent, nil, nil
}

// Webhooks of a repository.

func (c *call) hookJSON(h *webhook) object {
	self := c.s.api("/repos/%s/hooks/%d", c.repo.fullName(), h.id)
	return object{
		"type": "Repository", "id": h.id, "name": "web", "active": true, "events": h.events,
		"config":     object{"url": h.url, "content_type": "json", "insecure_ssl": "0", "secret": "********"},
		"updated_at": stamp(h.created), "created_at": stamp(h.created), "url": self, "test_url": self + "/test",
		"ping_url": self + "/pings", "last_response": object{"code": nil, "status": "unused", "message": nil},
	}
}

func listHooks(c *call) (int, any, error) {
	out, err := page(c, c.repo.webhooks, func(h *webhook) any { return c.hookJSON(h) })
	return http.StatusOK, out, err
}

func createHook(c *call) (int, any, error) {
	var in struct {
		Config struct{ URL, Secret string }
		Events []string
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	u, err := url.Parse(in.Config.URL)
	if err != nil || !strings.HasPrefix(u.Scheme, "http") {
		return 0, nil, invalid("Hook", "url", "invalid", "")
	}
	if len(in.Events) == 0 {
		in.Events = []string{"push"}
	}
	h := &webhook{id: c.s.id(), url: in.Config.URL, secret: in.Config.Secret, events: in.Events, created: c.s.now()}
	c.repo.webhooks = append(c.repo.webhooks, h)
	c.s.emit(c.repo, "ping", c.who.account(), object{"zen": "Keep it logically awesome.", "hook_id": h.id})
	return http.StatusCreated, c.hookJSON(h), nil
}
