package githubtest

import (
	"fmt"
	"net/http"
)

// apiError is a refusal in GitHub's words.
type apiError struct {
	status  int
	message string
	errors  []any // objects for validation_failed, sentences for validation_failed_simple
	header  http.Header
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.status, e.message) }

const docsURL = "https://docs.github.com/rest"

func (e *apiError) body() object {
	b := object{"message": e.message, "documentation_url": docsURL, "status": fmt.Sprint(e.status)}
	if len(e.errors) > 0 {
		b["errors"] = e.errors
	}
	return b
}

func refuse(status int, format string, args ...any) *apiError {
	return &apiError{status: status, message: fmt.Sprintf(format, args...)}
}

func notFound() *apiError { return refuse(http.StatusNotFound, "Not Found") }

// invalid is GitHub's answer to a field that it does not take.
func invalid(resource, field, code, format string, args ...any) *apiError {
	entry := object{"resource": resource, "field": field, "code": code}
	if format != "" {
		entry["message"] = fmt.Sprintf(format, args...)
	}
	e := refuse(http.StatusUnprocessableEntity, "Validation Failed")
	e.errors = []any{entry}
	return e
}

// unprocessable is the shorter form that some resources, reviews among them, answer with.
func unprocessable(format string, args ...any) *apiError {
	e := refuse(http.StatusUnprocessableEntity, "Unprocessable Entity")
	e.errors = []any{fmt.Sprintf(format, args...)}
	return e
}
