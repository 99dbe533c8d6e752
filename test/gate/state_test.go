package gate

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
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
	// forced: the branch was once moved otherwise than forward along first parents; foul: other rules
	// than the trusted ones once stood on it.
	forced, foul bool
	// back: an approval gave way to that of a pull request merged before.
	back bool

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

// when is a pull request's event in the forge's time. When it was merged does not
// depend on how much happened before, so that alike merges stay alike.
func (p *pull) when(event int) time.Time {
	return longAgo.Add(time.Duration(p.number)*30*time.Minute + time.Duration(event-p.mergedAt)*time.Second)
}

// key is equal for states that behave the same from now on. It is asked of every
// state, and so written without fmt.
func (s *state) key() [sha256.Size]byte {
	b := make(key, 0, 2048)
	b.add(string(s.tip), string(s.revision))
	b.flags(s.forced, s.foul)
	for _, p := range s.pulls {
		p.key(&b)
	}
	for _, c := range slices.Sorted(maps.Keys(s.known)) {
		b.add("known", string(c), strconv.Itoa(s.known[c].Commits))
	}
	for _, path := range slices.Sorted(maps.Keys(s.ledger.Approved)) {
		a := s.ledger.Approved[path]
		b.add("approved", path, a.Blob, a.Replaced, a.Commit, a.Head, a.Before, a.Digest, strconv.Itoa(a.PullRequest))
		for _, by := range a.By {
			b.add(by.Role, by.Login)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(s.ledger.Quarantined)) {
		q := s.ledger.Quarantined[path]
		b.add("quarantined", path, q.Blob, q.Commit)
	}
	return sha256.Sum256(b)
}

// key leaves out the times but for their order.
func (p *pull) key(b *key) {
	b.add("pull", strconv.Itoa(p.number), string(p.head), string(p.from), string(p.then.verdict))
	b.flags(p.open, p.merged)
	for _, c := range p.landed {
		b.add(string(c))
	}
	b.add("counting")
	for _, login := range slices.Sorted(maps.Keys(p.then.counting)) {
		b.add(login)
	}
	b.add("reviews")
	for _, r := range p.reviews {
		b.add(r.user, r.state, string(r.commit))
		b.flags(p.merged && r.at > p.mergedAt)
	}
}

// key grows by texts, each with its end, and by flags.
type key []byte

func (k *key) add(texts ...string) {
	for _, text := range texts {
		*k = append(append(*k, text...), 0)
	}
}

func (k *key) flags(flags ...bool) {
	for _, f := range flags {
		if f {
			*k = append(*k, '+')
		} else {
			*k = append(*k, '-')
		}
	}
}

// standingKey is what stands approved of the manifest, and where in the commits
// since the last look that was brought.
func (s *state) standingKey(w *world) []string {
	a := s.ledger.Approved[manifestPath]
	since := w.between(w.mergeBase(s.revision, s.tip), s.tip)
	return []string{a.Blob, a.Replaced, strconv.Itoa(a.PullRequest), strconv.Itoa(slices.Index(since, id(a.Commit)))}
}

// rulesKey is which governing files stand approved.
func (s *state) rulesKey() string {
	rules := s.ledger.Rules()
	var b key
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		b.add(path, rules[path].Blob)
	}
	return string(b)
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
