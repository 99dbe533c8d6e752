package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Fetch brings the mirror up to date: it fetches what is new, follows rewritten
// history, and forgets pull requests that the remote no longer has. It returns
// what changed since the fetch before, which may have been in an earlier process.
//
// A fetch either happens as a whole or not at all, however it ends. A copy that
// turned out damaged is replaced by a new one, and Refs says so.
//
// The context's deadline is the only timeout. Errors: ErrAuth, ErrUnreachable,
// ErrCertificate, ErrHostKey, ErrNotFound, ErrRefMissing, ErrShallow (the remote
// is a shallow clone), or the local file system's. No message holds a secret.
func (m *Mirror) Fetch(ctx context.Context) (refs Refs, err error) {
	err = m.ask(ctx, func(c Credential) (err error) {
		if refs, err = m.fetchOnce(ctx, c); errors.Is(err, errMoved) {
			refs, err = m.fetchOnce(ctx, c)
		}
		return err
	})
	if err != nil {
		return Refs{}, err
	}
	return refs, nil
}

// ask does what asks the remote, one at a time. Its error holds no secret.
func (m *Mirror) ask(ctx context.Context, do func(Credential) error) error {
	select {
	case m.fetching <- struct{}{}:
		defer func() { <-m.fetching }()
	case <-ctx.Done():
		return m.remote.failure(ctx, ctx.Err(), nil)
	}
	if m.closed { // the directory may be another's by now
		return fmt.Errorf("fetching %s: the mirror: %w", m.remote, os.ErrClosed)
	}
	credential, err := m.credential(ctx)
	if err == nil {
		err = do(credential)
	}
	if err != nil {
		return m.remote.failure(ctx, err, credential.secrets())
	}
	return nil
}

// errMoved: the remote's references no longer are what it just said, because
// somebody pushed in between.
var errMoved = errors.New("the remote changed while it was read")

func (m *Mirror) fetchOnce(ctx context.Context, credential Credential) (Refs, error) {
	s, err := m.dial(ctx, credential)
	if err != nil {
		return Refs{}, err
	}
	defer m.hangUp(ctx, s)
	all, err := s.refs(ctx)
	if err != nil {
		return Refs{}, err
	}
	want, err := m.wanted(all)
	if err != nil {
		return Refs{}, err
	}
	// A damaged list of references is no reason not to fetch: what it held is
	// then unknown, and every reference counts as new.
	old, _ := readRefs(m.current())
	if reason := m.damage(); reason != "" || old == nil {
		return m.clone(ctx, s, want, old, reason)
	}
	return m.update(ctx, s, want, old)
}

// hangUp ends a conversation. That this fails changes nothing of what was said.
func (m *Mirror) hangUp(ctx context.Context, s session) {
	if err := s.close(); err != nil {
		m.log.DebugContext(ctx, "closing the connection to the remote", "remote", m.remote.String(), "error", err)
	}
}

// clone makes a new copy and puts it in the place of the current one, if any.
func (m *Mirror) clone(ctx context.Context, s session, want, old map[string]plumbing.Hash, reason string) (Refs, error) {
	if reason != "" {
		m.log.WarnContext(ctx, "the mirror is damaged and is cloned anew", "remote", m.remote.String(), "reason", reason)
	}
	fresh, err := os.MkdirTemp(m.dir, newPrefix)
	if err != nil {
		return Refs{}, err
	}
	if err := m.fill(ctx, s, fresh, want); err != nil {
		return Refs{}, errors.Join(err, os.RemoveAll(fresh))
	}
	if err := m.replace(fresh); err != nil {
		return Refs{}, err
	}
	m.trust()
	// The references are in place: to give up now would lose what changed.
	refs, err := m.compare(context.WithoutCancel(ctx), old, want)
	refs.Recloned = reason
	return refs, err
}

func (m *Mirror) fill(ctx context.Context, s session, gitDir string, want map[string]plumbing.Hash) error {
	if err := initBare(gitDir, m.branchRef()); err != nil {
		return err
	}
	if err := m.transfer(ctx, s, gitDir, targets(want, nil), nil); err != nil {
		return err
	}
	part := openStorage(osfs.New(gitDir))
	fresh := store{parts: nil}
	if err := fresh.swap(part); err != nil {
		return err
	}
	err := complete(&fresh, want)
	if err = errors.Join(err, fresh.close()); err != nil {
		return err
	}
	return writeRefs(gitDir, want)
}

// replace swaps a finished copy in. Renames are atomic, but two of them are
// not one: after a crash in between there is no copy, and the next fetch clones.
func (m *Mirror) replace(fresh string) error {
	if _, err := os.Stat(m.current()); err == nil {
		aside, err := os.MkdirTemp(m.dir, oldPrefix)
		if err != nil {
			return err
		}
		if err := os.Rename(m.current(), filepath.Join(aside, currentDir)); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, m.current()); err != nil {
		return err
	}
	if err := m.store.swap(openStorage(osfs.New(m.current()))); err != nil {
		return err
	}
	return m.tidy()
}

