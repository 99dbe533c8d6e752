package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
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
// a line "/break-glass REASON". Neither a team's roles nor alternates matter.
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
		reason, asked := glassReason(review.Body)
		if !asked || review.State != approved {
			continue
		}
		why := whyNot(in, makers[known.identify(review.User)], review)
		if why == "" {
			if why, err = known.whyNoGlass(in, review.User, reason); err != nil {
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
func (d directory) whyNoGlass(in Input, who Account, reason string) (string, error) {
	g := in.Governance.BreakGlass
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
	case utf8.RuneCountInString(reason) < MinGlassReason:
		return fmt.Sprintf("gives no reason of at least %d characters after %s, on the same line", MinGlassReason, GlassCommand), nil
	}
	return "", nil
}

// glassReason is the reason on the first line of a body that breaks the glass.
func glassReason(body string) (reason string, asked bool) {
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), GlassCommand)
		if ok && (rest == "" || strings.TrimLeft(rest, " \t") != rest) {
			return strings.Join(strings.Fields(rest), " "), true
		}
	}
	return "", false
}

func cutReason(s string) string {
	if r := []rune(s); len(r) > MaxGlassReason {
		return string(r[:MaxGlassReason-1]) + "…"
	}
	return s
}
