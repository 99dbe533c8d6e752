package github

import (
	"net/mail"
	"strconv"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

func commitOf(g *gh.RepositoryCommit) Commit {
	c := Commit{
		SHA: g.GetSHA(), Author: accountOf(g.GetAuthor()), Committer: accountOf(g.GetCommitter()),
		AuthorEmail: g.GetCommit().GetAuthor().GetEmail(), CommitterEmail: g.GetCommit().GetCommitter().GetEmail(),
		Message: g.GetCommit().GetMessage(),
	}
	for _, p := range g.Parents {
		c.Parents = append(c.Parents, p.GetSHA())
	}
	c.CoAuthors = CoAuthors(c.Message)
	return c
}

// CoAuthors reads the Co-authored-by lines of a commit message, wherever they stand: GitHub takes them from
// the last paragraph only, but a line elsewhere says as much about who took part.
func CoAuthors(message string) []CoAuthor {
	var list []CoAuthor
	for line := range strings.Lines(message) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found || !strings.EqualFold(name, "Co-authored-by") {
			continue
		}
		who := CoAuthor{Name: strings.TrimSpace(value)}
		if address, err := mail.ParseAddress(who.Name); err == nil {
			who = CoAuthor{Name: address.Name, Email: address.Address}
			who.Login, who.ID = noReplyAccount(address.Address)
		}
		list = append(list, who)
	}
	return list
}

// noReplyAccount reads the account from 123+login@users.noreply.github.com, and from the older form without a number.
func noReplyAccount(email string) (login string, id int64) {
	local, host, found := strings.Cut(strings.ToLower(email), "@")
	if !found || host != "users.noreply.github.com" {
		return "", 0
	}
	number, login, numbered := strings.Cut(local, "+")
	if !numbered {
		return local, 0
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id < 1 {
		return "", 0 // none of GitHub's own
	}
	return login, id
}
