package github

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// CommentMarker tells Mooring's comment from others of the same account.
const CommentMarker = "<!-- mooring:review -->"

// Forge is one repository on GitHub, as the gate sees it.
type Forge struct {
	client      *Client
	owner, repo string
	facts       factsCache
	whole       wholeList
}

var (
	_ review.Forge     = (*Forge)(nil)
	_ review.Retargets = (*Forge)(nil)
)

// Forge narrows the client to one repository.
func (c *Client) Forge(owner, repo string) *Forge {
	return &Forge{client: c, owner: owner, repo: repo}
}

// OpenPullRequests lists the open pull requests whose base is the branch.
func (f *Forge) OpenPullRequests(ctx context.Context, branch string) ([]review.PullRequest, error) {
	open, _, err := f.AllOpen(ctx, branch)
	return open, err
}

// AllOpen lists the open pull requests whose base is the branch, and the others.
func (f *Forge) AllOpen(ctx context.Context, branch string) (open, elsewhere []review.PullRequest, err error) {
	all, err := f.openPulls(ctx)
	if err != nil {
		return nil, nil, err
	}
	f.facts.keep(all)
	for _, pr := range all {
		if pr.Base.Ref == branch {
			open = append(open, pullRequest(pr))
		} else {
			elsewhere = append(elsewhere, pullRequest(pr))
		}
	}
	return open, elsewhere, nil
}

// MergedPullRequest is the pull request whose merge brought a commit to the
// branch. Of several that hold it, it is the one that was merged by that commit. A fork shares its commits with the
// repository it came from: what was merged there was not merged here.
func (f *Forge) MergedPullRequest(ctx context.Context, branch string, commit source.ID) (*review.PullRequest, error) {
	all, err := f.client.PullRequestsForCommit(ctx, f.owner, f.repo, commit.String())
	if err != nil {
		return nil, err
	}
	var found *review.PullRequest
	exact, listed := false, map[int]bool{}
	for _, pr := range all {
		if !pr.Merged || pr.Base.Ref != branch {
			continue
		}
		here, err := f.isHere(ctx, pr.Base.Repo)
		if err != nil {
			return nil, err
		}
		if !here {
			continue
		}
		listed[pr.Number] = true
		exact = pr.MergeCommitSHA == commit.String()
		if exact || found == nil {
			merged := pullRequest(pr)
			found = &merged
		}
		if exact {
			break
		}
	}
	if !exact { // the one that is looked for may be what is missing
		if err := f.holdsMerges(ctx, branch, commit, listed); err != nil {
			return nil, err
		}
	}
	if found != nil {
		f.facts.forget(found.Number) // who decides about a merge counts the reviews anew
	}
	return found, nil
}

// isHere says whether a repository is this one, which may have another name by now: GitHub answers under the old
// one as well.
func (f *Forge) isHere(ctx context.Context, fullName string) (bool, error) {
	if strings.EqualFold(fullName, f.owner+"/"+f.repo) {
		return true, nil
	}
	now, _, err := f.client.api.Repositories.Get(ctx, f.owner, f.repo)
	if err != nil {
		return false, wrap(ctx, err, "ask what %s/%s is called", f.owner, f.repo)
	}
	return strings.EqualFold(fullName, now.GetFullName()), nil
}

func pullRequest(pr PullRequest) review.PullRequest {
	return review.PullRequest{
		Number: pr.Number, Title: pr.Title, URL: pr.URL, Author: pr.Author.Login, AuthorID: pr.Author.ID, Draft: pr.Draft,
		Head: source.ID(pr.Head.SHA), Base: pr.Base.Ref, MergedAt: pr.MergedAt,
		CreatedAt: pr.CreatedAt, UpdatedAt: pr.UpdatedAt,
	}
}

// Reviews lists the reviews in GitHub's order, all that GitHub counts.
func (f *Forge) Reviews(ctx context.Context, number int) ([]review.Review, error) {
	all, err := f.client.Reviews(ctx, f.owner, f.repo, number)
	if err != nil {
		return nil, err
	}
	if err := f.countReviews(ctx, number, len(all)); err != nil {
		return nil, err
	}
	out := make([]review.Review, 0, len(all))
	for _, r := range all {
		out = append(out, review.Review{
			User: r.User.Login, UserID: r.User.ID, Type: r.User.Type,
			State: r.State, CommitID: r.CommitID, SubmittedAt: r.SubmittedAt, Body: r.Body,
		})
	}
	return out, f.nameEditors(ctx, number, all, out)
}

