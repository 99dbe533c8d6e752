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
// the last paragraph only, but a line elsewhere says as much about who took part. A line that begins with a
// blank continues the one above it.
func CoAuthors(message string) []CoAuthor {
	var values []string
	open := false // the line before is of a co-author
	for line := range strings.Lines(message) {
		text := strings.TrimSpace(line)
		name, value, found := strings.Cut(text, ":")
		switch {
		case found && strings.EqualFold(strings.TrimSpace(name), "Co-authored-by"):
			values, open = append(values, value), true
		case open && text != "" && strings.TrimLeft(line, " \t") != line:
			values[len(values)-1] += " " + text
		default:
			open = false
		}
	}
	list := make([]CoAuthor, 0, len(values))
	for _, value := range values {
		list = append(list, coAuthor(strings.TrimSpace(value)))
	}
	return list
}

// coAuthor reads "Name <address>". The address is what stands in the brackets, as Git reads a person: a name
// with a comma or brackets is none to a parser of mail.
func coAuthor(value string) CoAuthor {
	name, rest, bracketed := strings.Cut(value, "<")
	who := CoAuthor{Name: strings.TrimSpace(name)}
	if bracketed {
		address, _, _ := strings.Cut(rest, ">")
		who.Email = strings.TrimSpace(address)
	} else if address, err := mail.ParseAddress(value); err == nil { // nothing but an address
		who = CoAuthor{Email: address.Address}
	}
	who.Login, who.ID = noReplyAccount(who.Email)
	return who
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
