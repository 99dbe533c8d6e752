package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	gh "github.com/google/go-github/v60/github"
)

// Proposal is a pull request that Mooring opens itself: the revert after a rollback.
type Proposal struct {
	Base    string // the branch to change
	Branch  string // the branch to make; it identifies the proposal, so name it after what it is about
	Title   string
	Body    string
	Message string            // of the commits, one for each file
	Files   map[string][]byte // path → content; nil removes the file
}

// Propose opens the pull request, or gives the one that was opened for that branch before, in whatever state
// people have put it: a proposal that somebody closed is not made again. Cut short, it goes on where it stopped.
func (c *Client) Propose(ctx context.Context, owner, repo string, p Proposal) (PullRequest, error) {
	op := fmt.Sprintf("propose %s to %s of %s/%s", p.Branch, p.Base, owner, repo)
	if len(p.Files) == 0 || p.Branch == "" || p.Base == "" || p.Branch == p.Base {
		return PullRequest{}, invalid("a proposal needs files and a branch of its own", "%s", op)
	}
	pr := &proposal{c, owner, repo, p}
	opened, err := pr.run(ctx)
	if err != nil {
		return PullRequest{}, wrap(ctx, err, "%s", op)
	}
	return pullRequestOf(opened), nil
}

// proposal is one Propose under way.
type proposal struct {
	*Client
	owner, repo string
	Proposal
}

func (p *proposal) run(ctx context.Context) (*gh.PullRequest, error) {
	before, err := p.existing(ctx)
	if before != nil || err != nil {
		return before, err
	}
	if err := p.makeBranch(ctx); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(p.Proposal.Files)) {
		if err := p.write(ctx, path, p.Proposal.Files[path]); err != nil {
			return nil, err
		}
	}
	opened, _, err := p.api.PullRequests.Create(ctx, p.owner, p.repo, &gh.NewPullRequest{
		Title: &p.Title, Body: &p.Body, Head: &p.Branch, Base: &p.Base,
	})
	return opened, err
}

// existing finds the latest pull request from the branch, open or not.
func (p *proposal) existing(ctx context.Context) (*gh.PullRequest, error) {
	list, _, err := p.api.PullRequests.List(ctx, p.owner, p.repo, &gh.PullRequestListOptions{
		State: "all", Head: p.owner + ":" + p.Branch, Base: p.Base, ListOptions: gh.ListOptions{PerPage: 1},
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func (p *proposal) makeBranch(ctx context.Context) error {
	if _, resp, err := p.api.Git.GetRef(ctx, p.owner, p.repo, "heads/"+p.Branch); err == nil || !missing(resp) {
		return err // there already, from an attempt that was cut short; or a real failure
	}
	base, _, err := p.api.Git.GetRef(ctx, p.owner, p.repo, "heads/"+p.Base)
	if err != nil {
		return err
	}
	ref := "refs/heads/" + p.Branch
	_, _, err = p.api.Git.CreateRef(ctx, p.owner, p.repo, &gh.Reference{Ref: &ref, Object: &gh.GitObject{SHA: base.GetObject().SHA}})
	return err
}

// write brings one file of the branch to its content, or leaves it where it has that.
func (p *proposal) write(ctx context.Context, path string, content []byte) error {
	there, _, resp, err := p.api.Repositories.GetContents(ctx, p.owner, p.repo, path, &gh.RepositoryContentGetOptions{Ref: p.Branch})
	if err != nil && !missing(resp) {
		return err
	}
	if err == nil && there == nil {
		return errors.New(path + " is a directory")
	}
	in := &gh.RepositoryContentFileOptions{Message: &p.Message, Content: content, Branch: &p.Branch}
	if err == nil {
		in.SHA = there.SHA
	}
	switch {
	case content == nil && in.SHA == nil:
		return nil
	case content == nil:
		return p.remove(ctx, path, *in.SHA)
	}
	if in.SHA != nil {
		if text, err := there.GetContent(); err == nil && bytes.Equal([]byte(text), content) {
			return nil
		}
	}
	_, _, err = p.api.Repositories.UpdateFile(ctx, p.owner, p.repo, path, in)
	return err
}

// remove deletes a file. (go-github's DeleteFile sends a null content along, which GitHub's description has not.)
func (p *proposal) remove(ctx context.Context, path, blob string) error {
	target := fmt.Sprintf("repos/%s/%s/contents/%s", p.owner, p.repo, (&url.URL{Path: path}).EscapedPath())
	req, err := p.api.NewRequest(http.MethodDelete, target, map[string]string{"message": p.Message, "branch": p.Branch, "sha": blob})
	if err != nil {
		return err
	}
	_, err = p.api.Do(ctx, req, nil)
	return err
}

func missing(resp *gh.Response) bool { return resp != nil && resp.StatusCode == http.StatusNotFound }
