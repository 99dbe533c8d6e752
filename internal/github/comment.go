package github

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	gh "github.com/google/go-github/v60/github"
)

// CommentRef is a written comment.
type CommentRef struct {
	ID    int64
	URL   string
	Wrote bool // false when GitHub had that body already
}

// UpsertComment keeps one comment per marker under a pull request: it writes it once and from then on changes
// it in place. A comment is ours if this account wrote it, told by its id, and it contains the marker, so nobody
// else's is ever touched. The marker is best an HTML comment, <!-- mooring -->, and is put in front where the body lacks it.
// Where two replicas wrote at the same moment the older comment stays and the younger goes.
func (c *Client) UpsertComment(ctx context.Context, owner, repo string, number int, marker, body string) (CommentRef, error) {
	return c.comment(ctx, upsert{Client: c, owner: owner, repo: repo, number: number, marker: marker, body: body, facts: c.pullFacts})
}

// comment is UpsertComment of what is filled in.
func (c *Client) comment(ctx context.Context, u upsert) (CommentRef, error) {
	op := fmt.Sprintf("write the comment %q of %s/%s#%d", u.marker, u.owner, u.repo, u.number)
	if strings.TrimSpace(u.marker) == "" {
		return CommentRef{}, invalid("the marker is empty", "%s", op)
	}
	if !strings.Contains(u.body, u.marker) {
		u.body = u.marker + "\n" + u.body
	}
	if n := utf8.RuneCountInString(u.body); n > MaxBody {
		return CommentRef{}, invalid(fmt.Sprintf("the body has %d characters, GitHub takes %d", n, MaxBody), "%s", op)
	}
	var err error
	if u.me, err = c.CurrentUser(ctx); err != nil {
		return CommentRef{}, err
	}
	unlock := c.comments.lock(strings.ToLower(fmt.Sprintf("%s/%s#%d", u.owner, u.repo, u.number)))
	defer unlock()
	ref, err := u.run(ctx)
	if err != nil {
		return CommentRef{}, wrap(ctx, err, "%s", op)
	}
	return ref, nil
}

// upsert is one UpsertComment under way.
type upsert struct {
	*Client
	owner, repo  string
	number       int
	marker, body string
	me           Account
	// facts tells how many comments there are.
	facts func(ctx context.Context, owner, repo string, number int, op string) (pullFacts, error)
	// standing: only a comment that stands already is changed, no first one is written.
	standing bool
}

func (u upsert) run(ctx context.Context) (CommentRef, error) {
	own, err := u.surelyOwn(ctx)
	if err != nil {
		return CommentRef{}, err
	}
	if len(own) == 0 && u.standing {
		return CommentRef{}, nil
	}
	wrote := false
	if len(own) == 0 {
		wrote = true
		made, _, err := u.api.Issues.CreateComment(ctx, u.owner, u.repo, u.number, &gh.IssueComment{Body: &u.body})
		if err != nil {
			return CommentRef{}, err
		}
		if by := accountOf(made.GetUser()); by.ID != 0 && by.ID != u.me.ID { // its earlier comments are ours as well
			u.me = by
			u.learn(by)
		}
		if own, _, err = u.own(ctx); err != nil { // another replica may have written in between
			return CommentRef{}, err
		}
	}
	if len(own) == 0 {
		return CommentRef{}, errors.New("the comment is gone right after it was written")
	}
	first := own[0]
	if first.GetBody() != u.body {
		wrote = true
		if _, _, err := u.api.Issues.EditComment(ctx, u.owner, u.repo, first.GetID(), &gh.IssueComment{Body: &u.body}); err != nil {
			return CommentRef{}, err
		}
	}
	return CommentRef{first.GetID(), first.GetHTMLURL(), wrote}, u.remove(ctx, own[1:])
}

// surelyOwn is own, but refuses to say "none" of a list that is shorter than GitHub counts comments: ours may be
// what is missing. A comment written between list and count, as by another replica, makes it short as well, so a
// short list is asked for once more.
func (u upsert) surelyOwn(ctx context.Context) ([]*gh.IssueComment, error) {
	own, listed, err := u.own(ctx)
	if err != nil || len(own) > 0 {
		return own, err
	}
	op := fmt.Sprintf("list the comments of %s/%s#%d", u.owner, u.repo, u.number)
	facts, err := u.facts(ctx, u.owner, u.repo, u.number, op)
	if err != nil || listed >= facts.comments {
		return nil, err
	}
	own, listed, err = u.own(ctx)
	if err != nil || len(own) > 0 {
		return own, err
	}
	return nil, shortened(op, listed, facts.comments)
}

// own lists this account's comments with the marker, oldest first, and says how many comments there are of all.
func (u upsert) own(ctx context.Context) (own []*gh.IssueComment, listed int, err error) {
	list, err := all(ctx, 0, func(ctx context.Context, page gh.ListOptions) ([]*gh.IssueComment, *gh.Response, error) {
		return u.api.Issues.ListComments(ctx, u.owner, u.repo, u.number, &gh.IssueListCommentsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, 0, err
	}
	for _, m := range list {
		if u.me.ID != 0 && m.GetUser().GetID() == u.me.ID && strings.Contains(m.GetBody(), u.marker) {
			own = append(own, m)
		}
	}
	return own, len(list), nil
}

func (u upsert) remove(ctx context.Context, extra []*gh.IssueComment) error {
	for _, m := range extra {
		resp, err := u.api.Issues.DeleteComment(ctx, u.owner, u.repo, m.GetID())
		if err != nil && (resp == nil || resp.StatusCode != 404) { // the other replica may have removed it too
			return err
		}
	}
	return nil
}

func invalid(why, format string, args ...any) error {
	return &Error{Op: fmt.Sprintf(format, args...), Kind: ErrInvalid, Detail: why}
}

// keyedLocks is one lock per key, forgotten when nobody holds it.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	users int
}

func (k *keyedLocks) lock(key string) func() {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &keyedLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
}
