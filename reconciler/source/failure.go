package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Why a fetch failed. Test with [errors.Is]; the message adds the remote and
// what to do. After any of them the mirror still answers as before the fetch.
var (
	// ErrAuth: the remote does not accept the credential, or it lacks permission.
	ErrAuth = errors.New("not authorized")
	// ErrUnreachable: the remote does not answer, or not as a Git server does.
	// Trying again later may help. It is also the answer where the context's
	// deadline passed; then context.DeadlineExceeded is in the chain too.
	ErrUnreachable = errors.New("remote unreachable")
	// ErrCertificate: the remote's TLS certificate is not trusted or not valid.
	ErrCertificate = errors.New("certificate not trusted")
	// ErrHostKey: the ssh host is not in known_hosts, or has another key there.
	ErrHostKey = errors.New("ssh host key not trusted")
	// ErrNotFound: there is no such repository, or the credential may not see it.
	ErrNotFound = errors.New("repository not found")
	// ErrRefMissing: the repository has no branch of the configured name.
	ErrRefMissing = errors.New("branch not found")
)

var remedies = map[error]string{
	ErrAuth:        "check the credential and that it may read this repository",
	ErrUnreachable: "check the address, the network and the remote's status",
	ErrCertificate: "check the remote's certificate, or configure the CA that signed it",
	ErrHostKey:     "compare the host's key with the one published for it and add it to known_hosts",
	ErrNotFound:    "check the address, and that the credential may see the repository",
	ErrRefMissing:  "check the configured branch name",
}

// fetchError is a failed fetch. Its message was made safe when it was made; the
// original error is not kept, because its message may hold anything.
type fetchError struct {
	message string
	is      []error
}

func (e *fetchError) Error() string   { return e.message }
func (e *fetchError) Unwrap() []error { return e.is }

// failure turns an error of a transport into a fetchError.
func (r remote) failure(ctx context.Context, err error, secrets []string) error {
	var done *fetchError
	if errors.As(err, &done) {
		return err
	}
	kind, is := classify(err), []error(nil)
	if kind != nil {
		is = append(is, kind)
	}
	if cause := context.Cause(ctx); ctx.Err() != nil {
		err = cause
		is = []error{ctx.Err()}
		if kind = nil; errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind, is = ErrUnreachable, append(is, ErrUnreachable)
		}
	}
	for _, kept := range []error{ErrMissing, ErrCorrupt, ErrNotRepository, ErrShallow} {
		if errors.Is(err, kept) {
			is = append(is, kept)
		}
	}
	message := fmt.Sprintf("fetching %s: %s", r, r.sentence(kind, err))
	return &fetchError{message: redact(message, secrets), is: is}
}

// sentence is the kind of a failure, what happened, and what to do, each once.
func (r remote) sentence(kind, err error) string {
	what := r.describe(err)
	if kind == nil {
		return what
	}
	said := kind.Error()
	if detail := strings.TrimPrefix(strings.TrimPrefix(what, said), ": "); detail != "" {
		said += ": " + detail
	}
	return fmt.Sprintf("%s (%s)", said, remedies[kind])
}

// classify returns which of the errors above an error is, nil for one on our side.
func classify(err error) error {
	var (
		hostKey *knownhosts.KeyError
		revoked *knownhosts.RevokedError
		path    *fs.PathError
	)
	for _, known := range []error{ErrAuth, ErrUnreachable, ErrCertificate, ErrHostKey, ErrNotFound, ErrRefMissing} {
		if errors.Is(err, known) {
			return known
		}
	}
	switch err = unwrapGoGit(err); {
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return ErrAuth
	case errors.Is(err, transport.ErrRepositoryNotFound), errors.Is(err, ErrNotRepository):
		return ErrNotFound
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return ErrRefMissing
	case errors.As(err, &hostKey), errors.As(err, &revoked):
		return ErrHostKey
	case isCertificate(err):
		return ErrCertificate
	case errors.As(err, &path), errors.Is(err, ErrMissing), errors.Is(err, ErrCorrupt), errors.Is(err, ErrShallow):
		return nil
	}
	return ErrUnreachable
}

func isCertificate(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
	)
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &host)
}

// unwrapGoGit opens go-git's two wrappers, which have no Unwrap of their own.
func unwrapGoGit(err error) error {
	for {
		var unexpected *plumbing.UnexpectedError
		var permanent *plumbing.PermanentError
		switch {
		case errors.As(err, &unexpected):
			err = unexpected.Err
		case errors.As(err, &permanent):
			err = permanent.Err
		default:
			return err
		}
	}
}

// describe says what happened in words that the remote did not choose, where
// that is possible: an error page can echo the request, header and all. What
// address was asked is said already, unless it is another one.
func (r remote) describe(err error) string {
	err = unwrapGoGit(err)
	var status *githttp.Err
	var line *pktline.ErrorLine
	switch {
	case errors.As(err, &status):
		return fmt.Sprintf("HTTP status %d", status.Response.StatusCode)
	case errors.As(err, &line):
		return "the remote says: " + foreign(line.Text)
	}
	for _, known := range []error{transport.ErrAuthenticationRequired, transport.ErrAuthorizationFailed,
		transport.ErrRepositoryNotFound, transport.ErrEmptyRemoteRepository} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	text := err.Error()
	var request *url.Error
	if errors.As(err, &request) && strings.HasPrefix(request.URL, strings.TrimSuffix(r.String(), "/")+"/") {
		text = strings.Replace(text, request.Error(), request.Err.Error(), 1)
	}
	return foreign(text)
}

// foreign makes text from outside fit for one line of a log.
func foreign(s string) string {
	s = strings.Map(func(r rune) rune {
		if forgesOutput(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	const limit = 300
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return strings.TrimSpace(s)
}

func redact(s string, secrets []string) string {
	for _, secret := range secrets {
		s = strings.ReplaceAll(s, secret, redacted)
	}
	return s
}
