package source

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	addresses "github.com/mlops-platform/mooring/internal/loopback"
)

func newMirror(t testing.TB, o MirrorOptions) *Mirror { t.Helper(); return mirrorIn(t, t.TempDir(), o) }

func mirrorIn(t testing.TB, dir string, o MirrorOptions) *Mirror {
	t.Helper()
	if o.Branch == "" {
		o.Branch = "main"
	}
	m, err := NewMirror(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func fetch(t testing.TB, m *Mirror) Refs {
	t.Helper()
	refs, err := m.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

// fsck has git judge the mirror.
func fsck(t testing.TB, m *Mirror) {
	t.Helper()
	g := newGitRepo(t)
	g.git("-C", m.current(), "fsck", "--full", "--strict")
}

// remotes are the ways to the same repository.
func remotes(t *testing.T, g *gitRepo) map[string]MirrorOptions {
	secure := httptest.NewTLSServer(withToken("s3cret", gitHTTP(t, g)))
	t.Cleanup(secure.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	sshd := newSSHServer(t)
	return map[string]MirrorOptions{
		"a path":               {URL: g.dir},
		"a file URL":           {URL: "file://" + g.dir},
		"http to this machine": {URL: serve(t, gitHTTP(t, g)).URL + "/repo.git"},
		"https with a token":   {URL: secure.URL + "/repo.git", CABundle: ca, Credentials: token("s3cret")},
		"ssh":                  {URL: "ssh://git@" + sshd.address + g.dir + "/.git", Credentials: sshd.credentials(nil)},
	}
}

func TestFetchFollowsTheRemote(t *testing.T) {
	for name := range remotes(t, newGitRepo(t)) {
		t.Run("over "+name, func(t *testing.T) {
			g := newGitRepo(t)
			first := g.commit("first", "teams/a.yaml", "README.md")
			g.git("update-ref", "refs/pull/1/head", string(first))
			g.git("update-ref", "refs/heads/elsewhere", string(g.rawCommit(g.rev("HEAD^{tree}"))))
			m := newMirror(t, remotes(t, g)[name])

			refs := fetch(t, m)
			want := Refs{Branch: RefUpdate{New: first}, Pulls: map[int]RefUpdate{1: {New: first}}}
			if diff := cmp.Diff(want, refs); diff != "" {
				t.Fatalf("first fetch (-want +got):\n%s", diff)
			}
			if _, err := m.Commit(t.Context(), g.rev("elsewhere")); !errors.Is(err, ErrRevision) {
				t.Errorf("another branch was fetched too: %v", err)
			}

			second := g.commit("second", "teams/b.yaml")
			g.git("update-ref", "refs/pull/2/head", string(second))
			refs = fetch(t, m)
			want = Refs{Branch: RefUpdate{Old: first, New: second},
				Pulls: map[int]RefUpdate{1: {Old: first, New: first}, 2: {New: second}}}
			if diff := cmp.Diff(want, refs); diff != "" {
				t.Fatalf("second fetch (-want +got):\n%s", diff)
			}

			g.git("reset", "--quiet", "--hard", string(first))
			third := g.commit("third", "teams/c.yaml")
			g.git("update-ref", "-d", "refs/pull/1/head")
			g.git("update-ref", "refs/pull/2/head", string(third))
			refs = fetch(t, m)
			want = Refs{Branch: RefUpdate{Old: second, New: third, Forced: true},
				Pulls: map[int]RefUpdate{1: {Old: first}, 2: {Old: second, New: third, Forced: true}}}
			if diff := cmp.Diff(want, refs); diff != "" {
				t.Fatalf("after a force push and a deletion (-want +got):\n%s", diff)
			}

			want = Refs{Branch: RefUpdate{Old: third, New: third}, Pulls: map[int]RefUpdate{2: {Old: third, New: third}}}
			if diff := cmp.Diff(want, fetch(t, m)); diff != "" {
				t.Fatalf("nothing new (-want +got):\n%s", diff)
			}
			if tip, err := m.Resolve(t.Context(), "main"); err != nil || tip != third || m.Tip() != third {
				t.Errorf("tip: got %v, %v, want %v", tip, err, third)
			}
			fsck(t, m)
		})
	}
}

func TestFailedFetches(t *testing.T) {
	g := newGitRepo(t)
	g.commit("first", "teams/a.yaml")
	plain := serve(t, withToken("s3cret", gitHTTP(t, g)))
	secure := httptest.NewUnstartedServer(gitHTTP(t, g))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	expired := expiredServer(t, gitHTTP(t, g))
	broken := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusInternalServerError)
	}))
	page := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") }))
	gone, err := addresses.Address()
	if err != nil {
		t.Fatal(err)
	}
	sshd, other := newSSHServer(t), newSSHServer(t)
	sshURL := "ssh://git@" + sshd.address + g.dir + "/.git"
	empty := newGitRepo(t)

	tests := []struct {
		name    string
		options MirrorOptions
		want    error
	}{
		{"a wrong token", MirrorOptions{URL: plain.URL + "/repo.git", Credentials: token("wr0ng-t0ken")}, ErrAuth},
		{"a token without permission", MirrorOptions{URL: plain.URL + "/repo.git", Credentials: token("forbidden")}, ErrAuth},
		{"no token", MirrorOptions{URL: plain.URL + "/repo.git"}, ErrAuth},
		{"credentials that cannot be had", MirrorOptions{URL: plain.URL + "/repo.git", Credentials: CredentialsFunc(
			func(context.Context, string) (Credential, error) { return Credential{}, errors.New("vault sealed") })}, ErrAuth},
		{"no such repository over http", MirrorOptions{URL: plain.URL + "/other.git", Credentials: token("s3cret")}, ErrNotFound},
		{"no such repository on disk", MirrorOptions{URL: t.TempDir()}, ErrNotFound},
		{"no such repository over ssh", MirrorOptions{URL: sshURL + "x", Credentials: sshd.credentials(nil)}, ErrNotFound},
		{"no such branch", MirrorOptions{URL: g.dir, Branch: "release"}, ErrRefMissing},
		{"an empty repository on disk", MirrorOptions{URL: empty.dir}, ErrRefMissing},
		{"an empty repository over http", MirrorOptions{URL: serve(t, gitHTTP(t, empty)).URL + "/repo.git"}, ErrRefMissing},
		{"an empty repository over ssh", MirrorOptions{URL: "ssh://" + sshd.address + empty.dir + "/.git", Credentials: sshd.credentials(nil)}, ErrRefMissing},
		{"a CA that is not trusted", MirrorOptions{URL: secure.URL + "/repo.git"}, ErrCertificate},
		{"an expired certificate", MirrorOptions{URL: expired.url, CABundle: expired.ca}, ErrCertificate},
		{"nobody listening", MirrorOptions{URL: "http://" + gone + "/repo.git"}, ErrUnreachable},
		{"a server in trouble", MirrorOptions{URL: broken.URL + "/repo.git"}, ErrUnreachable},
		{"a server that is no Git server", MirrorOptions{URL: page.URL + "/repo.git"}, ErrUnreachable},
		{"ssh without known_hosts", MirrorOptions{URL: sshURL, Credentials: sshd.credentials(func(c *Credential) { c.KnownHosts = nil })}, ErrHostKey},
		{"an ssh host that is not listed", MirrorOptions{URL: sshURL, Credentials: sshd.credentials(func(c *Credential) { c.KnownHosts = other.knownHosts })}, ErrHostKey},
		{"an ssh host with another key", MirrorOptions{URL: sshURL, Credentials: sshd.credentials(func(c *Credential) {
			c.KnownHosts = []byte(strings.Replace(string(other.knownHosts), port(other.address), port(sshd.address), 1))
		})}, ErrHostKey},
		{"an ssh key that the host does not know", MirrorOptions{URL: sshURL, Credentials: sshd.credentials(func(c *Credential) { c.PrivateKey = other.clientKey })}, ErrAuth},
		{"an ssh key that is none", MirrorOptions{URL: sshURL, Credentials: sshd.credentials(func(c *Credential) { c.PrivateKey = []byte("s3cret key") })}, ErrAuth},
		{"ssh without a key", MirrorOptions{URL: sshURL}, ErrAuth},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m := newMirror(t, tc.options)
			_, err := m.Fetch(ctx)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			for _, fact := range []string{m.remote.String(), tc.want.Error(), remedies[tc.want]} {
				if n := strings.Count(err.Error(), fact); n != 1 {
					t.Errorf("it says %q %d times: %v", fact, n, err)
				}
			}
			for _, secret := range []string{"s3cret", "wr0ng-t0ken", "d3IwbmctdDBrZW4", "forbidden ", "PRIVATE"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the message holds a secret: %v", err)
				}
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 800 {
				t.Errorf("the message is not one line: %q", err)
			}
		})
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func TestAFetchEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{}, 4)
	silent := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Run("when it is cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		_, err := newMirror(t, MirrorOptions{URL: silent.URL + "/repo.git"}).Fetch(ctx)
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v, want context.Canceled alone", err)
		}
	})
	t.Run("when its deadline passes", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := newMirror(t, MirrorOptions{URL: silent.URL + "/repo.git"}).Fetch(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v, want ErrUnreachable and context.DeadlineExceeded", err)
		}
	})
	t.Run("over ssh, in the middle of the handshake", func(t *testing.T) {
		address := silentListener(t)
		sshd := newSSHServer(t)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := newMirror(t, MirrorOptions{URL: "ssh://" + address + "/x", Credentials: sshd.credentials(nil)}).Fetch(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
	})
}

