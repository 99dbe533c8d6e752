package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// opinion is a review as the forge keeps it.
type opinion struct {
	user, state string
	commit      id
	at          int
}

// pull is a pull request. Its clock counts what happened to it, so that equal
// histories at other times are equal.
type pull struct {
	number  int
	author  string
	head    id
	open    bool
	merged  bool
	clock   int
	reviews []opinion
	// Of a merged one: when, from where, what it put on the branch, and what the
	// oracle said of it at that moment.
	mergedAt int
	from     id
	landed   []id
	then     judgement
}

func (p *pull) clone() *pull {
	c := *p
	c.reviews = slices.Clone(p.reviews)
	return &c
}

// state is the whole of a moment: the branch, the pull requests, and what the
// controller has made of them.
type state struct {
	tip   id
	pulls []*pull
	// forced: the branch was once moved otherwise than forward; foul: other rules
	// than the trusted ones once stood on it.
	forced, foul bool

	ledger   release.Ledger
	revision id
	known    map[id]release.Step
}

func (s *state) clone() *state {
	c := *s
	c.pulls = slices.Clone(s.pulls)
	for i, p := range c.pulls {
		c.pulls[i] = p.clone()
	}
	c.known = maps.Clone(s.known)
	return &c
}

// current is the latest pull request; nil where there is none.
func (s *state) current() *pull {
	if len(s.pulls) == 0 {
		return nil
	}
	return s.pulls[len(s.pulls)-1]
}

// event of a pull request happens at a time of its own.
func (p *pull) event() int { p.clock++; return p.clock }

// when is a pull request's event in the forge's time.
func when(event int) time.Time { return longAgo.Add(time.Hour + time.Duration(event)*time.Minute) }

// key is equal for states that behave the same from now on.
func (s *state) key() string {
	var b strings.Builder
	fmt.Fprint(&b, s.tip, s.revision, s.forced, s.foul, s.pullsKey(), s.knownKey())
	for _, path := range slices.Sorted(maps.Keys(s.ledger.Approved)) {
		a := s.ledger.Approved[path]
		fmt.Fprint(&b, "|", path, a.Blob, a.Commit, a.PullRequest, a.By)
	}
	for _, path := range slices.Sorted(maps.Keys(s.ledger.Quarantined)) {
		q := s.ledger.Quarantined[path]
		fmt.Fprint(&b, "|", path, q.Blob, q.Commit)
	}
	return b.String()
}

func (s *state) pullsKey() string {
	var b strings.Builder
	for _, p := range s.pulls {
		fmt.Fprint(&b, p.key(), p.open)
	}
	return b.String()
}

// key leaves out the times but for their order.
func (p *pull) key() string {
	var b strings.Builder
	fmt.Fprint(&b, "|", p.number, p.head, p.merged, p.from, p.landed, p.then.verdict)
	for _, r := range p.reviews {
		fmt.Fprint(&b, ",", r.user, r.state, r.commit, p.merged && r.at > p.mergedAt)
	}
	return b.String()
}

func (s *state) knownKey() string {
	var b strings.Builder
	for _, c := range slices.Sorted(maps.Keys(s.known)) {
		fmt.Fprint(&b, "|", c, s.known[c].Commits)
	}
	return b.String()
}

// rulesKey is which governing files stand approved.
func (s *state) rulesKey() string {
	rules := s.ledger.Rules()
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		fmt.Fprint(&b, "|", path, rules[path].Blob)
	}
	return b.String()
}

// restart is another process with the ledger that the receipts hold.
func (s *state) restart() error {
	s.known = nil
	stored, err := json.Marshal(struct {
		A map[string]schemas.ApprovedFile
		Q map[string]schemas.QuarantinedFile
	}{s.ledger.Approved, s.ledger.Quarantined})
	if err != nil {
		return err
	}
	var read struct {
		A map[string]schemas.ApprovedFile
		Q map[string]schemas.QuarantinedFile
	}
	err = json.Unmarshal(stored, &read)
	s.ledger = release.Ledger{Approved: read.A, Quarantined: read.Q}
	return err
}
