package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// GitHub's limits on what is written.
const (
	maxDescription = 140
	maxContext     = 255
	maxBody        = 65536
	maxStatuses    = 1000 // per commit and context
)

func createStatus(c *call) (int, any, error) {
	sha := c.path("sha")
	found, err := c.repo.git.resolve(sha)
	if err != nil {
		return 0, nil, err
	}
	if found == "" || found != sha {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", sha)
	}
	var in struct {
		State, Context string
		Description    *string
		TargetURL      *string `json:"target_url"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	st := &status{
		creator: c.who.account(), state: in.State, context: in.Context,
		description: in.Description, targetURL: in.TargetURL, created: c.s.now(),
	}
	if st.context == "" {
		st.context = "default"
	}
	if err := checkStatus(st); err != nil {
		return 0, nil, err
	}
	if n := len(c.repo.ofContext(sha, st.context)); n >= maxStatuses {
		return 0, nil, invalid("Status", "base", "custom", "This SHA and context has reached the maximum number of statuses.")
	}
	st.id = c.s.id()
	c.repo.statuses[sha] = append(c.repo.statuses[sha], st)
	c.s.emitStatus(c.repo, sha, st)
	if branch, waits := c.repo.queueOfCommit(sha); waits {
		if err := c.s.advanceQueue(c.repo, branch); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusCreated, c.s.statusJSON(c.repo, sha, st, true), nil
}

func (r *repo) ofContext(sha, context string) []*status {
	var list []*status
	for _, st := range r.statuses[sha] {
		if st.context == context {
			list = append(list, st)
		}
	}
	return list
}

func checkStatus(st *status) error {
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, st.state) {
		return invalid("Status", "state", "custom", "state is not included in the list")
	}
	if tooLong(st.context, maxContext) {
		return invalid("Status", "context", "custom", "context is too long (maximum is %d characters)", maxContext)
	}
	if st.description != nil && tooLong(*st.description, maxDescription) {
		return invalid("Status", "description", "custom", "description is too long (maximum is %d characters)", maxDescription)
	}
	if st.targetURL != nil && *st.targetURL != "" {
		u, err := url.Parse(*st.targetURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
			return invalid("Status", "target_url", "custom", "target_url must use http(s) scheme")
		}
	}
	return nil
}

// latest gives the newest status of each context, in the order in which the contexts first came.
func (r *repo) latest(sha string) []*status {
	at := map[string]int{}
	var list []*status
	for _, st := range r.statuses[sha] {
		i, known := at[st.context]
		if !known {
			i = len(list)
			at[st.context] = i
			list = append(list, nil)
		}
		list[i] = st
	}
	return list
}

func combined(list []*status) string {
	state := "success"
	if len(list) == 0 {
		return "pending"
	}
	for _, st := range list {
		switch st.state {
		case "failure", "error":
			return "failure"
		case "pending":
			state = "pending"
		}
	}
	return state
}

// unmet lists the required contexts that are not green on a pull request's head.
func (s *Server) unmet(p *pull) []string {
	rule := p.repo.protection[p.baseRef]
	if rule == nil {
		return nil
	}
	green := map[string]bool{}
	for _, st := range p.repo.latest(p.headSHA) {
		green[st.context] = st.state == "success"
	}
	var missing []string
	for _, context := range rule.contexts {
		if !green[context] {
			missing = append(missing, context)
		}
	}
	return missing
}

func (c *call) commit() (string, error) {
	sha, err := c.repo.git.resolve(c.path("ref"))
	if err != nil {
		return "", err
	}
	if sha == "" {
		return "", refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", c.path("ref"))
	}
	return sha, nil
}

func getCommit(c *call) (int, any, error) {
	sha, err := c.commit()
	if err != nil {
		return 0, nil, err
	}
	list, err := c.repo.git.log("-1", sha)
	if err != nil {
		return 0, nil, err
	}
	if len(list) != 1 {
		return 0, nil, fmt.Errorf("git log of %s gave %d commits", sha, len(list))
	}
	return http.StatusOK, c.s.commitJSON(c.repo, list[0]), nil
}

func listStatuses(c *call) (int, any, error) {
	sha, err := c.repo.git.resolve(c.path("ref"))
	if err != nil {
		return 0, nil, err
	}
	list := slices.Clone(c.repo.statuses[sha])
	slices.Reverse(list) // the newest comes first
	out, err := page(c, list, func(st *status) any { return c.s.statusJSON(c.repo, sha, st, true) })
	return http.StatusOK, out, err
}

func getCombinedStatus(c *call) (int, any, error) {
	sha, err := c.repo.git.resolve(c.path("ref"))
	if err != nil {
		return 0, nil, err
	}
	if sha == "" {
		return 0, nil, notFound()
	}
	list := c.repo.latest(sha)
	shown, err := page(c, list, func(st *status) any { return c.s.statusJSON(c.repo, sha, st, false) })
	base := c.s.api("/repos/%s/commits/%s", c.repo.fullName(), sha)
	return http.StatusOK, object{
		"state": combined(list), "statuses": shown, "sha": sha, "total_count": len(list),
		"repository": c.s.repoJSON(c.repo), "commit_url": base, "url": base + "/status",
	}, err
}