func TestAMirrorRepairsItself(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, gitDir string)
	}{
		{"a reference file that was cut short", func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "packed-refs"), "# pack-refs\n1234")
		}},
		{"a pack that is gone", func(t *testing.T, dir string) { remove(t, dir, "*.pack") }},
		{"an index that is gone", func(t *testing.T, dir string) { remove(t, dir, "*.idx") }},
		{"an index that was cut short", func(t *testing.T, dir string) {
			for _, f := range glob(t, dir, "*.idx") {
				truncate(t, f, 100)
			}
		}},
		{"a copy that is gone", func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("first", "teams/a.yaml")
			dir, options := t.TempDir(), MirrorOptions{URL: g.dir}
			m := mirrorIn(t, dir, options)
			fetch(t, m)
			tc.damage(t, m.current())
			tip := g.commit("second", "teams/a.yaml")
			again := mirrorIn(t, dir, options)
			if refs := fetch(t, again); refs.Branch.New != tip {
				t.Errorf("got tip %s, want %s", refs.Branch.New, tip)
			}
			if _, err := again.Tree(t.Context(), tip); err != nil {
				t.Error(err)
			}
			fsck(t, again)
		})
	}
}

func TestDamageFoundWhileReadingIsRepairedByTheNextFetch(t *testing.T) {
	g := newGitRepo(t)
	tip := g.commit("first", "teams/a.yaml")
	dir, options := t.TempDir(), MirrorOptions{URL: g.dir}
	fetch(t, mirrorIn(t, dir, options))
	m := mirrorIn(t, dir, options)
	for _, f := range glob(t, m.current(), "*.pack") {
		scramble(t, f)
	}
	if _, err := m.Tree(t.Context(), tip); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMissing) {
		t.Fatalf("reading a scrambled pack: got %v, want ErrCorrupt", err)
	}
	if refs := fetch(t, m); refs.Recloned == "" {
		t.Error("the fetch does not say that it cloned anew")
	}
	if _, err := m.Tree(t.Context(), tip); err != nil {
		t.Error(err)
	}
	if refs := fetch(t, m); refs.Recloned != "" {
		t.Errorf("once repaired, it is cloned anew again: %s", refs.Recloned)
	}
}

