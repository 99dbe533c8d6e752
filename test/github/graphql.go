package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// The part of GitHub's GraphQL API for what REST does not tell: whose the addresses of co-authors are,
// when a pull request was last made ready for review or reopened, and who edited a review.

// gqlObject is an object of the graph: its type's name and its fields.
type gqlObject struct {
	typename string
	fields   map[string]gqlField
}

type gqlField func(args map[string]any) (any, error)

func value(v any) gqlField { return func(map[string]any) (any, error) { return v, nil } }

// gqlError is an error about one field, which is null then.
type gqlError struct{ kind, message string }

func (e *gqlError) Error() string { return e.message }

// gqlRun is one query under way.
type gqlRun struct {
	vars   map[string]any
	errors []any
}

func postGraphQL(c *call) (int, any, error) {
	var in struct {
		Query     string
		Variables map[string]any
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	document, err := parser.ParseQuery(&ast.Source{Input: in.Query})
	if err != nil || len(document.Operations) != 1 || document.Operations[0].Operation != ast.Query {
		return http.StatusOK, object{"errors": []any{object{"message": fmt.Sprintf("Parse error: %v", err)}}}, nil
	}
	run := &gqlRun{vars: in.Variables}
	data, err := run.selected(document.Operations[0].SelectionSet, c.gqlRoot(), nil)
	if err != nil {
		return http.StatusOK, object{"errors": []any{object{"message": err.Error()}}}, nil
	}
	answer := object{"data": data}
	if len(run.errors) > 0 {
		answer["errors"] = run.errors
	}
	return http.StatusOK, answer, nil
}

// selected answers a selection of an object's fields.
func (r *gqlRun) selected(set ast.SelectionSet, of *gqlObject, path []any) (object, error) {
	out := object{}
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			if s.TypeCondition != of.typename {
				continue
			}
			more, err := r.selected(s.SelectionSet, of, path)
			if err != nil {
				return nil, err
			}
			for k, v := range more {
				out[k] = v
			}
		case *ast.Field:
			v, err := r.field(s, of, append(path[:len(path):len(path)], s.Alias))
			if err != nil {
				return nil, err
			}
			out[s.Alias] = v
		default:
			return nil, errors.New("this server knows no named fragments")
		}
	}
	return out, nil
}

