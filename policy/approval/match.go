package approval

import (
	"cmp"
	"slices"
)

// match seats people so that the chair's seat (the first) is filled if anybody
// can fill it, then as many seats as possible are filled, and among those
// choices earlier seats rather than later ones. Who sits where is settled seat
// by seat: of those who leave all the others seated a holder of the role before
// an alternate, then the earliest approval, ties by login. The result has one entry for each seat of the panel, nil where empty.
//
// Seats that can be filled at once form a matroid, so taking each seat in turn
// if it can still be filled gives the most seats and the earliest ones
// together.
func match(panel []bench, people []*person) []*person {
	people = slices.Clone(people)
	slices.SortStableFunc(people, func(a, b *person) int {
		return cmp.Or(a.review.SubmittedAt.Compare(b.review.SubmittedAt), cmp.Compare(a.login, b.login))
	})
	m := &matching{panel: panel, people: people, seatOf: map[*person]int{}, filled: make([]*person, len(panel))}
	for seat := range panel {
		m.fill(seat, map[*person]bool{})
	}
	settled := map[*person]bool{}
	for seat := range panel {
		m.settle(seat, settled)
	}
	return m.filled
}

type matching struct {
	panel  []bench
	people []*person
	seatOf map[*person]int
	filled []*person
}

// fill seats somebody, moving others to other seats where needed, but never
// those in tried. It reports whether it could; if not, nothing has changed.
func (m *matching) fill(seat int, tried map[*person]bool) bool {
	for _, p := range m.people {
		if tried[p] || !m.panel[seat].has(p.who) {
			continue
		}
		tried[p] = true
		other, seated := m.seatOf[p]
		if !seated || m.fill(other, tried) {
			m.seatOf[p], m.filled[seat] = seat, p
			return true
		}
	}
	return false
}

// settle gives a filled seat to the first person for whom all the filled seats
// stay filled, and keeps that person there.
func (m *matching) settle(seat int, settled map[*person]bool) {
	sitting := m.filled[seat]
	if sitting == nil {
		return
	}
	for _, among := range []crowd{m.panel[seat].holders, m.panel[seat].alternates} {
		for _, p := range m.people {
			if settled[p] || !among[p.who] {
				continue
			}
			if p == sitting || m.swap(seat, p, settled) {
				settled[p] = true
				return
			}
		}
	}
}

// swap puts p into the seat if the seat that p leaves can be filled again.
func (m *matching) swap(seat int, p *person, settled map[*person]bool) bool {
	sitting := m.filled[seat]
	left, seated := m.seatOf[p]
	delete(m.seatOf, sitting)
	m.seatOf[p], m.filled[seat] = seat, p
	if !seated {
		return true
	}
	tried := map[*person]bool{p: true}
	for s := range settled {
		tried[s] = true
	}
	if m.fill(left, tried) {
		return true
	}
	m.seatOf[p], m.filled[left], m.filled[seat] = left, p, sitting
	m.seatOf[sitting] = seat
	return false
}
