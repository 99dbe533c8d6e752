package gate

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// likeness is equal for questions that have the same answer.
type likeness = [sha256.Size]byte

// renaming tells of commits in terms of others: each by that which has its place.
type renaming map[id]id

func rename(from, to []id) renaming {
	other := make(renaming, len(from))
	for i, c := range from {
		other[c] = to[i]
	}
	return other
}

func (r renaming) commit(c id) id {
	if _, known := r[c]; !known {
		panic("a look named the commit " + c.Short() + ", which no likeness has a place for")
	}
	return r[c]
}

func (r renaming) merge(m release.Merge) release.Merge {
	m.Base, m.Commit, m.Files = r.commit(m.Base), r.commit(m.Commit), maps.Clone(m.Files)
	for path, file := range m.Files {
		if file.Approved != nil {
			a := *file.Approved
			a.Commit, a.Head = r.commit(id(a.Commit)).String(), r.commit(id(a.Head)).String()
			file.Approved = &a
			m.Files[path] = file
		}
	}
	return m
}

func (r renaming) step(s release.Step) release.Step {
	if s.Merge != nil {
		m := r.merge(*s.Merge)
		s.Merge = &m
	}
	return s
}

// likeness is what a judgement of a pull request over a tip is told: which
// contents stand where, who made them, and what each person said of which, in
// that order. The names of the commits are left out, and the order between
// people. Pull requests that are alike in it are judged once.
func (w *world) likeness(b *key, tip id, p *pull) {
	b.add(strconv.Itoa(p.number), p.author)
	w.show(b, tip, w.mergeBase(tip, p.head), p.head)
	b.add(slices.Sorted(maps.Keys(w.authors(tip, p.head)))...)
	for _, r := range slices.SortedStableFunc(slices.Values(p.reviews), func(a, b opinion) int { return strings.Compare(a.user, b.user) }) {
		b.add(r.user, r.state)
		w.show(b, r.commit, w.mergeBase(tip, r.commit))
		b.flags(r.commit == p.head, p.merged && r.at > p.mergedAt)
	}
}

// show adds what commits hold.
func (w *world) show(b *key, commits ...id) {
	for _, c := range commits {
		at := w.at(c)
		b.add(at.manifest, at.rules)
	}
}

// branchLikeness is all that a look at the branch is told: the contents of the
// commits since the last look, which pull request brought each, and of that one
// its likeness. It also lists the commits, each at a place of its own.
func (w *world) branchLikeness(b *key, s *state) []id {
	start := w.mergeBase(s.revision, s.tip)
	commits := append([]id{start}, w.between(start, s.tip)...)
	if len(commits) > 1 {
		// Along first parents the branch may begin below the merge base.
		commits = slices.Insert(commits, 1, w.info(commits[1]).parents[0])
	}
	b.flags(start == s.revision, len(commits) > 1 && commits[1] == start)
	w.show(b, s.revision)
	for _, c := range commits {
		_, known := s.known[c]
		w.show(b, c)
		b.add(strconv.Itoa(len(w.info(c).parents)))
		b.flags(known, w.ancestors(c)[start])
	}
	place := func(c id) string { return strconv.Itoa(slices.Index(commits, c)) }
	for _, p := range s.pulls {
		if !p.merged {
			continue
		}
		b.add("pull")
		w.likeness(b, p.from, p)
		b.add(place(p.from), place(p.head), string(p.then.verdict))
		for _, c := range p.landed {
			b.add(place(c))
		}
		for _, r := range p.reviews {
			b.add(r.user) // an earlier approval may take a seat before a later
		}
	}
	for _, p := range s.pulls {
		if p.merged {
			commits = append(commits, p.head)
		}
	}
	return commits
}

// mergeLikeness is all that the judgement of a merge is told, and the commits
// that it can name.
func (w *world) mergeLikeness(s *state, p *pull) (likeness, []id) {
	var b key
	base := w.info(p.landed[0]).parents[0]
	b.add(s.rulesKey(), strconv.Itoa(len(p.landed)))
	b.flags(base == p.from, len(w.info(p.landed[0]).parents) > 1)
	if base != p.from { // then it hangs on where the branch stood at the last look
		start := w.mergeBase(s.revision, s.tip)
		b.flags(start == base, start == p.from)
	}
	b.add(s.standingKey(w)...)
	for _, q := range s.pulls {
		if q.merged && q.number < p.number { // what it was approved for may stand by now
			w.likeness(&b, q.from, q)
			w.show(&b, q.landed...)
		}
	}
	w.likeness(&b, p.from, p)
	w.show(&b, base)
	w.show(&b, p.landed...)
	for _, r := range p.reviews {
		b.add(r.user) // an earlier approval may take a seat before a later
	}
	return sha256.Sum256(b), append([]id{base, p.from, p.head}, p.landed...)
}