func (r *gqlRun) field(f *ast.Field, of *gqlObject, path []any) (any, error) {
	if f.Name == "__typename" {
		return of.typename, nil
	}
	resolve := of.fields[f.Name]
	if resolve == nil {
		return nil, fmt.Errorf("the field '%s' doesn't exist on type '%s'", f.Name, of.typename)
	}
	args := map[string]any{}
	for _, a := range f.Arguments {
		v, err := a.Value.Value(r.vars)
		if err != nil {
			return nil, err
		}
		args[a.Name] = v
	}
	v, err := resolve(args)
	var about *gqlError
	if errors.As(err, &about) {
		r.errors = append(r.errors, object{"type": about.kind, "path": path, "message": about.message})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.shown(f, v, path)
}

func (r *gqlRun) shown(f *ast.Field, v any, path []any) (any, error) {
	switch v := v.(type) {
	case *gqlObject:
		if v == nil {
			return nil, nil
		}
		return r.selected(f.SelectionSet, v, path)
	case []*gqlObject:
		list := make([]any, 0, len(v))
		for i, one := range v {
			shown, err := r.shown(f, one, append(path[:len(path):len(path)], i))
			if err != nil {
				return nil, err
			}
			list = append(list, shown)
		}
		return list, nil
	}
	return v, nil
}

func (c *call) gqlRoot() *gqlObject {
	return &gqlObject{"Query", map[string]gqlField{"repository": c.gqlRepository, "nodes": c.gqlNodes}}
}

func (c *call) gqlRepository(args map[string]any) (any, error) {
	owner, _ := args["owner"].(string)
	name, _ := args["name"].(string)
	r := c.s.repos[key(owner, name)]
	if r == nil || !c.sees(r) {
		return nil, &gqlError{"NOT_FOUND", fmt.Sprintf("Could not resolve to a Repository with the name '%s/%s'.", owner, name)}
	}
	return &gqlObject{"Repository", map[string]gqlField{
		"object":       func(args map[string]any) (any, error) { return c.gqlCommit(r, args) },
		"pullRequest":  func(args map[string]any) (any, error) { return c.gqlPull(r, args) },
		"pullRequests": func(args map[string]any) (any, error) { return c.gqlPulls(r, args) },
	}}, nil
}

// gqlAllowed checks an installation's permission as REST does.
func (c *call) gqlAllowed(scope string) error {
	if c.allowApp(scope) != nil {
		return &gqlError{"FORBIDDEN", "Resource not accessible by integration"}
	}
	return nil
}

func (c *call) gqlCommit(r *repo, args map[string]any) (any, error) {
	if err := c.gqlAllowed("contents:read"); err != nil {
		return nil, err
	}
	oid, _ := args["oid"].(string)
	sha, err := r.git.resolve(oid)
	if err != nil || sha == "" {
		return (*gqlObject)(nil), err
	}
	commits, err := r.git.log("-1", sha)
	if err != nil {
		return nil, err
	}
	return &gqlObject{"Commit", map[string]gqlField{
		"oid":                    value(sha),
		"authors":                func(args map[string]any) (any, error) { return c.gqlAuthors(commits[0], args) },
		"associatedPullRequests": func(args map[string]any) (any, error) { return c.gqlPullsOf(r, sha, args) },
	}}, nil
}

// gqlAuthors are the author and the co-authors of a commit.
func (c *call) gqlAuthors(commit gitCommit, args map[string]any) (any, error) {
	first, err := pageArgument(args, "first")
	if err != nil {
		return nil, err
	}
	emails := append([]string{commit.author.email}, coAuthors(commit.message)...)
	shown := emails[:min(first, len(emails))]
	var nodes []*gqlObject
	for _, email := range shown {
		nodes = append(nodes, &gqlObject{"GitActor", map[string]gqlField{"email": value(email), "user": value(c.gqlUser(email))}})
	}
	return &gqlObject{"GitActorConnection", map[string]gqlField{
		"nodes": value(nodes), "totalCount": value(len(emails)), "pageInfo": value(pageInfo(len(shown) < len(emails))),
	}}, nil
}

func (c *call) gqlUser(email string) *gqlObject {
	a := c.s.byEmail(email)
	if a == nil || a.kind != "User" {
		return nil
	}
	return &gqlObject{"User", map[string]gqlField{"login": value(a.login), "databaseId": value(a.id)}}
}

// coAuthors reads the addresses of the Co-authored-by trailers: GitHub takes those of the last paragraph.
func coAuthors(message string) []string {
	paragraphs := strings.Split(strings.TrimSpace(message), "\n\n")
	var list []string
	for line := range strings.Lines(paragraphs[len(paragraphs)-1]) {
		name, who, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found || !strings.EqualFold(name, "Co-authored-by") {
			continue
		}
		_, email, found := strings.Cut(who, "<")
		if email, closed := strings.CutSuffix(strings.TrimSpace(email), ">"); found && closed {
			list = append(list, email)
		}
	}
	return list
}

func (c *call) gqlPull(r *repo, args map[string]any) (any, error) {
	if err := c.gqlAllowed("pull_requests:read"); err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(fmt.Sprint(args["number"]))
	if err != nil {
		return nil, err
	}
	p := r.pulls[n]
	if p == nil {
		return nil, &gqlError{"NOT_FOUND", fmt.Sprintf("Could not resolve to a PullRequest with the number of %d.", n)}
	}
	return &gqlObject{"PullRequest", map[string]gqlField{
		"number": value(p.number), "isDraft": value(p.draft), "createdAt": value(stamp(p.created)),
		"reviews":       value(counted("PullRequestReviewConnection", len(p.reviews))),
		"comments":      value(counted("IssueCommentConnection", len(p.comments))),
		"timelineItems": func(args map[string]any) (any, error) { return p.gqlTimeline(args) },
	}}, nil
}

// timelineTypes are the kinds of event that the server keeps, by GraphQL's two names for each.
var timelineTypes = map[string]string{
	"READY_FOR_REVIEW_EVENT": "ReadyForReviewEvent", "CONVERT_TO_DRAFT_EVENT": "ConvertToDraftEvent",
	"CLOSED_EVENT": "ClosedEvent", "REOPENED_EVENT": "ReopenedEvent",
}

func (p *pull) gqlTimeline(args map[string]any) (any, error) {
	last, err := pageArgument(args, "last")
	if err != nil {
		return nil, err
	}
	wanted, _ := args["itemTypes"].([]any)
	var nodes []*gqlObject
	for _, e := range p.timeline {
		for _, kind := range wanted {
			if timelineTypes[fmt.Sprint(kind)] == e.kind {
				nodes = append(nodes, &gqlObject{e.kind, map[string]gqlField{"createdAt": value(stamp(e.at))}})
			}
		}
	}
	total := len(nodes)
	nodes = nodes[max(0, total-last):]
	return &gqlObject{"PullRequestTimelineItemsConnection", map[string]gqlField{
		"nodes": value(nodes), "totalCount": value(total), "pageInfo": value(pageInfo(false)),
	}}, nil
}

// counted is a list of which only the length can be asked for.
func counted(kind string, n int) *gqlObject {
	return &gqlObject{kind, map[string]gqlField{"totalCount": value(n)}}
}

func pageInfo(more bool) *gqlObject {
	return &gqlObject{"PageInfo", map[string]gqlField{"hasNextPage": value(more)}}
}

// pageArgument reads how many entries are asked for; GitHub wants to be told, and gives a hundred at most.
func pageArgument(args map[string]any, name string) (int, error) {
	n, err := strconv.Atoi(fmt.Sprint(args[name]))
	if err != nil || n < 1 || n > maxPageSize {
		return 0, fmt.Errorf("`%s` must be given, from 1 to %d", name, maxPageSize)
	}
	return n, nil
}
