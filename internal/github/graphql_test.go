package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// stopped is a clock that a test moves.
type stopped struct{ now time.Time }

func (c *stopped) Now() time.Time { return c.now }

func (c *stopped) pass(d time.Duration) { c.now = c.now.Add(d) }

func TestTheTimeToApproveRunsFromTheLatestAskingForIt(t *testing.T) {
	clock := &stopped{time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)}
	w := newWorld(t, githubtest.Options{Clock: clock.Now})
	c, ctx := w.client(t, func(o *github.Options) { o.Clock = clock.Now }), t.Context()
	forge := c.Forge(owner, name)
	opened := clock.now
	n, _ := w.open(t, "topic")
	read := func() review.PullRequest {
		t.Helper()
		clock.pass(time.Hour)
		open := must(forge.OpenPullRequests(ctx, "main"))
		if len(open) != 1 || !open[0].CreatedAt.Equal(opened) {
			t.Fatalf("open are %+v", open)
		}
		return open[0]
	}
	since := func(when time.Time, because string) {
		t.Helper()
		got, err := forge.ReadySince(ctx, read())
		if err != nil || !got.Equal(when) {
			t.Errorf("%s: ready since %v, %v; want %v", because, got, err, when)
		}
	}
	since(opened, "opened, no draft")
	ok(t, w.dev.ConvertToDraft(repo, n))
	since(time.Time{}, "a draft again")
	ready := clock.now
	ok(t, w.dev.MarkReady(repo, n))
	since(ready, "made ready")
	asked := len(w.Requests(http.MethodPost, "/graphql"))
	since(ready, "nothing happened")
	if now := len(w.Requests(http.MethodPost, "/graphql")); now != asked {
		t.Errorf("GitHub was asked again about a pull request that had not changed")
	}
	ok(t, w.dev.Comment(ctx, repo, n, "please"))
	since(ready, "a comment")
	ok(t, w.dev.Close(ctx, repo, n))
	reopened := clock.now
	ok(t, w.dev.Reopen(ctx, repo, n))
	since(reopened, "closed and reopened")
}

func TestAReadinessThatCannotBeAskedIsAnError(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	n, _ := w.open(t, "topic")
	blind := must(w.CreateApp("blind", owner, map[string]string{"contents": "read"}))
	for _, tc := range []struct {
		name   string
		client *github.Client
		number int
		want   error
	}{
		{"no such pull request", w.client(t), n + 1, github.ErrNotFound},
		{"an App that may not read pull requests", w.asApp(t, blind), n, github.ErrForbidden},
		{"a wrong token", w.client(t, func(o *github.Options) { o.Token = "ghp_wrong" }), n, github.ErrAuth},
	} {
		_, err := tc.client.Forge(owner, name).ReadySince(t.Context(), review.PullRequest{Number: tc.number})
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestCoAuthorsAreNamedByTheirAddresses(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	ctx := t.Context()
	ok(t, w.AddEmail("lead", "lead@acme.example"))
	message := "Change it\n\nCo-authored-by: Lead <Lead@acme.example>\nCo-authored-by: Nobody <nobody@acme.example>\n" +
		fmt.Sprintf("Co-authored-by: Root <%d+root@users.noreply.github.com>", w.root.ID)
	_ = must(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Message: message, Files: map[string][]byte{"b.txt": []byte("b")}}))
	n := must(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))
	forge := w.client(t).Forge(owner, name)
	coAuthors := func() []review.CoAuthor {
		t.Helper()
		list := must(forge.Commits(ctx, n))
		if len(list.Commits) != 1 {
			t.Fatalf("commits %+v", list)
		}
		return list.Commits[0].CoAuthors
	}
	want := []review.CoAuthor{
		{Email: "Lead@acme.example", Login: "lead", ID: w.lead.ID}, {Email: "nobody@acme.example"},
		{Email: fmt.Sprintf("%d+root@users.noreply.github.com", w.root.ID), Login: "root", ID: w.root.ID},
	}
	if diff := cmp.Diff(want, coAuthors()); diff != "" {
		t.Error(diff)
	}
	// Who was nobody is asked for again; once everybody is known nothing is.
	ok(t, w.AddEmail("dev", "nobody@acme.example"))
	want[1].Login, want[1].ID = "dev", w.dev.ID
	for range 2 {
		if diff := cmp.Diff(want, coAuthors()); diff != "" {
			t.Error(diff)
		}
	}
	if asked := w.Requests(http.MethodPost, "/graphql"); len(asked) != 2 {
		t.Errorf("GitHub was asked %d times, want 2", len(asked))
	}
}

