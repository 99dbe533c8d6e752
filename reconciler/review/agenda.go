package review

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/policy/meeting"
	"github.com/mlops-platform/mooring/policy/sla"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Waiting is a change that others have to approve within a time.
type Waiting struct {
	Change *Change
	// Stage is how far the time had run when the report was made.
	Stage sla.Stage
	// Title names the change, and Awaited who has to approve it.
	Title, Awaited string
}

// Waiting lists the changes that have a deadline to keep.
func (r *Report) Waiting() []Waiting {
	var out []Waiting
	for _, c := range r.Changes {
		if c.Waits() && c.Clock().Runs() {
			out = append(out, Waiting{c, c.Approvals.stage, printable(c.title()), c.awaited()})
		}
	}
	return out
}

// maxTitle bounds what an agenda says of a pull request's title, in characters.
const maxTitle = 200

// Agenda lists the changes of a pull request that are a matter of boards, by the
// board. A pull request that asks for no approval yet has none.
func (r *Report) Agenda(pr PullRequest) map[string][]schemas.AgendaItem {
	out := map[string][]schemas.AgendaItem{}
	if r.Requested.IsZero() {
		return out
	}
	for _, c := range r.Changes {
		board := c.board()
		if board == "" {
			continue
		}
		item := schemas.AgendaItem{
			PullRequest: pr.Number, Title: cut(printable(pr.Title), maxTitle), URL: pr.URL, Author: pr.Author,
			Change: c.title(), Summary: cut(printable(c.summary()), maxTitle), Level: c.Risk.Level, Score: c.Risk.Score, Digest: c.Digest,
			Missing: c.Approvals.Missing, BlockedBy: c.Approvals.BlockedBy, Since: stored(r.Requested),
		}
		for _, s := range c.Approvals.Slots {
			item.Filled = append(item.Filled, schemas.ApprovedBy{Role: s.Role, Login: s.By})
		}
		if !c.Approvals.Due.IsZero() {
			due := stored(c.Approvals.Due)
			item.Due = &due
		}
		out[board] = append(out[board], item)
	}
	return out
}

// stored is a time as it comes back from the cluster: in whole seconds.
func stored(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

// summary says what becomes of a model, before → after.
func (c *Change) summary() string {
	before, after := revisionOf(c.before), revisionOf(c.after)
	var text string
	switch {
	case c.Platform():
		return "platform file, " + string(c.Kind)
	case c.Kind == source.Added:
		text = "new, " + after
	case c.Kind == source.Removed:
		text = "removed, was " + before
	case before == after:
		text = after + ", other settings"
	default:
		text = before + " → " + after
	}
	return c.hide(text)
}

// revisionOf names which of a registered model's versions a manifest serves.
func revisionOf(doc *deployment) string {
	switch {
	case doc == nil:
		return "unreadable"
	case doc.Value.Spec.Model.Version != "":
		return "version " + doc.Value.Spec.Model.Version
	}
	return "alias " + doc.Value.Spec.Model.Alias
}

// AgendaText writes a board's agenda for a terminal.
func AgendaText(b schemas.BoardStatus) string {
	return printable(agenda(b, func(s string) string { return s }, "%s\n", "\n#%d %s\n", "  %s: %s\n"))
}

// AgendaMarkdown writes a board's agenda as a page for an invitation. What
// people wrote cannot mention anybody, link anywhere or format anything.
func AgendaMarkdown(b schemas.BoardStatus) string {
	return agenda(b, escape, "## %s\n", "\n### Pull request %d: %s\n\n", "- **%s:** %s\n")
}

// plainURL is an address in which nothing means anything to Markdown.
var plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9.:/_-]+$`)

// agenda writes a board's agenda, with the forms of a heading, of an item's and
// of a line of it.
func agenda(b schemas.BoardStatus, text func(string) string, heading, item, line string) string {
	var out strings.Builder
	fmt.Fprintf(&out, heading, text(b.Name+": "+meeting.Format(b.Next)))
	fmt.Fprintf(&out, "\n%s\n", text(agendaCount(b)))
	for _, i := range b.Items {
		fmt.Fprintf(&out, item, i.PullRequest, text(oneLine(i.Title)))
		for _, l := range agendaLines(i) {
			if l[1] != "" {
				fmt.Fprintf(&out, line, l[0], text(oneLine(l[1])))
			}
		}
		address := i.URL
		if !plainURL.MatchString(address) {
			address = text(oneLine(address))
		}
		fmt.Fprintf(&out, line, "Address", address)
	}
	return out.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func agendaCount(b schemas.BoardStatus) string {
	switch listed := len(b.Items); {
	case b.Count == 0:
		return "Nothing waits for this board."
	case listed < b.Count:
		return fmt.Sprintf("%s; the first %d are listed.", plural(b.Count, "change"), listed)
	}
	return plural(b.Count, "change") + "."
}

func agendaLines(i schemas.AgendaItem) [][2]string {
	var filled []string
	for _, s := range i.Filled {
		filled = append(filled, s.Role+" ("+s.Login+")")
	}
	lines := [][2]string{
		{"Change", i.Change}, {"What", i.Summary}, {"Risk", fmt.Sprintf("%s (%d)", i.Level, i.Score)},
		{"Author", i.Author}, {"Approved by", strings.Join(filled, ", ")}, {"Open seats", strings.Join(i.Missing, ", ")},
		{"Changes requested by", strings.Join(i.BlockedBy, ", ")}, {"Waits since", i.Since.UTC().Format(absoluteTime)},
	}
	if i.Due != nil {
		lines = append(lines, [2]string{"Due", i.Due.UTC().Format(absoluteTime)})
	}
	return lines
}
