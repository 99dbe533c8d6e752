package policy

import "github.com/mlops-platform/mooring/schemas"

// Finding is what a decision says against a file without knowing where in the
// file it stands. Field is the manifest's path to it (spec.serving.pool), empty
// where it is about the whole; the engine looks up the line.
type Finding struct {
	Severity schemas.Severity `json:"severity"`
	// Code is in kebab-case and never changes once released.
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// At puts the finding at a place. Line and column count from 1; 0 where the
// finding is about the whole file.
func (f Finding) At(file string, line, column int) schemas.Finding {
	return schemas.Finding{
		Severity: f.Severity, File: file, Line: line, Column: column,
		Code: f.Code, Message: f.Message, Remedy: f.Remedy,
	}
}
