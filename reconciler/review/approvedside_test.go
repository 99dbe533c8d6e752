package review

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Whoever pushed past the gate is no maker of the pull request that comes after,
// and its diff does not show what they pushed.
func TestNothingIsBuiltOnWhatNobodyApproved(t *testing.T) {
	const path = "models/data-science/demand-forecast/development/deployment.yaml"
	version := func(v string) func(map[string]string) {
		return func(files map[string]string) {
			files[path] = strings.Replace(files[path], `version: "7"`, `version: "`+v+`"`, 1)
		}
	}
	remove := func(files map[string]string) { files[path] = "" }
	for name, test := range map[string]struct {
		pushed, proposed func(map[string]string)
		// stands picks what stands approved: the file as it was, as the base has it, or
		// as the head has it; nil: nothing is told, and the base is taken as it is.
		stands func(start, base, head source.ID) source.ID
		found  bool
	}{
		"a small edit on top of a push":                                {version("8"), version("9"), func(start, _, _ source.ID) source.ID { return start }, true},
		"an edit of what was added by a push":                          {version("8"), version("9"), func(_, _, _ source.ID) source.ID { return "" }, true},
		"other content where a push removed the file":                  {remove, version("9"), func(start, _, _ source.ID) source.ID { return start }, true},
		"what stands approved is brought back over a push":             {version("8"), version("7"), func(_, _, head source.ID) source.ID { return head }, false},
		"what stands approved is brought back after a push removed it": {remove, version("7"), func(_, _, head source.ID) source.ID { return head }, false},
		"what was pushed is removed":                                   {version("8"), remove, func(start, _, _ source.ID) source.ID { return start }, false},
		"the base of a merge queue is approved, though the tip is not": {version("8"), version("9"), func(_, base, _ source.ID) source.ID { return base }, false},
		"nobody keeps a ledger":                                        {version("8"), version("9"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var start string
			repo, pr, base := pullRequestOf(t, "pushed",
				func(files map[string]string) { start = files[path]; test.pushed(files) },
				func(files map[string]string) { files[path] = start }, // so that the repository has it
				func(files map[string]string) { files["README.md"] = name; test.proposed(files) })
			blob := func(commit source.ID) source.ID {
				tree, err := repo.Tree(t.Context(), commit)
				if err != nil {
					t.Fatal(err)
				}
				return tree.File(path).Blob
			}
			req := Request{Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)}
			if test.stands != nil {
				req.Standing = map[string]source.ID{path: test.stands(source.ID(plumbing.ComputeHash(plumbing.BlobObject, []byte(start)).String()), blob(base), blob(pr.Head))}
			}
			report, err := Evaluate(t.Context(), repo, req)
			if err != nil {
				t.Fatal(err)
			}
			c := report.Changes[0]
			found := slices.ContainsFunc(c.Findings, func(f schemas.Finding) bool { return f.Code == schemas.CodeUnapprovedBase })
			if found != test.found || c.OnUnapproved() != test.found || found && c.Verdict != policy.Fail {
				t.Errorf("found %v, verdict %s: %v", found, c.Verdict, c.Findings)
			}
		})
	}
}
