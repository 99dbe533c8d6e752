package schemas

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFindings bounds what is said about one file: a hostile one could earn a
// hundred thousand, and nobody reads past the first page.
const maxFindings = 500

// report gathers what is wrong with one file. It remembers which fields are
// broken, so that a rule about a field that could not be read stays silent: one
// mistake is one finding.
type report struct {
	file     string
	root     *yaml.Node
	findings Findings
	broken   []string
}

// at adds an error at a place of the file.
func (r *report) at(where Position, field, code, message, remedy string) {
	if len(r.findings) >= maxFindings {
		return
	}
	r.findings = append(r.findings, Finding{
		Severity: SeverityError, File: r.file, Line: where.Line, Column: where.Column,
		Code: code, Message: message, Remedy: remedy,
	})
	r.broken = append(r.broken, field)
}

// fault adds an error about a field, unless the field is broken already.
func (r *report) fault(field, code, message, remedy string) {
	if r.sound(field) {
		r.at(positionOf(r.root, field), field, code, message, remedy)
	}
}

// warn adds a warning about a field.
func (r *report) warn(field, code, message, remedy string) {
	where := positionOf(r.root, field)
	r.findings = append(r.findings, Finding{
		Severity: SeverityWarning, File: r.file, Line: where.Line, Column: where.Column,
		Code: code, Message: message, Remedy: remedy,
	})
}

// sound reports that none of the fields, nothing inside and nothing around them
// is broken.
func (r *report) sound(fields ...string) bool {
	for _, field := range fields {
		for _, b := range r.broken {
			if b == field || inside(b, field) || inside(field, b) {
				return false
			}
		}
	}
	return true
}

// written reports whether the file itself holds the field.
func (r *report) written(field string) bool { return written(r.root, field) }

// inside reports whether a field lies within another.
func inside(field, outer string) bool {
	if outer == "" {
		return true
	}
	rest, ok := strings.CutPrefix(field, outer)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}
