package gate

import "testing"

// The checker has to find what it is for: with any one rule broken it comes back
// with a schedule. Some ways to do the same are left out, for time.
func TestABrokenRuleIsFound(t *testing.T) {
	for _, lie := range []mutation{
		reviewsFollowTheHead, reviewsHaveNoTime, dismissedStillApproves, everythingIsByTheAuthor,
		everyCommitIsAMerge, anyRulesWillDo, whatIsOnTheBranchIsApproved, whatWasPushedIsBuiltOn,
	} {
		t.Run(string(lie), func(t *testing.T) {
			x, states := explore(t, 5, lie,
				"an administrator merges by merge, whatever the statuses say", "an administrator merges by rebase, whatever the statuses say",
				"the branch is pushed to a merge of itself into the pull request", "Ada forces the pull request back to A", "mia requests changes", "C is pushed to the branch", "the branch is forced back by one commit",
				"the controller looks, and the forge does not know of any merge yet", "the controller restarts")
			if x.broken == nil {
				t.Fatalf("not found in %d states", states)
			}
			t.Logf("%s, after\n%s", x.broken.why, x.broken.schedule.words(x.actions))
		})
	}
}
