package apply

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

// ErrUnavailable says that the cluster could not be asked, after all retries:
// the answer is unknown, neither yes nor no.
var ErrUnavailable = errors.New("the cluster did not answer")

// Cause is why an object was refused.
type Cause string

// The causes.
const (
	CauseQuota            Cause = "Quota"
	CauseWebhook          Cause = "Webhook"
	CauseInvalid          Cause = "Invalid"
	CauseUnknownField     Cause = "UnknownField"
	CauseImmutable        Cause = "Immutable"
	CauseForbidden        Cause = "Forbidden"
	CauseMissingKind      Cause = "MissingKind"
	CauseMissingNamespace Cause = "MissingNamespace"
	CauseTerminating      Cause = "Terminating"
	CauseNotOurs          Cause = "NotOurs"
	CauseLabels           Cause = "Labels"
)

// Refusal is one object that the cluster, or a rule of ownership, does not take.
type Refusal struct {
	// Object is "Kind/namespace/name".
	Object  string
	Cause   Cause
	Message string
	// Remedy is what a person can do.
	Remedy string
	// Err is the API server's answer; nil where it was not asked.
	Err error
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %s: %s (%s)", r.Object, r.Cause, r.Message, r.Remedy)
}

func (r *Refusal) Unwrap() error { return r.Err }

// RefusedError lists every object of a set that would be refused. Nothing of
// the set was applied.
type RefusedError struct {
	Unit     schemas.Unit
	Refusals []Refusal
}

func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Refusals))
	for i := range e.Refusals {
		lines[i] = e.Refusals[i].Error()
	}
	return fmt.Sprintf("%s: nothing applied, %d refused: %s", e.Unit, len(lines), strings.Join(lines, "; "))
}

func (e *RefusedError) Unwrap() []error {
	errs := make([]error, len(e.Refusals))
	for i := range e.Refusals {
		errs[i] = &e.Refusals[i]
	}
	return errs
}

// PartialError says that a write failed although its dry run had passed; some
// objects of the set may be applied. Applying again completes it.
type PartialError struct {
	Unit           schemas.Unit
	Applied, Total int
	Errs           []error
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("%s: %d of %d objects applied: %v", e.Unit, e.Applied, e.Total, errors.Join(e.Errs...))
}

func (e *PartialError) Unwrap() []error { return e.Errs }

// PruneGuardError says that an apply would have removed more than is allowed.
// Nothing was written.
type PruneGuardError struct {
	Unit schemas.Unit
	// Objects that would have been removed, as "Kind/namespace/name".
	Objects []string
	Rule    string
}

func (e *PruneGuardError) Error() string {
	return fmt.Sprintf("%s: nothing applied: this would remove %d objects (%s), and %s; remove them in smaller steps or raise the limit",
		e.Unit, len(e.Objects), strings.Join(e.Objects, ", "), e.Rule)
}