// To miss an account lets an author approve, so whoever GitHub credits is a
// co-author, however the line is written.
func TestWhomGitHubCreditsIsACoAuthor(t *testing.T) {
	for _, tc := range []struct{ name, line string }{
		{"a comma in the name", "Smith, Lead <lead@acme.example>"},
		{"brackets in the name", "Lead [ACME] <lead@acme.example>"},
		{"parentheses in the name", "Lead (she) <LEAD@acme.example>"},
		{"an address that GitHub reads otherwise", "Lead <<lead@acme.example>>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, githubtest.Options{})
			ok(t, w.AddEmail("lead", "lead@acme.example"))
			ok(t, w.AddEmail("lead", "<lead@acme.example>")) // as the stand-in reads the last
			_ = must(w.dev.Push(t.Context(), repo, githubtest.Push{
				Branch: "topic", Message: "M\n\nCo-authored-by: " + tc.line, Files: map[string][]byte{"b": []byte("b")},
			}))
			n := must(w.dev.OpenPullRequest(t.Context(), repo, githubtest.Pull{Title: "T", Head: "topic"}))
			list := must(w.client(t).Forge(owner, name).Commits(t.Context(), n))
			var logins []string
			for _, a := range list.Commits[0].CoAuthors {
				if a.Login != "" {
					logins = append(logins, a.Login)
				}
			}
			if diff := cmp.Diff([]string{"lead"}, logins); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommitsWithoutUnknownCoAuthorsAskForNobody(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	_ = must(w.dev.Push(t.Context(), repo, githubtest.Push{
		Branch: "topic", Message: "M\n\nCo-authored-by: Lead <lead@users.noreply.github.com>", Files: map[string][]byte{"b": []byte("b")},
	}))
	n := must(w.dev.OpenPullRequest(t.Context(), repo, githubtest.Pull{Title: "T", Head: "topic"}))
	list := must(w.client(t).Forge(owner, name).Commits(t.Context(), n))
	if got := list.Commits[0].CoAuthors; len(got) != 1 || got[0].Login != "lead" || len(w.Requests(http.MethodPost, "/graphql")) != 0 {
		t.Errorf("co-authors %+v", got)
	}
}

func TestCoAuthorsThatGitHubDoesNotTellAreAnErrorAndNotNobody(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	_ = must(w.dev.Push(t.Context(), repo, githubtest.Push{
		Branch: "topic", Message: "M\n\nCo-authored-by: Lead <lead@acme.example>", Files: map[string][]byte{"b": []byte("b")},
	}))
	n := must(w.dev.OpenPullRequest(t.Context(), repo, githubtest.Pull{Title: "T", Head: "topic"}))
	for _, tc := range []struct {
		name string
		do   func()
		want error
	}{
		{"a server error", func() {
			w.Inject(githubtest.Fault{Path: "/graphql", Status: 500})
		}, github.ErrUnreachable},
		{"a query that is refused", func() { w.Inject(githubtest.Fault{Path: "/graphql", Status: 403}) }, github.ErrForbidden},
		{"no points left", func() { w.SetGraphQLLimit(w.bot.Token, 0, time.Now().Add(time.Hour)) }, github.ErrRateLimited},
	} {
		tc.do()
		list, err := w.client(t).Forge(owner, name).Commits(t.Context(), n)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, %v; want %v", tc.name, list, err, tc.want)
		}
	}
	may := must(w.CreateApp("blind", owner, map[string]string{"metadata": "read", "pull_requests": "read"}))
	if _, err := w.asApp(t, may).Forge(owner, name).Commits(t.Context(), n); !errors.Is(err, github.ErrForbidden) {
		t.Errorf("an App that may not read content: %v", err)
	}
}

func TestWhoEditedAReviewThatAsksToBreakTheGlass(t *testing.T) {
	const asks = "/break-glass payments are down"
	for _, tc := range []struct {
		name, body string
		edit       func(t *testing.T, w world, n int, id int64)
		want       string
		queries    int
	}{
		{"nobody", asks, func(*testing.T, world, int, int64) {}, "", 2},
		{"its author", "Fine", func(t *testing.T, w world, n int, id int64) {
			ok(t, w.lead.EditReview(t.Context(), repo, n, id, asks))
		}, "", 2},
		{"an administrator", "Fine", func(t *testing.T, w world, n int, id int64) {
			ok(t, w.root.EditReview(t.Context(), repo, n, id, asks))
		}, "root", 2},
		{"its author after somebody else", "Fine", func(t *testing.T, w world, n int, id int64) {
			ok(t, w.dev.EditReview(t.Context(), repo, n, id, asks))
			ok(t, w.lead.EditReview(t.Context(), repo, n, id, asks+"!"))
		}, "dev", 2},
		{"more edits than are listed", "Fine", func(t *testing.T, w world, n int, id int64) {
			for i := range 101 {
				ok(t, w.lead.EditReview(t.Context(), repo, n, id, fmt.Sprint(asks, i)))
			}
		}, "somebody unknown", 2},
		{"somebody, of a review that asks for nothing", "Fine", func(t *testing.T, w world, n int, id int64) {
			ok(t, w.root.EditReview(t.Context(), repo, n, id, "Very fine"))
		}, "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, githubtest.Options{})
			n, _ := w.open(t, "topic")
			_ = must(w.lead.Review(t.Context(), repo, n, githubtest.Approve, "before"))
			tc.edit(t, w, n, must(w.lead.Review(t.Context(), repo, n, githubtest.Approve, tc.body)))
			reviews := must(w.client(t).Forge(owner, name).Reviews(t.Context(), n))
			if got := reviews[len(reviews)-1].EditedBy; got != tc.want {
				t.Errorf("edited by %q, want %q", got, tc.want)
			}
			if asked := w.Requests(http.MethodPost, "/graphql"); len(asked) != tc.queries {
				t.Errorf("%d queries, want %d", len(asked), tc.queries)
			}
		})
	}
}

func TestEditsThatGitHubDoesNotTellAreAnError(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	n, _ := w.open(t, "topic")
	_ = must(w.lead.Review(t.Context(), repo, n, githubtest.Approve, "/break-glass payments are down"))
	w.Inject(githubtest.Fault{Path: "/graphql", Status: 500})
	if got, err := w.client(t).Forge(owner, name).Reviews(t.Context(), n); !errors.Is(err, github.ErrUnreachable) {
		t.Errorf("%+v, %v", got, err)
	}
	gone := []github.Review{{NodeID: "nobody's", URL: "https://example.com/r"}}
	if got, err := w.client(t).EditedBy(t.Context(), owner, name, n, gone); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("%+v, %v", got, err)
	}
	reader := must(w.CreateUser("reader"))
	ok(t, w.AddMember(owner, "reader"))
	reviews := must(w.client(t).Reviews(t.Context(), owner, name, n))
	if err := reader.EditReview(t.Context(), repo, n, reviews[0].ID, "mine now"); err == nil {
		t.Error("who may only read edited another's review")
	}
}

