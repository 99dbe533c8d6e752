package source

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// session is one conversation with a remote.
type session interface {
	// refs returns what every reference of the remote points to.
	refs(ctx context.Context) (map[string]plumbing.Hash, error)
	// pack returns a self-contained pack with what wants reach and haves do not.
	// The caller closes it. The error is a *notServed where the remote does not
	// give out an object that is wanted.
	pack(ctx context.Context, wants, haves []plumbing.Hash) (io.ReadCloser, error)
	close() error
}

// dial opens a session with the remote.
func (m *Mirror) dial(ctx context.Context, c Credential) (session, error) {
	switch m.remote.scheme {
	case schemeFile:
		return dialFile(m.remote)
	case schemeSSH:
		return dialSSH(ctx, m.remote, c)
	}
	return m.dialHTTP(c)
}

// httpSession speaks Git's smart HTTP protocol through go-git, which keeps
// credentials from following a redirect to another host.
type httpSession struct {
	upload transport.UploadPackSession
	caps   *capability.List
}

func (m *Mirror) dialHTTP(c Credential) (session, error) {
	ep, err := transport.NewEndpoint(m.remote.String())
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be parsed", ErrURL)
	}
	var auth transport.AuthMethod
	if c.Password != "" || c.Username != "" {
		auth = &githttp.BasicAuth{Username: c.user(), Password: c.Password}
	}
	client := githttp.NewClient(&http.Client{Transport: m.http})
	upload, err := client.NewUploadPackSession(ep, auth)
	if err != nil {
		return nil, err
	}
	return &httpSession{upload: upload}, nil
}

// httpTransport is the mirror's own, so that its CA trusts nothing else.
func httpTransport(caBundle []byte) (*http.Transport, error) {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("http.DefaultTransport is a %T", http.DefaultTransport)
	}
	t := base.Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(caBundle) == 0 {
		return t, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(caBundle) {
		return nil, errors.New("the CA bundle holds no PEM certificate")
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}

func (s *httpSession) refs(ctx context.Context) (map[string]plumbing.Hash, error) {
	ar, err := s.upload.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, err
	}
	s.caps = ar.Capabilities
	if len(ar.Shallows) > 0 {
		return nil, fmt.Errorf("the remote itself: %w", ErrShallow)
	}
	return ar.References, nil
}

func (s *httpSession) pack(ctx context.Context, wants, haves []plumbing.Hash) (io.ReadCloser, error) {
	req, err := packRequest(s.caps, wants, haves)
	if err != nil {
		return nil, err
	}
	response, err := s.upload.UploadPack(ctx, req)
	if err != nil {
		return nil, refusal(err)
	}
	return demux(req, response), nil
}

func (s *httpSession) close() error { return s.upload.Close() }

// notServed: the remote does not give out an object, because it has none of that
// name, or because it is set up to give out what its references lead to alone.
type notServed struct {
	id  plumbing.Hash
	err error // as the remote said it
}

func (e *notServed) Error() string { return e.err.Error() }
func (e *notServed) Unwrap() error { return e.err }

// notOurs is how git-upload-pack refuses an object. The protocol has no other
// sign of it, and go-git keeps of the answer nothing but the text,
// https://github.com/git/git/blob/v2.54.0/upload-pack.c (receive_needs).
var notOurs = regexp.MustCompile(`^(?:error decoding upload-pack response: )?upload-pack: not our ref ([0-9a-f]{40})$`)

// refusal is the error of a request for a pack, a *notServed if it is one.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if m := notOurs.FindStringSubmatch(unwrapGoGit(err).Error()); m != nil {
		return &notServed{id: plumbing.NewHash(m[1]), err: err}
	}
	return err
}

func packRequest(caps *capability.List, wants, haves []plumbing.Hash) (*packp.UploadPackRequest, error) {
	req := packp.NewUploadPackRequestFromCapabilities(caps)
	if caps.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return nil, err
		}
	}
	req.Wants, req.Haves = wants, haves
	return req, nil
}

// demux takes the pack out of the channels into which a server may split its
// answer.
func demux(req *packp.UploadPackRequest, r io.ReadCloser) io.ReadCloser {
	var t sideband.Type
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		t = sideband.Sideband64k
	case req.Capabilities.Supports(capability.Sideband):
		t = sideband.Sideband
	default:
		return r
	}
	return struct {
		io.Reader
		io.Closer
	}{sideband.NewDemuxer(t, r), r}
}

// lineBuffer keeps the beginning of what a remote writes to standard error.
type lineBuffer struct{ bytes.Buffer }

func (b *lineBuffer) Write(p []byte) (int, error) {
	const limit = 4096
	if room := limit - b.Len(); room > 0 {
		_, _ = b.Buffer.Write(p[:min(room, len(p))]) // bytes.Buffer never fails
	}
	return len(p), nil
}

func (b *lineBuffer) text() string { return strings.TrimSpace(foreign(b.String())) }
