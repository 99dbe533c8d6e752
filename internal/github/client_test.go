package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

func TestReadsAPullRequestThroughItsLife(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	n, sha := w.open(t, "topic")
	p, err := c.PullRequest(ctx, owner, name, n)
	ok(t, err)
	if p.Number != n || p.Author.Login != "dev" || p.Head.SHA != sha || p.Head.Repo != repo || p.Base.Ref != "main" || p.State != "open" {
		t.Errorf("read %+v", p)
	}
	if p.Merged || p.MergeCommitSHA != "" {
		t.Errorf("an open pull request shows the trial merge %q as its merge commit", p.MergeCommitSHA)
	}
	id, err := w.lead.Review(ctx, repo, n, githubtest.Approve, "fine")
	ok(t, err)
	ok(t, w.root.Dismiss(ctx, repo, n, id, "not yet"))
	_, err = w.lead.Review(ctx, repo, n, githubtest.Approve, "fine now")
	ok(t, err)
	reviews, err := c.Reviews(ctx, owner, name, n)
	ok(t, err)
	if len(reviews) != 2 || reviews[0].State != "DISMISSED" || reviews[1].State != "APPROVED" || reviews[1].CommitID != sha || reviews[1].User.Login != "lead" {
		t.Errorf("reviews: %+v", reviews)
	}
	merged, err := c.Merge(ctx, owner, name, n, sha, "squash")
	ok(t, err)
	p, err = c.PullRequest(ctx, owner, name, n)
	ok(t, err)
	if !p.Merged || p.MergeCommitSHA != merged || p.State != "closed" || p.MergedAt.IsZero() {
		t.Errorf("after the merge: %+v", p)
	}
	of, err := c.PullRequestsForCommit(ctx, owner, name, merged)
	ok(t, err)
	if len(of) != 1 || of[0].Number != n || !of[0].Merged {
		t.Errorf("the merge commit belongs to %+v", of)
	}
}

func TestFollowsEveryPage(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	n, _ := w.open(t, "topic")
	const many = 203
	for i := range many {
		_, err := w.lead.Review(ctx, repo, n, githubtest.Comment, fmt.Sprint(i))
		ok(t, err)
	}
	reviews, err := c.Reviews(ctx, owner, name, n)
	ok(t, err)
	if len(reviews) != many || reviews[many-1].Body != fmt.Sprint(many-1) {
		t.Errorf("%d of %d reviews were read", len(reviews), many)
	}
	logins := make([]string, many)
	for i := range logins {
		logins[i] = fmt.Sprintf("person-%03d", i)
		_, err := w.CreateUser(logins[i])
		ok(t, err)
	}
	ok(t, w.CreateTeam(owner, githubtest.Team{Slug: "child", Parent: "ds-leads", Members: logins}))
	members, err := c.TeamMembers(ctx, owner, "ds-leads")
	ok(t, err)
	if len(members) != many+1 { // the lead, and the child team's
		t.Errorf("%d of %d members were read", len(members), many+1)
	}
}

func TestListsMoreThanAHundredPullRequests(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	ctx := t.Context()
	_, sha := w.open(t, "topic")
	for i := range 105 {
		branch := fmt.Sprintf("b%03d", i)
		ok(t, w.dev.Call(ctx, "POST", "/repos/"+repo+"/git/refs", map[string]string{"ref": "refs/heads/" + branch, "sha": sha}, nil))
		_, err := w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: branch, Head: branch, Draft: i%2 == 0})
		ok(t, err)
	}
	ok(t, w.dev.Close(ctx, repo, 3))
	list, err := w.client(t).PullRequests(ctx, owner, name)
	ok(t, err)
	if len(list) != 105 || list[0].Number != 1 || list[104].Number != 106 {
		t.Errorf("%d pull requests from #%d to #%d", len(list), list[0].Number, list[len(list)-1].Number)
	}
}

func TestSeesAPageThatAppearsBehindAnUnchangedFullPage(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	n, _ := w.open(t, "topic")
	for i := range 101 {
		if i == 100 { // the first page is full, its answer kept, and its ETag will not change
			reviews, err := c.Reviews(ctx, owner, name, n)
			ok(t, err)
			if len(reviews) != 100 {
				t.Fatalf("%d reviews", len(reviews))
			}
		}
		_, err := w.lead.Review(ctx, repo, n, githubtest.Comment, fmt.Sprint(i))
		ok(t, err)
	}
	reviews, err := c.Reviews(ctx, owner, name, n)
	ok(t, err)
	if len(reviews) != 101 {
		t.Errorf("%d reviews were read, the one on the new page is missing", len(reviews))
	}
}