func TestAnUnknownCommitIsNoDamage(t *testing.T) {
	g := newGitRepo(t)
	tip := g.commit("first", "teams/a.yaml")
	m := newMirror(t, MirrorOptions{URL: g.dir})
	fetch(t, m)
	unknown := ID(strings.Repeat("12", 20))
	_, treeErr := m.Tree(t.Context(), unknown)
	_, changesErr := m.Changes(t.Context(), tip, unknown)
	_, resolveErr := m.Resolve(t.Context(), string(unknown))
	for _, err := range []error{treeErr, changesErr, resolveErr} {
		if !errors.Is(err, ErrRevision) {
			t.Errorf("got %v, want ErrRevision", err)
		}
	}
	if refs := fetch(t, m); refs.Recloned != "" {
		t.Errorf("a name nobody has heard of cost a new clone: %s", refs.Recloned)
	}
}

func TestReadersGoOnDuringFetches(t *testing.T) {
	g := newGitRepo(t)
	g.commit("first", "teams/a.yaml", "models/ds/m/staging/deployment.yaml")
	m := newMirror(t, MirrorOptions{URL: serve(t, gitHTTP(t, g)).URL + "/repo.git"})
	fetch(t, m)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				tip := m.Tip()
				tree, err := m.Tree(t.Context(), tip)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := tree.Read(t.Context(), "teams/a.yaml"); err != nil {
					t.Error(err)
				}
				if _, err := m.Commits(t.Context(), tip, tip); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 {
		g.commit(fmt.Sprintf("commit %d", i), "teams/a.yaml")
		fetch(t, m)
	}
	close(done)
	readers.Wait()
}

