package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// The methods here build the world as a site administrator would; what people do in it goes through Person.

func (s *Server) newAccount(login, kind string) (*account, error) {
	if login == "" || s.accounts[key(login)] != nil {
		return nil, fmt.Errorf("the login %q is taken or empty", login)
	}
	a := &account{id: s.id(), login: login, name: login, kind: kind, created: s.now()}
	a.email = fmt.Sprintf("%d+%s@users.noreply.github.com", a.id, login)
	s.accounts[key(login)] = a
	return a, nil
}

// CreateUser makes a person and their token.
func (s *Server) CreateUser(login string) (*Person, error) { return s.createUser(login, "User") }

// CreateBot makes an account of type Bot, without an App behind it.
func (s *Server) CreateBot(login string) (*Person, error) { return s.createUser(login, "Bot") }

func (s *Server) createUser(login, kind string) (*Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.newAccount(login, kind)
	if err != nil {
		return nil, err
	}
	token, err := newToken("ghp_")
	if err != nil {
		return nil, err
	}
	s.tokens[token] = principal{token: token, user: a}
	return &Person{Login: login, ID: a.id, Email: a.email, Token: token, s: s}, nil
}

// Rename gives an account another name; an App's bot is renamed with the App. The old name is free then.
func (s *Server) Rename(login, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.account(login)
	if err != nil {
		return err
	}
	if s.accounts[key(to)] != nil {
		return fmt.Errorf("the name %q is taken", to)
	}
	for _, app := range s.apps {
		if app.bot == a {
			app.slug = strings.TrimSuffix(to, "[bot]")
		}
	}
	delete(s.accounts, key(login))
	a.login = to
	s.accounts[key(to)] = a
	return nil
}

// AddEmail gives a person a further address, as they would in their settings.
func (s *Server) AddEmail(login, email string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.account(login)
	if err != nil {
		return err
	}
	a.others = append(a.others, email)
	return nil
}

// Revoke makes a token worthless.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// CreateOrg makes an organisation with its owners.
func (s *Server) CreateOrg(login string, owners ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.newAccount(login, "Organization")
	if err != nil {
		return err
	}
	a.email = ""
	a.org = &org{owners: map[int64]bool{}, members: map[int64]*account{}, teams: map[string]*team{}}
	for _, owner := range owners {
		o, err := s.account(owner)
		if err != nil {
			return err
		}
		a.org.owners[o.id], a.org.members[o.id] = true, o
	}
	return nil
}

func (s *Server) account(login string) (*account, error) {
	if a := s.accounts[key(login)]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("there is no account %q", login)
}

func (s *Server) organisation(login string) (*account, error) {
	a, err := s.account(login)
	if err == nil && a.org == nil {
		err = fmt.Errorf("%s is no organisation", login)
	}
	return a, err
}

// AddMember makes people members of an organisation, which lets them read its repositories.
func (s *Server) AddMember(orgLogin string, logins ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.organisation(orgLogin)
	if err != nil {
		return err
	}
	for _, login := range logins {
		a, err := s.account(login)
		if err != nil {
			return err
		}
		o.org.members[a.id] = a
	}
	return nil
}

// Team describes a new team.
type Team struct {
	Slug    string
	Parent  string // the parent's slug
	Secret  bool   // seen by its members and the organisation's owners only
	Members []string
}

// CreateTeam makes a team; its members become members of the organisation too.
func (s *Server) CreateTeam(orgLogin string, t Team) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.organisation(orgLogin)
	if err != nil {
		return err
	}
	slug := strings.ToLower(t.Slug)
	if slug == "" || o.org.teams[slug] != nil {
		return fmt.Errorf("the team %q of %s exists or has no name", t.Slug, orgLogin)
	}
	made := &team{id: s.id(), org: o, slug: slug, name: t.Slug, secret: t.Secret, members: map[int64]*account{}, created: s.now()}
	if t.Parent != "" {
		if made.parent = o.org.teams[strings.ToLower(t.Parent)]; made.parent == nil {
			return fmt.Errorf("%s has no team %q", orgLogin, t.Parent)
		}
	}
	for _, login := range t.Members {
		a, err := s.account(login)
		if err != nil {
			return err
		}
		made.members[a.id], o.org.members[a.id] = a, a
	}
	o.org.teams[slug] = made
	return nil
}