// A list that lacks its end, with nothing to say so, is no list: the end may be
// the withdrawal of an approval, or Mooring's own comment.
func TestAShortenedListIsAnError(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	n, sha := w.open(t, "topic")
	forge, ctx := w.client(t).Forge(owner, name), t.Context()
	_ = must(w.lead.Review(ctx, repo, n, githubtest.Approve, ""))
	_ = must(w.lead.Review(ctx, repo, n, githubtest.RequestChanges, "no"))
	ok(t, forge.Comment(ctx, n, "one"))
	ok(t, forge.SetStatus(ctx, source.ID(sha), review.Status{Context: "mooring", State: review.StateSuccess}))
	w.Faults(githubtest.Faults{Logins: []string{w.bot.Login}, TruncateList: 1})
	for what, err := range map[string]error{
		"the reviews":  second(forge.Reviews(ctx, n)),
		"the comments": forge.Comment(ctx, n, "two"),
		"the statuses": second(forge.Status(ctx, source.ID(sha), "mooring")),
	} {
		if !errors.Is(err, github.ErrTruncated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.Faults(githubtest.Faults{})
	if list, err := forge.Reviews(ctx, n); err != nil || len(list) != 2 {
		t.Errorf("afterwards the reviews are %+v, %v", list, err)
	}
	ok(t, forge.Comment(ctx, n, "two"))
	if seen := must(w.Pull(repo, n)); len(seen.Comments) != 1 {
		t.Errorf("the comments are %+v", seen.Comments)
	}
}

func second[T any](_ T, err error) error { return err }
