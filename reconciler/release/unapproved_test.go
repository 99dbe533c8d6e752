package release

import (
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/source"
)

// The model's risk is low: the gate itself asks nobody for approval. Who pushed
// is no maker of what comes after, so nothing may come after but the way back.
func TestAPullRequestOverAPush(t *testing.T) {
	for name, test := range map[string]struct {
		pushed, proposed [2]string
		stands           int
		because          string
	}{
		"a small edit on top of it approves nothing":    {[2]string{`version: "7"`, `version: "8"`}, [2]string{`replicas: {min: 1`, `replicas: {min: 2`}, 0, "#1 changed content of this file that was not approved itself"},
		"to bring back what stands approved is taken":   {[2]string{`version: "7"`, `version: "8"`}, [2]string{`version: "8"`, `version: "7"`}, 1, ""},
		"to remove what was pushed removes the model":   {[2]string{`version: "7"`, `version: "8"`}, [2]string{"", ""}, 1, ""},
		"to bring back what a push removed is taken":    {[2]string{"", ""}, [2]string{"old", ""}, 1, ""},
		"another file in place of a removed one is not": {[2]string{"", ""}, [2]string{"old", `version: "9"`}, 0, "#1 changed content of this file that was not approved itself"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			from := h.rev("main")
			h.edit(low, test.pushed[0], test.pushed[1])
			h.commit("Push past the gate")
			h.propose("topic", func() {
				if test.proposed[0] != "old" {
					h.edit(low, test.proposed[0], test.proposed[1])
					return
				}
				h.git("checkout", "--quiet", from.String(), "--", low)
				if test.proposed[1] != "" {
					h.edit(low, `version: "7"`, test.proposed[1])
				}
			})
			to := h.land(1, "topic", "squash")
			ledger, _ := h.judge(from, to)
			if test.because != "" {
				h.held(ledger, low, test.because)
				return
			}
			h.clean(ledger, low, to, test.stands)
		})
	}
}

// While the forge does not know yet how a merge came, what is merged on top of it
// builds on content of which nobody knows whether it is approved: it waits.
func TestAMergeOnAMergeThatIsNotKnownYetWaits(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("one", h.version(low, `version: "7"`, `version: "8"`))
	first := h.land(1, "one", "squash")
	h.propose("two", h.version(low, `version: "8"`, `version: "9"`))
	to := h.land(2, "two", "squash")
	known := h.merged[first]
	delete(h.merged, first)
	b := h.branch(map[source.ID]Step{})
	b.Seen = map[source.ID]time.Time{}
	ledger, _ := NewLedger().Trust(h.content(b.Repo, from), from)
	ledger, merges := h.judgeOn(b, ledger, from, to)
	if len(merges) != 2 || merges[1].PullRequest != 2 || !strings.Contains(merges[1].Unknown, "earlier merge") || len(ledger.Quarantined) > 0 {
		t.Fatalf("the merges are %+v, quarantined %v", merges, ledger.Quarantined)
	}
	h.merged[first] = known
	ledger, _ = h.judgeOn(b, ledger, from, to)
	h.clean(ledger, low, to, 2)
}
