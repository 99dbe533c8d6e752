package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/mlops-platform/mooring/reconciler/review"
)

// The kinds of failure, for errors.Is.
var (
	// ErrAuth: the token or key is not accepted (401).
	ErrAuth = errors.New("GitHub does not accept the credentials; check the token or the App's key")
	// ErrForbidden: the credentials are good but may not do this (403).
	ErrForbidden = errors.New("GitHub does not allow this to the credentials; check their permissions")
	// ErrNotFound: it is missing, or the credentials may not see it; GitHub does not say which (404, 410).
	ErrNotFound = errors.New("it is missing or not visible to the credentials")
	// ErrNotMergeable: conflicts, a draft, or branch protection stand against a merge (405).
	ErrNotMergeable = errors.New("GitHub will not merge it")
	// ErrConflict: the world moved on, the head of a merge for example (409).
	ErrConflict = errors.New("it has changed meanwhile")
	// ErrInvalid: GitHub refuses the content (422), or it is refused here because GitHub would.
	ErrInvalid = errors.New("GitHub refuses the content")
	// ErrRateLimited: see RateLimitError for how long.
	ErrRateLimited = errors.New("GitHub's rate limit is used up")
	// ErrUnreachable: no usable answer (network, 5xx).
	ErrUnreachable = errors.New("GitHub does not answer")
	// ErrTruncated: GitHub's list ends at a cap, so nobody knows what is missing.
	ErrTruncated = errors.New("GitHub cuts this list off")
)

// Error is a failed request: what was asked, the kind of failure, and what GitHub said.
type Error struct {
	Op     string // such as "list the reviews of acme/models#7"
	Kind   error  // one of the variables above, or the context's error
	Status int    // 0 without an answer
	Detail string // GitHub's message or the network's
}

func (e *Error) Error() string {
	text := "github: " + e.Op + ": " + e.Kind.Error()
	switch {
	case e.Status != 0 && e.Detail != "":
		text += fmt.Sprintf(" (%d %s)", e.Status, e.Detail)
	case e.Status != 0:
		text += fmt.Sprintf(" (%d)", e.Status)
	case e.Detail != "":
		text += " (" + e.Detail + ")"
	}
	return text
}

func (e *Error) Unwrap() error { return e.Kind }

// Steady is the error in words that are the same at each attempt: of what passes by itself not at which request it
// struck, nor for how long, and never the details.
func (e *Error) Steady() string {
	switch {
	case errors.Is(e.Kind, ErrRateLimited):
		return ErrRateLimited.Error()
	case errors.Is(e.Kind, context.DeadlineExceeded), errors.Is(e.Kind, ErrUnreachable):
		return ErrUnreachable.Error()
	}
	return e.Op + ": " + e.Kind.Error()
}

// RateLimitError says when to come back. errors.Is(err, ErrRateLimited) holds for it.
type RateLimitError struct{ RetryAfter time.Duration }

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("%v; retry in %v", ErrRateLimited, e.RetryAfter.Round(time.Second))
}

// Is makes it the kind ErrRateLimited, and the one that the gate knows.
func (e *RateLimitError) Is(target error) bool {
	return target == ErrRateLimited || target == review.ErrLimited
}

// wrap turns any error of a request into an Error.
func wrap(ctx context.Context, err error, format string, args ...any) error {
	e := &Error{Op: fmt.Sprintf(format, args...), Kind: ErrUnreachable}
	var (
		limited  *RateLimitError
		answered *gh.ErrorResponse
		renewal  *ghinstallation.HTTPError
		inner    *Error
	)
	switch {
	case ctx.Err() != nil:
		e.Kind = ctx.Err()
	case errors.As(err, &inner):
		e.Kind, e.Status, e.Detail = inner.Kind, inner.Status, inner.Detail
	case errors.As(err, &limited):
		e.Kind = limited
	case errors.Is(err, ErrTruncated):
		e.Kind = ErrTruncated
	case errors.As(err, &answered):
		e.answer(answered.Response, messageOf(answered))
	case errors.As(err, &renewal) && renewal.Response != nil:
		e.answer(renewal.Response, "while renewing the installation's token")
	default:
		e.Detail = err.Error()
	}
	e.Detail = scrub(e.Detail)
	return e
}

func (e *Error) answer(resp *http.Response, message string) {
	e.Status, e.Detail = resp.StatusCode, message
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Kind = ErrAuth
	case http.StatusForbidden:
		e.Kind = ErrForbidden
	case http.StatusNotFound, http.StatusGone:
		e.Kind = ErrNotFound
	case http.StatusMethodNotAllowed:
		e.Kind = ErrNotMergeable
	case http.StatusConflict:
		e.Kind = ErrConflict
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		e.Kind = ErrInvalid
	}
}

func messageOf(r *gh.ErrorResponse) string {
	parts := []string{r.Message}
	for _, e := range r.Errors {
		switch {
		case e.Message != "":
			parts = append(parts, e.Message)
		case e.Field != "":
			parts = append(parts, strings.TrimSpace(e.Resource+" "+e.Field+" "+e.Code))
		}
	}
	return strings.Join(parts, ": ")
}

var secret = regexp.MustCompile(`gh[a-z]_[A-Za-z0-9]{10,}|github_pat_[A-Za-z0-9_]{10,}|(?i:bearer|token|basic) [A-Za-z0-9+/=._-]{16,}|://[^/@\s]+@`)

// scrub is the last guard against a token in a message that somebody else wrote.
func scrub(text string) string { return secret.ReplaceAllString(text, "[redacted]") }
