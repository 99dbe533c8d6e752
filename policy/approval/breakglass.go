package approval

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// GlassCommand begins the line of a review's body that breaks the glass; the
// reason follows on the same line.
const GlassCommand = "/break-glass"

// MinGlassReason and MaxGlassReason bound the reason in characters. What is
// longer is cut.
const (
	MinGlassReason = 10
	MaxGlassReason = 500
)

// maxGlassBody bounds the body of a review that breaks the glass, in bytes. To
// read Markdown takes time that grows with the square of its length.
const maxGlassBody = 8 << 10

// Glass is a broken glass: somebody who may do so lifts the rules of time for a
// change.
type Glass struct {
	By     Account
	Reason string
	// At is when the review was submitted, and Expires when it no longer counts.
	At, Expires time.Time
}

// GlassResult says who broke the glass, in the order of the reviews, and, one
// sentence a person, why others who asked for it did not.
type GlassResult struct {
	Broken  []Glass
	Reasons []string
}

// BreakGlass finds who breaks the glass for a change: an approving review that
// counts (see Evaluate), by a holder of the governance's break-glass role, with
// a line "/break-glass REASON" that nobody else has edited. Neither a team's
// roles nor alternates matter.
//
// It lifts rules of time only; what a change needs besides it does not touch. It
// errs where somebody asks for it of whom it is not known whether they may.
func BreakGlass(in Input) (GlassResult, error) {
	var r GlassResult
	known, err := directoryOf(in)
	if err != nil {
		return r, err
	}
	latest, err := known.latestReviews(in.Reviews, in.Now)
	if err != nil {
		return r, err
	}
	makers := known.makersOf(in)
	for _, review := range latest {
		if review.State != approved {
			continue
		}
		reason, asked := glassReason(review.Body)
		if !asked {
			continue
		}
		why := whyNot(in, makers[known.identify(review.User)], review)
		if why == "" {
			if why, err = known.whyNoGlass(in, review, reason); err != nil {
				return GlassResult{}, err
			}
		}
		if why != "" {
			r.Reasons = append(r.Reasons, review.User.Login+" asks to break the glass: "+why)
			continue
		}
		r.Broken = append(r.Broken, Glass{
			By: review.User, Reason: cutReason(reason), At: review.SubmittedAt,
			Expires: review.SubmittedAt.Add(time.Duration(in.Governance.Expiry)),
		})
	}
	slices.SortStableFunc(r.Broken, func(a, b Glass) int { return a.At.Compare(b.At) })
	return r, nil
}

// whyNoGlass says why somebody whose approval counts does not break the glass.
func (d directory) whyNoGlass(in Input, review Review, reason string) (string, error) {
	g, who := in.Governance.BreakGlass, review.User
	if g == nil {
		return "the governance names no role that may", nil
	}
	role, ok := in.Governance.Roles[g.Role]
	if !ok {
		return "", fmt.Errorf("the governance does not define role %q", g.Role)
	}
	people, err := d.holders(role.Teams, role.Users, d.crowds(in.Members))
	switch {
	case !people[d.identify(who)] && err != nil:
		return "", fmt.Errorf("whether %s may break the glass as %s: %w", who.Login, g.Role, err)
	case !people[d.identify(who)]:
		return "does not hold the role " + g.Role, nil
	case review.EditedBy != "":
		return "the review was edited by " + review.EditedBy + ", so nobody knows who asked", nil
	case utf8.RuneCountInString(reason) < MinGlassReason:
		return fmt.Sprintf("gives no reason of at least %d characters after %s, on the same line", MinGlassReason, GlassCommand), nil
	}
	return "", nil
}

// markdown reads bodies as GitHub does. A parser may be used by many at once.
var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser()

// AsksForGlass reports whether a review's body asks to break the glass.
func AsksForGlass(body string) bool {
	_, asked := glassReason(body)
	return asked
}

// glassReason is the reason on the first line of a body that breaks the glass.
// The line is the reviewer's own words: text of a paragraph, and not what is
// quoted, shown as code, hidden in a comment or beneath anything else.
func glassReason(body string) (reason string, asked bool) {
	if len(body) > maxGlassBody || !strings.Contains(body, GlassCommand) {
		return "", false
	}
	source := []byte(body)
	for block := markdown.Parse(text.NewReader(source)).FirstChild(); block != nil; block = block.NextSibling() {
		if block.Kind() != ast.KindParagraph {
			continue
		}
		for _, line := range block.Lines().Sliced(0, block.Lines().Len()) {
			rest, ok := strings.CutPrefix(strings.TrimSpace(string(line.Value(source))), GlassCommand)
			if ok && (rest == "" || strings.TrimLeft(rest, " \t") != rest) && plain(block, line, source) {
				return strings.Join(strings.Fields(rest), " "), true
			}
		}
	}
	return "", false
}

// plain reports whether a paragraph's line begins with text, rather than in the
// midst of code, a comment or a link that began on a line before.
func plain(paragraph ast.Node, line text.Segment, source []byte) bool {
	begins := line.Start + bytes.Index(line.Value(source), []byte(GlassCommand))
	for n := paragraph.FirstChild(); n != nil; n = n.NextSibling() {
		if t, ok := n.(*ast.Text); ok && t.Segment.Start <= begins && begins < t.Segment.Stop {
			return true
		}
	}
	return false
}

func cutReason(s string) string {
	if r := []rune(s); len(r) > MaxGlassReason {
		return string(r[:MaxGlassReason-1]) + "…"
	}
	return s
}
