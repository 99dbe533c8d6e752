package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// The account's name may change, or not be what was configured: the comment
// stays one, and whoever has the name now keeps theirs.
func TestTheCommentStaysOneWhateverTheAccountIsCalled(t *testing.T) {
	token := func(change ...func(*github.Options)) func(*testing.T, world) func() *github.Client {
		return func(t *testing.T, w world) func() *github.Client {
			return func() *github.Client { return w.client(t, change...) }
		}
	}
	app := func(t *testing.T, w world) func() *github.Client {
		made := must(w.CreateApp("mooring", owner, nil))
		return func() *github.Client { return w.asApp(t, made) }
	}
	calls := func(login string) func(*github.Options) { return func(o *github.Options) { o.Login = login } }
	for name, tc := range map[string]struct {
		world          func(*testing.T, world) func() *github.Client
		login, renamed string
	}{
		"a token whose account is renamed":    {token(), "mooring-bot", "anchor-bot"},
		"an App that is renamed":              {app, "mooring[bot]", "anchor[bot]"},
		"a configured login that nobody has":  {token(calls("old-name")), "mooring-bot", "anchor-bot"},
		"a configured login that another has": {token(calls("dev")), "mooring-bot", "anchor-bot"},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted: %v", name, restarted), func(t *testing.T) {
				w := newWorld(t, githubtest.Options{})
				n, _ := w.open(t, "topic")
				ctx, connect := t.Context(), tc.world(t, w)
				c := connect()
				write := func(body string) {
					t.Helper()
					if restarted {
						c = connect()
					}
					if _, err := c.UpsertComment(ctx, owner, "models", n, github.CommentMarker, body); err != nil {
						t.Error(err)
					}
				}
				write("one")
				ok(t, w.Rename(tc.login, tc.renamed))
				other := must(w.CreateUser("other"))
				ok(t, w.Grant(repo, "other", githubtest.Read))
				if !strings.HasSuffix(tc.login, "[bot]") { // no person can be called so
					ok(t, w.Rename("other", tc.login))
				}
				ok(t, other.Comment(ctx, repo, n, github.CommentMarker+"\nnot ours"))
				for _, body := range []string{"two", "two", "three"} {
					write(body)
				}
				var bodies []string
				for _, m := range must(w.Pull(repo, n)).Comments {
					bodies = append(bodies, strings.TrimPrefix(m.Body, github.CommentMarker+"\n"))
				}
				if got := strings.Join(bodies, ", "); got != "three, not ours" {
					t.Errorf("the comments are %s", got)
				}
			})
		}
	}
}

func TestAStandingCommentIsChangedAndNoFirstOneWritten(t *testing.T) {
	clock := &stopped{time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)}
	w := newWorld(t, githubtest.Options{Clock: clock.Now})
	forge, ctx := w.client(t, func(o *github.Options) { o.Clock = clock.Now }).Forge(owner, name), t.Context()
	n, _ := w.open(t, "topic")
	comments := func() string {
		var bodies []string
		for _, m := range must(w.Pull(repo, n)).Comments {
			bodies = append(bodies, strings.TrimPrefix(m.Body, github.CommentMarker+"\n"))
		}
		return strings.Join(bodies, ", ")
	}
	clock.pass(5 * time.Minute) // what has just changed would be asked for again
	_ = must(forge.OpenPullRequests(ctx, "main"))
	before := len(w.Requests(http.MethodPost, "/graphql"))
	for range 3 {
		ok(t, forge.UpdateComment(ctx, n, "nothing"))
	}
	if got, asked := comments(), len(w.Requests(http.MethodPost, "/graphql"))-before; got != "" || asked != 1 {
		t.Errorf("the comments are %q, and GitHub was asked for their number %d times", got, asked)
	}
	ok(t, forge.Comment(ctx, n, "a finding"))
	ok(t, forge.UpdateComment(ctx, n, "nothing"))
	if got := comments(); got != "nothing" {
		t.Errorf("the comments are %q", got)
	}
	_ = must(forge.OpenPullRequests(ctx, "main"))
	w.Faults(githubtest.Faults{Logins: []string{w.bot.Login}, TruncateList: 1, Truncate: []string{"/comments"}})
	if err := forge.UpdateComment(ctx, n, "hidden"); !errors.Is(err, github.ErrTruncated) {
		t.Errorf("a list that lacks the comment: %v", err)
	}
}
