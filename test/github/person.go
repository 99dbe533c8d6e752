package githubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Person acts on the server as one user, through its API and Git, with their own token.
type Person struct {
	Login, Email, Token string
	ID                  int64
	// Transport carries the requests, http.DefaultTransport when nil; the contract test listens here.
	Transport http.RoundTripper

	s *Server
}

// Refused is an answer of 400 and more.
type Refused struct {
	Status  int
	Message string
}

func (e *Refused) Error() string { return fmt.Sprintf("GitHub answered %d: %s", e.Status, e.Message) }

// Call makes one request to the API, path such as "/repos/acme/models/pulls/1"; in and out may be nil.
func (p *Person) Call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.s.api("")+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("Accept", "application/vnd.github+json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: p.Transport}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return &Refused{resp.StatusCode, strings.TrimSpace(string(data))}
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, out)
}

// Pull describes a new pull request; Head is a branch, or "owner:branch" in a fork.
type Pull struct {
	Title string `json:"title"`
	Body  string `json:"body,omitempty"`
	Head  string `json:"head"`
	Base  string `json:"base"`
	Draft bool   `json:"draft,omitempty"`
}

// OpenPullRequest gives the new pull request's number.
func (p *Person) OpenPullRequest(ctx context.Context, repo string, in Pull) (int, error) {
	if in.Base == "" {
		in.Base = "main"
	}
	var out struct{ Number int }
	err := p.Call(ctx, http.MethodPost, "/repos/"+repo+"/pulls", in, &out)
	return out.Number, err
}

// Review event names, as the API takes them.
const (
	Approve        = "APPROVE"
	RequestChanges = "REQUEST_CHANGES"
	Comment        = "COMMENT"
)

// Review reviews the pull request's head and gives the review's id.
func (p *Person) Review(ctx context.Context, repo string, number int, event, body string) (int64, error) {
	var out struct{ ID int64 }
	in := map[string]string{"event": event, "body": body}
	err := p.Call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/reviews", repo, number), in, &out)
	return out.ID, err
}

// EditReview changes the words of a review, one's own or, who may write, another's.
func (p *Person) EditReview(ctx context.Context, repo string, number int, review int64, body string) error {
	return p.Call(ctx, http.MethodPut, fmt.Sprintf("/repos/%s/pulls/%d/reviews/%d", repo, number, review), map[string]string{"body": body}, nil)
}

// Dismiss dismisses a review.
func (p *Person) Dismiss(ctx context.Context, repo string, number int, review int64, message string) error {
	in := map[string]string{"message": message, "event": "DISMISS"}
	return p.Call(ctx, http.MethodPut, fmt.Sprintf("/repos/%s/pulls/%d/reviews/%d/dismissals", repo, number, review), in, nil)
}

// Comment writes a comment under a pull request.
func (p *Person) Comment(ctx context.Context, repo string, number int, body string) error {
	in := map[string]string{"body": body}
	return p.Call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/issues/%d/comments", repo, number), in, nil)
}

// Merge merges by method merge, squash or rebase and gives the new commit; sha pins the head when not empty.
func (p *Person) Merge(ctx context.Context, repo string, number int, method, sha string) (string, error) {
	in := map[string]string{"merge_method": method}
	if sha != "" {
		in["sha"] = sha
	}
	var out struct{ SHA string }
	err := p.Call(ctx, http.MethodPut, fmt.Sprintf("/repos/%s/pulls/%d/merge", repo, number), in, &out)
	return out.SHA, err
}

// Close closes a pull request without merging it.
func (p *Person) Close(ctx context.Context, repo string, number int) error {
	return p.edit(ctx, repo, number, map[string]string{"state": "closed"})
}

// Reopen opens a closed pull request again.
func (p *Person) Reopen(ctx context.Context, repo string, number int) error {
	return p.edit(ctx, repo, number, map[string]string{"state": "open"})
}

// MarkReady ends a pull request's being a draft.
func (p *Person) MarkReady(repo string, number int) error {
	return p.s.setDraft(repo, number, p.Login, false)
}

// ConvertToDraft makes a pull request a draft again.
func (p *Person) ConvertToDraft(repo string, number int) error {
	return p.s.setDraft(repo, number, p.Login, true)
}

// DismissLatest dismisses what somebody said last about a pull request.
func (p *Person) DismissLatest(ctx context.Context, repo string, number int, login string) error {
	var reviews []struct {
		ID   int64
		User struct{ Login string }
	}
	if err := p.Call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/pulls/%d/reviews?per_page=100", repo, number), nil, &reviews); err != nil {
		return err
	}
	for _, r := range slices.Backward(reviews) {
		if strings.EqualFold(r.User.Login, login) {
			return p.Dismiss(ctx, repo, number, r.ID, "not any more")
		}
	}
	return fmt.Errorf("%s has not reviewed #%d", login, number)
}

