package gate

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// historySteps are done in a history; historyPulls bounds its pull requests.
const historySteps, historyPulls = 40, 8

// TestAHistoryEndsTheSameByWebhooksAndByPolls plays what people did at random
// twice, heard of by webhooks alone and by polling alone.
func TestAHistoryEndsTheSameByWebhooksAndByPolls(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	random := seed(t)
	plays := map[bool]shape{}
	for _, polls := range []bool{false, true} {
		s := shape{newSoak(t, random), polls}
		s.server.DropWebhooks(polls)
		s.look(t.Context()) // the process has started
		for range historySteps {
			s.act(s.rng.IntN(94), historyPulls)
			s.do()
			if why := s.within(2 * time.Minute); why != "" {
				t.Fatalf("by polls %t: %s", polls, why)
			}
		}
		s.nothingUnapproved()
		plays[polls] = s
	}
	deadline := time.After(2 * time.Minute)
	for { // the last comments are on their way
		diff := cmp.Diff(plays[false].end(), plays[true].end())
		if diff == "" {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("webhooks alone (-) and polling alone (+) end differently:\n%s", diff)
		}
	}
}

// varying is what differs between two plays of one history: commits and times.
var varying = regexp.MustCompile(`\b([0-9a-f]{40}|[0-9a-f]{12}|[0-9a-f]{8})\b|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?|http://127\.0\.0\.1:\d+`)

// constant takes out what varies. Comments break long numbers by a character without width.
func constant(text string) string {
	return varying.ReplaceAllString(strings.ReplaceAll(text, "\u200d", ""), "…")
}

// end is what every open pull request is told, and what may run. What was merged or
// closed may have been before its last review was seen.
func (s shape) end() map[string]string {
	s.Helper()
	out := map[string]string{}
	for _, p := range s.open() {
		n := p.number
		pr, err := s.server.Pull(repoName, n)
		s.must(err)
		told, err := s.server.Statuses(repoName, pr.Head)
		s.must(err)
		for _, status := range told {
			out[fmt.Sprintf("#%d %s", n, status.Context)] = constant(status.State + ": " + status.Description)
		}
		out[fmt.Sprintf("#%d comments", n)] = constant(fmt.Sprint(pr.Comments))
	}
	for _, r := range s.receipts() {
		text := string(r.Status.Phase)
		if a := r.Status.Approved; a != nil {
			text += fmt.Sprintf(" approved %s by #%d with %s", a.Blob, a.PullRequest, a.Digest)
		}
		if q := r.Status.Quarantined; q != nil {
			text += fmt.Sprintf(" quarantined %s: %s", q.Blob, constant(q.Reason))
		}
		out[r.Name] = text
	}
	return out
}
