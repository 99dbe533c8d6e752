package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
)

// MirrorOptions configures a mirror.
type MirrorOptions struct {
	// URL is where the repository is: https://host/path, ssh://user@host/path,
	// user@host:path, file:///path or an absolute path; http://… for a loopback
	// address only. It carries no password.
	URL string
	// Branch is the branch that is followed, without refs/heads/. Required.
	Branch string
	// Credentials is asked at each fetch over https and ssh; nil is anonymous.
	Credentials Credentials
	// CABundle holds PEM certificates that are trusted for https beside the
	// system's.
	CABundle []byte
	// Log receives what a fetch did beyond the ordinary, such as cloning anew.
	// Nil discards it.
	Log *slog.Logger
}

// Mirror is a bare copy of a remote repository: one branch and the heads of all
// pull requests. The embedded Repository answers about what the last successful
// Fetch brought, in this process or an earlier one.
//
// The directory belongs to one Mirror in one process at a time. Reading goes on
// while a fetch runs; fetches wait for one another.
type Mirror struct {
	*Repository
	dir     string // holds the current copy in folder repo.git
	remote  remote
	options MirrorOptions
	http    *http.Transport
	log     *slog.Logger

	fetching chan struct{} // holds a token while a fetch runs
	closed   bool          // belongs to who holds the token

	mu      sync.Mutex
	suspect string // why the copy is not to be trusted; "" if it is
}

// Folders in a mirror's directory. Copies that are being made, or were replaced,
// bear other names and are removed when found.
const (
	currentDir = "repo.git"
	newPrefix  = "new-"
	oldPrefix  = "old-"
)

// branchForm is a conservative git-check-ref-format(1).
var branchForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+@#=-]*$`)

// NewMirror prepares a mirror in a directory, which is created if need be. It
// asks nothing of the network. What an interrupted fetch left behind is
// removed; a copy that cannot be read is no error, the next Fetch makes a new
// one. Errors: ErrURL, an unusable branch name or CA bundle, the file system's.
func NewMirror(dir string, options MirrorOptions) (*Mirror, error) {
	r, err := parseRemote(options.URL)
	if err != nil {
		return nil, err
	}
	if err := checkBranch(options.Branch); err != nil {
		return nil, err
	}
	transport, err := httpTransport(options.CABundle)
	if err != nil {
		return nil, err
	}
	m := &Mirror{dir: dir, remote: r, options: options, http: transport, log: options.Log,
		fetching: make(chan struct{}, 1)}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.Repository, err = newRepository(); err != nil {
		return nil, err
	}
	m.store.damaged = func(err error) { m.distrust(err.Error()) }
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("preparing the mirror of %s: %w", r, err)
	}
	if err := m.tidy(); err != nil {
		return nil, fmt.Errorf("preparing the mirror of %s: %w", r, err)
	}
	return m, m.use(m.current())
}

func checkBranch(name string) error {
	for _, bad := range []string{"..", "//", "@{", "/.", ".lock/"} {
		if strings.Contains(name, bad) {
			return fmt.Errorf("%q is no branch name", clip(name))
		}
	}
	if !branchForm.MatchString(name) || strings.HasSuffix(name, "/") ||
		strings.HasSuffix(name, ".") || strings.HasSuffix(name, ".lock") || strings.HasPrefix(name, "refs/") {
		return fmt.Errorf("%q is no branch name (give it without refs/heads/)", clip(name))
	}
	return nil
}

func (m *Mirror) current() string { return filepath.Join(m.dir, currentDir) }

func (m *Mirror) branchRef() string { return "refs/heads/" + m.options.Branch }

// tidy removes copies that were never finished or have been replaced.
func (m *Mirror) tidy() error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			if err := os.RemoveAll(filepath.Join(m.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// use opens a copy for reading and looks it over. One that is not there, or not
// in order, is noted for the next fetch.
func (m *Mirror) use(gitDir string) error {
	if _, err := os.Stat(gitDir); errors.Is(err, os.ErrNotExist) {
		m.distrust("")
		return nil
	} else if err != nil {
		return err
	}
	err := sweep(gitDir)
	if err == nil {
		err = m.store.swap(openStorage(osfs.New(gitDir)))
	}
	if err == nil {
		err = m.inspect(gitDir)
	}
	if err != nil {
		m.distrust(err.Error())
	}
	return nil
}

// inspect proves what can be proved quickly: that the references can be read
// and that what they point to is there. Damage deeper down shows when it is read.
func (m *Mirror) inspect(gitDir string) error {
	refs, err := readRefs(gitDir)
	if err != nil {
		return err
	}
	for name, id := range refs {
		if !m.store.has(id) {
			return fmt.Errorf("%w: %s, which %s points to", ErrMissing, id, name)
		}
	}
	return nil
}

// distrust has the next fetch make a new copy. The first reason is kept.
func (m *Mirror) distrust(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.suspect == "" {
		m.suspect = reason
	}
}

func (m *Mirror) damage() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.suspect
}

func (m *Mirror) trust() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.suspect = ""
}

// Close waits for a fetch that runs and releases the files held open.
func (m *Mirror) Close() error {
	m.fetching <- struct{}{}
	defer func() { <-m.fetching }()
	m.closed = true
	m.http.CloseIdleConnections()
	return m.Repository.Close()
}

// Tip returns where the branch stood at the last fetch; "" before the first.
func (m *Mirror) Tip() ID {
	id, _ := m.store.reference(m.branchRef())
	return idOf(id)
}

// credential asks for the credential of this fetch.
func (m *Mirror) credential(ctx context.Context) (Credential, error) {
	if m.options.Credentials == nil || m.remote.scheme == schemeFile {
		return Credential{}, nil
	}
	c, err := m.options.Credentials.Credential(ctx, m.remote.String())
	if err != nil {
		return c, fmt.Errorf("%w: no credential: %w", ErrAuth, err)
	}
	return c, nil
}
