package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// MaxWanted is how many commits are fetched by name at once. The remote names
// one that it does not give out at a time, so each of those costs a request.
const MaxWanted = 50

var errTooMany = errors.New("too many commits are to be fetched by name")

// FetchCommits brings commits, with their history, to which no reference of the
// remote has to lead, such as heads that were pushed away. What is in the mirror
// already is not asked for, and without anything to ask for no request is made.
// What it brought stays as what Fetch brings does: until the copy is made anew.
//
// It returns those that the remote does not give out: it has them no more, or it
// gives out what its references lead to alone (GitHub does not restrict it so).
// An error says nothing about any other commit; see Fetch for which there are.
func (m *Mirror) FetchCommits(ctx context.Context, ids ...ID) (missing []ID, err error) {
	wants := m.lacking(ids)
	switch {
	case len(wants) == 0:
		return nil, nil
	case len(wants) > MaxWanted:
		return nil, fmt.Errorf("%w: %d, and at most %d are at once", errTooMany, len(wants), MaxWanted)
	}
	err = m.ask(ctx, func(c Credential) error {
		missing, err = m.fetchCommits(ctx, c, wants)
		return err
	})
	return missing, err
}

// lacking are the commits that are not in the mirror, each once.
func (m *Mirror) lacking(ids []ID) []plumbing.Hash {
	var wants []plumbing.Hash
	for _, id := range ids {
		if h := id.hash(); !slices.Contains(wants, h) && !m.store.has(h) {
			wants = append(wants, h)
		}
	}
	return wants
}

// fetchCommits asks for all of them, and again without what was refused.
func (m *Mirror) fetchCommits(ctx context.Context, credential Credential, wants []plumbing.Hash) (missing []ID, err error) {
	if reason := m.damage(); reason != "" {
		return nil, fmt.Errorf("%w, and has to be cloned anew first: %s", ErrCorrupt, reason)
	}
	old, err := readRefs(m.current())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	wants = slices.DeleteFunc(wants, m.store.has) // another may have brought them meanwhile
	for len(wants) > 0 {
		err := m.receiveCommits(ctx, credential, wants, old)
		var refused *notServed
		if !errors.As(err, &refused) || !slices.Contains(wants, refused.id) {
			return missing, err
		}
		missing = append(missing, idOf(refused.id))
		wants = slices.DeleteFunc(wants, func(id plumbing.Hash) bool { return id == refused.id })
	}
	return missing, nil
}

func (m *Mirror) receiveCommits(ctx context.Context, credential Credential, wants []plumbing.Hash, old map[string]plumbing.Hash) error {
	s, err := m.dial(ctx, credential)
	if err != nil {
		return err
	}
	defer m.hangUp(ctx, s)
	if _, err := s.refs(ctx); err != nil { // the remote begins with them
		return err
	}
	want := make(map[string]plumbing.Hash, len(wants))
	for _, id := range wants {
		want[id.String()] = id
	}
	if err := m.receive(ctx, s, want, old); err != nil {
		return err
	}
	m.tidyPacks(ctx)
	return nil
}
