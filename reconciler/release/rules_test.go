package release

import (
	"testing"

	"github.com/mlops-platform/mooring/schemas"
)

const governance = schemas.GovernancePath

// weaken makes a change that needs the board need nobody.
func (h *history) weaken() {
	h.edit(governance, "levels: {medium: 15, high: 30}", "levels: {medium: 49, high: 50}")
}

func TestPushedGovernanceApprovesNothing(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.weaken()
	h.commit("Help myself")
	h.propose("topic", h.version(high, `version: "2"`, `version: "3"`))
	to := h.land(1, "topic", "merge")
	ledger, _ := h.judge(from, to)
	h.held(ledger, governance, "without a pull request")
	h.held(ledger, high, "governance.yaml on the branch was not approved")
	if ledger.Approved[high].Commit != from.String() {
		t.Errorf("the last good content of %s no longer stands", high)
	}
}

func TestGovernanceOfAnEarlierTipApprovesNothingEither(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.weaken()
	pushed := h.commit("Help myself")
	ledger, _ := h.judge(from, pushed)
	h.propose("topic", h.version(high, `version: "2"`, `version: "3"`))
	to := h.land(1, "topic", "squash")
	ledger, _ = h.judgeOn(h.branch(nil), ledger, pushed, to)
	h.held(ledger, high, "governance.yaml on the branch was not approved")
}

func TestMergesAfterTheRulesAreRestoredAreJudgedAgain(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.weaken()
	h.commit("Help myself")
	h.git("revert", "--no-edit", "HEAD")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	to := h.land(1, "topic", "rebase")
	ledger, _ := h.judge(from, to)
	h.clean(ledger, low, to, 1)
}

func TestTheLedgerMayBeAheadOfAMergeThatIsJudgedLate(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	first := h.land(1, "topic", "squash")
	h.weaken()
	second := h.commit("Loosen the levels")
	b := h.branch(nil)
	ledger, _ := NewLedger().Trust(h.content(b.Repo, from), from)
	// The board approved the second step, and the ledger knows it already.
	before, after := h.content(b.Repo, from)[governance], h.content(b.Repo, second)[governance]
	ledger.Approved[governance] = schemas.ApprovedFile{
		Path: governance, Blob: after.String(), Before: before.String(), Commit: second.String(), PullRequest: 2,
	}
	ledger, _ = h.judgeOn(b, ledger, from, second)
	h.clean(ledger, low, first, 1)
}
