package review

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mlops-platform/mooring/schemas"
)

// WriteText writes the report for a terminal: the verdict first, one line a
// change, then what is wrong, the stages and the diffs.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", strings.ToUpper(string(r.Verdict)), Headline(r))
	table := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	if len(r.Changes) > 0 {
		fmt.Fprintln(table, "VERDICT\tCHANGE\tKIND\tRISK\tMONTHLY\tAPPROVALS") // into memory
	}
	for _, c := range r.Changes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s (%d)\t%s\t%s\n", // into memory
			c.Verdict, c.title(), c.Kind, c.Risk.Level, c.Risk.Score, c.costCell(), c.approvalCell("missing: "+c.awaited()))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range costLines(r) {
		b.WriteString("\nCost a month: " + line + "\n")
	}
	if basis := costBasis(r); basis != "" {
		b.WriteString("  " + basis + "\n")
	}
	for _, g := range r.BrokenGlass {
		b.WriteString("\n" + g.Change + ": " + g.String() + "\n")
	}
	for _, m := range r.Meetings {
		b.WriteString("\n" + m.agendaLine() + "\n")
	}
	writeTextFindings(&b, r.Findings)
	for _, c := range r.Changes {
		c.writeText(&b)
	}
	b.WriteString("\nStages:\n")
	for _, s := range r.Stages {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", s.Verdict, s.Name, s.Reason) // into memory
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

func (c *Change) writeText(b *strings.Builder) {
	b.WriteString("\n" + c.title() + "\n")
	if !c.Platform() {
		fmt.Fprintf(b, "  file %s\n", c.Path)
	}
	fmt.Fprintf(b, "  risk %s (%d)\n", c.Risk.Level, c.Risk.Score)
	if c.Platform() {
		b.WriteString("    a platform file governs models of others\n")
		if c.Impact != nil {
			fmt.Fprintf(b, "  impact %s\n", c.Impact.headline())
			for line := range strings.Lines(c.Impact.lines()) {
				b.WriteString("    " + line)
			}
		}
	} else {
		for _, f := range c.Risk.factors {
			fmt.Fprintf(b, "    %-20s%2d  %s\n", f.Name, f.Score, f.Reason)
		}
	}
	if c.Placement != "" {
		fmt.Fprintf(b, "  placement %s\n", c.Placement)
	}
	for _, line := range c.fitLines() {
		fmt.Fprintf(b, "  %s\n", line)
	}
	for _, row := range c.Metrics {
		fmt.Fprintf(b, "  metric %s: %s, %s\n", row.Name, row.Verdict, row.Reason)
	}
	for _, reason := range c.Approvals.Reasons {
		fmt.Fprintf(b, "  review %s\n", reason)
	}
	for _, line := range c.times() {
		fmt.Fprintf(b, "  %s\n", line)
	}
	fmt.Fprintf(b, "  digest %s\n", c.Digest)
	writeTextFindings(b, c.Findings)
	if c.unrendered != "" {
		fmt.Fprintf(b, "  objects %s\n", c.unrendered)
	}
	if c.Live != nil {
		fmt.Fprintf(b, "  cluster %s\n", c.Live.headline())
		for line := range strings.Lines(c.Live.lines()) {
			b.WriteString("    " + line)
		}
	}
	if c.Diff != "" {
		b.WriteString("\n" + c.Diff)
	}
}

func writeTextFindings(b *strings.Builder, findings schemas.Findings) {
	for _, f := range findings {
		fmt.Fprintf(b, "  %s\n", f)
	}
}
