package github_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// idle is a repository with many open pull requests, at which Mooring looks
// again and again as it does by polling alone.
type idle struct {
	*gate
	client *github.Client
	clock  *stopped
}

func newIdle(tb testing.TB, pulls int) *idle {
	tb.Helper()
	// Mooring comes a while after everything that happens: of what has just changed it asks again.
	w := &idle{gate: newGate(tb), clock: &stopped{time.Now().Add(5 * time.Minute)}}
	w.client = w.gate.client(tb, func(o *github.Options) { o.Clock = w.clock.Now })
	w.reviewer.Forge, w.reviewer.Now = w.client.Forge(owner, name), w.clock.Now
	w.reviewer.Memory, w.reviewer.Cache = review.NewMemory(), review.NewCache()
	const path = "models/data-science/demand-forecast/development/deployment.yaml"
	content := string(must(w.content(path)))
	for i := range pulls {
		model := fmt.Sprintf("forecast-%03d", i)
		message := "Serve " + model
		if i%2 == 1 { // as assistants sign what they had a hand in
			message += "\n\nCo-authored-by: An Assistant <assistant@tools.example>"
		}
		_ = must(w.dev.Push(tb.Context(), repo, githubtest.Push{Branch: model, From: "refs/heads/main", Message: message, Files: map[string][]byte{
			strings.Replace(path, "demand-forecast", model, 1): []byte(strings.Replace(content, "name: demand-forecast", "name: "+model, 1)),
		}}))
		_ = must(w.dev.OpenPullRequest(tb.Context(), repo, githubtest.Pull{Title: "Serve " + model, Head: model}))
	}
	return w
}

// looked is what one look came to.
type looked struct {
	judged         []int
	reads, writes  int
	queries        int // to GraphQL
	spent          int // of the hourly limit
	processorTime  time.Duration
	conditionalMax int // requests for any one pull request
}

func (w *idle) look() (l looked) {
	w.Helper()
	ctx := w.Context()
	before, rate, begin := w.requests(), w.client.Rate().Remaining, processorTime(w)
	refs := must(w.mirror.Fetch(ctx))
	open := must(w.reviewer.Forge.OpenPullRequests(ctx, "main"))
	w.reviewer.Memory.Look(open)
	for _, pr := range open {
		asked := w.requests()
		report, err := w.reviewer.Review(ctx, pr, refs.Branch.New)
		ok(w, err)
		if report != nil {
			l.judged = append(l.judged, pr.Number)
		}
		l.conditionalMax = max(l.conditionalMax, w.requests()[http.MethodGet]-asked[http.MethodGet])
	}
	after := w.requests()
	for _, method := range slices.Collect(maps.Keys(after)) {
		switch n := after[method] - before[method]; method {
		case http.MethodGet:
			l.reads += n
		case graphQL:
			l.queries += n
		default:
			l.writes += n
		}
	}
	l.spent, l.processorTime = rate-w.client.Rate().Remaining, processorTime(w)-begin
	return l
}

const graphQL = "GraphQL"

// requests counts Mooring's own, by method; queries to GraphQL apart.
func (w *idle) requests() map[string]int {
	n := map[string]int{}
	for _, r := range w.Requests("", "") {
		switch {
		case r.Login != w.bot.Login:
		case strings.HasSuffix(r.Path, "/graphql"):
			n[graphQL]++
		default:
			n[r.Method]++
		}
	}
	return n
}

func processorTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	ok(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestALookAtWhichNothingChangedAsksForTheReviewsAlone(t *testing.T) {
	const pulls, teams, pages = 12, 8, 1
	w := newIdle(t, pulls)
	if first := w.look(); len(first.judged) != pulls || first.writes == 0 {
		t.Fatalf("the first look: %+v", first)
	}
	w.look() // Mooring's own comment has changed the pull request
	if again := w.look(); len(again.judged) > 0 || again.writes+again.queries > 0 || again.conditionalMax > 1+teams || again.reads > pulls+teams+pages || again.spent != 0 {
		t.Errorf("nothing has changed, and the look came to %+v", again)
	}

	for _, step := range []struct {
		name   string
		do     func()
		judged []int
	}{
		{"a review", func() { _ = must(w.people["lead"].Review(t.Context(), repo, 3, githubtest.RequestChanges, "no")) }, []int{3}},
		{"its dismissal", func() {
			reviews := must(w.client.Reviews(t.Context(), owner, name, 3))
			ok(t, w.root.Dismiss(t.Context(), repo, 3, reviews[0].ID, "settled"))
		}, []int{3}},
		{"a push", func() {
			_ = must(w.dev.Push(t.Context(), repo, githubtest.Push{Branch: "forecast-004", From: "refs/heads/forecast-004", Files: map[string][]byte{"notes.txt": []byte("x")}}))
		}, []int{5}},
		{"a team's change", func() { ok(t, w.AddToTeam(owner, "ds-leads", "max")) }, nil},
		{"a move of the base", func() {
			sha := must(w.dev.Push(t.Context(), repo, githubtest.Push{Branch: "side", From: "refs/heads/main", Files: map[string][]byte{"notes.txt": []byte("y")}}))
			ok(t, w.ForcePush(repo, "main", sha, "root"))
		}, nil},
	} {
		step.do()
		l := w.look()
		if step.judged == nil { // everybody is concerned
			if len(l.judged) != pulls {
				t.Errorf("%s: judged are %v", step.name, l.judged)
			}
		} else if !slices.Equal(l.judged, step.judged) {
			t.Errorf("%s: judged are %v, not %v", step.name, l.judged, step.judged)
		}
		w.look()
		if again := w.look(); len(again.judged) > 0 || again.writes > 0 {
			t.Errorf("%s: the look after it came to %+v", step.name, again)
		}
	}
}

// A co-author whose address is nobody's today may add it to their account
// tomorrow, and approve.
func TestWhoeverIsNobodyIsAskedForAgain(t *testing.T) {
	w := newIdle(t, 2)
	w.look()
	w.look() // Mooring's own comments have changed the pull requests
	if l := w.look(); l.queries != 0 {
		t.Errorf("at once: %+v", l)
	}
	w.clock.pass(20 * time.Minute)
	if l := w.look(); l.queries != 1 {
		t.Errorf("after twenty minutes: %+v", l)
	}
}

func TestWhatStandsOnThePullRequestIsVerified(t *testing.T) {
	w := newIdle(t, 2)
	w.look()
	head := must(w.Head(repo, "forecast-001"))
	_ = must(w.client.SetStatus(t.Context(), owner, name, github.Status{SHA: head, Context: "mooring", State: "failure", Description: "by another program"}))
	if l := w.look(); len(l.judged) > 0 {
		t.Errorf("at once: %+v", l)
	}
	w.clock.pass(20 * time.Minute)
	if l := w.look(); len(l.judged) != 2 || l.writes != 1 {
		t.Errorf("the status is written again and nothing else: %+v", l)
	}
}

// BenchmarkIdlePoll looks at 200 open pull requests at which nothing has changed.
func BenchmarkIdlePoll(b *testing.B) {
	const pulls = 200
	w := newIdle(b, pulls)
	w.look()
	w.look() // Mooring's own comments have changed the pull requests
	for b.Loop() {
		l := w.look()
		b.ReportMetric(float64(l.reads), "requests")
		b.ReportMetric(float64(l.queries), "queries")
		b.ReportMetric(float64(l.spent), "of-the-limit")
		b.ReportMetric(float64(len(l.judged)), "judged")
		b.ReportMetric(float64(l.processorTime.Milliseconds()), "cpu-ms")
	}
}
