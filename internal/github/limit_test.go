package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
)

// A limit is told in several ways. Until it is over nothing is asked, and then
// everything again: neither earlier, which would lengthen it, nor later.
func TestALimitHoldsAsLongAsGitHubSays(t *testing.T) {
	const (
		secondary = `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.","documentation_url":"https://docs.github.com/rest"}`
		byAddress = `{"message":"Slow down.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
		denied    = `{"message":"Resource not accessible by integration","documentation_url":"https://docs.github.com/rest"}`
		exceeded  = `{"message":"API rate limit exceeded","documentation_url":"https://docs.github.com/rest"}`
	)
	for name, tc := range map[string]struct {
		status    int
		body      string
		remaining string
		after     string
		want      time.Duration // 0: no limit, but a refusal
	}{
		"a secondary limit that names no time":     {403, secondary, "4000", "", time.Minute},
		"one that is told by its documentation":    {403, byAddress, "4000", "", time.Minute},
		"one with 429":                             {429, secondary, "4000", "", time.Minute},
		"one that names its time":                  {403, secondary, "4000", "120", 2 * time.Minute},
		"a secondary limit when the hour's is out": {403, secondary, "0", "", 40 * time.Minute},
		"the hour's limit":                         {403, exceeded, "0", "", 40 * time.Minute},
		"the hour's limit with 429":                {429, exceeded, "0", "", 40 * time.Minute},
		"a missing permission":                     {403, denied, "4000", "", 0},
		"a page of a proxy":                        {403, "<html>secondary rate limit</html>", "4000", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &stopped{time.Now()}
			begin, asked, over := clock.now, 0, false
			answer := roundTrip(func(r *http.Request) *http.Response {
				asked++
				if over {
					return emptyList(4000, clock.now.Add(time.Hour))
				}
				head := http.Header{
					"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {tc.remaining},
					"X-Ratelimit-Reset": {strconv.FormatInt(begin.Add(40*time.Minute).Unix()+1, 10)},
				}
				if tc.after != "" {
					head.Set("Retry-After", tc.after)
				}
				return &http.Response{StatusCode: tc.status, Header: head, Request: r, Body: io.NopCloser(strings.NewReader(tc.body))}
			})
			budgets := &github.Budgets{}
			connect := func() *github.Client {
				return must(github.New(github.Options{
					Token: "a", Budgets: budgets, HTTPClient: &http.Client{Transport: answer}, Clock: clock.Now,
					Wait: func(context.Context, time.Duration) error { t.Error("it waited"); return nil },
				}))
			}
			one, other := connect(), connect() // of one process
			_, err := one.PullRequests(t.Context(), owner, name)
			if tc.want == 0 {
				if !errors.Is(err, github.ErrForbidden) {
					t.Errorf("%v", err)
				}
			} else {
				for range 3 {
					_, err := other.TeamMembers(t.Context(), owner, "leads")
					var limited *github.RateLimitError
					if !errors.As(err, &limited) || limited.RetryAfter.Round(2*time.Second) != tc.want {
						t.Errorf("while it lasts: %v", err)
					}
				}
			}
			if asked != 1 {
				t.Errorf("GitHub was asked %d times", asked)
			}
			over = true
			clock.pass(tc.want + 2*time.Second)
			for _, c := range []*github.Client{one, other} {
				if _, err := c.PullRequests(t.Context(), owner, name); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

func TestWhatPassesIsSaidInTheSameWordsEachTime(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"a limit":              {&github.Error{Op: "list x", Kind: &github.RateLimitError{RetryAfter: time.Minute}, Status: 403}, "GitHub's rate limit is used up"},
		"no answer":            {&github.Error{Op: "list x", Kind: github.ErrUnreachable, Detail: "read tcp 127.0.0.1:40123: reset"}, "GitHub does not answer"},
		"no answer in time":    {&github.Error{Op: "list x", Kind: context.DeadlineExceeded}, "GitHub does not answer"},
		"what does not pass":   {&github.Error{Op: "list x", Kind: github.ErrForbidden, Status: 403, Detail: "id 7"}, "list x: GitHub does not allow this to the credentials; check their permissions"},
		"a list that is short": {&github.Error{Op: "list x", Kind: github.ErrTruncated, Detail: "it gave 3 of 5"}, "list x: GitHub cuts this list off"},
	} {
		var steady interface{ Steady() string }
		if !errors.As(fmt.Errorf("wrapped: %w", tc.err), &steady) || steady.Steady() != tc.want {
			t.Errorf("%s: %v", name, steady)
		}
	}
}

func TestASecondaryLimitOfGraphQLHoldsEverythingBack(t *testing.T) {
	clock := &stopped{time.Now()}
	asked := 0
	c := must(github.New(github.Options{Token: "a", Clock: clock.Now, HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
		asked++
		resp := emptyList(4000, clock.now.Add(time.Hour))
		resp.Body = io.NopCloser(strings.NewReader(`{"errors":[{"message":"You have exceeded a secondary rate limit."}]}`))
		return resp
	})}}))
	_, err := c.Authors(t.Context(), owner, name, []string{strings.Repeat("a", 40)})
	_, then := c.PullRequests(t.Context(), owner, name)
	if !errors.Is(err, github.ErrRateLimited) || !errors.Is(then, github.ErrRateLimited) || asked != 1 {
		t.Errorf("%v, then %v, after %d requests", err, then, asked)
	}
}