// RemoveFromTeam takes people out of a team.
func (s *Server) RemoveFromTeam(orgLogin, slug string, logins ...string) error {
	return s.changeTeam(orgLogin, slug, logins, func(t *team, a *account) { delete(t.members, a.id) })
}

// AddToTeam puts people into a team.
func (s *Server) AddToTeam(orgLogin, slug string, logins ...string) error {
	return s.changeTeam(orgLogin, slug, logins, func(t *team, a *account) {
		t.members[a.id], t.org.org.members[a.id] = a, a
	})
}

func (s *Server) changeTeam(orgLogin, slug string, logins []string, change func(*team, *account)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.organisation(orgLogin)
	if err != nil {
		return err
	}
	t := o.org.teams[strings.ToLower(slug)]
	if t == nil {
		return fmt.Errorf("%s has no team %q", orgLogin, slug)
	}
	for _, login := range logins {
		a, err := s.account(login)
		if err != nil {
			return err
		}
		change(t, a)
	}
	return nil
}

// Repo describes a new repository.
type Repo struct {
	Dir           string // whose files are the first commit; empty for a README alone
	Files         map[string][]byte
	Public        bool
	DefaultBranch string // main when empty
	Message       string // of the first commit
}

// CreateRepo makes "owner/name" with one commit by the owner, or by the organisation's first owner.
func (s *Server) CreateRepo(fullName string, in Repo) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.newRepo(fullName, in)
	if err != nil {
		return err
	}
	files := in.Files
	if in.Dir != "" {
		if files, err = readDir(in.Dir); err != nil {
			return fmt.Errorf("read the repository's first content: %w", err)
		}
	}
	if len(files) == 0 {
		files = map[string][]byte{"README.md": []byte("# " + r.name + "\n")}
	}
	message := in.Message
	if message == "" {
		message = "Initial commit"
	}
	by := r.owner
	if r.owner.org != nil {
		for _, m := range byID(r.owner.org.members) {
			if r.owner.org.owners[m.id] {
				by = m
				break
			}
		}
	}
	who := signature{by.name, by.email, s.now()}
	sha, err := r.git.commitFiles("", message, who, who, files)
	if err != nil {
		return err
	}
	return r.git.setRef("refs/heads/"+r.defaultBranch, sha)
}

func (s *Server) newRepo(fullName string, in Repo) (*repo, error) {
	login, name, ok := strings.Cut(fullName, "/")
	if !ok || name == "" || strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("%q is not owner/name", fullName)
	}
	if s.repos[key(fullName)] != nil {
		return nil, fmt.Errorf("the repository %s exists", fullName)
	}
	owner, err := s.account(login)
	if err != nil {
		return nil, err
	}
	if in.DefaultBranch == "" {
		in.DefaultBranch = "main"
	}
	r := &repo{
		id: s.id(), owner: owner, name: name, public: in.Public, defaultBranch: in.DefaultBranch,
		access: map[int64]Permission{}, teamAccess: map[int64]Permission{}, pulls: map[int]*pull{}, nextNumber: 1,
		statuses: map[string][]*status{}, protection: map[string]*protection{}, created: s.now(), pushed: s.now(),
	}
	if r.git, err = initRepo(filepath.Join(s.dir, owner.login, name+".git"), r.defaultBranch); err != nil {
		return nil, err
	}
	s.repos[key(fullName)] = r
	return r, nil
}

func (s *Server) repository(fullName string) (*repo, error) {
	if r := s.repos[key(fullName)]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("there is no repository %s", fullName)
}

