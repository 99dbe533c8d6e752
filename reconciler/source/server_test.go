package source

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// gitHTTP serves the repository g by git's own CGI program, below /repo.git.
func gitHTTP(t testing.TB, g *gitRepo) http.Handler {
	t.Helper()
	program := filepath.Join(g.git("--exec-path"), "git-http-backend")
	backend := &cgi.Handler{
		Path: program, Root: "/repo.git",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(g.dir, ".git"), "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + g.dir},
		Stderr: io.Discard,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/repo.git/") {
			http.NotFound(w, r)
			return
		}
		backend.ServeHTTP(w, r)
	})
}

// withToken lets requests pass that carry the token, and echoes what others
// sent, as an unkind server might.
func withToken(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user == tokenUser && password == token:
			next.ServeHTTP(w, r)
		case password == "forbidden":
			http.Error(w, password+" "+r.Header.Get("Authorization"), http.StatusForbidden)
		default:
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, password+" "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		}
	})
}

func serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func token(value string) Credentials {
	return CredentialsFunc(func(context.Context, string) (Credential, error) {
		return Credential{Password: value}, nil
	})
}

// sshServer runs git-upload-pack for whoever holds clientKey.
type sshServer struct {
	address    string
	hostKey    ssh.Signer
	clientKey  []byte // PEM
	knownHosts []byte
}

func newKey(t testing.TB) (ssh.Signer, []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

func newSSHServer(t testing.TB) *sshServer {
	t.Helper()
	s := &sshServer{}
	s.hostKey, _ = newKey(t)
	var client ssh.Signer
	client, s.clientKey = newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(client.PublicKey().Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(s.hostKey)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s.address = listener.Addr().String()
	s.knownHosts = []byte(knownhosts.Line([]string{s.address}, s.hostKey.PublicKey()) + "\n")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveSSH(conn, config)
		}
	}()
	return s
}

func serveSSH(conn net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = conn.Close() }()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		for request := range requests {
			ok := request.Type == "exec"
			_ = request.Reply(ok, nil)
			if ok {
				runUploadPack(channel, string(request.Payload[4:]))
				break
			}
		}
	}
}

// runUploadPack has a shell take the command line apart, as sshd does.
func runUploadPack(channel ssh.Channel, command string) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	status := byte(128)
	// Not cmd.Stdin, or the end of the command would wait for the client's.
	if stdin, err := cmd.StdinPipe(); err == nil {
		go func() {
			_, _ = io.Copy(stdin, channel)
			_ = stdin.Close()
		}()
		if cmd.Run() == nil {
			status = 0
		}
	}
	_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, status})
	_ = channel.Close()
}

func (s *sshServer) credentials(change func(*Credential)) Credentials {
	return CredentialsFunc(func(context.Context, string) (Credential, error) {
		c := Credential{PrivateKey: s.clientKey, KnownHosts: s.knownHosts}
		if change != nil {
			change(&c)
		}
		return c, nil
	})
}
