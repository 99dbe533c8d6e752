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
		problems, by := countErrors(r), blockers(r)
		switch {
		case len(by) == 0:
			return plural(problems, "problem") + " to correct"
		case problems == 0:
			return "changes requested by " + strings.Join(some(by), ", ")
		}
		return plural(problems, "problem") + " to correct; changes requested by " + strings.Join(some(by), ", ")
	default:
		for _, s := range r.Stages {
			if s.Verdict == policy.Error {
				return "could not be judged: " + s.Reason
			}
		}
		return "could not be judged"
	}
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
	opens := union(r, func(c *Change) []string { return []string{c.opens()} })
	opens = slices.DeleteFunc(opens, func(s string) bool { return s == "" })
	switch {
	case len(each) == 0 && len(opens) > 0:
		return "the change window: " + strings.Join(some(opens), "; ")
	case len(each) == 1:
		return strings.Join(append(each, opens...), "; ")
	}
	return strings.Join(union(r, func(c *Change) []string { return c.Approvals.Missing }), ", ")
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

func countErrors(r *Report) int {
	n := errorsIn(r.Findings)
	for _, c := range r.Changes {
		n += errorsIn(c.Findings)
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
