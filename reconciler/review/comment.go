package review

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// MaxComment bounds a comment in bytes. GitHub takes 65,536 characters; the rest
// is for the marker that the forge puts in front.
const MaxComment = 65_400

// How much is listed in one place before the rest is only counted.
const (
	maxRows     = 150
	maxNext     = 20
	maxFindings = 50
)

var marks = map[policy.Verdict]string{policy.Pass: "✅", policy.Pending: "⏳", policy.Fail: "❌", policy.Error: "⚠️"}

func mark(v policy.Verdict) string { return marks[policy.Worst(v)] }

// Comment is the report as the Markdown of the one comment: the verdict and the
// next action first, then one line a change, then the details folded. It never
// exceeds MaxComment: where the room ends, diffs are left out, largest first,
// then details, and the comment says so.
func Comment(r *Report) string {
	before, after := opening(r), stagesTable(r)
	room := MaxComment - len(before) - len(after) - omission
	if room < 0 {
		return shortComment(r)
	}
	return before + details(r, room) + after
}

func opening(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s Mooring: %s\n\n", mark(r.Verdict), escape(Headline(r)))
	writeGlass(&b, r)
	writeNext(&b, r)
	writeMeetings(&b, r)
	writeOverview(&b, r)
	writeFindings(&b, "Problems of the whole pull request", r.Findings)
	return b.String()
}

func shortComment(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s Mooring: %s\n\n", mark(r.Verdict), escape(Headline(r)))
	fmt.Fprintf(&b, "This pull request changes %s, too many to list in one comment.\n", plural(len(r.Changes), "file"))
	fmt.Fprintf(&b, "Run `mlops plan --base %s --head %s` on a clone to see all of it, or split the pull request.\n", r.Base.Short(), r.Head.Short())
	return b.String()
}

// detail is what is said of one change, as far as it fits.
type detail struct {
	change    *Change
	body, end string
	// diff is the diff in the comment's form, or that it does not fit.
	diff string
}

// omission is room for the sentence that tells of what does not fit, in bytes.
const omission = 200

// maxMisses is how many changes may not fit before no more are tried: with
// thousands of them, to see how long each is takes longer than to judge it.
const maxMisses = 50

// details fits as much as there is room for: first every change without its
// diff, the worst before the others, then the diffs, the smallest first.
func details(r *Report, room int) string {
	list := make([]*detail, len(r.Changes))
	for i, c := range r.Changes {
		list[i] = &detail{change: c}
	}
	byNeed := slices.Clone(list)
	slices.SortStableFunc(byNeed, func(a, b *detail) int {
		return -cmp.Compare(severity(a.change.Verdict), severity(b.change.Verdict))
	})
	var fitting []*detail
	for tried, d := range byNeed {
		if tried-len(fitting) == maxMisses {
			break
		}
		if d.fit(&room) {
			fitting = append(fitting, d)
		}
	}
	fitDiffs(fitting, room)
	var b strings.Builder
	for _, d := range list {
		b.WriteString(d.body + d.diff + d.end)
	}
	if omitted := len(list) - len(fitting); omitted > 0 {
		fmt.Fprintf(&b, "The details of %s do not fit here; `mlops plan` on a clone shows them.\n\n", plural(omitted, "change"))
	}
	return b.String()
}

// fit says all of a change but its diff, if there is room.
func (d *detail) fit(room *int) bool {
	body, diff, end := sectionBody(d.change), diffNotice(d.change), sectionEnd(d.change)
	need := len(body) + len(diff) + len(end)
	if need > *room {
		return false
	}
	*room -= need
	d.body, d.diff, d.end = body, diff, end
	return true
}

