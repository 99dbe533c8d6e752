package gate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// The models that the shapes change: one of medium risk, which mia as manager
// and sen as senior data scientist can approve, and one of low risk.
const mediumModel, lowModel = 1, 0

// shape is a pull request of one sort, and the controller that hears of it in
// one way.
type shape struct {
	*soak
	polls bool
}

// do lets people act, and the controller hear of it.
func (s shape) do(errs ...error) {
	s.Helper()
	for _, err := range errs {
		s.must(err)
	}
	s.must(s.server.WaitDelivered(s.Context()))
	if s.polls {
		s.later.Add(int64(time.Minute)) // the next one is due
		s.look(s.Context())
	}
}

// proposal pushes to a branch of a repository and opens a pull request for it.
func (s shape) proposal(in githubtest.Pull, from string, files map[string][]byte) int {
	s.Helper()
	branch := in.Head[strings.Index(in.Head, ":")+1:]
	_, err := s.people[pat].Push(s.Context(), from, githubtest.Push{Branch: branch, From: "refs/heads/main", Files: files})
	s.must(err)
	n, err := s.people[pat].OpenPullRequest(s.Context(), repoName, in)
	s.do(err)
	return n
}

func (s shape) edited(model, version int) map[string][]byte {
	return map[string][]byte{modelPath(model): []byte(modelText(model, version))}
}

func (s shape) medium(branch string) int {
	s.Helper()
	return s.proposal(githubtest.Pull{Title: "Serve", Head: branch}, repoName, s.edited(mediumModel, 2))
}

func (s shape) approve(n int, logins ...string) {
	s.Helper()
	for _, login := range logins {
		_, err := s.people[login].Review(s.Context(), repoName, n, githubtest.Approve, "")
		s.must(err)
	}
	s.do()
}

func (s shape) push(branch string, force bool, files map[string][]byte) {
	s.Helper()
	from := "refs/heads/" + branch
	if force {
		from = "refs/heads/main"
	}
	_, err := s.people[pat].Push(s.Context(), repoName, githubtest.Push{Branch: branch, From: from, Message: "Go on", Force: force, Files: files})
	s.do(err)
}

// told is what a pull request has been told.
type told struct {
	statuses map[string]string
	comments []string
}

// told asks GitHub as an administrator would, for the statuses at the base
// repository whatever the head is of.
func (s shape) told(n int) told {
	s.Helper()
	var pull struct{ Head struct{ SHA string } }
	s.must(s.people[root].Call(s.Context(), "GET", fmt.Sprintf("/repos/%s/pulls/%d", repoName, n), nil, &pull))
	var combined struct {
		Statuses []struct{ Context, State, Description string }
	}
	s.must(s.people[root].Call(s.Context(), "GET", fmt.Sprintf("/repos/%s/commits/%s/status?per_page=100", repoName, pull.Head.SHA), nil, &combined))
	var comments []struct {
		Body string
		User struct{ Login string }
	}
	s.must(s.people[root].Call(s.Context(), "GET", fmt.Sprintf("/repos/%s/issues/%d/comments?per_page=100", repoName, n), nil, &comments))
	t := told{statuses: map[string]string{}}
	for _, st := range combined.Statuses {
		t.statuses[st.Context] = st.State + ": " + st.Description
	}
	for _, c := range comments {
		if c.User.Login == bot {
			t.comments = append(t.comments, c.Body)
		}
	}
	return t
}

