package review

import (
	"fmt"
	"sort"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// MaxComment is GitHub's limit of a comment, in characters.
const MaxComment = 65_536

// Headline is the verdict and what is needed next, in one line.
func Headline(r *Report) string {
	problems := countErrors(r)
	switch r.Verdict {
	case policy.Pass:
		if len(r.Changes) == 0 {
			return "nothing to approve: no manifest and no platform file is changed"
		}
		return "approved: ready to merge"
	case policy.Pending:
		return "waiting for " + strings.Join(missing(r), ", ")
	case policy.Fail:
		if blockers := blockers(r); problems == 0 && len(blockers) > 0 {
			return "changes requested by " + strings.Join(blockers, ", ")
		}
		return plural(problems, "problem") + " to correct"
	default:
		for _, s := range r.Stages {
			if s.Verdict == policy.Error {
				return "could not be judged: " + s.Reason
			}
		}
		return "could not be judged"
	}
}

func countErrors(r *Report) int {
	var n int
	count := func(fs schemas.Findings) {
		for _, f := range fs {
			if f.Severity == schemas.SeverityError {
				n++
			}
		}
	}
	count(r.Findings)
	for _, c := range r.Changes {
		count(c.Findings)
	}
	return n
}

func missing(r *Report) []string {
	return union(r, func(c *Change) []string { return c.Approvals.Missing })
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

var marks = map[policy.Verdict]string{policy.Pass: "✅", policy.Pending: "⏳", policy.Fail: "❌", policy.Error: "⚠️"}

func mark(v policy.Verdict) string { return marks[policy.Worst(v)] }

// Comment is the report as the Markdown of the one comment: the verdict and the
// next action first, then one line a model, then the details folded. It never
// exceeds MaxComment: diffs are left out, largest first, and the comment says so.
func Comment(r *Report) string {
	skip := map[int]bool{}
	body := comment(r, skip)
	for len([]rune(body)) > MaxComment {
		largest := largestDiff(r, skip)
		if largest < 0 {
			return shortComment(r)
		}
		skip[largest] = true
		body = comment(r, skip)
	}
	return body
}

func comment(r *Report, skip map[int]bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s Mooring: %s\n\n", mark(r.Verdict), escape(Headline(r)))
	writeNext(&b, r)
	writeOverview(&b, r)
	writeFindings(&b, "Problems of the whole pull request", r.Findings)
	for i, c := range r.Changes {
		writeChange(&b, c, skip[i])
	}
	writeStages(&b, r)
	return b.String()
}

func shortComment(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s Mooring: %s\n\n", mark(r.Verdict), escape(cut(Headline(r), 1000)))
	fmt.Fprintf(&b, "This pull request changes %s, too many to list in one comment.\n", plural(len(r.Changes), "file"))
	fmt.Fprintf(&b, "Run `mlops plan --base %s --head %s` on a clone to see all of it, or split the pull request.\n", r.Base.Short(), r.Head.Short())
	return b.String()
}

func largestDiff(r *Report, skip map[int]bool) int {
	largest := -1
	for i, c := range r.Changes {
		if c.Diff != "" && !skip[i] && (largest < 0 || len(c.Diff) > len(r.Changes[largest].Diff)) {
			largest = i
		}
	}
	return largest
}

// writeNext says what each change waits for, in a sentence a reviewer can act on.
func writeNext(b *strings.Builder, r *Report) {
	switch r.Verdict {
	case policy.Pending:
		b.WriteString("**Next:** an approving review of the latest commit by each of these roles:\n")
		for _, c := range r.Changes {
			if len(c.Approvals.Missing) > 0 {
				fmt.Fprintf(b, "- %s (%s): %s\n", escape(c.title()), c.Risk.Level, escape(strings.Join(c.Approvals.Missing, ", ")))
			}
		}
		b.WriteString("\nOne person fills one seat; the author and the committers do not count.\n\n")
	case policy.Fail:
		b.WriteString("**Next:** correct the problems below and push; Mooring looks again by itself.\n\n")
	case policy.Error:
		b.WriteString("**Next:** see the stage that could not judge, below. Nothing is deployed meanwhile.\n\n")
	}
}

func (c *Change) title() string {
	if c.Platform() {
		return c.Path
	}
	return c.unit().String()
}

func writeOverview(b *strings.Builder, r *Report) {
	if len(r.Changes) == 0 {
		return
	}
	b.WriteString("| | change | | risk | approvals | cost a month |\n|---|---|---|---|---|---|\n")
	for _, c := range r.Changes {
		fmt.Fprintf(b, "| %s | %s | %s | %s (%d) | %s | %s |\n",
			mark(c.Verdict), escape(c.title()), c.Kind, c.Risk.Level, c.Risk.Score, escape(c.approvalCell()), c.costCell())
	}
	b.WriteString("\n")
}

func (c *Change) approvalCell() string {
	var given []string
	for _, s := range c.Approvals.Slots {
		given = append(given, s.Role+": "+s.By)
	}
	cell := strings.Join(given, ", ")
	if len(c.Approvals.Missing) > 0 {
		cell = strings.TrimPrefix(cell+"; missing: "+strings.Join(c.Approvals.Missing, ", "), "; ")
	}
	if len(c.Approvals.BlockedBy) > 0 {
		cell = strings.TrimPrefix(cell+"; blocked by "+strings.Join(c.Approvals.BlockedBy, ", "), "; ")
	}
	return cell
}

func (c *Change) costCell() string {
	if c.Platform() {
		return "–"
	}
	return fmt.Sprintf("%s → %s %s", c.Cost.MonthlyBefore, c.Cost.MonthlyAfter, escape(c.Cost.Currency))
}

func writeChange(b *strings.Builder, c *Change, withoutDiff bool) {
	fmt.Fprintf(b, "<details%s><summary>%s <b>%s</b> – %s, risk %s (%d)</summary>\n\n",
		open(c.Verdict), mark(c.Verdict), escape(c.title()), c.Kind, c.Risk.Level, c.Risk.Score)
	writeFindings(b, "", c.Findings)
	writeRisk(b, c)
	if c.Placement != "" {
		fmt.Fprintf(b, "**Placement:** %s. At the most replicas: %s → %s %s a month.\n\n",
			escape(c.Placement), c.Cost.MonthlyMaxBefore, c.Cost.MonthlyMaxAfter, escape(c.Cost.Currency))
	}
	if c.after != nil && c.after.Value.Spec.Justification != "" {
		b.WriteString("**Justification:**\n\n" + fenced("text", c.hide(c.after.Value.Spec.Justification)))
	}
	writeReviews(b, c)
	switch {
	case withoutDiff:
		fmt.Fprintf(b, "The diff of the rendered objects (%d lines) does not fit here; `mlops plan` on a clone shows it.\n\n", strings.Count(c.Diff, "\n"))
	case c.Diff != "":
		b.WriteString("**Rendered objects, base → head:**\n\n" + fenced("diff", c.Diff))
	}
	fmt.Fprintf(b, "Digest: `%s`\n\n</details>\n\n", c.Digest)
}

func open(v policy.Verdict) string {
	if v == policy.Fail || v == policy.Error {
		return " open"
	}
	return ""
}

func writeRisk(b *strings.Builder, c *Change) {
	b.WriteString("| factor | score | why |\n|---|---|---|\n")
	names := make([]string, 0, len(c.Risk.Factors))
	for name := range c.Risk.Factors {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(b, "| %s | %d | %s |\n", name, c.Risk.Factors[name], escape(c.Risk.why[name]))
	}
	b.WriteString("\n")
}

func writeReviews(b *strings.Builder, c *Change) {
	if len(c.Approvals.Reasons) == 0 {
		return
	}
	b.WriteString("**Reviews:**\n")
	for _, reason := range c.Approvals.Reasons {
		fmt.Fprintf(b, "- %s\n", escape(reason))
	}
	b.WriteString("\n")
}

func writeFindings(b *strings.Builder, title string, findings schemas.Findings) {
	if len(findings) == 0 {
		return
	}
	if title != "" {
		fmt.Fprintf(b, "**%s:**\n\n", title)
	}
	var lines strings.Builder
	for _, f := range findings {
		lines.WriteString(f.String() + "\n")
	}
	b.WriteString(fenced("text", lines.String()))
}

func writeStages(b *strings.Builder, r *Report) {
	b.WriteString("<details><summary>Stages</summary>\n\n| | stage | |\n|---|---|---|\n")
	for _, s := range r.Stages {
		fmt.Fprintf(b, "| %s | %s | %s |\n", mark(s.Verdict), s.Name, escape(s.Reason))
	}
	fmt.Fprintf(b, "\nJudged: base `%s`, head `%s`.\n\n</details>\n", r.Base.Short(), r.Head.Short())
}