// Retarget changes a pull request's base branch.
func (p *Person) Retarget(ctx context.Context, repo string, number int, base string) error {
	return p.edit(ctx, repo, number, map[string]string{"base": base})
}

func (p *Person) edit(ctx context.Context, repo string, number int, change map[string]string) error {
	return p.Call(ctx, http.MethodPatch, fmt.Sprintf("/repos/%s/pulls/%d", repo, number), change, nil)
}

// Protect requires status contexts on a branch; it takes an administrator of the repository.
func (p *Person) Protect(ctx context.Context, repo, branch string, enforceAdmins bool, contexts ...string) error {
	in := map[string]any{
		"required_status_checks": map[string]any{"strict": false, "contexts": append([]string{}, contexts...)},
		"enforce_admins":         enforceAdmins, "required_pull_request_reviews": nil, "restrictions": nil,
	}
	return p.Call(ctx, http.MethodPut, fmt.Sprintf("/repos/%s/branches/%s/protection", repo, url.PathEscape(branch)), in, nil)
}

// AddWebhook has the repository's events sent to a URL; without events, all of them.
func (p *Person) AddWebhook(ctx context.Context, repo, target, secret string, events ...string) error {
	if len(events) == 0 {
		events = []string{"*"}
	}
	in := map[string]any{
		"name": "web", "active": true, "events": events,
		"config": map[string]string{"url": target, "content_type": "json", "secret": secret},
	}
	return p.Call(ctx, http.MethodPost, "/repos/"+repo+"/hooks", in, nil)
}

// DeleteRepo deletes a repository, a fork for example; it takes its administrator.
func (p *Person) DeleteRepo(ctx context.Context, repo string) error {
	return p.Call(ctx, http.MethodDelete, "/repos/"+repo, nil, nil)
}

// Push describes a commit and where it goes.
type Push struct {
	Branch  string
	From    string // the branch or commit to build on; the branch itself when empty, or main if that is new
	Message string
	Files   map[string][]byte // nil content removes
	Force   bool
	// AuthorName and AuthorEmail override the author, for commits that belong to somebody else or to nobody.
	AuthorName, AuthorEmail string
}

// Push makes one commit on this person's machine and pushes it over HTTPS; it gives the commit.
func (p *Person) Push(ctx context.Context, repo string, in Push) (string, error) {
	dir, err := os.MkdirTemp("", "clone-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the clone: %w", err)
	}
	defer os.RemoveAll(dir) // a stray clone in the temporary directory harms nobody
	local, err := initRepo(dir, "main")
	if err != nil {
		return "", err
	}
	remote := p.remote(repo)
	parent, err := p.fetchParent(local, remote, in)
	if err != nil {
		return "", p.hide(err)
	}
	now := p.s.opts.Clock().UTC().Truncate(time.Second)
	me := signature{p.Login, p.Email, now}
	author := me
	if in.AuthorEmail != "" {
		author = signature{in.AuthorName, in.AuthorEmail, now}
	}
	message := in.Message
	if message == "" {
		message = "Change " + in.Branch
	}
	sha, err := local.commitFiles(parent, message, author, me, in.Files)
	if err != nil {
		return "", err
	}
	if sha == "" {
		sha = parent // nothing new: the branch is only made
	}
	spec := sha + ":refs/heads/" + in.Branch
	if in.Force {
		spec = "+" + spec
	}
	_, err = local.git(nil, nil, "push", "--quiet", remote, spec)
	return sha, p.hide(errors.Join(err, ctx.Err()))
}

// fetchParent brings over the one commit that the new one stands on.
func (p *Person) fetchParent(local gitRepo, remote string, in Push) (string, error) {
	candidates := []string{in.From}
	if in.From == "" {
		candidates = []string{"refs/heads/" + in.Branch, "refs/heads/main"}
	}
	var err error
	for _, from := range candidates {
		if _, err = local.run("fetch", "--quiet", "--depth=1", remote, from); err == nil {
			return local.resolve("FETCH_HEAD")
		}
	}
	return "", err
}

// DeleteBranch deletes a branch by a push, as `git push --delete` does.
func (p *Person) DeleteBranch(ctx context.Context, repo, branch string) error {
	return p.Call(ctx, http.MethodDelete, "/repos/"+repo+"/git/refs/heads/"+branch, nil, nil)
}

// remote is the clone URL with this person's token in it.
func (p *Person) remote(repo string) string {
	return strings.Replace(p.s.CloneURL(repo), "http://", "http://"+url.PathEscape(p.Login)+":"+p.Token+"@", 1)
}

// hide keeps the token out of what Git says about its remote.
func (p *Person) hide(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), p.Token, "***"))
}
