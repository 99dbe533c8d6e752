package audit

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/mlops-platform/mooring/reconciler/release"
)

// writeText writes a record for people: what happened to what on a line, and
// below it, indented, on what it rests.
func writeText(w io.Writer, l *line) error {
	b := basisOf(l)
	first := fmt.Sprintf("%s  record %d  %s  %s", l.time.Format(time.RFC3339), l.seq, deed(l), about(l, b))
	if actor := unquote(l.actor); actor != self {
		first += "  by " + actor
	}
	why := unquote(l.reason)
	if commit := unquote(l.commit); commit != "" {
		why = strings.TrimSpace(fmt.Sprintf("%s (commit %s)", why, commit))
	}
	var out strings.Builder
	fmt.Fprintln(&out, harmless(first))
	for _, detail := range append([]string{why}, b.details()...) {
		if detail != "" {
			fmt.Fprintf(&out, "    %s\n", harmless(detail))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// deed is the action, with the phase where the action alone would not say it.
func deed(l *line) string {
	action := unquote(l.action)
	switch Phase(unquote(l.phase)) {
	case PhaseIntent:
		return action + " begins"
	case PhaseOutcome:
		if strings.HasPrefix(unquote(l.reason), release.FailedPrefix) {
			return action + " failed"
		}
		return action + " done"
	}
	return action
}

// about is the unit, else the file, else the repository.
func about(l *line, b basis) string {
	team, model, environment := unquote(l.team), unquote(l.model), unquote(l.environment)
	switch {
	case model != "":
		return fmt.Sprintf("%s/%s in %s", team, model, environment)
	case team != "":
		return fmt.Sprintf("%s in %s", team, environment)
	case b.Path != "":
		return b.Path
	}
	return unquote(l.repository)
}

func (b basis) details() []string {
	var out []string
	if b.Version != "" {
		out = append(out, "version "+b.Version)
	}
	if a := b.Approved; a != nil {
		out = append(out, a.details()...)
	}
	if b.PullRequest != 0 {
		out = append(out, fmt.Sprintf("pull request #%d, lifted %s", b.PullRequest, strings.Join(b.Lifted, ", ")))
	}
	for _, d := range b.Drift {
		out = append(out, fmt.Sprintf("%s %s was %q, became %q, by %s", d.Object, d.Path, d.Before, d.After, d.Manager))
	}
	return append(out, b.Refused...)
}

func (a Approval) details() []string {
	what, by := a.words(Seat.reviewed)
	if a.Unread {
		return []string{"approved: " + what}
	}
	out := []string{fmt.Sprintf("approved: %s, commit %s, by %s", what, a.Commit, by)}
	if g := a.BrokenGlass; g != nil {
		out = append(out, fmt.Sprintf("%s: %s", g, g.Reason))
	}
	return out
}

// harmless spells out what a terminal would obey instead of show, line ends
// among it: reasons hold what people wrote.
func harmless(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
