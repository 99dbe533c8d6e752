package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mlops-platform/mooring/schemas"
)

// Code is the code of findings.
const Code = "secret"

// TimeLimit bounds the scan of one file.
const TimeLimit = 10 * time.Second

// ErrTimeout: a file took longer than TimeLimit and counts as not scanned.
var ErrTimeout = fmt.Errorf("looking for secrets took longer than %s", TimeLimit)

// Match is a place that looks like a secret. It never holds the value.
type Match struct {
	// Rule is gitleaks' name of the rule (aws-access-token), RuleLiteral or
	// RuleURL.
	Rule string `json:"rule"`
	// Line and Column of the value count from 1, columns in characters; 0 where
	// the whole file is meant.
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Report is what was found in one file.
type Report struct {
	// Matches are ordered by line and column, one a place.
	Matches []Match `json:"matches"`
	// hide closes over the values: in a function they are safe from every
	// encoder and formatter.
	hide func(string) string
}

// Found reports whether anything looks like a secret.
func (r Report) Found() bool { return len(r.Matches) > 0 }

// Hide takes the file's secrets out of a text, such as an error about something
// else that quotes a value.
func (r Report) Hide(text string) string {
	if r.hide == nil {
		return text
	}
	return r.hide(text)
}

// Findings are the matches as errors of the file.
func (r Report) Findings(file string) []schemas.Finding {
	findings := make([]schemas.Finding, 0, len(r.Matches))
	for _, m := range r.Matches {
		findings = append(findings, schemas.Finding{
			Severity: schemas.SeverityError, File: file, Line: m.Line, Column: m.Column, Code: Code,
			Message: "this looks like a secret (rule " + m.Rule + ")",
			Remedy:  "take it out, refer to a Secret with secretKeyRef, and treat the value as known to others",
		})
	}
	return findings
}

// Scan looks for secrets in a file's content. Of the path only the extension
// matters. It errs where the scan was not finished: the file then counts as not
// scanned, whatever was found. Several scans may run at once.
func Scan(ctx context.Context, file string, content []byte) (Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, TimeLimit, ErrTimeout)
	defer cancel()
	text := string(content)
	l := newLines(text)
	hits, err := gitleaks(ctx, file, l)
	if err != nil {
		return Report{}, err
	}
	// gitleaks stops without a word when its time is over.
	if ctx.Err() != nil {
		return Report{}, fmt.Errorf("%s: %w", file, context.Cause(ctx))
	}
	hits = append(hits, urlPasswords(text)...)
	hits = append(hits, literals(file, text)...)
	return Report{Matches: matches(l, hits), hide: hiding(hits)}, nil
}

// IsTimeout reports whether an error of Scan means that time was over.
func IsTimeout(err error) bool { return errors.Is(err, ErrTimeout) }

// hit is a match with its value.
type hit struct {
	rule string
	// values to hide, the secret first.
	values []string
	// offset in bytes; -1 where line and column are already known.
	offset       int
	line, column int
}

// matches orders the hits and keeps one a place: the most specific rule.
func matches(l lines, hits []hit) []Match {
	ms := make([]Match, 0, len(hits))
	for _, h := range hits {
		m := Match{Rule: h.rule, Line: h.line, Column: h.column}
		if h.offset >= 0 {
			m.Line, m.Column = l.place(h.offset)
		}
		ms = append(ms, m)
	}
	slices.SortFunc(ms, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(vague(a.Rule), vague(b.Rule)), cmp.Compare(a.Rule, b.Rule))
	})
	return slices.CompactFunc(ms, func(a, b Match) bool { return a.Line == b.Line && a.Column == b.Column })
}

// vague ranks rules by how little they say about a value.
func vague(rule string) int {
	switch {
	case rule == RuleLiteral:
		return 2
	case strings.HasPrefix(rule, "generic"):
		return 1
	default:
		return 0
	}
}

// lines are the offsets at which the lines of a content begin.
type lines struct {
	content string
	starts  []int
}

func newLines(content string) lines {
	l := lines{content: content, starts: []int{0}}
	for i := 0; i < len(content); i++ {
		if content[i] == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// start is where a line, counted from 0, begins; beyond the last line, the end.
func (l lines) start(line int) int {
	if line >= len(l.starts) {
		return len(l.content)
	}
	return l.starts[line]
}

// place is the line and the column, in characters, of an offset.
func (l lines) place(offset int) (line, column int) {
	i, exact := slices.BinarySearch(l.starts, offset)
	if !exact {
		i--
	}
	return i + 1, utf8.RuneCountInString(l.content[l.starts[i]:offset]) + 1
}

// hidden stands where a secret was.
const hidden = "[hidden]"

// hiding makes the function that takes the hits' values out of a text, each
// line of a value on its own and also as Go quotes it.
func hiding(hits []hit) func(string) string {
	const shortest = 3
	var values []string
	for _, h := range hits {
		for _, v := range h.values {
			for _, line := range append(strings.Split(v, "\n"), v) {
				line = strings.TrimSpace(line)
				quoted := strings.Trim(strconv.Quote(line), `"`)
				for _, s := range []string{line, quoted} {
					if len(s) >= shortest {
						values = append(values, s)
					}
				}
			}
		}
	}
	// Longer values first, so that no part of one is left standing.
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	values = slices.Compact(values)
	return func(text string) string {
		for _, v := range values {
			text = strings.ReplaceAll(text, v, hidden)
		}
		return text
	}
}
