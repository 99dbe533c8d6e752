package github_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
)

// roundTrip is a GitHub of one function.
type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// emptyList answers every list with nothing and tells how much is left.
func emptyList(remaining int, reset time.Time) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("[]")),
		Header: http.Header{
			"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {strconv.Itoa(remaining)},
			"X-Ratelimit-Reset": {strconv.FormatInt(reset.Unix(), 10)},
		},
	}
}

// gitHubCom is a client of github.com, whose limits are known, by a clock that waiting moves.
func gitHubCom(t *testing.T, budgets *github.Budgets, token string, clock *stopped, answer roundTrip) *github.Client {
	t.Helper()
	return must(github.New(github.Options{
		Token: token, Budgets: budgets, HTTPClient: &http.Client{Transport: answer}, Clock: clock.Now, MaxWait: time.Hour,
		Wait: func(ctx context.Context, d time.Duration) error {
			clock.pass(d)
			return ctx.Err()
		},
	}))
}

func list(ctx context.Context, c *github.Client, p review.Priority) error {
	_, err := c.PullRequests(review.WithPriority(ctx, p), owner, name)
	return err
}

func TestWhatIsLeftOfTheHourIsKeptForMerges(t *testing.T) {
	for _, tc := range []struct {
		name                     string
		remaining                int
		poll, pullRequest, merge bool
	}{
		{"plenty is left", 1001, true, true, true},
		{"polls are refused first", 999, false, true, true},
		{"then pull requests", 249, false, false, true},
		{"merges never, before GitHub does", 0, false, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := &stopped{time.Unix(1_800_000_000, 0)}
			reset := clock.now.Add(2 * time.Hour) // longer than anything waits
			budgets := &github.Budgets{}
			connect := func(token string) *github.Client {
				return gitHubCom(t, budgets, token, clock, func(*http.Request) *http.Response { return emptyList(tc.remaining, reset) })
			}
			one, other, stranger := connect("a"), connect("a"), connect("b")
			ok(t, list(t.Context(), one, review.PriorityMerge)) // GitHub tells what is left
			for p, may := range map[review.Priority]bool{
				review.PriorityPoll: tc.poll, review.PriorityPullRequest: tc.pullRequest, review.PriorityMerge: tc.merge,
			} {
				err := list(t.Context(), other, p)
				var limited *github.RateLimitError
				if may != (err == nil) || (!may && (!errors.As(err, &limited) || limited.RetryAfter != 2*time.Hour)) {
					t.Errorf("priority %d: %v", p, err)
				}
			}
			ok(t, list(t.Context(), stranger, review.PriorityPoll)) // whose budget is another
			clock.pass(3 * time.Hour)
			ok(t, list(t.Context(), other, review.PriorityPoll))
		})
	}
}

func TestNoMinuteHoldsMoreThanGitHubAllows(t *testing.T) {
	for _, tc := range []struct {
		name     string
		priority review.Priority
		most     int
		ask      func(context.Context, *github.Client) error
	}{
		{"reads for merges", review.PriorityMerge, 800, nil},
		{"reads for pull requests", review.PriorityPullRequest, 680, nil},
		{"reads of polls", review.PriorityPoll, 480, nil},
		{"pull requests opened", review.PriorityMerge, 70, func(ctx context.Context, c *github.Client) error {
			_, err := c.Merge(ctx, owner, name, 1, "x", "squash")
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := &stopped{time.Unix(1_800_000_000, 0)}
			var asked []time.Time
			c := gitHubCom(t, nil, "a", clock, func(r *http.Request) *http.Response {
				asked = append(asked, clock.now)
				resp := emptyList(4000, clock.now.Add(time.Hour))
				if r.Method != http.MethodGet {
					resp.Body = io.NopCloser(strings.NewReader(`{"merged":true,"sha":"x"}`))
				}
				return resp
			})
			ctx := review.WithPriority(t.Context(), tc.priority)
			for range 2*tc.most + 10 {
				if tc.ask != nil {
					ok(t, tc.ask(ctx, c))
				} else {
					ok(t, list(ctx, c, tc.priority))
				}
				clock.pass(10 * time.Millisecond)
			}
			most := 0
			for i, from := range asked {
				n, _ := slices.BinarySearchFunc(asked[i:], from.Add(59*time.Second), time.Time.Compare)
				most = max(most, n)
			}
			if most != tc.most {
				t.Errorf("%d requests fell into one minute, want %d", most, tc.most)
			}
		})
	}
}

func TestMergesAreAskedBeforePullRequestsAndThoseBeforePolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		free := make(chan struct{})
		clock := &stopped{time.Unix(1_800_000_000, 0)}
		c := gitHubCom(t, nil, "a", clock, func(r *http.Request) *http.Response {
			mu.Lock()
			order = append(order, strings.Split(r.URL.Path, "/")[3])
			mu.Unlock()
			<-free
			return emptyList(4000, clock.now.Add(time.Hour))
		})
		var requests sync.WaitGroup
		ask := func(ctx context.Context, name string, p review.Priority) {
			requests.Go(func() {
				if _, err := c.PullRequests(review.WithPriority(ctx, p), owner, name); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range 50 {
			ask(t.Context(), "first", review.PriorityPoll)
		}
		gone, cancel := context.WithCancel(t.Context())
		ask(gone, "gone", review.PriorityMerge)
		cancel()
		ask(t.Context(), "poll", review.PriorityPoll)
		ask(t.Context(), "pull", review.PriorityPullRequest)
		ask(t.Context(), "merge-1", review.PriorityMerge)
		ask(t.Context(), "merge-2", review.PriorityMerge)
		for range 54 {
			free <- struct{}{}
			synctest.Wait()
		}
		requests.Wait()
		if got := order[50:]; len(order) != 54 || !slices.Equal(got, []string{"merge-1", "merge-2", "pull", "poll"}) {
			t.Errorf("%d were asked, after the first fifty %v", len(order), got)
		}
	})
}
