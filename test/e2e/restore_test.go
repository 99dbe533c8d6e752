package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// The drills of docs/operations/backup-and-restore.md, step for step.

// grown is a world in which a pull request brought something since the trusted
// commit, so that the audit log says more than Git alone.
func grown(t *testing.T) (w *world, merged string) {
	t.Helper()
	w = start(t, small, withoutWebhooks)
	w.allLive(3)
	number, head, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	merged, err = w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
	return w, merged
}

// copied is a copy of the log, and a head that it has to contain.
type copied struct {
	lines []byte
	head  audit.Head
}

// backUp writes the log out while the controller runs, as `mlops audit verify` and
// then `mlops audit export` do.
func (w *world) backUp() copied {
	w.t.Helper()
	report, err := audit.VerifyFile(w.AuditFile())
	w.must(err)
	log, err := audit.Snapshot(w.AuditFile())
	w.must(err)
	var lines bytes.Buffer
	_, err = audit.Export(log, &lines, audit.JSONLines, audit.Filter{})
	w.must(errors.Join(err, log.Close()))
	return copied{lines.Bytes(), report.Head}
}

// lose removes the audit log with all that lies beside it.
func (w *world) lose() {
	w.t.Helper()
	files, err := filepath.Glob(w.AuditFile() + "*")
	w.must(err)
	for _, f := range files {
		w.must(os.Remove(f))
	}
}

// restore lays a copy where the log was, and its head beside it.
func (w *world) restore(c copied) audit.Head {
	w.t.Helper()
	w.must(os.WriteFile(w.AuditFile(), c.lines, 0o600))
	report, err := audit.VerifyFile(w.AuditFile(), c.head)
	w.must(err)
	w.must(os.WriteFile(w.AuditFile()+".head", fmt.Appendln(nil, report.Head), 0o600))
	return report.Head
}

// goesOn makes sure that the log is one chain, and begins with what was restored.
func (w *world) goesOn(restored audit.Head) {
	w.t.Helper()
	if _, err := audit.VerifyFile(w.AuditFile(), restored); err != nil {
		w.t.Error(err)
	}
}

func TestACopyOfTheAuditLogBringsItBack(t *testing.T) {
	t.Parallel()
	w, _ := grown(t)
	backup := w.backUp()
	w.must(w.Controller.Stop())
	before := len(w.records())
	w.lose()
	head := w.restore(backup)
	w.must(w.StartController(t.Context()))
	w.says("Ready", "True", "Judged")
	w.healed(demo.Churn)
	w.allLive(3)
	w.serves(demo.Forecast, "8")
	w.goesOn(head)
	if now := len(w.records()); now <= before {
		t.Errorf("there are %d records after the restore, %d before", now, before)
	}
	w.nothingOrphaned()
}

// A log that was lost is not begun anew in silence: what only it knew of counts
// for nothing, and what is deployed stays.
func TestWithoutTheAuditLogApprovalsCountForNothing(t *testing.T) {
	t.Parallel()
	w, merged := grown(t)
	w.must(w.Controller.Stop())
	w.lose()
	w.must(w.StartController(t.Context()))
	w.says("Quarantined", "True", "Unapproved")
	w.serves(demo.Forecast, "8")
	w.patch(`{"spec":{"trustFrom":"` + merged + `"}}`)
	w.says("Quarantined", "False", "Clean")
	w.allLive(3)
	w.serves(demo.Forecast, "8")
	w.nothingOrphaned()
}

// The cluster is lost with its receipts, its models and the mirrors. Git and a
// copy of the audit log bring it back; the log says which commit to trust.
func TestAClusterIsBuiltAnewFromGitAndTheAuditLog(t *testing.T) {
	t.Parallel()
	w, merged := grown(t)
	backup := w.backUp()
	w.must(w.Controller.Stop())
	w.Controller = nil // Its end is no failure of what waits from here on.
	w.lose()
	w.loseCluster()
	head := w.restore(backup)

	// The ModelRepository of a backup still trusts the commit that Mooring began
	// with: what was merged since is judged anew, as of its merge.
	w.must(w.StartController(t.Context()))
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
	w.says("Quarantined", "False", "Clean")

	last := ""
	for _, r := range w.records() {
		if r.Seq <= head.Seq && r.Action == audit.Action(release.ActionApprove) {
			last = r.Commit
		}
	}
	if last != merged {
		t.Errorf("the log names %q as the last commit that was approved, want %q", last, merged)
	}
	w.patch(`{"spec":{"trustFrom":"` + last + `"}}`)
	w.must(w.Until(t.Context(), "it is on record that the commit is trusted", func(context.Context) (string, bool, error) {
		newest := w.records()
		return string(newest[len(newest)-1].Action), slices.ContainsFunc(newest, func(r audit.Record) bool {
			return r.Seq > head.Seq && r.Action == audit.Action(release.ActionTrust) && r.Commit == last
		}), nil
	}))
	w.allLive(3)
	w.serves(demo.Forecast, "8")
	w.goesOn(head)
	w.nothingOrphaned()
}

// loseCluster removes what Mooring has and made in the cluster, and its mirrors.
func (w *world) loseCluster() {
	w.t.Helper()
	var services []*unstructured.Unstructured
	for _, unit := range []schemas.Unit{demo.Forecast, demo.Churn, demo.Classifier} {
		service, err := w.Service(w.t.Context(), unit)
		w.must(err)
		services = append(services, service)
	}
	w.must(w.Cluster.Delete(w.t.Context(), w.repository()))
	for _, r := range w.list() {
		w.must(w.Cluster.Delete(w.t.Context(), &r))
	}
	for _, service := range services {
		w.must(w.Cluster.Delete(w.t.Context(), service))
		w.must(w.Until(w.t.Context(), service.GetName()+" is gone", func(ctx context.Context) (string, bool, error) {
			left, err := w.ServiceAt(ctx, service.GetNamespace(), service.GetName())
			return "it is there", left == nil, err
		}))
	}
	w.must(os.RemoveAll(filepath.Join(w.Dir, "mirrors")))
}
