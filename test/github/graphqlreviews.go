package githubtest

import (
	"errors"
	"fmt"
)

// gqlNodes looks up reviews by their ids; it knows no other nodes.
func (c *call) gqlNodes(args map[string]any) (any, error) {
	ids, ok := args["ids"].([]any)
	if !ok || len(ids) > maxPageSize {
		return nil, errors.New("`ids` must be a list of at most 100")
	}
	if err := c.gqlAllowed("pull_requests:read"); err != nil {
		return nil, err
	}
	nodes := make([]*gqlObject, len(ids))
	for i, id := range ids {
		nodes[i] = c.gqlReview(fmt.Sprint(id))
	}
	return nodes, nil
}

func (c *call) gqlReview(id string) *gqlObject {
	for _, r := range c.s.repos {
		if !c.sees(r) {
			continue
		}
		for _, p := range r.pulls {
			for _, v := range p.reviews {
				if nodeID("PullRequestReview", v.id) == id {
					return v.graph(id)
				}
			}
		}
	}
	return nil
}

func (v *review) graph(id string) *gqlObject {
	o := &gqlObject{"PullRequestReview", map[string]gqlField{
		"id": value(id), "body": value(v.body), "author": value(v.user.graph()),
		"lastEditedAt": value(nil), "editor": value(nil), "userContentEdits": v.gqlEdits,
	}}
	if n := len(v.edits); n > 0 {
		last := v.edits[n-1]
		o.fields["lastEditedAt"], o.fields["editor"] = value(stamp(last.at)), value(last.by.graph())
	}
	return o
}

// gqlEdits are the edits, the latest first, as GitHub lists them.
func (v *review) gqlEdits(args map[string]any) (any, error) {
	first, err := pageArgument(args, "first")
	if err != nil {
		return nil, err
	}
	var nodes []*gqlObject
	for i := len(v.edits) - 1; i >= max(0, len(v.edits)-first); i-- {
		edit := v.edits[i]
		nodes = append(nodes, &gqlObject{"UserContentEdit", map[string]gqlField{
			"editedAt": value(stamp(edit.at)), "editor": value(edit.by.graph()),
		}})
	}
	return &gqlObject{"UserContentEditConnection", map[string]gqlField{
		"nodes": value(nodes), "totalCount": value(len(v.edits)), "pageInfo": value(pageInfo(len(nodes) < len(v.edits))),
	}}, nil
}

// graph is an account as an Actor.
func (a *account) graph() *gqlObject {
	return &gqlObject{a.kind, map[string]gqlField{"login": value(a.login), "databaseId": value(a.id)}}
}
