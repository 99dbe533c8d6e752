package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/reconciler/release"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// What is deployed long after its merge rests on those who hold the roles then:
// of somebody who left the team in between the approval counts no more.
func TestAnApproverWhoLeftBeforeTheReleaseHoldsItBack(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks, func(o *demo.Options) {
		o.Clock = func() time.Time { return time.Now().Add(-time.Hour) }
	})
	w.allLive(3)
	number, head, err := w.Propose(t.Context(), demo.Churn, "Serve churn-predictor v3", `version: "2"`, `version: "3"`)
	w.must(err)
	w.hasStatus(head, "mooring", "pending", "vp-engineering")
	for _, login := range demo.Board {
		_, err := w.People[login].Review(t.Context(), demo.FullName, number, githubtest.Approve, "")
		w.must(err)
	}
	w.hasStatus(head, "mooring", "success", "")
	judged := w.cluster.hold(saying(call(http.MethodPut, "/modelreleases/"), `"pullRequest":1`))
	merged, err := w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.await(judged.reached, "the receipt with the approval")
	w.must(w.GitHub.RemoveFromTeam("acme", "senior-ds", demo.Senior))
	close(judged.released)

	said := w.hasStatus(merged, "mooring/deploy", "failure", "")
	w.must(w.Until(t.Context(), "the release is held back", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, demo.Churn)
		if err != nil {
			return "", false, err
		}
		text := demo.Summary(r)
		return text, strings.Contains(text, "(ApproverLeft: nothing is deployed: "+demo.Senior+" approved #1 as senior-data-scientist and does not hold that role any more; revert"), nil
	}))
	w.serves(demo.Churn, "2")
	w.hasRecords(1, audit.PhaseIntent, release.ActionApply, demo.Churn)
	t.Logf("mooring/deploy says: %s", said)

	w.must(w.GitHub.AddToTeam("acme", "senior-ds", demo.Senior))
	w.must(w.Live(t.Context(), demo.Churn, "3"))
	w.hasStatus(merged, "mooring/deploy", "success", "live")
}
