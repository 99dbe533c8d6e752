package review

import (
	"context"
	"errors"
	"time"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// Forge is what the gate needs of the place where pull requests live. An error
// of any method means "unknown", never "none". One whose text differs from one
// attempt to the next has a method Steady() string with what of it does not. One
// that is ErrLimited passes by itself.
type Forge interface {
	// OpenPullRequests lists those whose base is the branch.
	OpenPullRequests(ctx context.Context, branch string) ([]PullRequest, error)
	// MergedPullRequest is the pull request that brought a commit to the branch;
	// nil where none did.
	MergedPullRequest(ctx context.Context, branch string, commit source.ID) (*PullRequest, error)
	// Reviews in the forge's order.
	Reviews(ctx context.Context, number int) ([]Review, error)
	// Commits says who wrote each commit of a pull request.
	Commits(ctx context.Context, number int) (CommitList, error)
	// FilesTruncated reports whether the forge cannot list all changed files.
	FilesTruncated(ctx context.Context, number int) (bool, error)
	// ReadySince is when a pull request was last made ready for review or
	// reopened, else when it was opened; zero for a draft.
	ReadySince(ctx context.Context, pr PullRequest) (time.Time, error)
	// TeamMembers lists the members of a team ("org/slug"). An error says by
	// ErrTeamUnknown and ErrTeamDenied where the configuration is at fault.
	TeamMembers(ctx context.Context, team string) ([]Account, error)
	// SetStatus writes a commit status unless it stands already.
	SetStatus(ctx context.Context, commit source.ID, s Status) error
	// Comment writes Mooring's one comment on a pull request, in place.
	Comment(ctx context.Context, number int, body string) error
	// UpdateComment is Comment where there is one already; it writes no first one.
	UpdateComment(ctx context.Context, number int, body string) error
}

// Why a team cannot be listed, for errors.Is.
var (
	ErrTeamUnknown = errors.New("the team is missing, or not visible to the credentials")
	ErrTeamDenied  = errors.New("the credentials may not list the team")
)

// ErrLimited: the forge is not to be asked for a while, for errors.Is.
var ErrLimited = errors.New("the forge's rate limit is used up")

// Account is a person, told apart by id where it is known.
type Account = approval.Account

// PullRequest is a pull request as the forge tells it.
type PullRequest struct {
	Number int
	Title  string
	URL    string
	Author string
	// AuthorID is the account's number; 0: not known.
	AuthorID int64
	Draft    bool
	Head     source.ID
	// Base is the branch that it would be, or was, merged into.
	Base string
	// MergedAt is zero while it is not merged.
	MergedAt time.Time
	// CreatedAt and UpdatedAt are the forge's own times; UpdatedAt moves with every
	// event of the pull request, comments included.
	CreatedAt, UpdatedAt time.Time
}

// CommitList is who wrote the commits of a pull request.
type CommitList struct {
	Commits []AttributedCommit
	// Truncated: there are more than the forge lists.
	Truncated bool
}

// AttributedCommit names the accounts behind a commit; a login is empty where
// the address in the commit belongs to none. An id of 0 is not known.
type AttributedCommit struct {
	ID             source.ID
	Author         string
	AuthorID       int64
	AuthorEmail    string
	Committer      string
	CommitterID    int64
	CommitterEmail string
	// CoAuthors are those of the Co-authored-by lines, in their order.
	CoAuthors []CoAuthor
}

// CoAuthor is named by a Co-authored-by line. The login is empty, and the id 0,
// where the address belongs to no account.
type CoAuthor struct {
	Email string
	Login string
	ID    int64
}

// State of a commit status.
type State string

// The states.
const (
	StateSuccess State = "success"
	StatePending State = "pending"
	StateFailure State = "failure"
	StateError   State = "error"
)

// Status is one commit status.
type Status struct {
	// Context such as "mooring/validate".
	Context     string
	State       State
	Description string
	TargetURL   string
}
