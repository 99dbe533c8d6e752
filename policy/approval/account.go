package approval

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Account is somebody on GitHub. A login can be given up and taken by somebody
// else; the id stays with the person.
type Account struct {
	Login string
	// ID is GitHub's number of the account; 0: not known.
	ID int64
}

var numbered = regexp.MustCompile(`^([0-9]+)\+(.+)$`)

// ParseAccount reads LOGIN or ID+LOGIN, as in GitHub's own addresses. An empty
// text is nobody.
func ParseAccount(s string) (Account, error) {
	parts := numbered.FindStringSubmatch(s)
	if parts == nil {
		return Account{Login: s}, nil
	}
	id, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || id == 0 {
		return Account{}, fmt.Errorf("%q is no account: write LOGIN, or ID+LOGIN with GitHub's number of the account", s)
	}
	return Account{Login: parts[2], ID: id}, nil
}

// String writes what ParseAccount reads.
func (a Account) String() string {
	if a.ID == 0 {
		return a.Login
	}
	return strconv.FormatInt(a.ID, 10) + "+" + a.Login
}

// MarshalText writes the account as a text.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (a *Account) UnmarshalText(text []byte) error {
	var err error
	*a, err = ParseAccount(string(text))
	return err
}

// Same reports whether two accounts are of one person: by their ids where both
// are known, else by login, in which case does not matter.
func (a Account) Same(b Account) bool {
	if a.ID != 0 && b.ID != 0 {
		return a.ID == b.ID
	}
	return fold(a.Login) == fold(b.Login)
}

func fold(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// identity is an account after the directory has been asked for its id, so that
// two of them are of one person exactly if they are equal.
type identity struct {
	id    int64
	login string // empty where the id is known
}

// directory knows the id of each login of one snapshot of GitHub.
type directory map[string]int64

// directoryOf gathers the logins of everybody whom GitHub names. It errs where
// one login has two ids: the answers were given before and after a rename, and
// nobody could say who approved. Co-authors and the governance are left out:
// what people wrote down may be of an older day.
func directoryOf(in Input) (directory, error) {
	d := directory{}
	if err := d.add(append([]Account{in.Author}, in.Committers...)...); err != nil {
		return nil, err
	}
	for _, r := range in.Reviews {
		if err := d.add(r.User); err != nil {
			return nil, err
		}
	}
	for _, members := range in.Members {
		if err := d.add(members...); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d directory) add(accounts ...Account) error {
	for _, a := range accounts {
		if a.ID == 0 || a.Login == "" {
			continue
		}
		if id, known := d[fold(a.Login)]; known && id != a.ID {
			return fmt.Errorf("the login %s stands for two accounts, %d and %d: it changed hands while GitHub was asked, and is judged again",
				a.Login, min(id, a.ID), max(id, a.ID))
		}
		d[fold(a.Login)] = a.ID
	}
	return nil
}

func (d directory) identify(a Account) identity {
	if a.ID == 0 {
		a.ID = d[fold(a.Login)]
	}
	if a.ID != 0 {
		return identity{id: a.ID}
	}
	return identity{login: fold(a.Login)}
}

// crowd is a set of people.
type crowd map[identity]bool

func (d directory) crowdOf(accounts []Account) crowd {
	c := make(crowd, len(accounts))
	for _, a := range accounts {
		d.enter(c, a)
	}
	return c
}

// enter adds a person. An account that is written down with an id, and of whose
// login GitHub has not told the id, is also whoever is known by that login
// alone.
func (d directory) enter(c crowd, a Account) {
	c[d.identify(a)] = true
	if _, known := d[fold(a.Login)]; a.ID != 0 && !known {
		c[identity{login: fold(a.Login)}] = true
	}
}
