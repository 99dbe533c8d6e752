package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// maxHeadline is what a commit status shows.
const maxHeadline = 140

// Headline is the verdict and what is needed next, in one line of at most 140
// characters.
func Headline(r *Report) string { return cut(headline(r), maxHeadline) }

func headline(r *Report) string { return r.alarm() + sentence(r) }

func sentence(r *Report) string {
	switch r.Verdict {
	case policy.Pass:
		if len(r.Changes) == 0 {
			return "nothing to approve: no manifest and no platform file is changed"
		}
		return "approved: ready to merge"
	case policy.Pending:
		text := "waiting for " + waiting(r)
		if void := voided(r); void != "" {
			text = void + "; " + text
		}
		return text
	case policy.Fail:
		return failure(r)
	default:
		for _, s := range r.Stages {
			if s.Verdict == policy.Error {
				return "could not be judged: " + s.Reason
			}
		}
		return "could not be judged"
	}
}

// failure says what stands in the way: first what its author has to do. A freeze
// is nothing that anybody could correct.
func failure(r *Report) string {
	var parts []string
	if problems := countProblems(r); problems > 0 {
		parts = append(parts, plural(problems, "problem")+" to correct")
	}
	if by := blockers(r); len(by) > 0 {
		parts = append(parts, "changes requested by "+strings.Join(some(by), ", "))
	}
	theirs := len(parts) > 0
	parts = append(parts, some(said(r, (*Change).frozen))...)
	if roles := missingRoles(r); !theirs && len(roles) > 0 {
		parts = append(parts, "waiting for "+strings.Join(roles, ", "))
	}
	return strings.Join(parts, "; ")
}

// waiting says for whom: exactly if all changes wait for the same, else by all
// the roles.
func waiting(r *Report) string {
	each := union(r, func(c *Change) []string {
		if len(c.Approvals.Missing) == 0 {
			return nil
		}
		return []string{c.awaited()}
	})
	opens := said(r, (*Change).opens)
	switch {
	case len(each) == 0 && len(opens) > 0:
		return "the change window: " + strings.Join(some(opens), "; ")
	case len(each) == 1:
		return strings.Join(append(each, opens...), "; ")
	}
	return strings.Join(missingRoles(r), ", ")
}

func missingRoles(r *Report) []string {
	return union(r, func(c *Change) []string { return c.Approvals.Missing })
}

// said is what is said of changes, each sentence once.
func said(r *Report, of func(*Change) string) []string {
	all := union(r, func(c *Change) []string { return []string{of(c)} })
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// voided says whose approvals a push made void; empty where nobody's is missed.
func voided(r *Report) string {
	by := union(r, func(c *Change) []string {
		if len(c.Approvals.Missing) == 0 {
			return nil
		}
		return c.Approvals.Voided
	})
	if len(by) == 0 {
		return ""
	}
	return fmt.Sprintf("approvals by %s were voided by the push of %s", strings.Join(some(by), ", "), r.Head.Short())
}

// countProblems counts what has to be corrected, which a freeze has not.
func countProblems(r *Report) int {
	n := errorsIn(r.Findings)
	for _, c := range r.Changes {
		n += errorsIn(c.Findings) - c.hold.freezes
	}
	return n
}

func errorsIn(findings schemas.Findings) int {
	n := 0
	for _, f := range findings {
		if f.Severity == schemas.SeverityError {
			n++
		}
	}
	return n
}

func blockers(r *Report) []string {
	return union(r, func(c *Change) []string { return c.Approvals.BlockedBy })
}

func union(r *Report, of func(*Change) []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range r.Changes {
		for _, s := range of(c) {
			if !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	return out
}