// says waits until the head bears an aggregate that begins so, the first
// comment has a text, and there are so many comments.
func (s shape) says(n int, aggregate string, comments int, text string) {
	s.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		got := s.told(n)
		if strings.HasPrefix(got.statuses["mooring"], aggregate) && len(got.comments) == comments && strings.Contains(strings.Join(got.comments, ""), text) {
			return
		}
		select {
		case <-deadline:
			s.Fatalf("#%d is told %q, want %q and %d comments with %q; got %q", n, got.statuses["mooring"], aggregate, comments, text, got.comments)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var shapes = map[string]func(s shape) (numbers []int){
	"a fork is judged on the base repository, also when it is deleted": func(s shape) []int {
		_, err := s.server.Fork(repoName, pat)
		s.must(err)
		fork := pat + "/models"
		n := s.proposal(githubtest.Pull{Title: "From outside", Head: pat + ":topic"}, fork, s.edited(mediumModel, 2))
		s.says(n, "pending: waiting for", 1, "manager")
		s.must(s.people[pat].DeleteRepo(s.Context(), fork))
		s.approve(n, mia, sen)
		s.says(n, "success", 1, "approved")
		return []int{n}
	},
	"a draft is judged and has no clock before it is ready": func(s shape) []int {
		n := s.proposal(githubtest.Pull{Title: "Not yet", Head: "topic", Draft: true}, repoName, s.edited(mediumModel, 2))
		s.says(n, "pending: waiting for", 1, "manager")
		if body := s.told(n).comments[0]; strings.Contains(body, "**due ") {
			s.Errorf("a draft has a clock:\n%s", body)
		}
		s.do(s.people[pat].MarkReady(repoName, n))
		s.says(n, "pending: waiting for", 1, "**due ")
		return []int{n}
	},
	"what is retargeted away is no success, and is judged again on its return": func(s shape) []int {
		s.must(s.onMain("release"))
		n := s.medium("topic")
		s.approve(n, mia, sen)
		s.says(n, "success", 1, "approved")
		s.do(s.people[pat].Retarget(s.Context(), repoName, n, "release"))
		s.says(n, "error: not judged: it no longer goes to the branch that is deployed, but to release", 1, "")
		s.do(s.people[pat].Retarget(s.Context(), repoName, n, "main"))
		s.says(n, "success", 1, "approved")
		return []int{n}
	},
	"what was opened elsewhere is left alone until it is retargeted here": func(s shape) []int {
		s.must(s.onMain("release"))
		n := s.proposal(githubtest.Pull{Title: "Serve", Head: "topic", Base: "release"}, repoName, s.edited(mediumModel, 2))
		other := s.proposal(githubtest.Pull{Title: "Serve", Head: "other"}, repoName, s.edited(lowModel, 2))
		s.says(other, "success", 1, "approved")
		s.says(n, "", 0, "")
		if got := s.told(n).statuses; len(got) != 0 {
			s.Errorf("a pull request to another branch is told %q", got)
		}
		s.do(s.people[pat].Retarget(s.Context(), repoName, n, "main"))
		s.says(n, "pending: waiting for", 1, "manager")
		return []int{n, other}
	},
	"a renamed manifest is a removal and an addition": func(s shape) []int {
		moved := "models/data-science/renamed/development/deployment.yaml"
		n := s.proposal(githubtest.Pull{Title: "Rename", Head: "topic"}, repoName, map[string][]byte{
			modelPath(mediumModel): nil,
			moved:                  []byte(strings.Replace(modelText(mediumModel, 1), "metadata: {name: m01}", "metadata: {name: renamed}", 1)),
		})
		s.says(n, "pending: waiting for", 1, "renamed")
		body := s.told(n).comments[0]
		for _, want := range []string{"2 changes", "m01", "removed", "added"} {
			if !strings.Contains(body, want) {
				s.Errorf("the comment has no %q:\n%s", want, body)
			}
		}
		s.approve(n, mia, sen)
		s.says(n, "success", 1, "approved")
		return []int{n}
	},
	"what is closed and reopened keeps its one comment": func(s shape) []int {
		n := s.medium("topic")
		s.says(n, "pending: waiting for", 1, "manager")
		s.do(s.people[pat].Close(s.Context(), repoName, n))
		// Reviewed while it is closed: seen once it is open again.
		s.approve(n, mia, sen)
		s.do(s.people[pat].Reopen(s.Context(), repoName, n))
		s.says(n, "success", 1, "approved")
		return []int{n}
	},
	"a forced push keeps approvals of the same content, and no others": func(s shape) []int {
		n := s.medium("topic")
		s.approve(n, mia, sen)
		s.says(n, "success", 1, "approved")
		same := s.edited(mediumModel, 2)
		same["README.md"] = []byte("more\n")
		s.push("topic", true, same)
		s.says(n, "success", 1, "approved")
		s.push("topic", true, s.edited(mediumModel, 3))
		s.says(n, "pending:", 1, "was a different one")
		return []int{n}
	},
	"other files alone pass without a word": func(s shape) []int {
		n := s.proposal(githubtest.Pull{Title: "Docs", Head: "topic"}, repoName, map[string][]byte{"docs/README.md": []byte("text\n")})
		s.says(n, "success: nothing to approve", 0, "")
		return []int{n}
	},
	"what was changed and taken back passes without a word": func(s shape) []int {
		_, err := s.people[pat].Push(s.Context(), repoName, githubtest.Push{Branch: "topic", From: "refs/heads/main", Files: s.edited(mediumModel, 2)})
		s.must(err)
		_, err = s.people[pat].Push(s.Context(), repoName, githubtest.Push{Branch: "topic", Files: s.edited(mediumModel, 1)})
		s.must(err)
		n, err := s.people[pat].OpenPullRequest(s.Context(), repoName, githubtest.Pull{Title: "Nothing", Head: "topic"})
		s.do(err)
		s.says(n, "success: nothing to approve", 0, "")
		return []int{n}
	},
}

// onMain makes a branch where main is.
func (s shape) onMain(branch string) error {
	tip, err := s.server.Head(repoName, "main")
	if err != nil {
		return err
	}
	return s.server.ForcePush(repoName, branch, tip, root)
}

// shortCommit differs between two plays, since commits tell their time, and
// between two schedules that are alike.
var shortCommit = regexp.MustCompile(`\b[0-9a-f]{12}\b`)

// TestEveryShapeOfPullRequestIsToldTheSame plays each shape twice, once with
// webhooks alone and once with polling alone, and compares how it ends.
func TestEveryShapeOfPullRequestIsToldTheSame(t *testing.T) {
	for name, play := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := map[bool]map[string]string{}
			for _, polls := range []bool{false, true} {
				s := shape{newSoak(t, 1), polls}
				s.server.DropWebhooks(polls)
				s.look(t.Context()) // the process has started
				numbers := play(s)
				ends[polls] = map[string]string{}
				for _, n := range numbers {
					got := s.told(n)
					for context, says := range got.statuses {
						ends[polls][fmt.Sprintf("#%d %s", n, context)] = shortCommit.ReplaceAllString(says, "COMMIT")
					}
					if len(got.statuses) != 6 {
						t.Errorf("#%d has the statuses %q, want one of each stage and the aggregate", n, got.statuses)
					}
					ends[polls][fmt.Sprintf("#%d comments", n)] = fmt.Sprint(len(got.comments))
				}
			}
			if diff := cmp.Diff(ends[false], ends[true]); diff != "" {
				t.Errorf("webhooks alone (-) and polling alone (+) end differently:\n%s", diff)
			}
		})
	}
}