func TestListsThatGitHubCutsOffAreErrors(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	files := map[string][]byte{}
	for i := range 3001 {
		files[fmt.Sprintf("dir/%04d", i)] = []byte("x")
	}
	_, err := w.dev.Push(ctx, repo, githubtest.Push{Branch: "large", Files: files})
	ok(t, err)
	n, err := w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "Large", Head: "large"})
	ok(t, err)
	list, err := c.Files(ctx, owner, name, n)
	if !errors.Is(err, github.ErrTruncated) || !list.Truncated || len(list.Files) != 3000 {
		t.Errorf("%d files, truncated %v, error %v", len(list.Files), list.Truncated, err)
	}
	commits, err := c.Commits(ctx, owner, name, n)
	ok(t, err)
	if len(commits.Commits) != 1 || commits.Truncated || commits.Commits[0].Unattributed() {
		t.Errorf("commits: %+v", commits)
	}
}

func TestCommitsNameEverybodyWhoTookPart(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	ctx := t.Context()
	for _, push := range []githubtest.Push{
		{Message: "One\n\nCo-authored-by: Lead <" + w.lead.Email + ">"},
		{Message: "Two", AuthorName: "Nobody", AuthorEmail: "nobody@example.com"},
		{Message: "Three\n\nco-authored-by: Someone <someone@example.com>"},
	} {
		push.Branch, push.Files = "topic", map[string][]byte{"t": []byte(push.Message)}
		_, err := w.dev.Push(ctx, repo, push)
		ok(t, err)
	}
	n, err := w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"})
	ok(t, err)
	list, err := w.client(t).Commits(ctx, owner, name, n)
	ok(t, err)
	if len(list.Commits) != 3 {
		t.Fatalf("%d commits", len(list.Commits))
	}
	one, two, three := list.Commits[0], list.Commits[1], list.Commits[2]
	if one.Unattributed() || one.Author.Login != "dev" || len(one.CoAuthors) != 1 || one.CoAuthors[0].Login != "lead" {
		t.Errorf("the first commit: %+v", one)
	}
	if !two.Unattributed() || two.Author.Known() || two.Committer.Login != "dev" || two.AuthorEmail != "nobody@example.com" {
		t.Errorf("the second commit: %+v", two)
	}
	if !three.Unattributed() {
		t.Errorf("the third commit: %+v", three)
	}
}

func TestATeamThatIsNotVisibleIsAnErrorAndNotEmpty(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	ok(t, w.CreateTeam(owner, githubtest.Team{Slug: "hidden", Secret: true, Members: []string{"lead"}}))
	for _, slug := range []string{"hidden", "absent"} {
		members, err := w.client(t).TeamMembers(t.Context(), owner, slug)
		if !errors.Is(err, github.ErrNotFound) || members != nil || !strings.Contains(err.Error(), "acme/"+slug) ||
			!strings.Contains(err.Error(), "missing or not visible") {
			t.Errorf("%s: %v, %v", slug, members, err)
		}
	}
}

func TestAStatusIsWrittenOnlyWhenItSaysSomethingNew(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	_, sha := w.open(t, "topic")
	long := github.Status{SHA: sha, Context: "mooring", State: "pending", Description: strings.Repeat("ü", 200), TargetURL: "https://example.com/1"}
	passed := github.Status{SHA: sha, Context: "mooring", State: "success"}
	other := github.Status{SHA: sha, Context: "mooring/build", State: "success"}
	for i, step := range []struct {
		status github.Status
		wrote  bool
	}{{long, true}, {long, false}, {other, true}, {passed, true}, {passed, false}, {long, true}} {
		wrote, err := c.SetStatus(ctx, owner, name, step.status)
		ok(t, err)
		if wrote != step.wrote {
			t.Errorf("step %d: wrote %v, want %v", i, wrote, step.wrote)
		}
	}
	if posts := w.Requests(http.MethodPost, "/statuses/"); len(posts) != 4 {
		t.Errorf("%d statuses were posted, want 4", len(posts))
	}
	if _, err := c.SetStatus(ctx, owner, name, github.Status{SHA: strings.Repeat("0", 40), Context: "mooring", State: "success"}); err == nil {
		t.Error("a status on a missing commit was accepted")
	}
}

// meanwhile lets something happen right before the first query of GraphQL.
type meanwhile struct {
	once sync.Once
	do   func()
}

func (m *meanwhile) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/graphql") {
		m.once.Do(m.do)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func TestACommentWrittenBetweenListAndCountIsNoShortenedList(t *testing.T) {
	const marker = "<!-- mooring -->"
	for name, by := range map[string]func(world, int) error{
		"by another replica": func(w world, n int) error {
			_, err := w.client(t).UpsertComment(t.Context(), owner, "models", n, marker, "the verdict")
			return err
		},
		"by a person": func(w world, n int) error { return w.dev.Comment(t.Context(), repo, n, "what is this?") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, githubtest.Options{})
			n, _ := w.open(t, "topic")
			between := &meanwhile{do: func() { ok(t, by(w, n)) }}
			c := w.client(t, func(o *github.Options) { o.HTTPClient = &http.Client{Transport: between} })
			_, err := c.UpsertComment(t.Context(), owner, "models", n, marker, "the verdict")
			ok(t, err)
			var ours []string
			for _, m := range must(w.Pull(repo, n)).Comments {
				if strings.Contains(m.Body, marker) {
					ours = append(ours, m.Body)
				}
			}
			if len(ours) != 1 {
				t.Errorf("our comments: %q", ours)
			}
		})
	}
}