func TestPacksAreJoinedBeforeTheyGetTooMany(t *testing.T) {
	g := newGitRepo(t)
	g.commit("start", "teams/a.yaml")
	g.linear("later", string(g.rev("main")), maxPacks+3)
	m := newMirror(t, MirrorOptions{URL: g.dir})
	var tips []ID
	for _, id := range strings.Fields(g.git("rev-list", "--reverse", "later", "^main")) {
		// git update-ref, but without starting it each time.
		overwrite(t, filepath.Join(g.dir, ".git/refs/heads/main"), id+"\n")
		tips = append(tips, ID(id))
		fetch(t, m)
	}
	if n := len(glob(t, m.current(), "*.pack")); n > 10 {
		t.Errorf("%d packs after %d fetches", n, len(tips))
	}
	for _, tip := range tips {
		if _, err := m.Tree(t.Context(), tip); err != nil {
			t.Fatal(err)
		}
	}
	fsck(t, m)
}

func TestMirrorOptionsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options MirrorOptions
	}{
		{"no branch", MirrorOptions{URL: "/x"}},
		{"a branch that climbs", MirrorOptions{URL: "/x", Branch: "../../config"}},
		{"a branch that is an option", MirrorOptions{URL: "/x", Branch: "--upload-pack=x"}},
		{"a full reference for a branch", MirrorOptions{URL: "/x", Branch: "refs/heads/main"}},
		{"a branch with a line break", MirrorOptions{URL: "/x", Branch: "a\nb"}},
		{"a CA bundle without a certificate", MirrorOptions{URL: "/x", Branch: "main", CABundle: []byte("x")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := NewMirror(t.TempDir(), tc.options); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestACredentialShowsNothingHoweverItIsPrinted(t *testing.T) {
	c := Credential{Username: "u", Password: "s3cret", PrivateKey: []byte("s3cret"), Passphrase: []byte("s3cret")}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c)
	// As text, and as bytes in decimal, in Go's syntax and in hexadecimal.
	forms := regexp.MustCompile(`s3cret|115 51 99|0x73, ?0x33|733363`)
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c, c, c),
		fmt.Sprintf("%v", struct{ C Credential }{c}), log.String()} {
		if forms.MatchString(text) {
			t.Errorf("shown: %s", text)
		}
	}
}

type tlsServer struct {
	url string
	ca  []byte
}

func expiredServer(t *testing.T, h http.Handler) tlsServer {
	t.Helper()
	certificate, ca := expiredCertificate(t)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return tlsServer{url: s.URL + "/repo.git", ca: ca}
}

func TestAShallowRemoteIsRefused(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "teams/a.yaml")
	g.commit("two", "teams/a.yaml")
	shallow := newGitRepo(t)
	shallow.git("fetch", "--quiet", "--depth=1", "file://"+g.dir, "main:refs/heads/cut")
	sshd := newSSHServer(t)
	for _, o := range []MirrorOptions{
		{URL: shallow.dir}, {URL: serve(t, gitHTTP(t, shallow)).URL + "/repo.git"},
		{URL: "ssh://" + sshd.address + shallow.dir + "/.git", Credentials: sshd.credentials(nil)},
	} {
		o.Branch = "cut"
		if _, err := newMirror(t, o).Fetch(t.Context()); !errors.Is(err, ErrShallow) {
			t.Errorf("%s: got %v, want ErrShallow", o.URL, err)
		}
	}
}

func TestFetchBringsTheMergeQueueOfTheBranchAlone(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("first", "teams/a.yaml")
	queued := g.rawCommit(g.rev("HEAD^{tree}"))
	m := newMirror(t, MirrorOptions{URL: g.dir})
	branch := m.options.Branch
	name := "pr-7-" + string(first)
	g.git("update-ref", "refs/heads/gh-readonly-queue/"+branch+"/"+name, string(queued))
	for _, other := range []string{"gh-readonly-queue/other/" + name, "gh-readonly-queue/" + branch + "/pr-0-" + string(first), "gh-readonly-queue/" + branch + "/pr-7", "queue/" + name} {
		g.git("update-ref", "refs/heads/"+other, string(first))
	}
	refs := fetch(t, m)
	want := []Queued{{Number: 7, Base: first, Head: queued}}
	if diff := cmp.Diff(want, refs.Queue); diff != "" {
		t.Error(diff)
	}
	if _, err := m.Commit(t.Context(), queued); err != nil {
		t.Errorf("the queued commit was not fetched: %v", err)
	}
	g.git("update-ref", "-d", "refs/heads/gh-readonly-queue/"+branch+"/"+name)
	if refs = fetch(t, m); refs.Queue != nil {
		t.Errorf("after its end the queue is %v", refs.Queue)
	}
}
