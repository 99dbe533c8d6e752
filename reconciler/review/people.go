package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy/approval"
)

// People is what the forge says of a pull request: who wrote it, who reviewed
// it, and who belongs to which team. Its JSON form is the file of
// `mlops plan --reviews`, and a contract. An account is written LOGIN or
// ID+LOGIN there.
type People struct {
	Author     Account   `json:"author"`
	Committers []Account `json:"committers"`
	CoAuthors  []Account `json:"coAuthors"`
	// Unattributed lists commits whose author or committer belongs to no account,
	// or whose author is GitHub's web-flow: that anybody can write.
	Unattributed []string `json:"unattributed,omitempty"`
	// Reviews in the forge's order.
	Reviews []Review `json:"reviews"`
	// Teams maps "org/slug" to its members.
	Teams map[string][]Account `json:"teams"`
	// TeamErrors says why a team could not be listed.
	TeamErrors map[string]string `json:"-"`
	// FilesTruncated: the forge's list of files or commits ended at its cap.
	FilesTruncated bool `json:"files_truncated"`
	// Requested is when approval was first asked for, from which the level's SLA
	// runs. Zero: nobody was asked, as for a draft, and nothing is due.
	Requested time.Time `json:"requested,omitzero"`

	nobody bool
	// limited is the rate limit for which a team could not be listed.
	limited error
	// unknown are addresses of co-authors that belong to no account, in the order
	// of the commits.
	unknown []string
}

// strangers says of whom no account is known. They name nobody who could
// approve: co-author lines are whatever the author of a commit wrote.
func (p People) strangers() []string {
	var lines []string
	for _, address := range p.unknown {
		lines = append(lines, "co-author "+address+" belongs to no account")
	}
	return lines
}

// Nobody is a pull request that nobody has reviewed yet. Who belongs to which
// team does not matter to it, so no team needs to be known.
func Nobody() People { return People{nobody: true} }

// Review is one review of a pull request.
type Review struct {
	// User is the login, or ID+LOGIN.
	User string `json:"user"`
	// UserID is the account's number; 0: not known, unless User tells it.
	UserID      int64     `json:"user_id,omitempty"`
	Type        string    `json:"type"`
	State       string    `json:"state"`
	CommitID    string    `json:"commit_id"`
	SubmittedAt time.Time `json:"submitted_at"`
	// Body is what the reviewer wrote; a line of it may break the glass.
	Body string `json:"body,omitempty"`
	// EditedBy is who else than the user has edited the body; empty: nobody. The
	// glass is not broken by words that may be another's.
	EditedBy string `json:"edited_by,omitempty"`
}

// AsksForGlass reports whether it is an approval that asks to break the glass.
func (r Review) AsksForGlass() bool {
	return r.State == "APPROVED" && approval.AsksForGlass(r.Body)
}

// ReadPeople reads a reviews file. A field that is not known at the top level is
// an error, since a misspelt "committers" would let a committer approve; what
// the forge says of a review beyond these fields is ignored.
func ReadPeople(r io.Reader) (People, error) {
	var p People
	data, err := io.ReadAll(io.LimitReader(r, maxPeople+1))
	if err != nil {
		return p, fmt.Errorf("read the reviews file: %w", err)
	}
	if len(data) > maxPeople {
		return p, fmt.Errorf("the reviews file is larger than %d MiB", maxPeople>>20)
	}
	if err := checkPeopleFields(data); err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("the reviews file is not valid: %w", err)
	}
	if p.Author.Login == "" && len(p.Reviews) > 0 {
		return p, errors.New("the reviews file names no author, so whose reviews count cannot be told; add \"author\"")
	}
	for _, r := range p.Reviews {
		if _, err := r.account(); err != nil {
			return p, fmt.Errorf("the reviews file is not valid: %w", err)
		}
		if !slices.Contains(reviewStates, strings.ToUpper(r.State)) {
			return p, fmt.Errorf("the reviews file is not valid: the review by %q has the unknown state %q; known are %s",
				r.User, r.State, strings.Join(reviewStates, ", "))
		}
	}
	return p, nil
}

// reviewStates are those that the forge knows.
var reviewStates = []string{"APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"}

// maxPeople bounds a reviews file, in bytes: thousands of reviews fit.
const maxPeople = 8 << 20

// checkPeopleFields refuses fields of the top level that are unknown, and those
// that stand twice: of two lists of committers only one would be read.
func checkPeopleFields(data []byte) error {
	const notOne = "the reviews file is not one JSON object"
	in := json.NewDecoder(bytes.NewReader(data))
	if open, err := in.Token(); err != nil {
		return fmt.Errorf("%s: %w", notOne, err)
	} else if open != json.Delim('{') {
		return errors.New(notOne)
	}
	seen := map[string]bool{}
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return fmt.Errorf("%s: %w", notOne, err)
		}
		name, _ := token.(string) // of an object, every other token is one
		switch {
		case !slices.Contains(peopleFields, name):
			return fmt.Errorf("the reviews file has the unknown field %q; known are %s", name, strings.Join(peopleFields, ", "))
		case seen[name]:
			return fmt.Errorf("the reviews file has the field %q twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return fmt.Errorf("%s: %w", notOne, err)
		}
	}
	return nil
}

// account is who wrote the review.
func (r Review) account() (Account, error) {
	a, err := approval.ParseAccount(r.User)
	if err != nil {
		return a, fmt.Errorf("the user of a review: %w", err)
	}
	if a.ID != 0 && r.UserID != 0 && a.ID != r.UserID {
		return a, fmt.Errorf("the review by %q has the user_id %d", r.User, r.UserID)
	}
	a.ID = max(a.ID, r.UserID)
	return a, nil
}

var peopleFields = []string{"author", "committers", "coAuthors", "unattributed", "reviews", "teams", "files_truncated", "requested"}

func (p People) reviews() ([]approval.Review, error) {
	out := make([]approval.Review, 0, len(p.Reviews))
	for _, r := range p.Reviews {
		user, err := r.account()
		if err != nil {
			return nil, err
		}
		out = append(out, approval.Review{
			User: user, Type: r.Type, State: r.State, CommitID: r.CommitID, SubmittedAt: r.SubmittedAt,
			Body: r.Body, EditedBy: r.EditedBy,
		})
	}
	return out, nil
}
