package github

import (
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// Account is a person, a bot or an organisation. The zero value is an account that GitHub no longer
// knows: a deleted one, or an author whose e-mail belongs to nobody.
type Account struct {
	Login string
	ID    int64
	Type  string // User, Bot or Organization
}

// Bot says whether it is no person, by its type or its name.
func (a Account) Bot() bool {
	return strings.EqualFold(a.Type, "Bot") || strings.HasSuffix(strings.ToLower(a.Login), "[bot]")
}

// Known is false for the zero value.
func (a Account) Known() bool { return a.Login != "" }

func accountOf(u *gh.User) Account {
	return Account{Login: u.GetLogin(), ID: u.GetID(), Type: u.GetType()}
}

// Branch is one side of a pull request.
type Branch struct {
	Repo string // "owner/name"; empty when the fork has been deleted
	Ref  string // the branch's name
	SHA  string
}

// PullRequest is what the engine needs of one.
type PullRequest struct {
	Number int
	Title  string
	Draft  bool
	State  string // open or closed
	Author Account
	Head   Branch
	// Base.SHA is the tip that GitHub saw when the head last moved, not the branch's tip now.
	Base   Branch
	URL    string // for people
	Merged bool
	// MergeCommitSHA is the commit on the base branch, once merged. (For an open one GitHub shows a commit
	// of its own trial merge there, which is left out.)
	MergeCommitSHA string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	MergedAt       time.Time // zero until merged
	// ChangedFiles and CommitCount are exact beyond the caps of the lists; lists of pull requests leave them 0.
	ChangedFiles, CommitCount int
}

func pullRequestOf(p *gh.PullRequest) PullRequest {
	out := PullRequest{
		Number: p.GetNumber(), Title: p.GetTitle(), Draft: p.GetDraft(), State: p.GetState(), Author: accountOf(p.GetUser()),
		Head: branchOf(p.GetHead()), Base: branchOf(p.GetBase()), URL: p.GetHTMLURL(),
		CreatedAt: p.GetCreatedAt().Time, UpdatedAt: p.GetUpdatedAt().Time, MergedAt: p.GetMergedAt().Time,
		ChangedFiles: p.GetChangedFiles(), CommitCount: p.GetCommits(),
	}
	out.Merged = p.GetMerged() || !out.MergedAt.IsZero() // lists carry the time only
	if out.Merged {
		out.MergeCommitSHA = p.GetMergeCommitSHA()
	}
	return out
}

func branchOf(b *gh.PullRequestBranch) Branch {
	return Branch{Repo: b.GetRepo().GetFullName(), Ref: b.GetRef(), SHA: b.GetSHA()}
}

// Review is one review, as it stands now.
type Review struct {
	ID          int64
	NodeID      string // the same for GraphQL
	User        Account
	State       string // APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED or PENDING
	CommitID    string // what was reviewed
	SubmittedAt time.Time
	Body        string
	URL         string
}

// File is one changed file.
type File struct {
	Path, PreviousPath string
	Status             string // added, removed, modified, renamed, copied, changed or unchanged
	BlobSHA            string
}

// FileList is a pull request's changed files.
type FileList struct {
	Files     []File
	Truncated bool // GitHub shows 3,000 and no more
}

// CommitList is a pull request's commits, oldest first.
type CommitList struct {
	Commits   []Commit
	Truncated bool // GitHub shows 250 and no more
}

// Commit is one commit of a pull request.
type Commit struct {
	SHA               string
	Author, Committer Account // zero where the e-mail belongs to no account
	AuthorEmail       string
	CommitterEmail    string
	CoAuthors         []CoAuthor
	Message           string
	Parents           []string
}

// Unattributed says that somebody of the commit is not known by name, so nobody can say who they are not.
func (c Commit) Unattributed() bool {
	if !c.Author.Known() || !c.Committer.Known() {
		return true
	}
	for _, a := range c.CoAuthors {
		if a.Login == "" {
			return true
		}
	}
	return false
}

// WebFlow says whether GitHub itself made the commit, in the browser or by a merge.
func (c Commit) WebFlow() bool { return strings.EqualFold(c.Committer.Login, "web-flow") }

// CoAuthor is named by a Co-authored-by line.
type CoAuthor struct {
	Name, Email string
	Login       string // from GitHub's own no-reply addresses; empty otherwise
	ID          int64  // likewise, 0 where the address has none
}
