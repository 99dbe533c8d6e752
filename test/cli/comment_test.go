package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	gate "github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

func TestPlanAsMarkdownIsTheComment(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head := r.head(bump(churn))
	o := mlops(t, r.dir, "", "plan", "--base", "main", "--head", "pr", "--at", at, "-o", "markdown")
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	repo, err := source.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close() // opened for reading
	req := gate.Request{Now: now, Repository: "local", People: gate.Nobody()}
	for ref, id := range map[string]*source.ID{"main": &req.Base, head: &req.Head} {
		if *id, err = repo.Resolve(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	report, err := gate.Evaluate(t.Context(), repo, req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(gate.Comment(report), o.stdout); diff != "" || o.code != 1 || o.stderr != "" {
		t.Errorf("exit %d, %s\n(-comment +printed):\n%s", o.code, o.stderr, diff)
	}
}
