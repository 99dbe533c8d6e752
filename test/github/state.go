package githubtest

import (
	"sort"
	"time"
)

// Permission is what somebody may do in a repository.
type Permission int

// The permissions, each including those before it.
const (
	None Permission = iota
	Read
	Write
	Admin
)

func (p Permission) String() string {
	return [...]string{"none", "read", "write", "admin"}[p]
}

// account is a person, a bot or an organisation.
type account struct {
	id      int64
	login   string
	name    string
	email   string
	others  []string // further addresses
	kind    string   // User, Bot or Organization
	created time.Time
	org     *org // set for organisations
}

type org struct {
	owners  map[int64]bool
	members map[int64]*account // owners too
	teams   map[string]*team   // by slug
}

type team struct {
	id      int64
	org     *account
	slug    string
	name    string
	parent  *team
	secret  bool
	members map[int64]*account
	created time.Time
}

// everyone lists the members of the team and of its child teams, as GitHub's listing does.
func (t *team) everyone() []*account {
	all := map[int64]*account{}
	for _, u := range t.org.org.teams {
		if u.within(t) {
			for id, m := range u.members {
				all[id] = m
			}
		}
	}
	return byID(all)
}

func (t *team) within(ancestor *team) bool {
	for u := t; u != nil; u = u.parent {
		if u == ancestor {
			return true
		}
	}
	return false
}

func byID(set map[int64]*account) []*account {
	list := make([]*account, 0, len(set))
	for _, a := range set {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].id < list[j].id })
	return list
}

type repo struct {
	id            int64
	owner         *account
	name          string
	git           gitRepo
	public        bool
	parent        *repo // set for forks
	defaultBranch string
	access        map[int64]Permission // by account
	teamAccess    map[int64]Permission // by team
	pulls         map[int]*pull
	nextNumber    int
	statuses      map[string][]*status // by commit, oldest first
	protection    map[string]*protection
	queue         []*queued // of all branches, the next first
	webhooks      []*webhook
	created       time.Time
	pushed        time.Time
	deleted       bool
}

func (r *repo) fullName() string { return r.owner.login + "/" + r.name }

type pull struct {
	id             int64
	number         int
	repo           *repo
	author         *account
	title          string
	body           string
	draft          bool
	open           bool
	headRepo       *repo
	headOwner      *account
	headRef        string
	headSHA        string
	baseRef        string
	baseSHA        string
	created        time.Time
	updated        time.Time
	closed         time.Time
	merged         time.Time
	mergedBy       *account
	mergeCommitSHA string
	mergeability   mergeability
	landed         []string // the commits that its merge put on the base branch
	diff           pullDiff
	reviews        []*review
	comments       []*comment
	timeline       []timelineEvent
}

// timelineEvent is one of what happened to a pull request, by GraphQL's name for it.
type timelineEvent struct {
	kind string
	at   time.Time
}

// mergeability is GitHub's background computation for one pair of base and head.
type mergeability struct {
	base, head string
	clean      bool
}

// pullDiff is what lies between base and head, kept because every page of a list needs it.
type pullDiff struct {
	base, head string
	files      []fileChange
	commits    []gitCommit
}

type review struct {
	id        int64
	user      *account
	body      string
	state     string
	commitID  string
	submitted time.Time
	edits     []reviewEdit // the first, once there is any, is of its making
}

type reviewEdit struct {
	by *account
	at time.Time
}

type comment struct {
	id      int64
	user    *account
	body    string
	created time.Time
	updated time.Time
}

type status struct {
	id          int64
	creator     *account
	state       string
	context     string
	description *string
	targetURL   *string
	created     time.Time
}

type protection struct {
	contexts      []string
	strict        bool
	enforceAdmins bool
}

// app is a GitHub App: a bot account with a key.
type app struct {
	id      int64
	slug    string
	bot     *account
	owner   *account
	key     publicKey
	created time.Time
}

// installation is an App in one account, with what it may do there.
type installation struct {
	id          int64
	app         *app
	account     *account
	permissions map[string]string // "statuses" → "write"
	created     time.Time
}

// permission is the highest that any of the account's ways into the repository gives.
func (r *repo) permission(a *account) Permission {
	best := r.access[a.id]
	if r.public {
		best = max(best, Read)
	}
	if a.id == r.owner.id {
		return Admin
	}
	o := r.owner.org
	if o == nil {
		return best
	}
	if o.owners[a.id] {
		return Admin
	}
	if o.members[a.id] != nil {
		best = max(best, Read)
	}
	for _, t := range o.teams {
		if p := r.teamAccess[t.id]; p > best && contains(t.everyone(), a) {
			best = p
		}
	}
	return best
}

func contains(list []*account, a *account) bool {
	for _, m := range list {
		if m.id == a.id {
			return true
		}
	}
	return false
}
