package gate

import (
	"fmt"
	"testing"
	"time"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

// rewrite pushes the change of a branch anew, as after a rebase, with other
// files that nobody has to approve.
func (s shape) rewrite(branch string) {
	s.Helper()
	same := s.edited(mediumModel, 2)
	same["README.md"] = []byte("more\n")
	_, err := s.people[pat].Push(s.Context(), repoName, githubtest.Push{Branch: branch, From: "refs/heads/main", Message: "Go on", Force: true, Files: same})
	s.must(err)
}

// begin is another process with an empty mirror, and its first look.
func (s shape) begin() {
	s.Helper()
	s.restart()
	s.look(s.Context())
}

// merged waits until the model stands as the pull request left it.
func (s shape) merged(n int) {
	s.Helper()
	_, err := s.people[root].Merge(s.Context(), repoName, n, "squash", "")
	s.do(err)
	deadline := time.After(2 * time.Minute)
	for {
		stands := "nothing"
		for _, r := range s.receipts() {
			if r.Spec.Model != "m01" {
				continue
			}
			if r.Status.Quarantined != nil {
				s.Fatalf("#%d is quarantined: %+v", n, *r.Status.Quarantined)
			}
			if r.Status.Approved != nil {
				if stands = fmt.Sprintf("#%d", r.Status.Approved.PullRequest); stands == fmt.Sprintf("#%d", n) {
					return
				}
			}
		}
		select {
		case <-deadline:
			s.Fatalf("m01 stands by %s, want #%d", stands, n)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestForcedPushesAreJudgedAlikeByEveryMirror: which heads a process has seen
// decides nothing about the approvals that were given to them.
func TestForcedPushesAreJudgedAlikeByEveryMirror(t *testing.T) {
	for name, play := range map[string]func(s shape){
		"the mirror is lost after the push": func(s shape) {
			n := s.medium("topic")
			s.approve(n, mia, sen)
			s.says(n, "success", 1, "approved")
			s.rewrite("topic")
			s.do()
			s.says(n, "success", 1, "approved")
			s.begin()
			s.says(n, "success", 1, "approved")
			s.merged(n)
		},
		"the mirror is lost just before the merge": func(s shape) {
			n := s.medium("topic")
			s.approve(n, mia, sen)
			s.rewrite("topic")
			s.do()
			s.says(n, "success", 1, "approved")
			s.restart()
			s.merged(n)
		},
		"nobody looked between the approval and the push": func(s shape) {
			n := s.medium("topic")
			s.says(n, "pending: waiting for", 1, "manager")
			s.server.DropWebhooks(true)
			_, err := s.people[pat].Push(s.Context(), repoName, githubtest.Push{Branch: "topic", Files: map[string][]byte{"docs/README.md": []byte("text\n")}})
			s.must(err)
			for _, login := range []string{mia, sen} {
				_, err := s.people[login].Review(s.Context(), repoName, n, githubtest.Approve, "")
				s.must(err)
			}
			s.rewrite("topic")
			s.server.DropWebhooks(s.polls)
			_, err = s.people[sam].Review(s.Context(), repoName, n, githubtest.Comment, "Done?")
			s.do(err)
			s.says(n, "success", 1, "approved")
			s.merged(n)
		},
		"the approved head is gone for good": func(s shape) {
			n := s.medium("topic")
			s.approve(n, mia, sen)
			s.rewrite("topic")
			s.do()
			s.says(n, "success", 1, "approved")
			s.must(s.server.CollectGarbage(repoName))
			s.begin()
			s.says(n, "pending: waiting for", 1, "no longer in the repository: review again")
			s.approve(n, mia, sen)
			s.says(n, "success", 1, "approved")
			s.merged(n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for hears, polls := range map[string]bool{"by webhooks": false, "by polls": true} {
				t.Run(hears, func(t *testing.T) {
					t.Parallel()
					s := shape{newSoak(t, 1), polls}
					s.server.DropWebhooks(polls)
					s.look(t.Context())
					play(s)
				})
			}
		})
	}
}