// Fork copies a repository to a person's account and gives its name.
func (s *Server) Fork(fullName, login string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent, err := s.repository(fullName)
	if err != nil {
		return "", err
	}
	r, err := s.newRepo(login+"/"+parent.name, Repo{Public: parent.public, DefaultBranch: parent.defaultBranch})
	if err != nil {
		return "", err
	}
	r.parent = parent
	_, err = r.git.run("fetch", "--quiet", parent.git.dir, "+refs/heads/*:refs/heads/*")
	return r.fullName(), err
}

// Grant gives a person, bot or team ("org/slug") a permission in a repository.
func (s *Server) Grant(fullName, who string, p Permission) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return err
	}
	if orgLogin, slug, isTeam := strings.Cut(who, "/"); isTeam {
		o, err := s.organisation(orgLogin)
		if err != nil {
			return err
		}
		t := o.org.teams[strings.ToLower(slug)]
		if t == nil {
			return fmt.Errorf("%s has no team %q", orgLogin, slug)
		}
		r.teamAccess[t.id] = p
		return nil
	}
	a, err := s.account(who)
	if err != nil {
		return err
	}
	r.access[a.id] = p
	return nil
}

// App is a GitHub App with its key, installed in one account.
type App struct {
	ID, InstallationID int64
	Slug, Login        string // the login is slug[bot]
	PrivateKeyPEM      []byte
}

// CreateApp registers an App and installs it in an account. Without permissions it gets those that Mooring asks for.
func (s *Server) CreateApp(slug, accountLogin string, permissions map[string]string) (*App, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the App's key: %w", err)
	}
	if permissions == nil {
		permissions = map[string]string{
			"metadata": "read", "contents": "write", "pull_requests": "write", "statuses": "write", "members": "read",
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.account(accountLogin)
	if err != nil {
		return nil, err
	}
	bot, err := s.newAccount(slug+"[bot]", "Bot")
	if err != nil {
		return nil, err
	}
	a := &app{id: s.id(), slug: slug, bot: bot, owner: target, key: &private.PublicKey, created: s.now()}
	in := &installation{id: s.id(), app: a, account: target, permissions: permissions, created: s.now()}
	s.apps[a.id], s.installations[in.id] = a, in
	return &App{
		ID: a.id, InstallationID: in.id, Slug: slug, Login: bot.login,
		PrivateKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}),
	}, nil
}

// RevokeInstallationTokens ends every token that was given to an App's installation.
func (s *Server) RevokeInstallationTokens(installationID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, p := range s.tokens {
		if p.installation != nil && p.installation.id == installationID {
			delete(s.tokens, token)
		}
	}
}

// CollectGarbage throws away the commits that no reference leads to. GitHub keeps them for as long as it
// likes, and gives them out by their ids until then.
func (s *Server) CollectGarbage(fullName string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return err
	}
	_, err = r.git.run("gc", "--quiet", "--prune=now")
	return err
}

// ForcePush points a branch anywhere, past every protection, as somebody with the site's keys could.
func (s *Server) ForcePush(fullName, branch, sha, login string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return err
	}
	by, err := s.account(login)
	if err != nil {
		return err
	}
	ref := "refs/heads/" + branch
	before, err := r.git.resolve(ref)
	if err != nil {
		return err
	}
	after, err := r.git.resolve(sha)
	if err != nil {
		return err
	}
	if after == "" {
		return errors.New("there is no commit " + sha)
	}
	if before == "" {
		before = zeroSHA
	}
	if err := r.git.setRef(ref, after); err != nil {
		return err
	}
	return s.branchMoved(r, refUpdate{ref, before, after}, by)
}

// Head gives the commit of a branch, "" when there is none.
func (s *Server) Head(fullName, branch string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(fullName)
	if err != nil {
		return "", err
	}
	return r.git.resolve("refs/heads/" + branch)
}
