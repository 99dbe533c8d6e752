package github

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// GraphQL is asked for the little that REST does not tell. Its answers are not conditional and its budget is
// one of its own, so what it said is kept as long as that holds.

// graphQLURL is where the API is: beside REST's on Enterprise Server, below its root on github.com.
func graphQLURL(base string) string {
	if root, found := strings.CutSuffix(base, "/api/v3/"); found {
		return root + "/api/graphql"
	}
	return base + "graphql"
}

type graphQLError struct{ Type, Message string }

// query asks one question. An answer with an error is an error even where it has data too: half an answer
// would be taken for a whole one.
func (c *Client) query(ctx context.Context, op, text string, variables map[string]any, into any) error {
	req, err := c.api.NewRequest("POST", graphQLURL(c.baseURL), map[string]any{"query": text, "variables": variables})
	if err != nil {
		return wrap(ctx, err, "%s", op)
	}
	answer := struct {
		Data   any
		Errors []graphQLError
	}{Data: into}
	if _, err = c.api.Do(ctx, req, &answer); err != nil {
		return wrap(ctx, err, "%s", op)
	}
	if len(answer.Errors) > 0 {
		return c.refusedQuery(op, answer.Errors[0])
	}
	return nil
}

func (c *Client) refusedQuery(op string, g graphQLError) error {
	e := &Error{Op: op, Kind: ErrUnreachable, Detail: scrub(g.Message)}
	switch {
	case isSecondary(g.Message): // told by 200 as well
		c.budget.block(unknownLimit)
		e.Kind = &RateLimitError{unknownLimit}
	case g.Type == "RATE_LIMITED" || g.Type == "RATE_LIMIT":
		e.Kind = &RateLimitError{max(c.budget.rate("graphql").Reset.Sub(c.clock()), time.Minute)}
	case g.Type == "FORBIDDEN" || g.Type == "INSUFFICIENT_SCOPES":
		e.Kind = ErrForbidden
	case g.Type == "NOT_FOUND":
		e.Kind = ErrNotFound
	}
	return e
}

// pullQuery asks for the latest event after which approval was asked for anew, and how long lists are of which
// REST does not say so.
const pullQuery = `query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      isDraft
      createdAt
      reviews { totalCount }
      comments { totalCount }
      timelineItems(last: 1, itemTypes: [READY_FOR_REVIEW_EVENT, REOPENED_EVENT]) {
        nodes {
          __typename
          ... on ReadyForReviewEvent { createdAt }
          ... on ReopenedEvent { createdAt }
        }
      }
    }
  }
}`

// pullFacts is what REST does not tell of a pull request.
type pullFacts struct {
	// ready is the time since when it asks for approval: since it was last made ready for review or reopened,
	// else since it was opened. It is zero while it is a draft.
	ready time.Time
	// reviews and comments are how many there are.
	reviews, comments int
}

func (c *Client) pullFacts(ctx context.Context, owner, repo string, number int, op string) (pullFacts, error) {
	type counted struct{ TotalCount *int }
	var data struct {
		Repository *struct {
			PullRequest *struct {
				IsDraft           bool
				CreatedAt         time.Time
				Reviews, Comments counted
				TimelineItems     struct {
					Nodes []struct{ CreatedAt time.Time }
				}
			}
		}
	}
	err := c.query(ctx, op, pullQuery, map[string]any{"owner": owner, "name": repo, "number": number}, &data)
	if err != nil {
		return pullFacts{}, err
	}
	if data.Repository == nil || data.Repository.PullRequest == nil || data.Repository.PullRequest.CreatedAt.IsZero() {
		return pullFacts{}, &Error{Op: op, Kind: ErrNotFound}
	}
	pr := data.Repository.PullRequest
	if pr.Reviews.TotalCount == nil || pr.Comments.TotalCount == nil {
		return pullFacts{}, &Error{Op: op, Kind: ErrUnreachable, Detail: "GitHub does not say how many reviews and comments there are"}
	}
	facts := pullFacts{ready: pr.CreatedAt, reviews: *pr.Reviews.TotalCount, comments: *pr.Comments.TotalCount}
	for _, event := range pr.TimelineItems.Nodes {
		facts.ready = event.CreatedAt
	}
	if pr.IsDraft {
		facts.ready = time.Time{}
	}
	return facts, nil
}

