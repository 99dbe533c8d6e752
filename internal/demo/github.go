package demo

import (
	"context"
	"fmt"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// Logins in the demo's world.
const (
	bot       = "mooring-bot"
	admin     = "octo-admin"
	author    = "dana"
	chair     = "octo-vp"
	architect = "ada"
	senior    = "sam"
	legal     = "lea"
)

// teams of the example's governance and who belongs to them.
var teams = map[string][]string{
	"ds-leads":      {"octo-lead"},
	"ml-managers":   {"max"},
	"senior-ds":     {senior},
	"ml-architects": {architect},
	"product":       {"pia"},
	"legal":         {legal},
	"security":      {"sid"},
	"platform":      {admin},
}

// startGitHub makes the organisation, its people and the model repository.
func (w *World) startGitHub(ctx context.Context) error {
	server, err := githubtest.New(githubtest.Options{})
	if err != nil {
		return fmt.Errorf("start the GitHub server: %w", err)
	}
	w.GitHub = server
	logins := []string{bot, admin, author, chair}
	for _, members := range teams {
		logins = append(logins, members...)
	}
	for _, login := range logins {
		if w.People[login] != nil {
			continue
		}
		person, err := server.CreateUser(login)
		if err != nil {
			return fmt.Errorf("create the user %s: %w", login, err)
		}
		w.People[login] = person
	}
	if err := server.CreateOrg("acme", admin); err != nil {
		return fmt.Errorf("create the organisation: %w", err)
	}
	for login := range w.People {
		if err := server.AddMember("acme", login); err != nil {
			return fmt.Errorf("add %s to the organisation: %w", login, err)
		}
	}
	for slug, members := range teams {
		if err := server.CreateTeam("acme", githubtest.Team{Slug: slug, Members: members}); err != nil {
			return fmt.Errorf("create the team %s: %w", slug, err)
		}
	}
	return w.createRepository(ctx)
}

func (w *World) createRepository(ctx context.Context) error {
	err := w.GitHub.CreateRepo(FullName, githubtest.Repo{Dir: w.Example, Message: "Start the model repository"})
	if err != nil {
		return fmt.Errorf("create the model repository: %w", err)
	}
	for login := range w.People {
		permission := githubtest.Write
		if login == admin {
			permission = githubtest.Admin
		}
		if err := w.GitHub.Grant(FullName, login, permission); err != nil {
			return fmt.Errorf("let %s into the model repository: %w", login, err)
		}
	}
	if w.Trusted, err = w.GitHub.Head(FullName, "main"); err != nil {
		return fmt.Errorf("read the branch: %w", err)
	}
	return w.People[admin].Protect(ctx, FullName, "main", false, "mooring")
}
