package github

import (
	"context"
	"fmt"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
)

// Who writes in a repository may edit the reviews of others, and REST shows the words as the reviewer's.

// editsAsked is how many reviews one query asks for, and maxEdits how many edits of each.
const (
	editsAsked = 20
	maxEdits   = 100
)

// nobodyKnown stands for an editor whom GitHub does not name.
const nobodyKnown = "somebody unknown"

const editsQuery = `query($ids: [ID!]!, $edits: Int!) {
  nodes(ids: $ids) {
    ... on PullRequestReview {
      id
      lastEditedAt
      editor { login ... on User { databaseId } }
      userContentEdits(first: $edits) {
        nodes { editor { login ... on User { databaseId } } }
        pageInfo { hasNextPage }
      }
    }
  }
}`

type actor struct {
	Login      string
	DatabaseID int64
}

type reviewEdits struct {
	ID               string
	LastEditedAt     *time.Time
	Editor           *actor
	UserContentEdits *struct {
		Nodes    []*struct{ Editor *actor }
		PageInfo struct{ HasNextPage bool }
	}
}

// other is who else than the author edited the review; empty: nobody. All edits count, since the author's own
// may stand above another's. What is not told counts as another's.
func (e reviewEdits) other(author Account) string {
	if e.LastEditedAt == nil {
		return ""
	}
	edits := e.UserContentEdits
	if edits == nil || len(edits.Nodes) == 0 || edits.PageInfo.HasNextPage {
		return nobodyKnown
	}
	editors := []*actor{e.Editor}
	for _, edit := range edits.Nodes {
		if edit == nil {
			return nobodyKnown
		}
		editors = append(editors, edit.Editor)
	}
	for _, who := range editors {
		switch {
		case who == nil || who.Login == "":
			return nobodyKnown
		case !who.is(author):
			return who.Login
		}
	}
	return ""
}

// is compares by id, as a login may have changed hands; an actor without one is no person.
func (a *actor) is(author Account) bool { return a.DatabaseID != 0 && a.DatabaseID == author.ID }

// EditedBy says of each review who else than its author has edited its words; empty: nobody.
func (c *Client) EditedBy(ctx context.Context, owner, repo string, number int, reviews []Review) ([]string, error) {
	op := fmt.Sprintf("ask who edited the reviews of %s/%s#%d", owner, repo, number)
	out := make([]string, 0, len(reviews))
	for len(reviews) > 0 {
		batch := reviews[:min(len(reviews), editsAsked)]
		reviews = reviews[len(batch):]
		ids := make([]string, len(batch))
		for i, r := range batch {
			ids[i] = r.NodeID
		}
		var data struct{ Nodes []*reviewEdits }
		if err := c.query(ctx, op, editsQuery, map[string]any{"ids": ids, "edits": maxEdits}, &data); err != nil {
			return nil, err
		}
		for i, r := range batch {
			if i >= len(data.Nodes) || data.Nodes[i] == nil || data.Nodes[i].ID != r.NodeID {
				return nil, &Error{Op: op, Kind: ErrNotFound, Detail: "the review " + r.URL}
			}
			out = append(out, data.Nodes[i].other(r.User))
		}
	}
	return out, nil
}

// nameEditors asks who edited the reviews that ask to break the glass. Of others it does not matter.
func (f *Forge) nameEditors(ctx context.Context, number int, all []Review, shown []review.Review) error {
	var asking []Review
	var at []int
	for i, r := range shown {
		if r.AsksForGlass() {
			asking, at = append(asking, all[i]), append(at, i)
		}
	}
	editors, err := f.client.EditedBy(ctx, f.owner, f.repo, number, asking)
	for i, who := range editors {
		shown[at[i]].EditedBy = who
	}
	return err
}
