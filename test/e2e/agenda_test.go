package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// board waits until the only board's agenda is as expected.
func (w *world) board(what string, is func(schemas.BoardStatus) bool) schemas.BoardStatus {
	w.t.Helper()
	var board schemas.BoardStatus
	w.must(w.Until(w.t.Context(), "the agenda "+what, func(context.Context) (string, bool, error) {
		var r schemas.ModelRepository
		err := w.Cluster.Get(w.t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: demo.RepositoryName}, &r)
		if len(r.Status.Boards) != 1 {
			return fmt.Sprintf("%d boards", len(r.Status.Boards)), false, client.IgnoreNotFound(err)
		}
		board = r.Status.Boards[0]
		return fmt.Sprintf("%+v", board), is(board), err
	}))
	return board
}

// What waits for the board stands in the ModelRepository, as the API server
// keeps it, until it waits no more.
func TestTheAgendaStandsInTheCluster(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	w.says(schemas.ConditionTeamsResolved, metav1.ConditionTrue, "Resolved")
	w.says(schemas.ConditionSeatsFillable, metav1.ConditionTrue, "Fillable")
	w.board("is empty", func(b schemas.BoardStatus) bool { return b.Name == "cab" && b.Count == 0 })

	number, head, err := w.Propose(t.Context(), demo.Churn, "Serve @acme/board v3", `version: "2"`, `version: "3"`)
	w.must(err)
	w.hasStatus(head, "mooring", "pending", "")
	item := w.board("has the change", func(b schemas.BoardStatus) bool { return b.Count == 1 }).Items[0]
	if item.PullRequest != number || item.Title != "Serve @acme/board v3" || item.Summary != "version 2 → version 3" ||
		item.Due == nil || item.Due.Sub(item.Since.Time).Hours() != 120 || len(item.Missing) != 6 {
		t.Errorf("%+v", item)
	}
	for _, login := range demo.Board {
		_, err := w.People[login].Review(t.Context(), demo.FullName, number, githubtest.Approve, "")
		w.must(err)
	}
	w.hasStatus(head, "mooring", "success", "")
	w.board("is empty again", func(b schemas.BoardStatus) bool { return b.Count == 0 })
}

// A team that does not exist is found before its seat is needed, and stops nothing.
func TestATeamThatDoesNotExistIsFound(t *testing.T) {
	t.Parallel()
	w := start(t, func(files map[string][]byte) {
		small(files)
		files[schemas.GovernancePath] = bytes.Replace(files[schemas.GovernancePath], []byte("acme/legal"), []byte("acme/lawyers"), 1)
	}, withoutWebhooks)
	w.allLive(3)
	message := w.says(schemas.ConditionTeamsResolved, metav1.ConditionFalse, "TeamUnknown")
	if !strings.Contains(message, "acme/lawyers (legal in governance.yaml)") {
		t.Error(message)
	}
	w.says("Ready", metav1.ConditionTrue, "Judged")
}
