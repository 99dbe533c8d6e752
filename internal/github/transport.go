package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tokenTransport adds a fixed token.
type tokenTransport struct {
	next  http.RoundTripper
	token string
}

func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(out)
}

// retryTransport repeats reads that a proxy dropped and waits out rate limits that end soon.
type retryTransport struct {
	next    http.RoundTripper
	maxWait time.Duration
	wait    func(context.Context, time.Duration) error
	clock   func() time.Time
	budget  *budget
}

func newRetryTransport(opts Options, b *budget) *retryTransport {
	next := defaultTransport()
	if opts.HTTPClient != nil && opts.HTTPClient.Transport != nil {
		next = opts.HTTPClient.Transport
	}
	return &retryTransport{next: next, maxWait: opts.MaxWait, wait: opts.Wait, clock: opts.Clock, budget: b}
}

// answerTimeout is how long GitHub may take to begin an answer; its own limit is ten seconds.
const answerTimeout = 30 * time.Second

func defaultTransport() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // somebody has replaced it, and knows why
	}
	own := standard.Clone()
	own.ResponseHeaderTimeout = answerTimeout
	return own
}

const (
	maxAttempts  = 4
	firstBackoff = 250 * time.Millisecond
)

func (t *retryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		if err := t.respectLimits(req); err != nil {
			return nil, err
		}
		resp, err := t.ask(req)
		if err != nil {
			return nil, err
		}
		t.noteRate(req, resp)
		delay, limited, err := t.limited(resp)
		if err != nil {
			return nil, err
		}
		if !limited {
			if delay = t.backoff(req, resp, attempt); delay == 0 {
				return resp, nil
			}
		}
		if err := discard(resp); err != nil {
			return nil, err
		}
		next, ok := rewind(req)
		if limited && (!ok || attempt == maxAttempts || delay > t.allowed(req.Context())) {
			return nil, &RateLimitError{delay}
		}
		if err := t.wait(req.Context(), delay); err != nil {
			return nil, err
		}
		req = next
	}
}

// ask makes one request, when it is its turn.
func (t *retryTransport) ask(req *http.Request) (*http.Response, error) {
	if err := t.budget.enter(req.Context()); err != nil {
		return nil, err
	}
	defer t.budget.leave()
	return t.next.RoundTrip(req)
}

// respectLimits holds a request back while a limit is in force, since asking on would make GitHub extend it,
// and while what is left is kept for more urgent ones.
func (t *retryTransport) respectLimits(req *http.Request) error {
	ctx := req.Context()
	for waited := false; ; waited = true {
		left := t.budget.delay(req, waited)
		if left <= 0 {
			return nil
		}
		if left > t.allowed(ctx) {
			return &RateLimitError{left}
		}
		if err := t.wait(ctx, left); err != nil {
			return err
		}
	}
}

// allowed is how long a request may wait: the configured bound, and never beyond its own deadline.
func (t *retryTransport) allowed(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(t.maxWait, deadline.Sub(t.clock()))
	}
	return t.maxWait
}

// limited notes a rate limit. A request refused by one has done nothing, so a write may be repeated too.
func (t *retryTransport) limited(resp *http.Response) (time.Duration, bool, error) {
	wait, limited, err := limitOf(resp, t.clock())
	if limited {
		t.budget.block(wait)
	}
	// go-github would refuse requests by itself, without waiting and until the hour's end, from what it saw last.
	resp.Header.Del("X-RateLimit-Remaining")
	resp.Header.Del("X-RateLimit-Reset")
	return wait, limited, err
}

// backoff says after how long to repeat a read that a proxy dropped; zero means not at all.
func (t *retryTransport) backoff(req *http.Request, resp *http.Response, attempt int) time.Duration {
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0
	}
	delay := firstBackoff << (attempt - 1)
	delay += rand.N(delay) // so that many workers do not come back together
	if after, ok := retryAfter(resp); ok {
		delay = max(delay, after)
	}
	// A write may have happened although its answer was lost.
	if !reads(req) || attempt == maxAttempts || delay > t.allowed(req.Context()) {
		return 0
	}
	return delay
}

// reads says whether a request changes nothing. Of GraphQL, Mooring asks queries only.
func reads(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead || strings.HasSuffix(req.URL.Path, "/graphql")
}

// noteRate keeps the rate limit.
func (t *retryTransport) noteRate(req *http.Request, resp *http.Response) {
	var r Rate
	for header, into := range map[string]*int{"X-Ratelimit-Limit": &r.Limit, "X-Ratelimit-Remaining": &r.Remaining} {
		n, err := strconv.Atoi(resp.Header.Get(header))
		if err != nil {
			return // Enterprise Server has limits switched off by default
		}
		*into = n
	}
	if reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		r.Reset = time.Unix(reset, 0)
	}
	t.budget.note(resourceOf(req), r)
}

// limitOf recognises GitHub's rate limits, the hourly and the secondary ones, and how long they last.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
func limitOf(resp *http.Response, now time.Time) (time.Duration, bool, error) {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return 0, false, nil
	}
	if after, ok := retryAfter(resp); ok {
		return after, true, nil
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
		if err == nil {
			return max(time.Unix(reset, 0).Sub(now), time.Second), true, nil
		}
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return unknownLimit, true, nil
	}
	secondary, err := saysSecondary(resp)
	return unknownLimit, secondary, err
}

// unknownLimit is what GitHub asks to wait at least where it gives no time.
const unknownLimit = time.Minute

// saysSecondary tells a secondary limit from a missing permission, which have the status in common: by the text
// alone, where nothing else is given. The body can be read again.
func saysSecondary(resp *http.Response) (bool, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return false, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var said struct {
		Message string
		URL     string `json:"documentation_url"`
	}
	if json.Unmarshal(body, &said) != nil {
		return false, nil // a page of some proxy
	}
	return isSecondary(said.Message) || strings.HasSuffix(said.URL, "secondary-rate-limits"), nil
}

func isSecondary(message string) bool {
	return strings.Contains(strings.ToLower(message), "secondary rate limit")
}

func retryAfter(resp *http.Response) (time.Duration, bool) {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}

// rewind gives the request with its body ready to be sent again; it is false where that is impossible.
func rewind(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, true
}

// discard reads a body to its end so that the connection can serve the next request.
func discard(resp *http.Response) error {
	_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return errors.Join(err, resp.Body.Close())
}