// update fetches into the current copy. The references are written last, so
// that whatever goes wrong before is done again.
func (m *Mirror) update(ctx context.Context, s session, want, old map[string]plumbing.Hash) (Refs, error) {
	if err := m.receive(ctx, s, want, old); err != nil {
		return Refs{}, err
	}
	refs, err := m.compare(ctx, old, want)
	if err != nil {
		return Refs{}, err
	}
	if err := writeRefs(m.current(), want); err != nil {
		return Refs{}, err
	}
	m.tidyPacks(ctx)
	return refs, nil
}

// receive fetches the objects that are not there yet.
func (m *Mirror) receive(ctx context.Context, s session, want, old map[string]plumbing.Hash) error {
	if err := sweep(m.current()); err != nil {
		return err
	}
	wants := targets(want, m.store.has)
	if len(wants) > 0 {
		if err := m.transfer(ctx, s, m.current(), wants, m.haves(ctx, old)); err != nil {
			return err
		}
		if err := m.store.swap(openStorage(osfs.New(m.current()))); err != nil {
			return err
		}
	}
	return complete(m.store, want)
}

// targets returns what the references point to, each once, without what is there.
func targets(refs map[string]plumbing.Hash, there func(plumbing.Hash) bool) []plumbing.Hash {
	ids := slices.Collect(maps.Values(refs))
	plumbing.HashesSort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id plumbing.Hash) bool { return there != nil && there(id) })
}

// maxHaves bounds how far back the branch is offered for comparison: beyond it
// a rewritten history is sent again from where pull requests still meet it.
const maxHaves = 256

// haves returns commits that the remote need not send: every tip, and the
// branch's recent past in case the remote rewrote it.
func (m *Mirror) haves(ctx context.Context, old map[string]plumbing.Hash) []plumbing.Hash {
	ids := targets(old, nil)
	known := make(map[plumbing.Hash]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	for id, n := old[m.branchRef()], 0; n < maxHaves && ctx.Err() == nil; n++ {
		c, err := m.commit(id)
		if err != nil || len(c.parents) == 0 {
			break
		}
		if id = c.parents[0]; !known[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *Mirror) transfer(ctx context.Context, s session, gitDir string, wants, haves []plumbing.Hash) (err error) {
	pack, err := s.pack(ctx, wants, haves)
	if errors.Is(err, transport.ErrEmptyUploadPackRequest) {
		return errMoved
	}
	if err != nil {
		return err
	}
	defer func() {
		if closing := pack.Close(); err == nil {
			err = closing
		}
	}()
	return storePack(ctx, gitDir, pack)
}

// complete proves that what the references point to has arrived.
func complete(s *store, refs map[string]plumbing.Hash) error {
	for name, id := range refs {
		if !s.has(id) {
			return fmt.Errorf("%w: %s at %s was not sent", errMoved, name, id)
		}
	}
	return nil
}

// compare tells what happened to each reference.
func (m *Mirror) compare(ctx context.Context, old, now map[string]plumbing.Hash) (Refs, error) {
	refs := Refs{Pulls: map[int]RefUpdate{}}
	var err error
	branch := m.branchRef()
	if refs.Branch, err = m.moved(ctx, old[branch], now[branch]); err != nil {
		return refs, err
	}
	for _, side := range []map[string]plumbing.Hash{old, now} {
		for name := range side {
			n, pull := pullNumber(name)
			if _, done := refs.Pulls[n]; !pull || done {
				continue
			}
			if refs.Pulls[n], err = m.moved(ctx, old[name], now[name]); err != nil {
				return refs, err
			}
		}
	}
	for name, id := range now {
		if q, waits := m.queued(name, id); waits {
			refs.Queue = append(refs.Queue, q)
		}
	}
	slices.SortFunc(refs.Queue, func(a, b Queued) int {
		return cmp.Or(a.Number-b.Number, strings.Compare(a.Base.String(), b.Base.String()))
	})
	return refs, nil
}

// moved compares two tips. Where ancestry cannot be told, as after a new copy
// that lacks the old tip, it counts as forced: to look twice at a branch harms
// nobody, to miss that it was rewritten does.
func (m *Mirror) moved(ctx context.Context, old, now plumbing.Hash) (RefUpdate, error) {
	u := RefUpdate{Old: idOf(old), New: idOf(now)}
	if old == now || old.IsZero() || now.IsZero() {
		return u, nil
	}
	if !m.store.has(old) {
		u.Forced = true
		return u, nil
	}
	linear, err := m.isAncestor(ctx, old, now)
	if ctx.Err() != nil {
		return u, err
	}
	u.Forced = err != nil || !linear
	return u, nil
}
