package review

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// webFlow is the account with which GitHub commits what is edited or merged on
// its pages; it stands for no person. Its address is public, so anybody can
// commit under it: as a committer it says nothing, as an author it hides one.
const webFlow = "web-flow"

func isWebFlow(login string) bool { return strings.EqualFold(login, webFlow) }

// GatherPeople asks the forge who wrote a pull request, who reviewed it and who
// belongs to the teams that the governance names. The cache may be nil.
func GatherPeople(ctx context.Context, forge Forge, repo *source.Repository, cache *Cache, pr PullRequest, base source.ID) (People, error) {
	people := People{
		Author: Account{Login: pr.Author, ID: pr.AuthorID}, Teams: map[string][]Account{}, TeamErrors: map[string]string{},
	}
	var err error
	if people.Reviews, err = forge.Reviews(ctx, pr.Number); err != nil {
		return people, fmt.Errorf("list the reviews of #%d: %w", pr.Number, err)
	}
	if people.FilesTruncated, err = forge.FilesTruncated(ctx, pr.Number); err != nil {
		return people, fmt.Errorf("list the files of #%d: %w", pr.Number, err)
	}
	if err := gatherAuthors(ctx, forge, repo, pr, base, &people); err != nil {
		return people, err
	}
	if people.Requested, err = readySince(ctx, forge, pr); err != nil {
		return people, err
	}
	teams, err := governingTeams(ctx, newReader(repo, cache), base)
	if err != nil {
		return people, err
	}
	for _, team := range teams {
		members, err := forge.TeamMembers(ctx, team)
		if err != nil {
			// The team stays unknown: it is an Error where its seat is needed, and
			// harms nobody elsewhere.
			people.TeamErrors[team] = Steady(err)
			if errors.Is(err, ErrLimited) {
				people.limited = err
			}
			continue
		}
		people.Teams[team] = members
	}
	return people, nil
}

// reviewedBy is a time by which all reviews were given. A review is as of the
// forge's clock: to one that is behind it, what was asked for a moment ago would
// not have been said yet, be it a request for changes.
func (p People) reviewedBy(at time.Time) time.Time {
	for _, r := range p.Reviews {
		if r.SubmittedAt.After(at) {
			at = r.SubmittedAt
		}
	}
	return at
}

// gatherAuthors names everybody who has a hand in the content: authors,
// committers and co-authors of the pull request's own commits.
func gatherAuthors(ctx context.Context, forge Forge, repo *source.Repository, pr PullRequest, base source.ID, people *People) error {
	own, err := repo.Commits(ctx, base, pr.Head)
	if err != nil {
		return fmt.Errorf("list the commits of #%d: %w", pr.Number, err)
	}
	listed, err := forge.Commits(ctx, pr.Number)
	if err != nil {
		return fmt.Errorf("list the commits of #%d: %w", pr.Number, err)
	}
	people.FilesTruncated = people.FilesTruncated || own.Truncated || listed.Truncated
	attributed, byEmail := map[source.ID]AttributedCommit{}, map[string]Account{}
	for _, c := range listed.Commits {
		attributed[c.ID] = c
		byEmail[strings.ToLower(c.AuthorEmail)] = c.author()
		byEmail[strings.ToLower(c.CommitterEmail)] = c.committer()
	}
	for _, c := range listed.Commits {
		for _, p := range c.CoAuthors {
			account := Account{Login: p.Login, ID: p.ID}
			people.CoAuthors = appendAccount(people.CoAuthors, account)
			if account.Login != "" {
				byEmail[strings.ToLower(p.Email)] = account
			}
		}
	}
	for _, c := range own.Commits {
		a := attributed[c.ID]
		if a.Author == "" || a.Committer == "" || isWebFlow(a.Author) {
			people.Unattributed = append(people.Unattributed, c.ID.Short())
		}
		people.Committers = appendAccount(people.Committers, a.author(), a.committer())
		for _, p := range c.CoAuthors {
			account := accountOf(p.Email, byEmail)
			if account.Login == "" || isWebFlow(account.Login) {
				people.unknown = appendText(people.unknown, cmp.Or(p.Email, p.Name))
			}
			people.CoAuthors = appendAccount(people.CoAuthors, account)
		}
	}
	return nil
}

func (c AttributedCommit) author() Account    { return Account{Login: c.Author, ID: c.AuthorID} }
func (c AttributedCommit) committer() Account { return Account{Login: c.Committer, ID: c.CommitterID} }

// noreply is the address that GitHub gives an account: ID+login@… or login@….
var noreply = regexp.MustCompile(`(?i)^((?:\d+\+)?[a-z0-9_-]+(?:\[bot\])?)@users\.noreply\.github\.com$`)

func accountOf(email string, byEmail map[string]Account) Account {
	if m := noreply.FindStringSubmatch(email); m != nil {
		if a, err := approval.ParseAccount(m[1]); err == nil {
			return a
		}
	}
	return byEmail[strings.ToLower(email)]
}

func appendText(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

func appendAccount(list []Account, accounts ...Account) []Account {
	for _, a := range accounts {
		if a.Login != "" && !isWebFlow(a.Login) && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// governingTeams lists the teams that any role at the base names.
func governingTeams(ctx context.Context, r *reader, base source.ID) ([]string, error) {
	tree, err := r.tree(ctx, base)
	if err != nil {
		return nil, fmt.Errorf("read the base %s: %w", base.Short(), err)
	}
	w, err := r.world(ctx, tree)
	if err != nil {
		return nil, fmt.Errorf("read the governing files at %s: %w", base.Short(), err)
	}
	return w.Platform.RoleTeams(), nil
}
