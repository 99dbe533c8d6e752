package release

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// A merge on top of a branch that is over a cap was judged against nothing. It is
// refused, and what is merged once the branch can be read again is judged.
func TestAMergeIntoABranchThatCannotBeReadIsRefused(t *testing.T) {
	h := newHistory(t)
	good := h.rev("main")
	tree := func(entry string) string {
		var text strings.Builder
		for i := range 400 {
			fmt.Fprintf(&text, "%s\tx%03d\n", entry, i)
		}
		file := filepath.Join(t.TempDir(), "tree")
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return h.git("-c", "alias.make=!git mktree <"+file, "make")
	}
	merged := func(number int, tree, parent string) string {
		h.now = h.now.Add(time.Second)
		commit := h.git("commit-tree", tree, "-p", parent, "-m", fmt.Sprint("Merge #", number))
		h.merged[source.ID(commit)] = &review.PullRequest{Number: number, Author: "ada", Head: h.rev("pr"), Base: "main", MergedAt: h.now}
		return commit
	}
	h.propose("pr", h.version(low, `version: "7"`, `version: "8"`))
	h.git("read-tree", "--prefix=models/bomb/", tree("040000 tree "+tree("100644 blob "+h.git("rev-parse", "HEAD:"+low))))
	bomb := h.git("commit-tree", h.git("write-tree"), "-p", good.String(), "-m", "Too much")
	onTop := merged(1, bomb+"^{tree}", bomb)
	back := merged(2, good.String()+"^{tree}", onTop)
	h.git("reset", "--quiet", "--hard", back)
	to := h.land(3, "pr", "merge")
	ledger, merges := h.judge(good, to)
	if len(merges) != 3 {
		t.Fatalf("%d merges are found, want three", len(merges))
	}
	for i, m := range merges {
		if m.Unknown != "" {
			t.Errorf("#%d is asked about again: %s", i+1, m.Unknown)
		}
	}
	h.clean(ledger, low, to, 3)
}
