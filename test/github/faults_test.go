package githubtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// outcomes asks for the same things again and again and lists what came of it.
func outcomes(t *testing.T, w world, n int) []string {
	t.Helper()
	var list []string
	for i := range 60 {
		var got []struct{ Number int }
		path := "/repos/" + repo + "/pulls?state=all"
		if i%2 == 1 {
			path = fmt.Sprintf("/repos/%s/pulls/%d/commits", repo, n)
		}
		err := w.dev.Call(t.Context(), http.MethodGet, path, nil, &got)
		var refused *githubtest.Refused
		switch {
		case err == nil:
			list = append(list, fmt.Sprintf("%d entries", len(got)))
		case errors.As(err, &refused):
			list = append(list, fmt.Sprint(refused.Status))
		default:
			list = append(list, "broken")
		}
	}
	return list
}

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	run := func(seed uint64) ([]string, githubtest.Injected) {
		w := newWorld(t)
		sha := must[string](t)(w.dev.Push(t.Context(), repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
		n := must[int](t)(w.dev.OpenPullRequest(t.Context(), repo, githubtest.Pull{Title: sha, Head: "topic"}))
		w.Faults(githubtest.Faults{
			Seed: seed, ServerError: 0.2, SecondaryLimit: 0.2, Reset: 0.2, TruncateList: 0.5, Slow: 0.2, SlowBy: time.Microsecond,
		})
		return outcomes(t, w, n), w.Injected()
	}
	first, counts := run(7)
	again, same := run(7)
	other, _ := run(8)
	if !slices.Equal(first, again) || counts != same {
		t.Errorf("one seed gave\n%v %+v, then\n%v %+v", first, counts, again, same)
	}
	if slices.Equal(first, other) {
		t.Error("another seed gave the same faults")
	}
	if counts.ServerErrors == 0 || counts.SecondaryLimits == 0 || counts.Resets == 0 || counts.ShortLists == 0 || counts.SlowAnswers == 0 {
		t.Errorf("not everything was injected: %+v", counts)
	}
	for _, want := range []string{"500", "403", "429", "broken", "0 entries", "1 entries"} {
		if !slices.Contains(first, want) {
			t.Errorf("no request came to %q: %v", want, first)
		}
	}
}

func TestFaultsSpareOthersAndEnd(t *testing.T) {
	w := newWorld(t)
	ask := func(p *githubtest.Person) error { return p.Call(t.Context(), http.MethodGet, "/user", nil, nil) }
	w.Faults(githubtest.Faults{ServerError: 1, Logins: []string{"DEV"}})
	if err := ask(w.dev); err == nil {
		t.Error("dev was spared")
	}
	ok(t, ask(w.lead))
	w.Faults(githubtest.Faults{})
	ok(t, ask(w.dev))
	if n := w.Injected().ServerErrors; n != 1 {
		t.Errorf("%d server errors were counted", n)
	}
}

func TestAWriteMayHappenAlthoughItsAnswerIsLost(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must[string](t)(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))
	w.Faults(githubtest.Faults{Reset: 1})
	for range 20 {
		if err := w.dev.Comment(ctx, repo, n, "hello"); err == nil {
			t.Error("an answer came")
		}
	}
	w.Faults(githubtest.Faults{})
	var comments []struct{ ID int }
	ok(t, w.dev.Call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/issues/%d/comments", repo, n), nil, &comments))
	if lost := w.Injected().LostAnswers; len(comments) != lost || lost == 0 || lost == 20 {
		t.Errorf("%d of 20 comments were written, %d answers lost", len(comments), lost)
	}
}

func TestWebhooksAreLostRepeatedDelayedAndForged(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// deliver opens a pull request and comments on it ten times.
	deliver := func(t *testing.T, f githubtest.Faults) (*receiver, world) {
		w := newWorld(t)
		r := &receiver{}
		target := httptest.NewServer(r)
		t.Cleanup(target.Close)
		ok(t, w.owner.AddWebhook(ctx, repo, target.URL, "s3", "*"))
		must[string](t)(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
		n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))
		ok(t, w.WaitDelivered(ctx))
		r.got = nil
		w.Faults(f)
		for i := range 10 {
			ok(t, w.dev.Comment(ctx, repo, n, fmt.Sprint(i)))
		}
		ok(t, w.WaitDelivered(ctx))
		return r, w
	}
	t.Run("lost", func(t *testing.T) {
		r, w := deliver(t, githubtest.Faults{DropWebhook: 0.5})
		if lost := w.Injected().DroppedWebhooks; len(r.got)+lost != 10 || lost == 0 || lost == 10 {
			t.Errorf("%d came and %d were lost", len(r.got), lost)
		}
	})
	t.Run("repeated", func(t *testing.T) {
		r, w := deliver(t, githubtest.Faults{DuplicateWebhook: 1})
		if len(r.got) != 20 || r.got[0] != r.got[1] || w.Injected().DuplicatedWebhooks != 10 {
			t.Errorf("%d came", len(r.got))
		}
	})
	t.Run("delayed", func(t *testing.T) {
		r, w := deliver(t, githubtest.Faults{DelayWebhook: 0.5})
		var order []string
		for _, one := range r.got {
			order = append(order, commentIn(t, one.body))
		}
		if w.Injected().DelayedWebhooks == 0 || slices.IsSorted(order) {
			t.Errorf("they came in order: %v", order)
		}
		slices.Sort(order)
		if strings.Join(order, "") != "0123456789" {
			t.Errorf("some are missing: %v", order)
		}
	})
	t.Run("forged", func(t *testing.T) {
		r, w := deliver(t, githubtest.Faults{ForgeWebhook: 1})
		good, sameID := 0, 0
		for i, one := range r.got {
			if one.signature == githubtest.Sign("s3", []byte(one.body)) {
				good++
				if r.got[i-1].id == one.id {
					sameID++
				}
			}
		}
		forged := 0
		for _, d := range w.Deliveries() {
			if d.Forged {
				forged++
			}
		}
		if good != 10 || len(r.got) != 20 || sameID == 0 || forged != 10 {
			t.Errorf("%d good of %d, %d forged, %d under the id of the good one", good, len(r.got), forged, sameID)
		}
	})
}

func TestWhatAWebhookIsAboutIsMissingForAMoment(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ok(t, w.owner.AddWebhook(ctx, repo, w.URL(), "s3", "*"))
	must[string](t)(w.dev.Push(ctx, repo, githubtest.Push{Branch: "topic", Files: change("a.txt", "A\n")}))
	w.Faults(githubtest.Faults{LateResource: 1})
	n := must[int](t)(w.dev.OpenPullRequest(ctx, repo, githubtest.Pull{Title: "T", Head: "topic"}))
	path := fmt.Sprintf("/repos/%s/pulls/%d", repo, n)
	refused(t, w.dev.Call(ctx, http.MethodGet, path+"/reviews", nil, nil), 404, "Not Found")
	for i := 0; ; i++ {
		err := w.dev.Call(ctx, http.MethodGet, path, nil, nil)
		if err == nil {
			break
		}
		if refused(t, err, 404, "Not Found"); i == 2 {
			t.Fatal("it stays missing")
		}
	}
	if w.Injected().LateResources == 0 {
		t.Error("it was not counted")
	}
}

// commentIn gives the text of the comment that an event is about.
func commentIn(t *testing.T, body string) string {
	t.Helper()
	var event struct{ Comment struct{ Body string } }
	ok(t, json.Unmarshal([]byte(body), &event))
	return event.Comment.Body
}
