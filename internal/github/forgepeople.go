package github

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
)

// ReadySince is the time since when a pull request asks for approval: since it was last made ready for review
// or reopened, else since it was opened; zero for a draft. GitHub is asked once per state of the pull request.
func (f *Forge) ReadySince(ctx context.Context, pr review.PullRequest) (time.Time, error) {
	if pr.Draft {
		return time.Time{}, nil
	}
	known, asked := f.facts.get(pr.Number)
	if asked && known.updated.Equal(pr.UpdatedAt) && f.client.clock().Sub(known.asked) <= justAsked {
		return known.ready, nil
	}
	facts, err := f.pullFacts(ctx, pr.Number, pr.UpdatedAt, fmt.Sprintf("ask since when %s/%s#%d is ready for review", f.owner, f.repo, pr.Number))
	return facts.ready, err
}

// countReviews refuses a list of reviews that is shorter than GitHub counts them: what is missing at its end may
// be the withdrawal of an approval. GitHub is asked once per state of the pull request.
func (f *Forge) countReviews(ctx context.Context, number, listed int) error {
	op := fmt.Sprintf("list the reviews of %s/%s#%d", f.owner, f.repo, number)
	facts, err := f.pullFacts(ctx, number, f.facts.updated(number), op)
	if err != nil {
		return err
	}
	return shortened(op, listed, facts.reviews)
}

// pullFacts asks for what REST does not tell, unless it is known of the pull request as it was last changed.
func (f *Forge) pullFacts(ctx context.Context, number int, updated time.Time, op string) (pullFacts, error) {
	// GitHub's times are whole seconds: what has just changed may change again without a new one.
	settled := func(asked time.Time) bool { return !updated.IsZero() && asked.Sub(updated) > settled }
	if known, asked := f.facts.get(number); asked && known.updated.Equal(updated) && settled(known.asked) {
		return known.pullFacts, nil
	}
	asked := f.client.clock()
	facts, err := f.client.pullFacts(ctx, f.owner, f.repo, number, op)
	if err == nil {
		f.facts.put(number, factsAt{facts, updated, asked})
	}
	return facts, err
}

const (
	settled = time.Minute
	// justAsked is how old an answer may be from which the time to approve is read: it serves one judgement.
	justAsked = 10 * time.Second
)

// factsCache keeps the facts of pull requests, each as of its latest change.
type factsCache struct {
	mu    sync.Mutex
	known map[int]factsAt
	open  map[int]time.Time // when each open one was last changed
}

type factsAt struct {
	pullFacts
	updated, asked time.Time
}

func (c *factsCache) get(number int) (factsAt, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.known[number]
	return at, known
}

// updated is when an open pull request was last changed, as far as was seen.
func (c *factsCache) updated(number int) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[number]
}

func (c *factsCache) put(number int, at factsAt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[int]factsAt{}
	}
	c.known[number] = at
}

// keep forgets all pull requests but these.
func (c *factsCache) keep(open []PullRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = map[int]time.Time{}
	for _, pr := range open {
		c.open[pr.Number] = pr.UpdatedAt
	}
	maps.DeleteFunc(c.known, func(number int, _ factsAt) bool { _, still := c.open[number]; return !still })
}

// forget makes that GitHub is asked anew.
func (c *factsCache) forget(number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, number)
	delete(c.open, number)
}

// nameCoAuthors says whose the addresses of the co-authors are. GitHub is asked about the commits only that
// name one whose address tells nothing by itself.
func (f *Forge) nameCoAuthors(ctx context.Context, commits []Commit, into []review.AttributedCommit) error {
	var unknown []string
	for _, c := range commits {
		if slices.ContainsFunc(c.CoAuthors, func(a CoAuthor) bool { return a.Login == "" }) {
			unknown = append(unknown, c.SHA)
		}
	}
	authors, err := f.client.Authors(ctx, f.owner, f.repo, unknown)
	if err != nil {
		return err
	}
	for i, c := range commits {
		into[i].CoAuthors = named(c, authors[c.SHA])
	}
	return nil
}

// named are a commit's co-authors with the accounts that GitHub tells. Whoever GitHub credits beside its author
// is one too, whatever was read from the message: to miss one lets an author approve.
func named(c Commit, credited []Credited) []review.CoAuthor {
	var list []review.CoAuthor
	for _, a := range c.CoAuthors {
		who := review.CoAuthor{Email: a.Email, Login: a.Login, ID: a.ID}
		i := slices.IndexFunc(credited, func(k Credited) bool { return strings.EqualFold(k.Email, a.Email) })
		if who.Login == "" && i >= 0 {
			who.Login, who.ID = credited[i].Account.Login, credited[i].Account.ID
		}
		list = append(list, who)
	}
	for _, k := range credited {
		told := strings.EqualFold(k.Account.Login, c.Author.Login) ||
			slices.ContainsFunc(list, func(a review.CoAuthor) bool { return strings.EqualFold(a.Login, k.Account.Login) })
		if k.Account.Known() && !told {
			list = append(list, review.CoAuthor{Email: k.Email, Login: k.Account.Login, ID: k.Account.ID})
		}
	}
	return list
}
