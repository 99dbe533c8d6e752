package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// basis is what the evidence of a record says of the approval that it rests on.
// Members that a record does not have stay empty, so any evidence can be asked.
type basis struct {
	Path        string   `json:"path"`
	Version     string   `json:"version"`
	PullRequest int      `json:"pullRequest"` // of a broken glass
	Lifted      []string `json:"lifted"`
	Approved    *struct {
		PullRequest int    `json:"pullRequest"`
		Level       string `json:"level"`
		Score       int    `json:"score"`
		Commit      string `json:"commit"`
		Digest      string `json:"digest"`
		Blob        string `json:"blob"`
		By          []Seat `json:"by"`
	} `json:"approved"`
	Drift []struct {
		Object  string `json:"object"`
		Path    string `json:"path"`
		Before  string `json:"before"`
		After   string `json:"after"`
		Manager string `json:"manager"`
	} `json:"drift"`
	Refused []string `json:"refused"`
}

// Seat is a role that a person filled by an approval.
type Seat struct {
	Login string `json:"login"`
	ID    int64  `json:"id,omitempty"`
	Role  string `json:"role"`
	// ReviewedAt is when the approving review was submitted, and ReviewedCommit
	// what it is of; a seat that was filled automatically has neither.
	ReviewedAt     *time.Time `json:"reviewedAt,omitempty"`
	ReviewedCommit string     `json:"reviewedCommit,omitempty"`
}

func (s Seat) String() string { return fmt.Sprintf("%s (%s)", s.Login, s.Role) }

// is compares with a login, as GitHub does without regard to case, or an id,
// which stays when a login is changed.
func (s Seat) is(person string) bool {
	return strings.EqualFold(s.Login, person) || s.ID != 0 && strconv.FormatInt(s.ID, 10) == person
}

// basisOf reads evidence for people. A member of another shape than Mooring's own
// says nothing here, and hides none of the others; it stands in the other formats.
func basisOf(l *line) basis {
	var b basis
	var shape *json.UnmarshalTypeError
	if err := json.Unmarshal(l.evidence, &b); err != nil && !errors.As(err, &shape) {
		return basis{}
	}
	return b
}

// seats of the approval that the record rests on.
func (b basis) seats() []Seat {
	if b.Approved == nil {
		return nil
	}
	return b.Approved.By
}

// involves reports whether a person acted, or approved what the record is about.
func involves(l *line, person string) bool {
	if strings.EqualFold(unquote(l.actor), person) {
		return true
	}
	for _, s := range basisOf(l).seats() {
		if s.is(person) {
			return true
		}
	}
	return false
}
