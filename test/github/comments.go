package githubtest

import (
	"net/http"
	"slices"
	"strings"
)

func listComments(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	out, err := page(c, p.comments, func(m *comment) any { return c.s.commentJSON(p, m) })
	return http.StatusOK, out, err
}

func (c *call) commentBody() (string, error) {
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return "", err
	}
	if strings.TrimSpace(in.Body) == "" {
		return "", invalid("IssueComment", "body", "missing_field", "")
	}
	if tooLong(in.Body, maxBody) {
		return "", invalid("IssueComment", "body", "unprocessable", "Body is too long (maximum is %d characters)", maxBody)
	}
	return in.Body, nil
}

func createComment(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	body, err := c.commentBody()
	if err != nil {
		return 0, nil, err
	}
	m := &comment{id: c.s.id(), user: c.who.account(), body: body, created: c.s.now(), updated: c.s.now()}
	p.comments = append(p.comments, m)
	p.updated = m.created
	c.s.emitComment(p, m, "created")
	return http.StatusCreated, c.s.commentJSON(p, m), nil
}

// theComment finds a comment by its number anywhere in the repository.
func (c *call) theComment() (*pull, *comment, error) {
	id, err := c.number("comment")
	if err != nil {
		return nil, nil, err
	}
	for _, p := range c.repo.pulls {
		for _, m := range p.comments {
			if m.id == id {
				return p, m, nil
			}
		}
	}
	return nil, nil, notFound()
}

// mayChange: a comment or a review belongs to who wrote it, and to those who can write in the repository; an
// App changes its own only.
func (c *call) mayChange(author *account) error {
	me := c.who.account()
	if author == me || (c.who.user != nil && c.repo.permission(me) >= Write) {
		return nil
	}
	return refuse(http.StatusForbidden, "Must have write rights to Repository.")
}

func getComment(c *call) (int, any, error) {
	p, m, err := c.theComment()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.commentJSON(p, m), nil
}

func editComment(c *call) (int, any, error) {
	p, m, err := c.theComment()
	if err != nil {
		return 0, nil, err
	}
	if err := c.mayChange(m.user); err != nil {
		return 0, nil, err
	}
	body, err := c.commentBody()
	if err != nil {
		return 0, nil, err
	}
	m.body, m.updated = body, c.s.now()
	c.s.emitComment(p, m, "edited")
	return http.StatusOK, c.s.commentJSON(p, m), nil
}

func deleteComment(c *call) (int, any, error) {
	p, m, err := c.theComment()
	if err != nil {
		return 0, nil, err
	}
	if err := c.mayChange(m.user); err != nil {
		return 0, nil, err
	}
	p.comments = slices.DeleteFunc(p.comments, func(other *comment) bool { return other == m })
	c.s.emitComment(p, m, "deleted")
	return http.StatusNoContent, nil, nil
}
