package compliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
)

// TimeLimit bounds the evaluation of one change, which takes some milliseconds. It
// is of the clock, and must not come near where the machine stands still for once.
const TimeLimit = 3 * time.Second

// The errors of an evaluation, beside ErrMemory, to be told apart with errors.Is. They mean that
// the change could not be judged.
var (
	// ErrTimeout: the rules took longer than TimeLimit.
	ErrTimeout = fmt.Errorf("the compliance rules took longer than %s", TimeLimit)
	// ErrShape: a rule yielded something that is no violation.
	ErrShape = errors.New("the compliance rules yielded something that is no violation")
)

// Violation is what a rule has against a change.
type Violation struct {
	Msg string `json:"msg"`
	// Code names the rule; may be empty.
	Code string `json:"code,omitempty"`
	// Path of the manifest's field that is meant; may be empty.
	Path string `json:"path,omitempty"`
	// Default: it is one of the default controls, not of the repository's rules.
	Default bool `json:"default,omitempty"`
}

// Exception is a deliberate exception to a rule, and what it silenced.
type Exception struct {
	Violation
	// Silenced are the violations that would have failed the change; empty
	// where the exception changes nothing.
	Silenced []Violation `json:"silenced"`
}

// Result is what the rules say about a change. Its lists are empty rather than
// nil, and ordered by code, path and message.
type Result struct {
	Deny       []Violation `json:"deny"`
	Warn       []Violation `json:"warn"`
	Exceptions []Exception `json:"exceptions"`
}

// Evaluate judges a change; input is an Input, or anything that encodes to JSON
// the same way. It errs, with a *Fault unless ctx ended, where the rules run longer
// than TimeLimit, take more than MemoryLimit, contradict each other, call a built-in
// that fails, or yield something of the wrong shape: then the change could not be
// judged, and nothing in the result holds.
func (b *Bundle) Evaluate(ctx context.Context, input any) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, TimeLimit, ErrTimeout)
	defer cancel()
	ctx, release := bounded(ctx)
	defer release()
	result, err := b.judge(ctx, input)
	if err != nil {
		return Result{}, b.faultOf(ctx, input, err)
	}
	return result, nil
}

func (b *Bundle) judge(ctx context.Context, input any) (Result, error) {
	answer, err := b.ask(ctx, input)
	if err != nil {
		return Result{}, err
	}
	found := map[string][]Violation{}
	for _, rule := range []string{"deny", "warn", "exception"} {
		if found[rule], err = violations(rule, answer); err != nil {
			return Result{}, err
		}
	}
	return except(found["deny"], found["warn"], found["exception"]), nil
}

func (b *Bundle) ask(ctx context.Context, input any) (map[string]any, error) {
	results, err := b.query.Eval(ctx, rego.EvalInput(input))
	if ctx.Err() != nil {
		// The engine's error has the place where it was.
		return nil, &ended{context.Cause(ctx), err}
	}
	if err != nil {
		return nil, fmt.Errorf("compliance rules: %w", err)
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("%w: %d answers", ErrShape, len(results))
	}
	answer, ok := results[0].Bindings["answer"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: no answer", ErrShape)
	}
	return answer, nil
}

// ended is an evaluation that was cut off: for which cause, and where the engine was.
type ended struct{ cause, engine error }

// Error is the cause.
func (e *ended) Error() string { return e.cause.Error() }

// Unwrap is the cause and what the engine said.
func (e *ended) Unwrap() []error { return []error{e.cause, e.engine} }

// violations reads one of the three sets of the answer.
func violations(rule string, answer map[string]any) ([]Violation, error) {
	found := []Violation{}
	sets, ok := answer[rule].([]any)
	if !ok {
		return nil, fmt.Errorf("%w: %s is missing", ErrShape, rule)
	}
	for _, set := range sets {
		more, err := members(rule, set)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	slices.SortFunc(found, compare)
	return slices.Compact(found), nil
}

// members are the violations in what rules of a name yield.
func members(rule string, set any) ([]Violation, error) {
	values, ok := set.([]any)
	if !ok {
		return nil, &misshapen{rule, noSet}
	}
	var found []Violation
	for _, m := range values {
		v, wrong := violation(m)
		if wrong == "" && rule == "exception" && v.Code == "" {
			wrong = withoutCode
		}
		if wrong != "" {
			return nil, &misshapen{rule, wrong}
		}
		found = append(found, v)
	}
	return found, nil
}

func compare(a, b Violation) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Msg, b.Msg))
}

// violation reads a member, or says what is wrong with it.
func violation(member any) (v Violation, wrong string) {
	fields, ok := member.(map[string]any)
	if !ok {
		return v, "yields " + kindOfValue(member) + noObject
	}
	for _, field := range []struct {
		name string
		in   *string
	}{{"msg", &v.Msg}, {"code", &v.Code}, {"path", &v.Path}} {
		value, present := fields[field.name]
		if !present {
			continue
		}
		if *field.in, ok = value.(string); !ok {
			return v, noText(field.name)
		}
	}
	if v.Msg == "" {
		return v, withoutMsg
	}
	return v, ""
}

// kindOfValue names what a value of JSON is.
func kindOfValue(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	}
	return "a number"
}

// except lets exceptions silence what they name.
func except(deny, warn, exceptions []Violation) Result {
	r := Result{Deny: []Violation{}, Warn: warn, Exceptions: []Exception{}}
	for _, e := range exceptions {
		r.Exceptions = append(r.Exceptions, Exception{Violation: e, Silenced: []Violation{}})
	}
	for _, d := range deny {
		if !r.silence(d) {
			r.Deny = append(r.Deny, d)
		}
	}
	return r
}

// silence notes a violation with every exception that names it, and reports
// whether one does.
func (r *Result) silence(v Violation) bool {
	silenced := false
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		if e.Code == v.Code && (e.Path == "" || e.Path == v.Path) {
			e.Silenced = append(e.Silenced, v)
			silenced = true
		}
	}
	return silenced
}