func TestOneCommentStaysUniqueAndIsOurs(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	ctx := t.Context()
	n, _ := w.open(t, "topic")
	const marker = "<!-- mooring -->"
	ok(t, w.dev.Comment(ctx, repo, n, marker+"\nan impostor's comment"))
	replicas := []*github.Client{w.client(t), w.client(t)}
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for i := range cap(errs) {
		wg.Go(func() {
			_, err := replicas[i%2].UpsertComment(ctx, owner, name, n, marker, "the verdict")
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		ok(t, err)
	}
	var comments []struct {
		Body string
		User struct{ Login string }
	}
	ok(t, w.dev.Call(ctx, "GET", "/repos/"+repo+"/issues/1/comments", nil, &comments))
	if len(comments) != 2 || comments[0].Body != marker+"\nan impostor's comment" || comments[1].User.Login != "mooring-bot" {
		t.Fatalf("comments: %+v", comments)
	}
	before := len(w.Requests("", ""))
	ref, err := replicas[0].UpsertComment(ctx, owner, name, n, marker, "the verdict")
	ok(t, err)
	if writes := w.Requests(http.MethodPatch, "/comments/"); ref.Wrote || len(writes) != 0 {
		t.Errorf("an identical comment was written again: %+v, %d edits", ref, len(writes))
	}
	if asked := len(w.Requests("", "")) - before; asked != 1 {
		t.Errorf("%d requests for an unchanged comment, want 1", asked)
	}
	ref, err = replicas[1].UpsertComment(ctx, owner, name, n, marker, "another verdict")
	ok(t, err)
	if !ref.Wrote || len(w.Requests(http.MethodPatch, "/comments/")) != 1 {
		t.Errorf("a changed comment was not edited in place: %+v", ref)
	}
	_, err = replicas[0].UpsertComment(ctx, owner, name, n, marker, strings.Repeat("x", github.MaxBody))
	if !errors.Is(err, github.ErrInvalid) {
		t.Errorf("an oversized body gave %v", err)
	}
}

func TestMergeRefusals(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	n, sha := w.open(t, "topic")
	_, err := w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: map[string][]byte{"late": []byte("push")}})
	ok(t, err)
	if _, err := c.Merge(ctx, owner, name, n, sha, "merge"); !errors.Is(err, github.ErrConflict) {
		t.Errorf("a stale head gave %v", err)
	}
	ok(t, w.root.Protect(ctx, repo, "main", true, "mooring"))
	p, err := c.PullRequest(ctx, owner, name, n)
	ok(t, err)
	if _, err := c.Merge(ctx, owner, name, n, p.Head.SHA, "merge"); !errors.Is(err, github.ErrNotMergeable) || !strings.Contains(err.Error(), "mooring") {
		t.Errorf("a missing required status gave %v", err)
	}
	_, err = c.SetStatus(ctx, owner, name, github.Status{SHA: p.Head.SHA, Context: "mooring", State: "success"})
	ok(t, err)
	if _, err := c.Merge(ctx, owner, name, n, p.Head.SHA, "rebase"); err != nil {
		t.Errorf("the merge failed: %v", err)
	}
}

func TestADeletedForkLeavesTheHeadWithoutARepository(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	fork, err := w.Fork(repo, "dev")
	ok(t, err)
	sha, err := w.dev.Push(ctx, fork, githubtest.Push{Branch: "topic", Files: map[string][]byte{"f": []byte("f")}})
	ok(t, err)
	n, err := w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "From a fork", Head: "dev:topic"})
	ok(t, err)
	p, err := c.PullRequest(ctx, owner, name, n)
	ok(t, err)
	if p.Head.Repo != fork || p.Head.SHA != sha {
		t.Errorf("the fork's head: %+v", p.Head)
	}
	ok(t, w.dev.DeleteRepo(ctx, fork))
	list, err := c.PullRequests(ctx, owner, name)
	ok(t, err)
	if len(list) != 1 || list[0].Head.Repo != "" || list[0].Head.SHA != sha {
		t.Errorf("after the fork was deleted: %+v", list)
	}
}