// Commits says who wrote each commit; at GitHub's cap the list is marked truncated.
func (f *Forge) Commits(ctx context.Context, number int) (review.CommitList, error) {
	list, err := f.client.Commits(ctx, f.owner, f.repo, number)
	if err != nil && !errors.Is(err, ErrTruncated) {
		return review.CommitList{}, err
	}
	out := review.CommitList{Truncated: list.Truncated || err != nil}
	for _, c := range list.Commits {
		out.Commits = append(out.Commits, review.AttributedCommit{
			ID: source.ID(c.SHA), Author: c.Author.Login, AuthorID: c.Author.ID, AuthorEmail: c.AuthorEmail,
			Committer: c.Committer.Login, CommitterID: c.Committer.ID, CommitterEmail: c.CommitterEmail,
		})
	}
	return out, f.nameCoAuthors(ctx, list.Commits, out.Commits)
}

// FilesTruncated reports whether the pull request has more files than GitHub lists.
func (f *Forge) FilesTruncated(ctx context.Context, number int) (bool, error) {
	list, err := f.client.Files(ctx, f.owner, f.repo, number)
	if errors.Is(err, ErrTruncated) {
		return true, nil
	}
	return list.Truncated, err
}

// TeamMembers lists the members of a team, "org/slug".
func (f *Forge) TeamMembers(ctx context.Context, team string) ([]review.Account, error) {
	org, slug, ok := strings.Cut(team, "/")
	if !ok {
		return nil, fmt.Errorf("the team %q is not written org/slug", team)
	}
	members, err := f.client.TeamMembers(ctx, org, slug)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, teamError{err, review.ErrTeamUnknown}
	case errors.Is(err, ErrForbidden):
		return nil, teamError{err, review.ErrTeamDenied}
	case err != nil:
		return nil, err
	}
	accounts := make([]review.Account, 0, len(members))
	for _, m := range members {
		accounts = append(accounts, review.Account{Login: m.Login, ID: m.ID})
	}
	return accounts, nil
}

// teamError is an error of GitHub's that is also one of the gate's kinds.
type teamError struct {
	error
	kind error
}

func (e teamError) Unwrap() []error { return []error{e.error, e.kind} }

// SetStatus writes a commit status unless it stands already.
func (f *Forge) SetStatus(ctx context.Context, commit source.ID, s review.Status) error {
	_, err := f.client.SetStatus(ctx, f.owner, f.repo, Status{
		SHA: commit.String(), Context: s.Context, State: string(s.State), Description: s.Description, TargetURL: s.TargetURL,
	})
	return err
}

// Status is the latest status of a context on a commit; nil where there is none.
func (f *Forge) Status(ctx context.Context, commit source.ID, name string) (*review.Status, error) {
	latest, err := f.client.latestStatus(ctx, f.owner, f.repo, commit.String(), name)
	if err != nil {
		return nil, wrap(ctx, err, "read the status %s of %s/%s@%s", name, f.owner, f.repo, commit)
	}
	if latest == nil {
		return nil, nil
	}
	return &review.Status{
		Context: name, State: review.State(latest.GetState()), Description: latest.GetDescription(), TargetURL: latest.GetTargetURL(),
	}, nil
}

// Comment keeps Mooring's one comment on a pull request.
func (f *Forge) Comment(ctx context.Context, number int, body string) error {
	_, err := f.client.UpsertComment(ctx, f.owner, f.repo, number, CommentMarker, body)
	return err
}

// UpdateComment is Comment where there is one; it writes no first one. How many comments there are is asked once
// per state of the pull request, since most have nothing to say all their life.
func (f *Forge) UpdateComment(ctx context.Context, number int, body string) error {
	_, err := f.client.comment(ctx, upsert{
		Client: f.client, owner: f.owner, repo: f.repo, number: number, marker: CommentMarker, body: body, standing: true,
		facts: func(ctx context.Context, _, _ string, number int, op string) (pullFacts, error) {
			return f.pullFacts(ctx, number, f.facts.updated(number), op)
		},
	})
	return err
}