// fitDiffs puts in the diffs for which there is room.
func fitDiffs(details []*detail, room int) {
	slices.SortStableFunc(details, func(a, b *detail) int { return cmp.Compare(len(a.change.shown()), len(b.change.shown())) })
	for _, d := range details {
		if d.change.shown() == "" {
			continue
		}
		if len(d.change.shown())/2 > room+len(d.diff) { // a character keeps half of its bytes at least
			return
		}
		if block := diffBlock(d.change); len(block)-len(d.diff) <= room {
			room -= len(block) - len(d.diff)
			d.diff = block
		}
	}
}

func severity(v policy.Verdict) int {
	return slices.Index([]policy.Verdict{policy.Pass, policy.Pending, policy.Fail, policy.Error}, v)
}

// writeGlass says loudly who lifts which rule of time.
func writeGlass(b *strings.Builder, r *Report) {
	for _, g := range r.BrokenGlass[:min(maxNext, len(r.BrokenGlass))] {
		fmt.Fprintf(b, "🚨 %s: %s\n\n", escape(g.Change), escape(g.String()))
	}
	if more := len(r.BrokenGlass) - maxNext; more > 0 {
		fmt.Fprintf(b, "🚨 And for %s.\n\n", plural(more, "more change"))
	}
}

func writeMeetings(b *strings.Builder, r *Report) {
	for _, m := range r.Meetings {
		b.WriteString(escape(m.agendaLine()) + "\n\n")
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
	b.WriteString("| | change | kind | risk | approvals | cost a month |\n|---|---|---|---|---|---|\n")
	for _, c := range r.Changes[:min(maxRows, len(r.Changes))] {
		fmt.Fprintf(b, "| %s | %s | %s | %s (%d) | %s | %s |\n",
			mark(c.Verdict), escape(c.title()), c.Kind, c.Risk.Level, c.Risk.Score, escape(c.approvalCell(c.missing())), escape(c.costCell()))
	}
	b.WriteString("\n")
	if more := len(r.Changes) - maxRows; more > 0 {
		fmt.Fprintf(b, "And %s.\n\n", plural(more, "more change"))
	}
	for _, line := range costLines(r) {
		fmt.Fprintf(b, "**Cost a month:** %s.\n\n", escape(line))
	}
	if basis := costBasis(r); basis != "" {
		fmt.Fprintf(b, "<sub>%s</sub>\n\n", escape(basis))
	}
}

// approvalCell says which approvals are given, and in the words of missing which
// are not.
func (c *Change) approvalCell(missing string) string {
	var parts []string
	var given []string
	for _, s := range c.Approvals.Slots {
		by := s.By
		if s.Alternate {
			by += " (alternate)"
		}
		given = append(given, s.Role+": "+by)
	}
	if len(given) > 0 {
		parts = append(parts, strings.Join(given, ", "))
	}
	if len(c.Approvals.Missing) > 0 {
		parts = append(parts, missing)
	}
	if len(c.Approvals.BlockedBy) > 0 {
		parts = append(parts, "blocked by "+strings.Join(c.Approvals.BlockedBy, ", "))
	}
	if opens := c.opens(); opens != "" {
		parts = append(parts, opens)
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, "; ")
}

func (c *Change) costCell() string {
	if c.Platform() {
		return "–"
	}
	return c.Cost.sides(c.Cost.MonthlyBefore, c.Cost.MonthlyAfter)
}

// sectionBody is what is said of a change before its diff.
func sectionBody(c *Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<details%s><summary>%s <b>%s</b> – %s, risk %s (%d)</summary>\n\n",
		open(c.Verdict), mark(c.Verdict), escapeHTML(c.title()), c.Kind, c.Risk.Level, c.Risk.Score)
	writeFindings(&b, "", c.Findings)
	writeRisk(&b, c)
	if c.Placement != "" {
		fmt.Fprintf(&b, "**Placement:** %s. At replicas.max: %s a month.\n\n",
			escape(c.Placement), escape(c.Cost.sides(c.Cost.MonthlyMaxBefore, c.Cost.MonthlyMaxAfter)))
	}
	if c.after != nil && c.after.Value.Spec.Justification != "" {
		b.WriteString("**Justification:**\n\n" + fenced("text", c.hide(c.after.Value.Spec.Justification)))
	}
	for _, line := range c.fitLines() {
		fmt.Fprintf(&b, "- %s\n", escape(line))
	}
	if c.totals != nil {
		b.WriteString("\n")
	}
	writeMetrics(&b, c)
	writeReviews(&b, c)
	writeTimes(&b, c)
	if c.Live != nil {
		fmt.Fprintf(&b, "**Live cluster → head:** the cluster %s.\n\n", escape(c.Live.headline()))
		if lines := c.Live.lines(); lines != "" {
			b.WriteString(fenced("text", lines))
		}
	}
	writeDashboards(&b, c)
	return b.String()
}