func TestUnchangedAnswersCostNothing(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c, ctx := w.client(t), t.Context()
	w.open(t, "topic")
	_, err := c.PullRequests(ctx, owner, name)
	ok(t, err)
	left := c.Rate().Remaining
	for range 5 {
		list, err := c.PullRequests(ctx, owner, name)
		ok(t, err)
		if len(list) != 1 {
			t.Fatalf("%d pull requests from the cache", len(list))
		}
	}
	if now := c.Rate().Remaining; now != left || left == 0 {
		t.Errorf("five unchanged answers took %d of the rate limit (%d left)", left-now, now)
	}
	w.open(t, "second")
	list, err := c.PullRequests(ctx, owner, name)
	ok(t, err)
	if len(list) != 2 {
		t.Errorf("the cache hid a new pull request: %d", len(list))
	}
}

func TestErrorsSayTheirKindAndNoToken(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	outsider, err := w.CreateUser("outsider")
	ok(t, err)
	n, sha := w.open(t, "topic")
	reader := must(w.CreateUser("reader"))
	ok(t, w.AddMember(owner, "reader"))
	const wrong = "ghp_0123456789abcdef0123456789abcdef0123"
	for _, tc := range []struct {
		name, token string
		call        func(context.Context, *github.Client) error
		kind        error
		says        string
	}{
		{"a wrong token", wrong, func(ctx context.Context, c *github.Client) error {
			_, err := c.PullRequests(ctx, owner, name)
			return err
		}, github.ErrAuth, "acme/models"},
		{"a private repository of others", outsider.Token, func(ctx context.Context, c *github.Client) error {
			_, err := c.PullRequest(ctx, owner, name, n)
			return err
		}, github.ErrNotFound, "acme/models#1"},
		{"a write without the right to", reader.Token, func(ctx context.Context, c *github.Client) error {
			_, err := c.SetStatus(ctx, owner, name, github.Status{SHA: sha, Context: "mooring", State: "success"})
			return err
		}, github.ErrForbidden, sha},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := w.client(t, func(o *github.Options) { o.Token = tc.token })
			err := tc.call(t.Context(), c)
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), tc.token) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	c := w.client(t, func(o *github.Options) { o.BaseURL = "http://127.0.0.1:1/" })
	if _, err := c.PullRequests(t.Context(), owner, name); !errors.Is(err, github.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client(t).PullRequests(ctx, owner, name); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call gave %v", err)
	}
}

func TestWaitsOutShortTroubleAndReportsLongTrouble(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	n, _ := w.open(t, "topic")
	var mu sync.Mutex
	var waited []time.Duration
	now := time.Now()
	c := w.client(t, func(o *github.Options) {
		o.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		o.Wait = func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			waited, now = append(waited, d), now.Add(d)
			return ctx.Err()
		}
	})
	read := func() error { _, err := c.PullRequest(t.Context(), owner, name, n); return err }

	w.Inject(githubtest.Fault{Path: "/pulls/", Status: 502, Times: 2})
	ok(t, read())
	if len(waited) != 2 || waited[1] <= waited[0]/2 {
		t.Errorf("after two 502 it waited %v", waited)
	}
	waited = nil
	w.Inject(githubtest.Fault{Path: "/pulls/", Status: 403, RetryAfter: 5 * time.Second, Message: "You have exceeded a secondary rate limit."})
	ok(t, read())
	if len(waited) != 1 || waited[0] != 5*time.Second {
		t.Errorf("after Retry-After: 5 it waited %v", waited)
	}
	waited = nil
	w.Inject(githubtest.Fault{Path: "/pulls/", Status: 429, RetryAfter: time.Hour})
	for range 2 { // the second time without even asking
		var limited *github.RateLimitError
		if err := read(); !errors.As(err, &limited) || !errors.Is(err, github.ErrRateLimited) || limited.RetryAfter != time.Hour {
			t.Errorf("Retry-After: 3600 gave %v", err)
		}
	}
	if len(waited) != 0 {
		t.Errorf("it waited %v for an hour's limit", waited)
	}
	w.Inject(githubtest.Fault{Path: "/pulls/", Status: 500})
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	if err := read(); !errors.Is(err, github.ErrUnreachable) {
		t.Errorf("a 500 gave %v", err)
	}
	w.SetRateLimit(w.bot.Token, 0, time.Now().Add(30*time.Minute))
	if _, err := w.client(t).CurrentUser(t.Context()); !errors.Is(err, github.ErrRateLimited) {
		t.Errorf("an exhausted limit gave %v", err)
	}
}

func TestAWriteIsNotRepeatedAfterALostAnswer(t *testing.T) {
	w := newWorld(t, githubtest.Options{})
	n, _ := w.open(t, "topic")
	w.Inject(githubtest.Fault{Method: http.MethodPost, Path: "/comments", Status: 502})
	_, err := w.client(t).UpsertComment(t.Context(), owner, name, n, "<!-- m -->", "x")
	if !errors.Is(err, github.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
