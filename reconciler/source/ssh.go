package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshSession runs git-upload-pack on an ssh server.
//
// go-git's own ssh transport is not used: it neither stops dialling nor shaking
// hands when the context ends, reads ~/.ssh/config, and falls back to the known
// hosts and the agent of whoever runs it.
type sshSession struct {
	client  *ssh.Client
	session *ssh.Session
	stdin   io.WriteCloser
	stdout  io.Reader
	stderr  *lockedLines
	adv     *packp.AdvRefs
	asked   bool // a pack was asked for, so there is no need to say goodbye
	stop    func() bool
}

const defaultSSHUser, defaultSSHPort = "git", 22

func dialSSH(ctx context.Context, r remote, c Credential) (_ session, err error) {
	address := net.JoinHostPort(r.host, strconv.Itoa(portOr(r.port, defaultSSHPort)))
	config, trusted, err := sshConfig(r, c, address)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// Closing the connection is what ends every read below when the context does.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if err != nil {
			stop()
			_ = conn.Close()
		}
	}()
	sshConn, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		return nil, handshakeError(err, trusted())
	}
	s := &sshSession{client: ssh.NewClient(sshConn, channels, requests), stop: stop, stderr: &lockedLines{}}
	return s, s.start(r.path)
}

func portOr(port, fallback int) int {
	if port == 0 {
		return fallback
	}
	return port
}

// sshConfig returns the client's configuration, and a function that tells
// whether the host's key was accepted.
func sshConfig(r remote, c Credential, address string) (*ssh.ClientConfig, func() bool, error) {
	if len(c.PrivateKey) == 0 {
		return nil, nil, fmt.Errorf("%w: ssh needs a private key", ErrAuth)
	}
	signer, err := ssh.ParsePrivateKey(c.PrivateKey)
	if len(c.Passphrase) > 0 {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(c.PrivateKey, c.Passphrase)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the ssh private key cannot be read; is it PEM, and the passphrase right?", ErrAuth)
	}
	known, err := hostKeys(c.KnownHosts)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	accepted := false
	config := &ssh.ClientConfig{
		User: r.user,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: func(host string, addr net.Addr, key ssh.PublicKey) error {
			err := known(host, addr, key)
			mu.Lock()
			defer mu.Unlock()
			accepted = err == nil
			return err
		},
		HostKeyAlgorithms: hostKeyAlgorithms(known, address),
	}
	if config.User == "" {
		config.User = defaultSSHUser
	}
	return config, func() bool { mu.Lock(); defer mu.Unlock(); return accepted }, nil
}

// hostKeys reads known_hosts lines. They take the way over a file, because that
// is all that the package which knows their format can read.
func hostKeys(lines []byte) (_ ssh.HostKeyCallback, err error) {
	if strings.TrimSpace(string(lines)) == "" {
		return nil, fmt.Errorf("%w: ssh needs known_hosts", ErrHostKey)
	}
	f, err := os.CreateTemp("", "known_hosts")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(lines)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	known, err := knownhosts.New(f.Name())
	if err != nil {
		return nil, fmt.Errorf("%w: known_hosts cannot be read", ErrHostKey)
	}
	return known, nil
}

// noKey is a key that no host has.
type noKey struct{ ssh.PublicKey }

func (noKey) Type() string    { return "none" }
func (noKey) Marshal() []byte { return nil }

// hostKeyAlgorithms asks for the kinds of key that known_hosts lists for the
// host. Otherwise a server with several keys may show one that is not listed.
func hostKeyAlgorithms(known ssh.HostKeyCallback, address string) []string {
	var listed *knownhosts.KeyError
	if err := known(address, &net.TCPAddr{IP: net.IPv4zero}, noKey{}); !errors.As(err, &listed) {
		return nil
	}
	var names []string
	for _, key := range listed.Want {
		if kind := key.Key.Type(); kind == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			names = append(names, kind)
		}
	}
	return names
}

// handshakeError: after the host's key is accepted, what remains to fail is
// that the host accepts ours, or that the connection breaks.
func handshakeError(err error, trusted bool) error {
	var network net.Error
	if trusted && !errors.As(err, &network) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the ssh server does not accept the key", ErrAuth)
	}
	return err
}

func (s *sshSession) start(path string) error {
	var err error
	if s.session, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.stdin, err = s.session.StdinPipe(); err != nil {
		return err
	}
	if s.stdout, err = s.session.StdoutPipe(); err != nil {
		return err
	}
	s.session.Stderr = s.stderr
	return s.session.Start("git-upload-pack " + shellQuote(path))
}

// shellQuote is Git's sq_quote_buf,
// https://github.com/git/git/blob/v2.54.0/quote.c#L16-L60.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

func (s *sshSession) refs(context.Context) (map[string]plumbing.Hash, error) {
	adv := packp.NewAdvRefs()
	switch err := adv.Decode(s.stdout); {
	case errors.Is(err, packp.ErrEmptyInput):
		// The command said nothing and ended: it did not find the repository, or
		// the server runs no such command for us.
		_ = s.stdin.Close()
		_ = s.session.Wait() // for the rest of what it has to say
		return nil, fmt.Errorf("%w: the remote says: %s", ErrNotFound, s.stderr.text())
	case errors.Is(err, packp.ErrEmptyAdvRefs) || err == nil && adv.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case err != nil:
		return nil, err
	}
	transport.FilterUnsupportedCapabilities(adv.Capabilities)
	s.adv = adv
	if len(adv.Shallows) > 0 {
		return nil, fmt.Errorf("the remote itself: %w", ErrShallow)
	}
	return adv.References, nil
}

func (s *sshSession) pack(_ context.Context, wants, haves []plumbing.Hash) (io.ReadCloser, error) {
	req, err := packRequest(s.adv.Capabilities, wants, haves)
	if err != nil {
		return nil, err
	}
	s.asked = true
	sending := s.send(req)
	response := packp.NewUploadPackResponse(req)
	err = refusal(response.Decode(io.NopCloser(s.stdout)))
	// Who refuses an object hangs up, maybe in the middle of the request, and the
	// answer says why.
	if refused := (*notServed)(nil); sending != nil && !errors.As(err, &refused) {
		err = sending
	}
	if err != nil {
		return nil, err
	}
	return demux(req, response), nil
}

func (s *sshSession) send(req *packp.UploadPackRequest) error {
	if err := req.UploadRequest.Encode(s.stdin); err != nil {
		return err
	}
	if err := req.UploadHaves.Encode(s.stdin, true); err != nil {
		return err
	}
	return pktline.NewEncoder(s.stdin).EncodeString("done\n")
}

func (s *sshSession) close() error {
	defer s.stop()
	if !s.asked && s.stdin != nil {
		// A flush tells the server that nothing more is wanted; whether it still
		// listens does not matter.
		_, _ = s.stdin.Write(pktline.FlushPkt)
	}
	if err := s.client.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// lockedLines is a lineBuffer that ssh may still write to while it is read.
type lockedLines struct {
	mu    sync.Mutex
	lines lineBuffer
}

func (l *lockedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *lockedLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.text()
}