func diffBlock(c *Change) string {
	return "**Rendered objects, base → head:**\n\n" + fenced("diff", c.shown())
}

func diffNotice(c *Change) string {
	switch {
	case c.unrendered != "":
		return fmt.Sprintf("**Rendered objects:** %s.\n\n", escape(c.unrendered))
	case c.shown() == "":
		return ""
	}
	return fmt.Sprintf("The diff of the rendered objects (%d lines) does not fit here; `mlops plan` on a clone shows it.\n\n", strings.Count(c.shown(), "\n"))
}

func sectionEnd(c *Change) string { return fmt.Sprintf("Digest: `%s`\n\n</details>\n\n", c.Digest) }

func open(v policy.Verdict) string {
	if v == policy.Fail || v == policy.Error {
		return " open"
	}
	return ""
}

func writeRisk(b *strings.Builder, c *Change) {
	if c.Platform() {
		b.WriteString("A platform file governs models of others, so a change of it counts as the highest risk.\n\n")
		if c.Impact != nil {
			fmt.Fprintf(b, "**Impact:** %s.\n\n", escape(c.Impact.headline()))
			if lines := c.Impact.lines(); lines != "" {
				b.WriteString(fenced("text", lines))
			}
		}
		return
	}
	b.WriteString("| factor | score | why |\n|---|---|---|\n")
	for _, f := range c.Risk.factors {
		fmt.Fprintf(b, "| %s | %d | %s |\n", f.Name, f.Score, escape(f.Reason))
	}
	b.WriteString("\n")
}

func writeReviews(b *strings.Builder, c *Change) {
	if len(c.Approvals.Reasons) == 0 {
		return
	}
	b.WriteString("**Reviews:**\n\n")
	for _, reason := range c.Approvals.Reasons {
		fmt.Fprintf(b, "- %s\n", escape(reason))
	}
	b.WriteString("\n")
}

func writeTimes(b *strings.Builder, c *Change) {
	for _, line := range c.times() {
		b.WriteString(escape(line) + ".\n\n")
	}
}

func writeFindings(b *strings.Builder, title string, findings schemas.Findings) {
	if len(findings) == 0 {
		return
	}
	if title != "" {
		fmt.Fprintf(b, "**%s:**\n\n", title)
	}
	var lines strings.Builder
	for _, f := range findings[:min(maxFindings, len(findings))] {
		lines.WriteString(f.String() + "\n")
	}
	if more := len(findings) - maxFindings; more > 0 {
		fmt.Fprintf(&lines, "and %d more\n", more)
	}
	b.WriteString(fenced("text", lines.String()))
}

func stagesTable(r *Report) string {
	var b strings.Builder
	b.WriteString("<details><summary>Stages</summary>\n\n| | stage | |\n|---|---|---|\n")
	for _, s := range r.Stages {
		reason := cut(s.Reason, 1000)
		if s.Name == policy.StageApproval && s.Verdict == policy.Pending {
			reason = "waits for what stands at the top" // whom it waits for is said there
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", mark(s.Verdict), s.Name, escape(reason))
	}
	fmt.Fprintf(&b, "\nJudged: base `%s`, head `%s`.\n\n</details>\n", r.Base.Short(), r.Head.Short())
	return b.String()
}
