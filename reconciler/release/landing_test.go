package release

import (
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
)

// Somebody who can push merges the branch into an old pull request, not the other
// way round: along first parents, the branch seems to have been at where that
// pull request began, before what was approved and merged since.
func TestABranchPushedToAMergeOfItselfIntoAPullRequest(t *testing.T) {
	for name, test := range map[string]struct {
		overlaps bool // #8 changed the same file
		told     bool // the forge takes the pushed merge for the pull request's own
		stands   int
		held     string
	}{
		"what was merged since is not replaced":                      {true, false, 8, "without a pull request"},
		"nor where the forge takes the push for a merge":             {true, true, 8, "#9 was merged without its approvals"},
		"what is approved for what stands on the branch is taken":    {false, true, 9, ""},
		"it is a push where the forge knows no merge of that commit": {false, false, 0, "without a pull request"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			start := h.rev("main")
			head := h.propose("nine", h.version(low, `version: "7"`, `version: "9"`))
			if test.overlaps {
				h.propose("eight", h.version(low, `version: "7"`, `version: "8"`))
			} else {
				h.propose("eight", h.version("README.md", "#", "##"))
			}
			eight := h.land(8, "eight", "squash")
			ledger, _ := h.judge(start, eight)

			h.git("checkout", "--quiet", "nine")
			h.git("merge", "--quiet", "-s", "ours", "-m", "Merge main", "main")
			to := h.rev("HEAD")
			h.now = h.now.Add(time.Minute)
			nine := &review.PullRequest{Number: 9, Author: "ada", Head: head, Base: "main", MergedAt: h.now}
			if h.merged[head] = nine; test.told {
				h.merged[to] = nine
			}
			ledger, merges := h.judgeOn(h.branch(nil), ledger, eight, to)
			if a := ledger.Approved[low]; a.PullRequest != test.stands {
				t.Errorf("%s stands by #%d, want #%d; the merges are %+v", low, a.PullRequest, test.stands, merges)
			}
			if test.held != "" {
				h.held(ledger, low, test.held)
			}
			for _, m := range merges {
				if m.Base != eight || m.Commit != to {
					t.Errorf("it is judged from %s to %s, and the branch went from %s to %s", m.Base, m.Commit, eight, to)
				}
			}
		})
	}
}

// The same by force: the branch is put on the pull request's head itself.
func TestABranchForcedToAnOlderPullRequest(t *testing.T) {
	h := newHistory(t)
	start := h.rev("main")
	head := h.propose("nine", h.version(low, `version: "7"`, `version: "9"`))
	h.propose("eight", h.version(low, `version: "7"`, `version: "8"`))
	eight := h.land(8, "eight", "squash")
	ledger, _ := h.judge(start, eight)
	h.now = h.now.Add(time.Minute)
	h.merged[head] = &review.PullRequest{Number: 9, Author: "ada", Head: head, Base: "main", MergedAt: h.now}
	ledger, _ = h.judgeOn(h.branch(nil), ledger, eight, head)
	if a := ledger.Approved[low]; a.PullRequest != 8 {
		t.Errorf("%s stands by #%d, want #8", low, a.PullRequest)
	}
	h.held(ledger, low, "#9 changed content of this file that was not approved itself")
}
