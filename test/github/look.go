package githubtest

import (
	"fmt"
	"time"
)

// What a test may see without asking as a user does: it costs no request, and no fault hits it.

// Told is one commit status.
type Told struct{ Context, State, Description string }

// Statuses are all that were ever written on a commit, the oldest first.
func (s *Server) Statuses(fullName, sha string) ([]Told, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return nil, err
	}
	var list []Told
	for _, st := range r.statuses[sha] {
		one := Told{Context: st.context, State: st.state}
		if st.description != nil {
			one.Description = *st.description
		}
		list = append(list, one)
	}
	return list, nil
}

// Seen is a pull request with what was said on it.
type Seen struct {
	Head, Author string
	Reviews      []SeenReview
	Comments     []SeenComment
}

// SeenReview is one review, in the order in which they came.
type SeenReview struct {
	User, Type, State, CommitID string
	SubmittedAt                 time.Time
}

// SeenComment is one comment.
type SeenComment struct{ User, Body string }

// Pull shows a pull request, open or closed.
func (s *Server) Pull(fullName string, number int) (Seen, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return Seen{}, err
	}
	p := r.pulls[number]
	if p == nil {
		return Seen{}, fmt.Errorf("%s has no pull request #%d", fullName, number)
	}
	seen := Seen{Head: p.headSHA, Author: p.author.login}
	for _, v := range p.reviews {
		seen.Reviews = append(seen.Reviews, SeenReview{v.user.login, v.user.kind, v.state, v.commitID, v.submitted})
	}
	for _, c := range p.comments {
		seen.Comments = append(seen.Comments, SeenComment{c.user.login, c.body})
	}
	return seen, nil
}