// shortened is the error for a list that lacks entries although nothing in the answer says so, as from a replica
// that lags behind. A list with more than was counted is newer than the count.
func shortened(op string, got, want int) error {
	if got >= want {
		return nil
	}
	return &Error{Op: op, Kind: ErrTruncated, Detail: fmt.Sprintf("it gave %d of %d", got, want)}
}

// authorsAsked is how many commits one query asks for, and maxAuthors how many people GitHub names of each.
const (
	authorsAsked = 50
	maxAuthors   = 100
)

// authorQuery asks for the authors of so many commits.
func authorQuery(commits int) string {
	var declared, asked strings.Builder
	for i := range commits {
		fmt.Fprintf(&declared, ", $c%d: GitObjectID!", i)
		fmt.Fprintf(&asked, `    c%d: object(oid: $c%d) {
      ... on Commit {
        authors(first: %d) { nodes { email user { login databaseId } } pageInfo { hasNextPage } }
      }
    }
`, i, i, maxAuthors)
	}
	return "query($owner: String!, $name: String!" + declared.String() + ") {\n  repository(owner: $owner, name: $name) {\n" + asked.String() + "  }\n}"
}

// Credited is an author or a co-author of a commit as GitHub tells them: the address, and the account that it
// belongs to, zero where that is nobody's.
type Credited struct {
	Email   string
	Account Account
}

// Authors says for each of the commits who its author and its co-authors are, in GitHub's order.
func (c *Client) Authors(ctx context.Context, owner, repo string, commits []string) (map[string][]Credited, error) {
	out := map[string][]Credited{}
	var unknown []string
	for _, sha := range commits {
		if known := c.authors.get(owner, repo, sha); known != nil {
			out[sha] = known
		} else {
			unknown = append(unknown, sha)
		}
	}
	for len(unknown) > 0 {
		n := min(len(unknown), authorsAsked)
		if err := c.askAuthors(ctx, owner, repo, unknown[:n], out); err != nil {
			return nil, err
		}
		unknown = unknown[n:]
	}
	return out, nil
}

type commitAuthors struct {
	Authors *struct {
		Nodes []struct {
			Email string
			User  *struct {
				Login      string
				DatabaseID int64
			}
		}
		PageInfo struct{ HasNextPage bool }
	}
}

func (c *Client) askAuthors(ctx context.Context, owner, repo string, commits []string, into map[string][]Credited) error {
	op := fmt.Sprintf("ask whose the co-authors' addresses in %s/%s are", owner, repo)
	variables := map[string]any{"owner": owner, "name": repo}
	for i, sha := range commits {
		variables[fmt.Sprintf("c%d", i)] = sha
	}
	var data struct{ Repository map[string]*commitAuthors }
	if err := c.query(ctx, op, authorQuery(len(commits)), variables, &data); err != nil {
		return err
	}
	for i, sha := range commits {
		answer := data.Repository[fmt.Sprintf("c%d", i)]
		switch {
		case answer == nil || answer.Authors == nil || len(answer.Authors.Nodes) == 0:
			return &Error{Op: op, Kind: ErrNotFound, Detail: "the commit " + sha}
		case answer.Authors.PageInfo.HasNextPage:
			return &Error{Op: op, Kind: ErrTruncated, Detail: fmt.Sprintf("the commit %s has more than %d authors", sha, maxAuthors)}
		}
		var list []Credited
		whole := true
		for _, node := range answer.Authors.Nodes {
			var who Account
			if node.User != nil {
				who = Account{Login: node.User.Login, ID: node.User.DatabaseID, Type: "User"}
			}
			list = append(list, Credited{node.Email, who})
			whole = whole && who.Known()
		}
		into[sha] = list
		if whole { // who is nobody today may add the address to their account tomorrow
			c.authors.put(owner, repo, sha, list)
		}
	}
	return nil
}

// maxKeptAuthors bounds the memory of authorCache; a commit takes about 200 bytes.
const maxKeptAuthors = 20000

// authorCache keeps the authors of commits.
type authorCache struct {
	mu   sync.Mutex
	kept map[string][]Credited
}

func authorKey(owner, repo, sha string) string {
	return strings.ToLower(owner + "/" + repo + "@" + sha)
}

func (a *authorCache) get(owner, repo, sha string) []Credited {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept[authorKey(owner, repo, sha)]
}

func (a *authorCache) put(owner, repo, sha string, authors []Credited) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil || len(a.kept) >= maxKeptAuthors { // rarely: then everything is asked once more
		a.kept = map[string][]Credited{}
	}
	a.kept[authorKey(owner, repo, sha)] = authors
}
