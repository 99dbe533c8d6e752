package githubtest

import (
	"net/http"
	"strings"
)

func listReviews(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	out, err := page(c, p.reviews, func(v *review) any { return c.s.reviewJSON(p, v) })
	return http.StatusOK, out, err
}

var reviewStates = map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}

func createReview(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Body, Event string
		CommitID    string `json:"commit_id"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	v := &review{user: c.who.account(), body: in.Body, state: reviewStates[in.Event], submitted: c.s.now()}
	if err := checkReview(p, v, in.Event); err != nil {
		return 0, nil, err
	}
	if v.commitID, err = c.reviewedCommit(p, in.CommitID); err != nil {
		return 0, nil, err
	}
	v.id = c.s.id()
	p.reviews = append(p.reviews, v)
	p.updated = v.submitted
	c.s.emitReview(p, v, "submitted", v.user)
	return http.StatusOK, c.s.reviewJSON(p, v), nil
}

func checkReview(p *pull, v *review, event string) error {
	switch {
	case v.state == "":
		return unprocessable("Variable $event of type PullRequestReviewEvent was provided invalid value %q", event)
	case v.user == p.author && v.state == "APPROVED":
		return unprocessable("Can not approve your own pull request")
	case v.user == p.author && v.state == "CHANGES_REQUESTED":
		return unprocessable("Can not request changes on your own pull request")
	case v.state != "APPROVED" && strings.TrimSpace(v.body) == "":
		return unprocessable("Body is required for this event")
	case tooLong(v.body, maxBody):
		return unprocessable("Body is too long (maximum is %d characters)", maxBody)
	case v.state != "COMMENTED" && !p.open && !p.merged.IsZero():
		return nil // GitHub lets people review what is merged already
	}
	return nil
}

// reviewedCommit is the head where the request names no commit; a named one must belong to the pull request.
func (c *call) reviewedCommit(p *pull, named string) (string, error) {
	if named == "" || named == p.headSHA {
		return p.headSHA, nil
	}
	diff, err := p.difference()
	if err != nil {
		return "", err
	}
	for _, g := range diff.commits {
		if g.sha == named {
			return named, nil
		}
	}
	return "", unprocessable("The commit_id is not part of the pull request")
}

// theReview finds the review of the path, and its pull request.
func (c *call) theReview() (*pull, *review, error) {
	p, err := c.pull()
	if err != nil {
		return nil, nil, err
	}
	id, err := c.number("review")
	if err != nil {
		return nil, nil, err
	}
	for _, v := range p.reviews {
		if v.id == id {
			return p, v, nil
		}
	}
	return nil, nil, notFound()
}

// editReview changes the words alone: the review stays its author's, of its commit and its time.
func editReview(c *call) (int, any, error) {
	p, v, err := c.theReview()
	if err != nil {
		return 0, nil, err
	}
	if err := c.mayChange(v.user); err != nil {
		return 0, nil, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	switch {
	case strings.TrimSpace(in.Body) == "":
		return 0, nil, unprocessable("Body can't be blank")
	case tooLong(in.Body, maxBody):
		return 0, nil, unprocessable("Body is too long (maximum is %d characters)", maxBody)
	}
	if len(v.edits) == 0 {
		v.edits = []reviewEdit{{v.user, v.submitted}}
	}
	v.body, v.edits = in.Body, append(v.edits, reviewEdit{c.who.account(), c.s.now()})
	c.s.emitReview(p, v, "edited", c.who.account())
	return http.StatusOK, c.s.reviewJSON(p, v), nil
}

func dismissReview(c *call) (int, any, error) {
	p, v, err := c.theReview()
	if err != nil {
		return 0, nil, err
	}
	var in struct{ Message string }
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Message == "" {
		return 0, nil, unprocessable("Message is required")
	}
	if v.state != "APPROVED" && v.state != "CHANGES_REQUESTED" {
		return 0, nil, unprocessable("Can not dismiss a %s pull request review", strings.ToLower(v.state))
	}
	v.state = "DISMISSED"
	c.s.emitReview(p, v, "dismissed", c.who.account())
	return http.StatusOK, c.s.reviewJSON(p, v), nil
}
