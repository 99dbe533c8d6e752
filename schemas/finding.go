package schemas

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says whether a finding stops a change.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is one thing that is wrong with a file, at a place, with a remedy.
type Finding struct {
	Severity Severity `json:"severity"`
	// File is the path inside the model repository.
	File string `json:"file"`
	// Line and Column count from 1; 0 where the finding is about the whole file.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Code names the rule, in kebab-case, and never changes once released.
	Code string `json:"code"`
	// Message says what is wrong; Remedy what to do about it.
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// String is "file:line:column: message; remedy [code]", without a place if it has
// none.
func (f Finding) String() string {
	s := f.File + ": "
	if f.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	}
	if f.Severity == SeverityWarning {
		s += "warning: "
	}
	s += f.Message
	if f.Remedy != "" {
		s += "; " + f.Remedy
	}
	if f.Code != "" {
		s += " [" + f.Code + "]"
	}
	return s
}

// Findings is everything that is wrong, in no particular order until sorted.
type Findings []Finding

// Failed reports whether any finding is an error.
func (fs Findings) Failed() bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == SeverityError })
}

// Lines are the findings for people: first what is wrong by itself, then, in one
// line for each cause, what only refers to something broken.
func (fs Findings) Lines() []string {
	var lines []string
	more := map[string]int{}
	var dependents Findings
	for _, f := range fs {
		if f.Code != CodeBrokenReference {
			lines = append(lines, f.String())
			continue
		}
		if more[f.Message]++; more[f.Message] == 1 {
			dependents = append(dependents, f)
		}
	}
	for _, f := range dependents {
		line := f.String()
		if n := more[f.Message] - 1; n > 0 {
			line += fmt.Sprintf(" (%d more say so)", n)
		}
		lines = append(lines, line)
	}
	return lines
}

// Proposed are the findings of files that somebody proposes: what is put up with
// where it stands already, since all else counts on the file, is refused there.
func (fs Findings) Proposed() Findings {
	out := slices.Clone(fs)
	for i := range out {
		if out[i].Code == CodeAmount {
			out[i].Severity = SeverityError
		}
	}
	return out
}

// Sort orders findings by file, line, column and code.
func (fs Findings) Sort() {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message),
		)
	})
}
