package review

import (
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
// `mlops plan --reviews`, and a contract.
type People struct {
	Author     string   `json:"author"`
	Committers []string `json:"committers"`
	CoAuthors  []string `json:"coAuthors"`
	// Unattributed lists commits whose author or committer belongs to no account.
	Unattributed []string `json:"unattributed,omitempty"`
	// Reviews in the forge's order.
	Reviews []Review `json:"reviews"`
	// Teams maps "org/slug" to the logins of its members.
	Teams map[string][]string `json:"teams"`
	// TeamErrors says why a team could not be listed.
	TeamErrors map[string]string `json:"-"`
	// FilesTruncated: the forge's list of files or commits ended at its cap.
	FilesTruncated bool `json:"files_truncated"`

	nobody bool
}

// Nobody is a pull request that nobody has reviewed yet. Who belongs to which
// team does not matter to it, so no team needs to be known.
func Nobody() People { return People{nobody: true} }

// Review is one review of a pull request.
type Review struct {
	User        string    `json:"user"`
	Type        string    `json:"type"`
	State       string    `json:"state"`
	CommitID    string    `json:"commit_id"`
	SubmittedAt time.Time `json:"submitted_at"`
}

// ReadPeople reads a reviews file. A field that is not known at the top level is
// an error, since a misspelt "committers" would let a committer approve; what
// the forge says of a review beyond these fields is ignored.
func ReadPeople(r io.Reader) (People, error) {
	var p People
	data, err := io.ReadAll(r)
	if err != nil {
		return p, fmt.Errorf("read the reviews file: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return p, fmt.Errorf("the reviews file is not one JSON object: %w", err)
	}
	for name := range fields {
		if !slices.Contains(peopleFields, name) {
			return p, fmt.Errorf("the reviews file has the unknown field %q; known are %s", name, strings.Join(peopleFields, ", "))
		}
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("the reviews file is not valid: %w", err)
	}
	if p.Author == "" && len(p.Reviews) > 0 {
		return p, errors.New("the reviews file names no author, so whose reviews count cannot be told; add \"author\"")
	}
	return p, nil
}

var peopleFields = []string{"author", "committers", "coAuthors", "unattributed", "reviews", "teams", "files_truncated"}

func (p People) reviews() []approval.Review {
	out := make([]approval.Review, 0, len(p.Reviews))
	for _, r := range p.Reviews {
		out = append(out, approval.Review{
			User: r.User, Type: r.Type, State: r.State, CommitID: r.CommitID, SubmittedAt: r.SubmittedAt,
		})
	}
	return out
}