// TestWebhookAnswersWhileJudgingIsHeldUp: every delivery is answered although
// nothing can be judged before the test lets it.
func TestWebhookAnswersWhileJudgingIsHeldUp(t *testing.T) {
	s := shape{newSoak(t, 1), false}
	s.look(t.Context())
	s.mu.Lock() // holds up the look that follows the hint
	release := sync.OnceFunc(s.mu.Unlock)
	defer release()
	n := s.medium("topic") // returns once GitHub has all its answers
	deliveries := s.server.Deliveries()
	if len(deliveries) == 0 || slices.ContainsFunc(deliveries, func(d githubtest.Delivery) bool { return d.Status != 202 && d.Event != "ping" }) {
		t.Errorf("the deliveries were answered %+v", deliveries)
	}
	if got := s.told(n); len(got.statuses) != 0 {
		t.Errorf("it was judged meanwhile: %q", got.statuses)
	}
	release()
	s.says(n, "pending: waiting for", 1, "manager")
}

// TestVerdictIsWithdrawnAfterARestart: a pull request that was retargeted while
// nobody looked is known by what stands on it.
func TestVerdictIsWithdrawnAfterARestart(t *testing.T) {
	s := shape{newSoak(t, 1), true}
	s.server.DropWebhooks(true)
	s.must(s.onMain("release"))
	n := s.medium("topic")
	s.approve(n, mia, sen)
	s.says(n, "success", 1, "approved")
	s.must(s.people[pat].Retarget(t.Context(), repoName, n, "release"))
	s.restart()
	s.do()
	s.says(n, "error: not judged", 1, "")
}
