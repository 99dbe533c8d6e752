package cases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// TimeLimit bounds a run of all cases.
const TimeLimit = 30 * time.Second

// ErrTimeout: the cases took longer than TimeLimit. What was not judged did not
// pass.
var ErrTimeout = fmt.Errorf("the cases of %s took longer than %s", schemas.GovernanceTestPath, TimeLimit)

// Result is the outcome of one case. Its JSON form is a contract.
type Result struct {
	Name string `json:"name"`
	File string `json:"file"`
	// Line is where the case stands in File.
	Line   int  `json:"line"`
	Passed bool `json:"passed"`
	// Differences are what was expected and is otherwise, a sentence each.
	Differences []string `json:"differences,omitempty"`
	// Reasons are what the gate said, where it did not say what was expected.
	Reasons []string `json:"reasons,omitempty"`
	// Took is how long the case was judged, in nanoseconds.
	Took time.Duration `json:"took"`
}

// Run judges the cases whose name matches (nil: all) over the files of a
// working tree, in their order. The error says that they could not be judged; a
// case that is told something else than it expects is a result.
func Run(ctx context.Context, test *schemas.Document[schemas.GovernanceTest], files []schemas.File, match *regexp.Regexp,
	rules review.RuleChecker) (results []Result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, TimeLimit, ErrTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "mooring-cases-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the cases: %w", err)
	}
	defer func() {
		if failure := os.RemoveAll(dir); failure != nil {
			err = errors.Join(err, fmt.Errorf("remove the folder of the cases: %w", failure))
		}
	}()
	r := &runner{test: test, rules: rules, cache: review.NewCache(), teams: teamsOf(test, files)}
	prepared, err := r.prepare(ctx, dir, files, match)
	if err != nil || len(prepared) == 0 {
		return []Result{}, err
	}
	if r.repo, err = source.Open(dir); err != nil {
		return nil, fmt.Errorf("open the repository of the cases: %w", err)
	}
	defer r.repo.Close() // opened for reading
	for _, p := range prepared {
		result, err := r.run(ctx, p)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("judge the case %q: %w", result.Name, err)
		}
		results = append(results, result)
	}
	return results, nil
}

// runner is what the cases of one run have in common.
type runner struct {
	test  *schemas.Document[schemas.GovernanceTest]
	rules review.RuleChecker
	teams map[string][]approval.Account
	repo  *source.Repository
	cache *review.Cache
	base  source.ID
}

// prepared is a case with its commit, or with why it has none.
type prepared struct {
	index   int
	head    source.ID
	problem string
}

// teamsOf is who is in which team: of all that the governance names, those that
// are not listed have nobody.
func teamsOf(test *schemas.Document[schemas.GovernanceTest], files []schemas.File) map[string][]approval.Account {
	teams := map[string][]approval.Account{}
	platform, _ := schemas.LoadPlatform(files) // what is wrong with the files is said by the gate
	for _, team := range platform.RoleTeams() {
		teams[team] = []approval.Account{}
	}
	for team, members := range test.Value.Spec.Teams {
		list := []approval.Account{}
		for _, m := range members {
			list = append(list, account(m))
		}
		teams[strings.ToLower(team)] = list
	}
	return teams
}

// account reads LOGIN or ID+LOGIN.
func account(login string) approval.Account {
	a, err := approval.ParseAccount(login)
	if err != nil {
		return approval.Account{Login: login} // the loader refuses what ParseAccount does
	}
	return a
}

// prepare commits the working tree, and each case on top of it.
func (r *runner) prepare(ctx context.Context, dir string, files []schemas.File, match *regexp.Regexp) ([]prepared, error) {
	s, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	for _, f := range files {
		if f.Refused == "" {
			texts[f.Path] = f.Content
			s.root.put(f.Path, f.Content)
		}
	}
	if r.base, err = s.commit("the working tree"); err != nil {
		return nil, err
	}
	var all []prepared
	for i := range r.test.Value.Spec.Cases {
		c := &r.test.Value.Spec.Cases[i]
		if match != nil && !match.MatchString(c.Name) {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p := prepared{index: i}
		old, exists := texts[c.Path]
		after, problem := apply(c, old, exists)
		if p.problem = problem; problem == "" {
			if p.head, err = s.change(c.Path, old, after, c.Name); err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// apply is the file's text after the case's change, nil for a removal; or why
// there is no such change.
func apply(c *schemas.Case, old []byte, exists bool) (after []byte, problem string) {
	switch {
	case c.Content != nil:
		if exists && *c.Content == string(old) {
			return nil, c.Path + " has that content already"
		}
		return []byte(*c.Content), ""
	case !exists:
		return nil, "there is no file " + c.Path + " to change"
	case c.Remove:
		return nil, ""
	}
	after, err := c.Patch.MergeInto(old)
	if err != nil {
		return nil, fmt.Sprintf("%s cannot be patched: %v", c.Path, err)
	}
	return after, ""
}

func (r *runner) run(ctx context.Context, p prepared) (Result, error) {
	begin := time.Now()
	c := &r.test.Value.Spec.Cases[p.index]
	result := Result{Name: c.Name, File: r.test.File, Line: r.test.Position(fmt.Sprintf("spec.cases[%d]", p.index)).Line}
	if p.problem != "" {
		result.Differences = []string{p.problem}
		return result, nil
	}
	report, err := review.Evaluate(ctx, r.repo, review.Request{
		Base: r.base, Head: p.head, People: r.people(c, p.head), Now: c.At, Repository: "local", Rules: r.rules, Cache: r.cache,
	})
	if err != nil {
		return result, err
	}
	if result.Differences = compare(c.Expect, report); len(result.Differences) > 0 {
		result.Reasons = reasons(report)
	}
	result.Passed, result.Took = len(result.Differences) == 0, time.Since(begin)
	return result, nil
}

// people are the case's author and reviewers.
func (r *runner) people(c *schemas.Case, head source.ID) review.People {
	p := review.People{Author: account(c.Author), Committers: []approval.Account{account(c.Author)}, Teams: r.teams}
	for _, v := range c.Reviews {
		p.Reviews = append(p.Reviews, review.Review{
			User: v.User, Type: "User", State: string(v.State), CommitID: head.String(), SubmittedAt: c.At.Add(-time.Duration(v.Ago)),
		})
	}
	return p
}
