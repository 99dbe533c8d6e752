package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// basis is what the evidence of a record says of the approval that it rests on.
// Members that a record does not have stay empty, so any evidence can be asked.
type basis struct {
	Path        string    `json:"path"`
	Version     string    `json:"version"`
	PullRequest int       `json:"pullRequest"` // of a broken glass
	Lifted      []string  `json:"lifted"`
	Approved    *Approval `json:"approved"`
	Drift       []struct {
		Object  string `json:"object"`
		Path    string `json:"path"`
		Before  string `json:"before"`
		After   string `json:"after"`
		Manager string `json:"manager"`
	} `json:"drift"`
	Refused []string `json:"refused"`
}

// Approval is what lets content be deployed.
type Approval struct {
	// Commit is the one that brought the content: a merge, or the trusted one.
	Commit      string `json:"commit"`
	Blob        string `json:"blob"` // of the manifest
	Digest      string `json:"digest,omitempty"`
	PullRequest int    `json:"pullRequest,omitempty"` // zero where the commit was trusted
	Level       string `json:"level,omitempty"`
	Score       int    `json:"score,omitempty"`
	By          []Seat `json:"by,omitempty"`
	// BrokenGlass is set where somebody lifted freezes and change windows for it.
	BrokenGlass *BrokenGlass `json:"brokenGlass,omitempty"`
	// Unread: the evidence has none that could be read, which is no trust.
	Unread bool `json:"notOnRecord,omitempty"`
}

// BrokenGlass is who lifted the rules of time for a change, and why.
type BrokenGlass struct {
	By     string `json:"by"` // a login
	Reason string `json:"reason"`
}

func (g BrokenGlass) String() string { return g.By + " broke the glass" }

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

// reviewed is String with when the review was given.
func (s Seat) reviewed() string {
	if s.ReviewedAt == nil {
		return s.String()
	}
	return fmt.Sprintf("%s (%s, reviewed %s)", s.Login, s.Role, s.ReviewedAt.UTC().Format(time.RFC3339))
}

// is compares with an id, which stays when a login is changed, or a login, as
// GitHub does without regard to case. A login may be of digits: they are the id
// where there is one.
func (s Seat) is(person string) bool {
	if _, err := strconv.ParseUint(person, 10, 64); err == nil && s.ID != 0 {
		return strconv.FormatInt(s.ID, 10) == person
	}
	return strings.EqualFold(s.Login, person)
}

// basisOf reads evidence for people. A member of another shape than Mooring's own
// says nothing here, and hides none of the others; it stands in the other formats.
func basisOf(l *line) basis {
	var b basis
	var shape *json.UnmarshalTypeError
	if err := json.Unmarshal(l.evidence, &b); err != nil && !errors.As(err, &shape) {
		return basis{}
	}
	if b.Approved != nil {
		b.Approved.Unread = b.Approved.Commit == ""
	}
	return b
}

// involves reports whether a person acted, or approved what the record is about.
func involves(l *line, person string) bool {
	if strings.EqualFold(unquote(l.actor), person) {
		return true
	}
	a := basisOf(l).Approved
	return a != nil && a.involves(person)
}

// involves reports whether a person filled a seat, or broke the glass.
func (a Approval) involves(person string) bool {
	return slices.ContainsFunc(a.By, func(s Seat) bool { return s.is(person) }) ||
		a.BrokenGlass != nil && strings.EqualFold(a.BrokenGlass.By, person)
}

// words say what was approved and by whom, each seat as name writes it.
func (a Approval) words(name func(Seat) string) (what, by string) {
	switch {
	case a.Unread:
		return "not on record", "not on record"
	case a.PullRequest == 0:
		return "trusted", "nobody: named by spec.trustFrom"
	}
	names := make([]string, len(a.By))
	for i, s := range a.By {
		names[i] = name(s)
	}
	return fmt.Sprintf("#%d, %s (%d)", a.PullRequest, a.Level, a.Score), cmp.Or(strings.Join(names, ", "), "nobody")
}
