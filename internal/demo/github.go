package demo

import (
	"context"
	"fmt"
	"time"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// Logins in the demo's world.
const (
	Bot       = "mooring-bot"
	Admin     = "octo-admin"
	Author    = "dana"
	Chair     = "octo-vp"
	Architect = "ada"
	Senior    = "sam"
	Legal     = "lea"
)

// Board is a quorum of the example's change advisory board, the chair last.
var Board = []string{Architect, Senior, Legal, Chair}

// teams of the example's governance and who belongs to them.
var teams = map[string][]string{
	"ds-leads":      {"octo-lead"},
	"ml-managers":   {"max"},
	"senior-ds":     {Senior},
	"ml-architects": {Architect},
	"product":       {"pia"},
	"legal":         {Legal},
	"security":      {"sid"},
	"platform":      {Admin},
}

// startGitHub makes the organisation, its people and the model repository.
func (w *World) startGitHub(ctx context.Context) error {
	server, err := githubtest.New(githubtest.Options{Clock: w.Clock})
	if err != nil {
		return fmt.Errorf("start the GitHub server: %w", err)
	}
	w.GitHub = server
	logins := []string{Bot, Admin, Author, Chair}
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
		if login != Bot { // who look on all the time, as nobody does at GitHub
			server.SetRateLimit(person.Token, 1<<30, time.Now().Add(24*time.Hour))
		}
	}
	if err := server.CreateOrg("acme", Admin); err != nil {
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
	w.progress("GitHub serves on %s", server.URL())
	return w.createRepository(ctx)
}

func (w *World) createRepository(ctx context.Context) error {
	err := w.GitHub.CreateRepo(FullName, githubtest.Repo{Dir: w.Example, Message: "Start the model repository"})
	if err != nil {
		return fmt.Errorf("create the model repository: %w", err)
	}
	for login := range w.People {
		permission := githubtest.Write
		if login == Admin {
			permission = githubtest.Admin
		}
		if err := w.GitHub.Grant(FullName, login, permission); err != nil {
			return fmt.Errorf("let %s into the model repository: %w", login, err)
		}
	}
	if w.Trusted, err = w.GitHub.Head(FullName, "main"); err != nil {
		return fmt.Errorf("read the branch: %w", err)
	}
	return w.People[Admin].Protect(ctx, FullName, "main", false, "mooring")
}
