package githubtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value serves on a free local port with a temporary
// directory.
type Options struct {
	// Dir holds the bare repositories. Empty means a temporary directory that Close removes.
	Dir string
	// Addr is the address to listen on, "127.0.0.1:0" when empty.
	Addr string
	// Clock gives the time of everything that happens; time.Now when nil.
	Clock func() time.Time
	// ClampPageSize cuts per_page above 100 down to 100 without a word, as github.com does. By default
	// such a request is refused with 422, because a client that sends it believes in pages it does not get.
	ClampPageSize bool
	// InstallationTokenLifetime is how long an App's installation token lives, an hour when zero.
	InstallationTokenLifetime time.Duration
}

// Server is one GitHub. All methods are safe for concurrent use.
type Server struct {
	opts     Options
	url      string
	dir      string
	ownsDir  bool
	backend  string // path of git-http-backend
	http     *http.Server
	serveErr chan error

	mu            sync.Mutex // guards everything below, and all Git writes
	nextID        int64
	accounts      map[string]*account // by lower-case login
	repos         map[string]*repo    // by lower-case owner/name
	apps          map[int64]*app
	installations map[int64]*installation
	tokens        map[string]principal
	rates         map[string]*rate
	faults        []*Fault
	requests      []Request

	hooks deliverer
	layer faultLayer
}

// New starts a server. It needs git (2.38 or newer) on the PATH.
func New(opts Options) (*Server, error) {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	if opts.InstallationTokenLifetime == 0 {
		opts.InstallationTokenLifetime = time.Hour
	}
	s := &Server{
		opts:          opts,
		dir:           opts.Dir,
		nextID:        1000,
		accounts:      map[string]*account{},
		repos:         map[string]*repo{},
		apps:          map[int64]*app{},
		installations: map[int64]*installation{},
		tokens:        map[string]principal{},
		rates:         map[string]*rate{},
		serveErr:      make(chan error, 1),
	}
	if err := s.prepareGit(); err != nil {
		return nil, err
	}
	flow, err := s.newAccount("web-flow", "User") // in whose name GitHub commits
	if err != nil {
		return nil, errors.Join(err, s.removeDir())
	}
	flow.email = "noreply@github.com"
	ln, err := net.Listen("tcp", opts.Addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the GitHub server: %w", err), s.removeDir())
	}
	s.url = "http://" + ln.Addr().String()
	s.hooks.start()
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { s.serveErr <- s.http.Serve(ln) }()
	return s, nil
}

func (s *Server) prepareGit() error {
	backend, err := httpBackend()
	if err != nil {
		return err
	}
	s.backend = backend
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "github-"); err != nil {
			return fmt.Errorf("make a directory for repositories: %w", err)
		}
		s.ownsDir = true
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return fmt.Errorf("resolve the directory for repositories: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("make the directory for repositories: %w", err)
	}
	return nil
}

// Close stops the server, waits for its deliveries and removes a temporary directory.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil { // a client kept its connection open: that must not keep us
		err = s.http.Close()
	}
	if serr := <-s.serveErr; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	s.hooks.stop()
	return errors.Join(err, s.removeDir())
}

func (s *Server) removeDir() error {
	if !s.ownsDir {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// URL is the server's root, where its pages and Git repositories are.
func (s *Server) URL() string { return s.url }

// APIURL is the root of the REST API: what a GitHub client takes as its base URL.
func (s *Server) APIURL() string { return s.url + "/api/v3/" }

// CloneURL is the HTTPS address of a repository ("owner/name") for Git.
func (s *Server) CloneURL(fullName string) string { return s.url + "/" + fullName + ".git" }

func (s *Server) api(format string, args ...any) string {
	return s.url + "/api/v3" + fmt.Sprintf(format, args...)
}

func (s *Server) html(format string, args ...any) string {
	return s.url + fmt.Sprintf(format, args...)
}

// now has GitHub's resolution: its timestamps are whole seconds in UTC.
func (s *Server) now() time.Time { return s.opts.Clock().UTC().Truncate(time.Second) }

// id hands out the numbers of everything; GitHub's are unique per kind, ours altogether.
func (s *Server) id() int64 {
	s.nextID++
	return s.nextID
}

func key(parts ...string) string { return strings.ToLower(strings.Join(parts, "/")) }
